# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sandboxed masters for what is measured of the controller alone."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

from cost import BenchError, measure_time
from make_masters import Master, make_authorities, make_master
from runs import NAME, ROOT, Runs
from sshd import Server

__all__ = ["MASTERS", "Controller"]

# As in a real inventory: many hosts are many clusters, and a cluster has three masters.
MASTERS = 3
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def _make_clusters(folder: Path, hosts: int) -> dict[str, list[Master]]:
    """Make bare masters, as many as hosts, and give them by the names of their clusters."""
    clusters: dict[str, list[Master]] = {}
    for number in range(hosts):
        if number % MASTERS == 0:
            authorities = make_authorities(bare=True)
        masters = clusters.setdefault(f"c{number // MASTERS + 1}", [])
        masters.append(make_master(folder / f"m{number + 1}", authorities=authorities))
    return clusters


class Controller:
    """An inventory of sandboxed masters in a folder of its own, and runs of ansible-playbook on it."""

    def __init__(self, folder: Path, server: Server, hosts: int, collection: Path = ROOT) -> None:
        self._folder = folder
        self._clusters = _make_clusters(folder / "masters", hosts)
        self.runs = Runs(folder, self._inventory(server), {NAME: collection}, server.sockets)

    def _inventory(self, server: Server) -> dict[str, t.Any]:
        variables = {**server.variables(), "front_proxy_pki_dir": str(self._folder / "pki")}
        hosts = {
            master.name: {"front_proxy_root": str(master.root), "front_proxy_cluster": name}
            for name, masters in self._clusters.items()
            for master in masters
        }
        return {"masters": {"hosts": hosts, "vars": variables}}

    def configure(self) -> None:
        """Configure the masters, and see that there is nothing left to do. Raises BenchError."""
        run = self.runs.configure()
        for wanted in (None, 0):
            measure_time(run)
            text = run.log.read_text(encoding="utf-8", errors="replace")
            changed = {name: int(count) for name, count, *dummy in _RECAP.findall(text)}
            missing = [each.name for masters in self._clusters.values() for each in masters if each.name not in changed]
            if missing:
                raise BenchError(f"Nothing was done on {', '.join(missing)}.")
            if wanted is not None and any(changed.values()):
                raise BenchError(f"The second run changed something: {changed}.")
