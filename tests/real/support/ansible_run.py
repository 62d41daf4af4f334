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

__all__ = ["Ansible"]


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
        # Without an own one, however empty, the user's and the machine's would be read.
        configuration = self.home / "ansible.cfg"
        configuration.touch()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        environment.update(
            ANSIBLE_COLLECTIONS_PATH=str(self.collections),
            ANSIBLE_CONFIG=str(configuration),
            ANSIBLE_HOME=str(self.home),
            ANSIBLE_NOCOLOR="1",
            LC_ALL="C.UTF-8",
        )
        done = subprocess.run(
            [program, *arguments],
            cwd=self.home,
            env=environment,
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
