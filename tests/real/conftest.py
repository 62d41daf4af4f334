# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures for tests that start a real etcd and a real kube-apiserver."""

from __future__ import annotations

import os
import shutil
import socket
import sys
import typing as t
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "sandbox"), str(HERE.parent / "kubernetes")]

import programs
from choosing import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    release_under_test,
)
from make_masters import make_authorities
from releases import Release
from support.ansible_run import Ansible, collections_for
from support.apiserver import LOOPBACK, ApiServer, Etcd
from support.extension import Extension
from support.live import LiveMaster
from support.pasted import Paste, Shell
from support.verified import Look, verify

# what pytest finds here
__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "release_under_test"]

# The servers of the tests that run now: what they said is part of a failed test's report.
running: list[ApiServer | Etcd] = []


class MakeApiServer(t.Protocol):
    """The type of the fixture ``make_apiserver``."""

    def __call__(
        self, manifest: str, *, root: Path, flags: t.Mapping[str, str | None] | None = None, wait: bool = True
    ) -> ApiServer:
        """Start a kube-apiserver from a manifest's text and, if asked, wait until it is ready."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the servers' last words beneath a failure."""
    report = yield
    if report.failed:
        report.sections += [(f"log of {server.title}", server.tail()) for server in running]
    return report


@pytest.fixture(scope="session")
def binaries(release: Release) -> str:
    """A search path on which etcd and kube-apiserver are. Without them the whole session ends as an error."""
    folder = os.environ.get("KUBEBUILDER_ASSETS") or str(programs.find(release) or os.devnull)
    path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
    missing = [name for name in ("etcd", "kube-apiserver") if not shutil.which(name, path=path)]
    if missing:
        what = f"run {HERE.parent / 'kubernetes' / 'prepare'}, which says what it needs and builds what is not there"
        pytest.exit(f"These tests start {' and '.join(missing)} of {release}, not found: {what}.", returncode=3)
    return path


@pytest.fixture(scope="session")
def kubernetes_version(release: Release) -> str:
    """The release of the kube-apiserver at hand: the sandboxed masters get a manifest of that release."""
    return release.version


@pytest.fixture(scope="session")
def etcd(binaries: str, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Etcd]:
    """One etcd for all tests."""
    program = shutil.which("etcd", path=binaries)
    server = Etcd(str(program), tmp_path_factory.mktemp("etcd"))
    running.append(server)
    try:
        server.wait_until(server.is_healthy)
        yield server
    finally:
        server.stop()
        running.remove(server)


@pytest.fixture(scope="module")
def make_apiserver(binaries: str, etcd: Etcd, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[MakeApiServer]:
    """Start kube-apiservers from manifests; they are stopped when the tests of the module are done."""
    program = str(shutil.which("kube-apiserver", path=binaries))
    started: list[ApiServer] = []

    def make(
        manifest: str, *, root: Path, flags: t.Mapping[str, str | None] | None = None, wait: bool = True
    ) -> ApiServer:
        log = tmp_path_factory.mktemp("kube-apiserver") / "log"
        server = ApiServer(program, manifest, root=root, etcd=etcd, log=log, flags=flags)
        started.append(server)
        running.append(server)
        if wait:
            server.wait_until(server.is_ready)
        return server

    try:
        yield make
    finally:
        for server in started:
            server.stop()
            running.remove(server)


@pytest.fixture(scope="session")
def kubeadm(binaries: str) -> str:
    """The path of kubeadm."""
    program = shutil.which("kubeadm", path=binaries)
    if program is None:
        pytest.fail("kubeadm is neither beside kube-apiserver nor on PATH: put it there, or unset KUBEBUILDER_ASSETS.")
    return program


@pytest.fixture(scope="session")
def program(binaries: str) -> t.Callable[[str], str]:
    """Give the path of a program of the release, such as kubectl."""

    def find(name: str) -> str:
        found = shutil.which(name, path=binaries)
        if found is None:
            pytest.fail(f"{name} is neither beside kube-apiserver nor on PATH: put it there.")
        return found

    return find


@pytest.fixture(scope="session")
def collections_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Ansible finds the collection."""
    return collections_for(tmp_path_factory.mktemp("collections"))


@pytest.fixture(scope="session")
def ansible(collections_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Ansible:
    """Ansible, which knows this collection and nothing else."""
    return Ansible(collections_path, tmp_path_factory.mktemp("ansible"))


class MakeMaster(t.Protocol):
    """The type of the fixture ``make_master``."""

    def __call__(
        self, name: str = "m1", *, of: LiveMaster | None = None, address: str = LOOPBACK, **flags: str | None
    ) -> LiveMaster:
        """Start a master as kubeadm makes it, with more flags; of: a master of the same cluster."""


@pytest.fixture(scope="module")
def make_master(
    binaries: str, kubernetes_version: str, etcd: Etcd, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[MakeMaster]:
    """Masters that run on this machine; they are stopped when the tests of the module are done."""
    program = str(shutil.which("kube-apiserver", path=binaries))
    made: list[LiveMaster] = []

    def make(
        name: str = "m1", *, of: LiveMaster | None = None, address: str = LOOPBACK, **flags: str | None
    ) -> LiveMaster:
        master = LiveMaster(
            program,
            tmp_path_factory.mktemp("live") / name,
            authorities=of.authorities if of else make_authorities(bare=False),
            etcd=etcd,
            prefix=of.flags["etcd-prefix"] if of else etcd.prefix(),
            version=kubernetes_version,
            address=address,
        )
        # nothing on this machine leads to the address of a Service
        routing = {"enable-aggregator-routing": "true"}
        master.set_flags({**routing, **{flag.replace("_", "-"): value for flag, value in flags.items()}})
        made.append(master)
        master.start_kubelet()
        master.start()
        return master

    try:
        yield make
    finally:
        for master in made:
            master.stop()
            master.stop_kubelet()


@pytest.fixture
def look(ansible: Ansible, tmp_path: Path) -> Look:
    """Run the playbook."""
    return lambda *given, **variables: verify(ansible, tmp_path, *given, **variables)


@pytest.fixture
def address() -> str:
    """An address of this machine that is no loopback one, which Endpoints may not have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: which of our addresses leads out of here?
        return str(probe.getsockname()[0])


@pytest.fixture
def extension(address: str, tmp_path: Path) -> t.Iterator[Extension]:
    """A server that works."""
    server = Extension(address, tmp_path)
    yield server
    server.stop()


@pytest.fixture
def paste(ansible: Ansible, binaries: str, tmp_path: Path) -> Paste:
    """Paste a fix into a shell on the machine that it names."""
    return Shell(ansible, tmp_path, binaries).paste
