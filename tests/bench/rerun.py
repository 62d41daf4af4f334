# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the playbook that changes nothing costs, as ratios to a play of one ping on the same hosts.

Both go over ssh, make their connections anew, and have Ansible's own settings: five forks, no pipelining. (The role
switches pipelining on by itself.) Here the masters are sandboxes, and all of them lie on this machine.
"""

from __future__ import annotations

import statistics
import tempfile
import typing as t
from dataclasses import asdict, dataclass
from pathlib import Path

from controller import Controller
from cost import Command, measure_memory
from runs import ROOT
from sshd import private_sshd
from table import table
from turns import Ratio, in_turn, ratio

__all__ = ["Size", "as_json", "as_text", "measure_rerun", "measure_sizes"]

_PLAYS = ("ping", "configure")


@dataclass(frozen=True)
class Size:
    """What was measured with so many hosts. wall, cpu: configure to ping; cpu_seconds, memory (bytes): by play."""

    hosts: int
    wall: Ratio
    cpu: Ratio
    cpu_seconds: t.Mapping[str, float]
    memory: t.Mapping[str, int]


def measure_rerun(hosts: int, ping: Command, play: Command, repeat: int) -> Size:
    """Compare a play that changes nothing with a ping of the same hosts. Raises BenchError."""
    commands = {"ping": ping, "configure": play}
    costs = in_turn(commands, repeat)
    walls = {name: [cost.wall for cost in costs[name]] for name in _PLAYS}
    cpus = {name: [cost.cpu for cost in costs[name]] for name in _PLAYS}
    return Size(
        hosts=hosts,
        wall=ratio(walls["configure"], walls["ping"]),
        cpu=ratio(cpus["configure"], cpus["ping"]),
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
        return measure_rerun(hosts, controller.runs.ping(), controller.runs.configure(), repeat)


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
            "wall": asdict(size.wall),
            "cpu": asdict(size.cpu),
            "memory": size.memory["configure"] / size.memory["ping"],
            "cpu_growth": cpu[number],
            "memory_growth": memory[number],
            "memory_mib": {play: round(size.memory[play] / 2**20, 1) for play in _PLAYS},
        }
        for number, size in enumerate(sizes)
    ]


def as_text(results: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    """Give the results of as_json as two tables: the ratios to the floor, and the growth from size to size."""
    ratios = [(each["hosts"], Ratio(**each["wall"]), Ratio(**each["cpu"]), f"{each['memory']:.2f}") for each in results]
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
            "A run of configure that changes nothing / a play of one ping; median of pairs (least-most):",
            "",
            table(("hosts", "wall time", "CPU of the controller", "its peak memory"), ratios),
            f"How the controller's need grows ({per} = 1), and its peak memory in MiB:",
            "",
            table(
                (
                    "hosts",
                    "CPU: ping",
                    "CPU: configure",
                    "memory: ping",
                    "memory: configure",
                    "MiB: ping",
                    "MiB: configure",
                ),
                growth,
            ),
        ]
    )
