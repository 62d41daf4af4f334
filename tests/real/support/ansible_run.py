# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the collection as its users do: with Ansible's own commands, in a process of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Ansible", "collections_for", "environment_for"]

COLLECTION = Path(__file__).resolve().parents[3]


def collections_for(folder: Path) -> Path:
    """A folder in which Ansible finds this collection: AGGREGATION_LAYER_COLLECTIONS_PATH, or else the given one."""
    given = os.environ.get("AGGREGATION_LAYER_COLLECTIONS_PATH")
    if given:
        return Path(given)
    namespace = folder / "ansible_collections" / "kubeops"
    namespace.mkdir(parents=True)
    (namespace / "aggregation_layer").symlink_to(COLLECTION)
    return folder


def environment_for(collections: Path, home: Path) -> dict[str, str]:
    """The variables for an ansible-core with nothing of this machine's configuration."""
    # Without an own one, however empty, the user's and the machine's would be read.
    configuration = home / "ansible.cfg"
    configuration.touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment.update(
        ANSIBLE_COLLECTIONS_PATH=str(collections),
        ANSIBLE_CONFIG=str(configuration),
        ANSIBLE_HOME=str(home),
        ANSIBLE_NOCOLOR="1",
        LC_ALL="C.UTF-8",
    )
    return environment


@dataclass(frozen=True)
class Ansible:
    """ansible-core with nothing of this machine's configuration; it finds the collection below ``collections``."""

    collections: Path
    home: Path

    def playbook(self, playbook: str, *, inventory: Path, variables: t.Mapping[str, t.Any]) -> str:
        """Run a playbook and return what it printed. A failed run fails the test, with the whole output."""
        given = json.dumps(variables)
        return self.run("ansible-playbook", playbook, "--inventory", str(inventory), "--extra-vars", given)

    def module(self, module: str, options: t.Mapping[str, t.Any]) -> str:
        """Run one module on the controller and return what it printed."""
        interpreter = {"ansible_python_interpreter": sys.executable}
        return self.run(
            *("ansible", "localhost", "--connection", "local", "--extra-vars", json.dumps(interpreter)),
            *("--module-name", module, "--args", json.dumps(options)),
        )

    def run(self, command: str, *arguments: str) -> str:
        # The one beside this Python comes first: it has the version that is being tested.
        folders = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
        program = shutil.which(command, path=os.pathsep.join(folders))
        if program is None:
            raise AssertionError(f"{command} is not installed beside {sys.executable}")
        done = subprocess.run(
            [program, *arguments],
            cwd=self.home,
            env=environment_for(self.collections, self.home),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"{command} ended with status {done.returncode}:\n{done.stdout}")
        return done.stdout
