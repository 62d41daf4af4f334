# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of ansible-playbook on one inventory, with Ansible's own settings, each with connections of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

from cost import BenchError, Command
from support.ansible_run import environment_for

__all__ = ["CONFIGURE", "NAME", "ROOT", "Runs", "hang_up"]

ROOT = Path(__file__).resolve().parent.parent.parent
NAME = "kubeops.aggregation_layer"
CONFIGURE = f"{NAME}.configure"
VERIFY = f"{NAME}.verify"
# The least that a play can do: one module, which does nothing, on every host.
_PING: dict[str, t.Any] = {"hosts": "masters", "gather_facts": False, "tasks": [{"ansible.builtin.ping": {}}]}
# The least that a play with the role's own setting can do: one round trip a task.
_PIPELINED = {**_PING, "vars": {"ansible_pipelining": True}}


def hang_up(sockets: Path) -> None:
    """End the connections that Ansible keeps with sockets in this folder, so that the next run makes its own."""
    for path in sockets.glob("*"):
        command = ["ssh", "-F", "none", "-o", f"ControlPath={path}", "-O", "exit", "bench"]
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True)


class Runs:
    """An inventory and Ansible's settings, in a folder with a short path.

    inventory: what the inventory says, as plain values; collections: by full name, where each lies; sockets: an
    existing folder for those of ssh.
    """

    def __init__(
        self, folder: Path, inventory: t.Mapping[str, t.Any], collections: t.Mapping[str, Path], sockets: Path
    ) -> None:
        self.folder = folder
        self._sockets = sockets
        for name, place in collections.items():
            linked = folder / "collections" / "ansible_collections" / name.replace(".", "/")
            linked.parent.mkdir(parents=True, exist_ok=True)
            linked.symlink_to(place)
        self._inventory = folder / "inventory.json"
        self._inventory.write_text(json.dumps(inventory, indent=1), encoding="utf-8")
        for name, play in (("ping", _PING), ("pipelined", _PIPELINED)):
            (folder / f"{name}.yml").write_text(json.dumps([play]), encoding="utf-8")

    def _environment(self) -> dict[str, str]:
        """Ansible's own settings, whatever those of the user are; what it writes, it writes here."""
        own = environment_for(self.folder / "collections", self.folder)
        return {**own, "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._sockets)}

    def hang_up(self) -> None:
        """End the connections that Ansible keeps."""
        hang_up(self._sockets)

    def command(self, playbook: str | Path, *arguments: str) -> Command:
        """A run of a playbook with the ansible-playbook beside this Python, which begins without a connection."""
        program = Path(sys.executable).parent / "ansible-playbook"
        if not program.exists():
            raise BenchError(f"There is no {program}: use a Python that has ansible-core.")
        words = (str(program), "-i", str(self._inventory), str(playbook), *arguments)
        return Command(words, self._environment(), self.folder / "log", self.hang_up)

    def ping(self) -> Command:
        """A play of one ping."""
        return self.command(self.folder / "ping.yml")

    def pipelined(self) -> Command:
        """The floor: a play of one ping with pipelining, which takes as many round trips as a task of the role."""
        return self.command(self.folder / "pipelined.yml")

    def verify(self) -> Command:
        """The collection's look at what works; what it finds is no failure here."""
        return self.command(VERIFY, "--extra-vars", "front_proxy_fail_on=never")

    def configure(self, *arguments: str) -> Command:
        """The collection's playbook."""
        return self.command(CONFIGURE, *arguments)
