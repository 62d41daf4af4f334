# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a command and say what it cost: wall time, CPU and memory of the process with all its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

__all__ = ["BenchError", "Command", "Cost", "measure_memory", "measure_time"]

# Looking more often would itself take a notable part of the machine.
_PAUSE = 0.05


class BenchError(Exception):
    """The bench cannot go on; the text says why."""


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Command:
    """A command to measure. log: what it prints; before: is called ahead of each run, and is not measured."""

    words: t.Sequence[str]
    env: t.Mapping[str, str]
    log: Path
    before: t.Callable[[], None] = _nothing

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; its output goes to the log."""
        with open(self.log, "wb") as log:
            return subprocess.Popen(
                self.words, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )

    def check(self, status: int) -> None:
        """Raise BenchError with the end of the log if this exit status says that it failed."""
        if status:
            end = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
            raise BenchError("\n".join([f"{' '.join(self.words)} ended with {status}:", *end]))


@dataclass(frozen=True)
class Cost:
    """What one run took, in seconds.

    cpu: user and system time of the process and of the children it waited for; what detaches itself, as the process
    does by which ssh keeps a connection, is not in it.
    """

    wall: float
    cpu: float


def measure_time(command: Command) -> Cost:
    """Run the command to its end. Raises BenchError if it fails."""
    command.before()
    begin = time.monotonic()
    process = command.start()
    try:
        dummy, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        _end(process)
    wall = time.monotonic() - begin
    command.check(process.returncode)
    return Cost(wall, usage.ru_utime + usage.ru_stime)


def measure_memory(command: Command) -> int:
    """Run the command to its end, and give the most memory in bytes that its process tree took at one moment.

    It is the sum of what /proc/PID/smaps_rollup calls Pss: a page that n processes share counts as 1/n for each, so
    what ansible-playbook shares with its forks is counted once. Looking takes time, so time is not measured with it.
    As with Cost.cpu, what detaches itself does not count.
    """
    command.before()
    process = command.start()
    peak = 0
    try:
        while process.poll() is None:
            peak = max(peak, sum(map(_share, _tree(process.pid))))
            time.sleep(_PAUSE)
    finally:
        _end(process)
    command.check(process.returncode)
    return peak


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process, with all that it has started, if the bench was interrupted while it waited for it."""
    if process.returncode is not None:
        return
    for pid in _tree(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _tree(root: int) -> list[int]:
    """Give a process and all that descend from it."""
    found = [root]
    for pid in found:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
            children = [Path(f"/proc/{pid}/task/{task}/children").read_text(encoding="ascii") for task in tasks]
        except OSError:  # it has ended meanwhile
            continue
        found += [int(child) for text in children for child in text.split()]
    return found


def _share(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
            return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    except OSError:
        return 0
