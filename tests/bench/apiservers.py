# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kube-apiservers that run on the nodes, seen from this machine: that starts no process, and costs little."""

from __future__ import annotations

import contextlib
import os
import threading
import typing as t
from pathlib import Path

__all__ = ["ApiServer", "Starts", "running", "watching"]

_PAUSE = 0.2  # seconds; a kube-apiserver that dies of its flags or of a taken port lives longer


class ApiServer(t.NamedTuple):
    """A process; start is in clock ticks since the machine's start."""

    pid: int
    start: int


def running(network: Path) -> set[ApiServer]:
    """The kube-apiservers in this network namespace. There may be none, or two for a moment."""
    inode = network.stat().st_ino
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8") != "kube-apiserver\n":
                continue
            if os.stat(f"/proc/{pid}/ns/net").st_ino == inode:
                state, *others = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
                if state not in "XZ":
                    found.add(ApiServer(int(pid), int(others[18])))
        except OSError:  # it has ended meanwhile
            continue
    return found


class Starts:
    """The kube-apiservers that began after the watching, by the name of the node."""

    def __init__(self, networks: t.Mapping[str, Path]) -> None:
        self._networks = networks
        self._old = {name: running(network) for name, network in networks.items()}
        self._new: dict[str, set[ApiServer]] = {name: set() for name in networks}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._ended.wait(_PAUSE):
            self._look()

    def _look(self) -> None:
        for name, network in self._networks.items():
            self._new[name] |= running(network) - self._old[name]

    def end(self) -> None:
        """Stop watching."""
        self._ended.set()
        self._thread.join()
        self._look()

    @property
    def counts(self) -> list[int]:
        """How many began on each node."""
        return [len(found) for found in self._new.values()]


@contextlib.contextmanager
def watching(networks: t.Mapping[str, Path]) -> t.Iterator[Starts]:
    """Watch until the end of the block. networks: by the names of the nodes, the files of their namespaces."""
    starts = Starts(networks)
    try:
        yield starts
    finally:
        starts.end()
