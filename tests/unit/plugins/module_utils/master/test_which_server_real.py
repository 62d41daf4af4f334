# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is the kube-apiserver of a manifest, among real processes of this machine."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import process as process_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import (
    Process,
    find_apiserver,
    list_processes,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.support import (
    FLAGS,
    NEW_FLAGS,
)

NOBODY = 65534
CLONE_NEWNET = 0x40000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)
OTHER_NETWORK = "net:[4026532999]"


@contextlib.contextmanager
def running(*flags: str, uid: int | None = None, network: bool = False) -> t.Iterator[Process]:
    """A real process that is called kube-apiserver, with these flags and no other words; uid: of this user; network:
    in a network of its own."""

    def prepare() -> None:
        if network and LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    # a shell takes flags only behind its script, and cat takes none
    words = ["-c", "read dummy", *flags] if flags else []
    child = subprocess.Popen(
        ["kube-apiserver", *words],
        executable="/bin/sh" if flags else "/bin/cat",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=prepare,
    )
    try:
        yield machine.listed(child.pid)
    finally:
        child.kill()
        child.communicate()


class TestReal:
    """Real processes of this machine, on which others that are called so may run, too."""

    @pytest.fixture(autouse=True)
    def text(self, tmp_path: Path) -> str:
        # no other server of this machine has this one
        self.flags = (*FLAGS[:4], f"--etcd-prefix={tmp_path}", *FLAGS[5:])
        self.text = support.text_with(*self.flags).replace("spec:\n", "spec:\n  hostNetwork: true\n")
        return self.text

    def find(self, proc: str = "/proc") -> Process | None:
        return find_apiserver(list_processes(), self.text, proc=proc)

    def test_ours_is_found(self) -> None:
        with running(*self.flags) as ours:
            assert self.find() == ours
        assert self.find() is None

    def test_without_arguments(self) -> None:
        with running() as bare:
            assert bare.argv == ("kube-apiserver",)
            assert self.find() is None
            with running(*self.flags) as ours, running():
                assert self.find() == ours

    def test_of_another_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other = NOBODY
        if os.geteuid() != 0:  # then everything here is of a user that is not root
            other = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: 0)
        with running(*self.flags, uid=None if other != NOBODY else NOBODY) as theirs:
            assert process_module._owner_of(f"/proc/{theirs.pid}") == other
            assert self.find() is None
            self.text += f"  securityContext:\n    runAsUser: {other}\n"
            assert self.find() == theirs

    def test_of_another_user_without_arguments(self) -> None:
        with running(uid=NOBODY if os.geteuid() == 0 else None):
            assert self.find() is None

    def test_in_another_network(self, tmp_path: Path) -> None:
        proc = "/proc"
        context = running(*self.flags, network=True)
        try:
            nested = context.__enter__()
        except (OSError, subprocess.SubprocessError):  # it takes root: then we are those in another network
            context = running(*self.flags)
            nested = context.__enter__()
            made_up = tmp_path / "proc"
            (made_up / "self" / "ns").mkdir(parents=True)
            (made_up / "self" / "ns" / "net").symlink_to(OTHER_NETWORK)
            (made_up / str(nested.pid)).symlink_to(f"/proc/{nested.pid}")
            proc = str(made_up)
        try:
            assert self.find(proc) is None
            self.text = self.text.replace("hostNetwork: true", "hostNetwork: false")
            assert self.find(proc) == nested
        finally:
            context.__exit__(None, None, None)

    def test_a_nested_control_plane(self) -> None:
        """Made by the same tool: the same flags, but for an address and a port."""
        nested = [flag.replace("10.0.0.1", "10.0.0.2").replace("6443", "16443") for flag in self.flags]
        with running(*nested):
            assert self.find() is None  # ours is down
            with running(*self.flags) as ours, running(*nested):
                assert self.find() == ours

    def test_the_manifest_is_newer(self) -> None:
        with running(*self.flags) as before:
            self.text = support.text_with(*self.flags, *NEW_FLAGS)
            assert self.find() == before
            with running(*self.flags, *NEW_FLAGS) as after:
                assert self.find() == after
