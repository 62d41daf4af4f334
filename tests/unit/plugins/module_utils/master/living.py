# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretended machine with a sandboxed master, a server and a kubelet, and a change of it that was cut off."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile, Order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install, serving
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import Backup, prepare
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import list_processes
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support

OLD, NEW = support.generation("old"), support.generation("new")
PORT, ADDRESS = "    - --secure-port=$(PORT)\n", "    - --bind-address=$(ADDRESS)\n"
BAD_TEXT = support.NEW_TEXT.replace("    - --secure-port=6443\n", f"{PORT}{ADDRESS}    - --no-such-flag=1\n")
GOOD = support.NEW_TEXT.replace("    - --secure-port=6443\n", f"{PORT}{ADDRESS}")
BEFORE = support.OLD_TEXT.replace("    - --secure-port=6443\n", f"{PORT}{ADDRESS}    - --profiling=false\n")
FLAGS: dict[str, str | None] = {
    "proxy-client-cert-file": support.CERTIFICATE,
    "proxy-client-key-file": support.KEY,
    "profiling": None,
}


class Live(t.NamedTuple):
    """A machine that runs."""

    sandbox: support.Sandbox
    server: machine.Server
    kubelet: machine.Kubelet

    def order(self, made: support.Generation | None, text: str | None, wait: float = 20.0, **more: t.Any) -> Order:
        """An order that is waited for."""
        return self.sandbox.order(made, text, wait=wait, **{"flags": FLAGS, **more})

    @property
    def running(self) -> t.Tuple[str, ...]:
        """The flags of what runs."""
        assert self.kubelet.running is not None
        return tuple(Path(f"/proc/{self.kubelet.running.pid}/cmdline").read_text().split("\0"))


@contextlib.contextmanager
def lively(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Live]:
    """Such a machine."""
    sandbox = support.old_master(tmp_path / "root", OLD)
    sandbox.places = machine.LivePlaces(str(sandbox.root))
    sandbox.lay(support.MANIFEST, BEFORE, 0o600)
    server = machine.Server(NEW, OLD)
    machine.only_marked(monkeypatch, str(tmp_path))
    try:
        with machine.Kubelet(sandbox, server.port, str(tmp_path)) as kubelet:
            yield Live(sandbox, server, kubelet)
    finally:
        server.close()
    assert [one for one in list_processes() if f"--marker={tmp_path}" in one.argv] == []


def check_old(live: Live, state: support.State) -> None:
    """All is as it was, and runs."""
    assert live.sandbox.state() == state
    assert "--profiling=false" in live.running
    assert not os.path.exists(live.sandbox.places.pending)
    assert live.sandbox.holders_of(OLD.key) == [support.KEY] and live.sandbox.holders_of(NEW.key) == []


def cut_off(live: Live, text: str, **more: t.Any) -> None:
    """Leave a change behind as if its process was killed while it waited."""
    order = live.order(NEW, text, **more)
    prepare(live.sandbox.places)
    staged = live.sandbox.stage(*order.files, NewFile(support.MANIFEST, text.encode(), 0o600))
    Backup.begin(
        live.sandbox.places,
        staged=staged,
        manifest=live.sandbox.places.real(support.MANIFEST),
        note=change_module._note(order, text, serving.running(BEFORE, live.sandbox.places)),
    )
    install.put_all(staged)
