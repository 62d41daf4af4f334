# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures: one real cluster for all tests, and a known state of it for each."""

from __future__ import annotations

import json
import signal
import sys
import typing as t
from dataclasses import dataclass, field
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), *(str(HERE.parent / name) for name in ("real", "sandbox", "kubernetes"))]

from bed.node import Node
from bed.testbed import Testbed
from choosing import (
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    release_under_test,
)
from releases import Release
from support.ansible_run import collections_for
from watch.client import Client
from watch.extension import GROUP, SampleApiServer
from watch.master import Master, wait_for
from watch.playbook import CONFIGURE, Playbook, Run

# what pytest finds here
__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "release_under_test"]

#: What a test wants to be said at the end of the session: numbers that are no verdict.
remarks: list[str] = []


@dataclass
class Cluster:
    """The masters, and what one needs to work on them and to watch them."""

    bed: Testbed
    folder: Path
    client: Client
    ansible: Playbook
    masters: list[Master] = field(default_factory=list)

    def adopt(self, node: Node) -> Master:
        """Count a node among the masters, in the inventory too."""
        master = Master(node, self.client)
        self.masters.append(master)
        self.write_inventory()
        return master

    def write_inventory(self) -> None:
        (self.folder / "inventory.ini").write_text(self.bed.inventory(), encoding="utf-8")

    def start(self, *arguments: str, pki: str = "pki", **variables: t.Any) -> Run:
        """Begin to configure the cluster. pki: which folder of the controller to use."""
        return self.ansible.start(CONFIGURE, *arguments, front_proxy_pki_dir=str(self.folder / pki), **variables)

    def configure(self, *arguments: str, pki: str = "pki", **variables: t.Any) -> Run:
        """Configure the cluster; the run must end well."""
        return self.start(*arguments, pki=pki, **variables).succeeded()

    def give(self, host: str, variables: t.Mapping[str, t.Any]) -> None:
        """Set variables of one host in the inventory, in place of those that it had."""
        path = self.folder / "host_vars" / f"{host}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(variables), encoding="utf-8")

    def wait_until_ready(self) -> None:
        """Wait until every master runs what its manifest says."""
        for master in self.masters:
            master.wait_until_it_runs_its_manifest()

    def is_clean(self) -> bool:
        """Whether nothing but the four manifests lies in each manifests folder."""
        names = ["etcd.yaml", "kube-apiserver.yaml", "kube-controller-manager.yaml", "kube-scheduler.yaml"]
        return all(master.in_manifests == names for master in self.masters)

    def bring(self, state: str) -> None:
        """Bring all masters into a kept state: kubeadm (as it made them), bare or configured."""
        for master in self.masters:
            master.restore(self.folder / state)
        self.wait_until_ready()

    def keep(self, state: str) -> None:
        """Keep the state in which all masters are."""
        for master in self.masters:
            master.save(self.folder / state)

    def strip(self) -> None:
        """Take the aggregation layer off all masters, and keep that state as bare."""
        for master in self.masters:
            master.strip()
        self.wait_until_ready()
        if not (self.folder / "bare").exists():
            self.keep("bare")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> t.Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the masters' kubelets and kube-apiservers said last beneath a failure."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        for master in cluster.masters:
            if master.node.is_running:
                command = "tail -n 15 /var/log/kubelet.log; tail -n 15 /var/log/pods/*kube-apiserver*/*/*.log"
                report.sections.append((f"logs of {master.name}", master.node.run("sh", "-c", command, check=False)))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured beside the verdicts."""
    for remark in remarks:
        terminalreporter.write_line(f"remark: {remark}")


@pytest.fixture(scope="session")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which Ansible finds this collection."""
    return collections_for(tmp_path_factory.mktemp("collections"))


@pytest.fixture(scope="session")
def whole_cluster(collections: Path, release: Release, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Cluster]:
    """Three masters, made by kubeadm."""
    folder = tmp_path_factory.mktemp("cluster")
    # so that a session that is told to end takes its cluster down
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Testbed(release) as bed:
        bed.up(3)
        program = Path(sys.executable).parent / "ansible-playbook"
        ansible = Playbook(program, collections, folder, folder / "inventory.ini")
        cluster = Cluster(bed, folder, Client(bed.kubeconfig), ansible)
        for node in bed.nodes:
            cluster.adopt(node)
        cluster.wait_until_ready()
        cluster.keep("kubeadm")
        yield cluster


@pytest.fixture
def cluster(whole_cluster: Cluster) -> t.Iterator[Cluster]:
    """The cluster in whatever state it is; every kube-apiserver serves before and after."""
    for master in whole_cluster.masters:
        if not master.node.is_running:
            # a test that failed may have left it so
            master.node.power_off()
            master.node.boot()
    whole_cluster.wait_until_ready()
    yield whole_cluster
    for master in whole_cluster.masters:
        wait_for(master.is_ready, f"{master.name} serves after the test")


@pytest.fixture
def bare(cluster: Cluster) -> Cluster:
    """The cluster without an aggregation layer."""
    cluster.strip()
    return cluster


@pytest.fixture
def configured(cluster: Cluster) -> Cluster:
    """The cluster after a run of the role, from bare masters."""
    if not (cluster.folder / "configured").exists():
        cluster.strip()
        cluster.configure()
        cluster.keep("configured")
    cluster.bring("configured")
    return cluster


@pytest.fixture(scope="session")
def flunders(whole_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[SampleApiServer]:
    """A real extension API server, known to the cluster."""
    with SampleApiServer(whole_cluster.bed, tmp_path_factory.mktemp("wardle")) as server:
        yield server


@pytest.fixture
def alone(whole_cluster: Cluster) -> t.Iterator[None]:
    """No extension API server is known for the test; the one of other tests is known again afterwards."""
    kubectl, name = whole_cluster.bed.kubectl, f"v1alpha1.{GROUP}"
    found = kubectl("get", "apiservice", name, "--ignore-not-found", "--output=json").strip()
    kubectl("delete", "apiservice", name, "--ignore-not-found")
    yield
    if found:
        kept = {key: value for key, value in json.loads(found).items() if key in ("apiVersion", "kind", "spec")}
        kubectl("apply", "--filename=-", given=json.dumps({**kept, "metadata": {"name": name}}))


@pytest.fixture(scope="session")
def remark() -> t.Callable[[str], None]:
    """Say something at the end of the session."""
    return remarks.append
