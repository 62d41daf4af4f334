# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the collection's playbook over ssh as its users do, in a process that a test can follow and kill."""

from __future__ import annotations

import copy
import itertools
import json
import os
import re
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from support.ansible_run import environment_for

__all__ = ["CONFIGURE", "DUE", "Counts", "Playbook", "Run"]

CONFIGURE = "kubeops.aggregation_layer.configure"
#: An extra variable by which every pair is renewed: one that lives for 365 days is due one second after it was made.
DUE = "front_proxy_renew_before=31535999s"
SECONDS = 600


@dataclass(frozen=True)
class Counts:
    """A host's line of the recap."""

    ok: int
    changed: int
    unreachable: int
    failed: int


class Run:
    """A playbook that runs, or has run."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log
        self.started = time.monotonic()

    @property
    def output(self) -> str:
        """What it printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def wait(self, seconds: float = SECONDS) -> Run:
        """Wait for its end. A run that takes longer is killed, and fails the test with its output."""
        try:
            self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not done after {seconds:g} s:\n{self.output}") from None
        return self

    def kill(self) -> None:
        """SIGKILL the controller with everything that it has started, ssh among them."""
        for pid in self._family():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def _family(self) -> list[int]:
        """The processes with this run's mark in their environment: workers of Ansible have sessions of their own."""
        mark = f"CLUSTER_TEST_RUN={self.log}".encode()
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        found.append(int(folder.name))
                except OSError:
                    continue
        return found

    def succeeded(self) -> Run:
        """Wait, and fail the test with the whole output if the run failed."""
        self.wait()
        assert self.process.returncode == 0, f"status {self.process.returncode}:\n{self.output}"
        return self

    def failed(self) -> Run:
        """Wait, and fail the test if the run did not fail."""
        self.wait()
        assert self.process.returncode != 0, f"it did not fail:\n{self.output}"
        return self

    @property
    def recap(self) -> dict[str, Counts]:
        """What the recap says of each host."""
        lines = re.findall(
            r"^(\S+) +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", self.output, re.MULTILINE
        )
        return {name: Counts(*map(int, numbers)) for name, *numbers in lines}

    @property
    def changed(self) -> dict[str, int]:
        """How many changes the recap counts for each master."""
        return {name: counts.changed for name, counts in self.recap.items() if name != "localhost"}

    @property
    def words(self) -> str:
        """The output with every run of white space as one space: Ansible wraps long lines."""
        return " ".join(self.output.split())


class Playbook:
    """ansible-playbook with nothing of this machine's configuration."""

    def __init__(self, program: Path, collections: Path, folder: Path, inventory: Path) -> None:
        self._program = program
        self._collections = collections
        self._folder = folder
        self._inventory = inventory
        self._numbers = itertools.count(1)
        self._under: tuple[str, ...] = ()

    def under(self, *words: str) -> Playbook:
        """The same, started by a program that changes what it sees, such as its clock."""
        other = copy.copy(self)
        other._under = words
        return other

    def start(self, playbook: str = CONFIGURE, *arguments: str, **variables: t.Any) -> Run:
        """Begin to run a playbook with these variables."""
        log = self._folder / f"run-{next(self._numbers)}.log"
        environment = {**environment_for(self._collections, self._folder), "CLUSTER_TEST_RUN": str(log)}
        command = [*self._under, str(self._program), playbook, "--inventory", str(self._inventory), *arguments]
        if variables:
            command += ["--extra-vars", json.dumps(variables)]
        with open(log, "wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Run(process, log)
