# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bench runs on the controller: the playbook and the floor, over ssh, on sandboxed masters."""

from __future__ import annotations

import json
import os
import re
import sys
import typing as t
from pathlib import Path

from cost import BenchError, Command, measure_time
from sshd import Server

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "sandbox"))

from make_masters import Master, make_authorities, make_master

__all__ = ["CONFIGURE", "Controller", "PING"]

CONFIGURE = "kubeops.aggregation_layer.configure"
# The least that a play can do: one module, which does nothing, on every host.
PING = [{"hosts": "masters", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}]
# As in a real inventory: many hosts are many clusters, and a cluster has three masters.
_MASTERS = 3
_RECAP = re.compile(r"^(\S+) +: ok=\d+ +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.MULTILINE)


def _make_clusters(folder: Path, hosts: int) -> dict[str, list[Master]]:
    """Make bare masters, as many as hosts, and give them by the names of their clusters."""
    clusters: dict[str, list[Master]] = {}
    for number in range(hosts):
        if number % _MASTERS == 0:
            authorities = make_authorities(bare=True)
        masters = clusters.setdefault(f"c{number // _MASTERS + 1}", [])
        masters.append(make_master(folder / f"m{number + 1}", authorities=authorities))
    return clusters


class Controller:
    """An inventory of sandboxed masters in a folder of its own, and runs of ansible-playbook on it."""

    def __init__(self, folder: Path, server: Server, hosts: int, collection: Path = ROOT) -> None:
        self.folder = folder
        self.server = server
        self.clusters = _make_clusters(folder / "masters", hosts)
        linked = folder / "collections" / "ansible_collections" / "kubeops" / "aggregation_layer"
        linked.parent.mkdir(parents=True)
        linked.symlink_to(collection)
        self.inventory = folder / "inventory.json"
        self.inventory.write_text(json.dumps(self._inventory(), indent=1), encoding="utf-8")
        (folder / "ansible.cfg").touch()
        self.ping = folder / "ping.yml"
        self.ping.write_text(json.dumps(PING), encoding="utf-8")

    def _inventory(self) -> dict[str, t.Any]:
        variables = {**self.server.variables(), "front_proxy_pki_dir": str(self.folder / "pki")}
        hosts = {
            master.name: {"front_proxy_root": str(master.root), "front_proxy_cluster": name}
            for name, masters in self.clusters.items()
            for master in masters
        }
        return {"masters": {"hosts": hosts, "vars": variables}}

    def _environment(self) -> dict[str, str]:
        """Ansible's own settings, whatever those of the user are; what it writes, it writes here."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **env,
            "ANSIBLE_COLLECTIONS_PATH": str(self.folder / "collections"),
            "ANSIBLE_CONFIG": str(self.folder / "ansible.cfg"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.server.sockets),
            "LC_ALL": "C.UTF-8",
        }

    def command(self, playbook: str | Path) -> Command:
        """A run of a playbook with the ansible-playbook beside this Python, which begins without a connection."""
        program = Path(sys.executable).parent / "ansible-playbook"
        if not program.exists():
            raise BenchError(f"There is no {program}: use a Python that has ansible-core.")
        words = (str(program), "-i", str(self.inventory), str(playbook))
        return Command(words, self._environment(), self.folder / "log", self.server.hang_up)

    def configure(self) -> None:
        """Configure the masters, and see that there is nothing left to do. Raises BenchError."""
        run = self.command(CONFIGURE)
        for wanted in (None, 0):
            measure_time(run)
            text = run.log.read_text(encoding="utf-8", errors="replace")
            changed = {name: int(count) for name, count, *_ in _RECAP.findall(text)}
            missing = [each.name for masters in self.clusters.values() for each in masters if each.name not in changed]
            if missing:
                raise BenchError(f"Nothing was done on {', '.join(missing)}.")
            if wanted is not None and any(changed.values()):
                raise BenchError(f"The second run changed something: {changed}.")
