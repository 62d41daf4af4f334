# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the playbook that changes nothing costs, as ratios to plays of one ping on the same hosts.

All go over ssh, make their connections anew, and have Ansible's own settings: five forks, no pipelining. The role
switches pipelining on by itself; so one of the pings does, too. Here the masters are sandboxes, and all of them lie on
this machine.
"""

from __future__ import annotations

import statistics
import tempfile
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from controller import Controller
from cost import Command, measure_memory
from runs import ROOT, Runs
from sshd import private_sshd
from table import table
from turns import Ratio, in_turn, ratio

__all__ = ["Size", "as_json", "as_text", "measure_rerun", "measure_sizes"]

_PLAYS = ("ping", "pipelined", "configure")
_FLOORS = ("ping", "pipelined")


@dataclass(frozen=True)
class Size:
    """What was measured with so many hosts.

    wall, cpu: of configure, as ratios to each floor; cpu_seconds, memory (bytes): by play.
    """

    hosts: int
    wall: t.Mapping[str, Ratio]
    cpu: t.Mapping[str, Ratio]
    cpu_seconds: t.Mapping[str, float]
    memory: t.Mapping[str, int]


def measure_rerun(hosts: int, runs: Runs, play: Command, repeat: int) -> Size:
    """Compare a play that changes nothing with pings of the same hosts. Raises BenchError."""
    commands = {"ping": runs.ping(), "pipelined": runs.pipelined(), "configure": play}
    costs = in_turn(commands, repeat)
    walls = {name: [cost.wall for cost in costs[name]] for name in _PLAYS}
    cpus = {name: [cost.cpu for cost in costs[name]] for name in _PLAYS}
    return Size(
        hosts=hosts,
        wall={name: ratio(walls["configure"], walls[name]) for name in _FLOORS},
        cpu={name: ratio(cpus["configure"], cpus[name]) for name in _FLOORS},
        cpu_seconds={name: statistics.median(cpus[name]) for name in _PLAYS},
        memory={name: measure_memory(commands[name]) for name in _PLAYS},
    )


def _measure(hosts: int, repeat: int, collection: Path) -> Size:
    with (
        # the paths of ssh's sockets must be short
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as name,
        private_sshd(Path(name) / "sshd") as server,
    ):
        controller = Controller(Path(name), server, hosts, collection)
        controller.configure()
        return measure_rerun(hosts, controller.runs, controller.runs.configure(), repeat)


def measure_sizes(sizes: t.Sequence[int], repeat: int, collection: Path = ROOT) -> t.Iterator[Size]:
    """Measure with each of these numbers of hosts, and give each size when it is known. Raises BenchError."""
    for hosts in sizes:
        yield _measure(hosts, repeat, collection)


def _growth(sizes: t.Sequence[Size], values: t.Callable[[Size], t.Mapping[str, float]]) -> list[dict[str, float]]:
    """How many times the value of the first size each one has, by play."""
    first = values(sizes[0])
    return [{play: values(size)[play] / first[play] for play in _PLAYS} for size in sizes]


def as_json(sizes: t.Sequence[Size]) -> list[dict[str, t.Any]]:
    """Give the results as plain values."""
    cpu, memory = _growth(sizes, lambda size: size.cpu_seconds), _growth(sizes, lambda size: size.memory)
    return [
        {
            "hosts": size.hosts,
            "wall": {name: asdict(size.wall[name]) for name in _FLOORS},
            "cpu": {name: asdict(size.cpu[name]) for name in _FLOORS},
            "memory": size.memory["configure"] / size.memory["ping"],
            "cpu_growth": cpu[number],
            "memory_growth": memory[number],
            "memory_mib": {play: round(size.memory[play] / 2**20, 1) for play in _PLAYS},
        }
        for number, size in enumerate(sizes)
    ]


def as_text(results: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Give the results of as_json as two tables: the ratios to the floor, and the growth from size to size."""
    ratios = [
        (
            each["hosts"],
            *(Ratio(**each[what][name]) for what in ("wall", "cpu") for name in reversed(_FLOORS)),
            f"{each['memory']:.2f}",
        )
        for each in results
    ]
    growth = [
        (
            each["hosts"],
            *(f"{each[what][play]:.1f}" for what in ("cpu_growth", "memory_growth") for play in _PLAYS),
            *(f"{each['memory_mib'][play]:.0f}" for play in _PLAYS),
        )
        for each in results
    ]
    per = f"{results[0]['hosts']} hosts"
    return "\n".join(
        [
            "A run of configure that changes nothing, with five forks; median of pairs (least-most). Peak memory is "
            "compared with a ping's:",
            "",
            table(
                (
                    "hosts",
                    "wall time / a pipelined ping",
                    "wall time / a ping",
                    "CPU / a pipelined ping",
                    "CPU / a ping",
                    "peak memory",
                ),
                ratios,
            ),
            f"How the controller's need grows ({per} = 1), and its peak memory in MiB:",
            "",
            table(
                (
                    "hosts",
                    *(f"{what}: {play}" for what in ("CPU", "memory", "MiB") for play in _PLAYS),
                ),
                growth,
            ),
        ]
    )
