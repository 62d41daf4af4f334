# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What many clusters in one inventory cost: a first run on bare masters, and a look, of all of them and of one.

The masters are sandboxes of this machine, three to a cluster, so that nothing waits for a kube-apiserver.
"""

from __future__ import annotations

import contextlib
import tempfile
import typing as t
from dataclasses import asdict
from pathlib import Path

from controller import MASTERS, Controller
from cost import Command, measure_memory, measure_time
from sshd import private_sshd
from table import table
from turns import Ratio, ratio

__all__ = ["FORKS", "many_as_text", "measure_many"]

FORKS = 10
_WAVE = "TASK [kubeops.aggregation_layer.front_proxy : Change the masters of one wave]"
_Walls = dict[str, list[float]]


def _forked(command: Command) -> Command:
    return Command((*command.words, f"--forks={FORKS}"), command.env, command.log, command.before)


def _measure(controller: Controller, walls: _Walls) -> int:
    """One round on new masters; adds to walls what each run took, and gives the number of waves of the first run."""
    runs = controller.runs
    ping, first, verify = map(_forked, (runs.ping(), runs.configure(), runs.verify()))
    measure_time(ping)  # the first contact warms the caches
    walls.setdefault("ping", []).append(measure_time(ping).wall)
    walls.setdefault("first", []).append(measure_time(first).wall)
    # all runs have one log
    waves = first.log.read_text(encoding="utf-8", errors="replace").count(_WAVE)
    walls.setdefault("verify", []).append(measure_time(verify).wall)
    return waves


@contextlib.contextmanager
def _bare(clusters: int, collection: Path) -> t.Iterator[Controller]:
    """An inventory of so many clusters that were never configured."""
    with (
        # the paths of ssh's sockets must be short
        tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as name,
        private_sshd(Path(name) / "sshd") as server,
    ):
        yield Controller(Path(name), server, clusters * MASTERS, collection)


def measure_many(clusters: int, repeat: int, collection: Path) -> dict[str, t.Any]:
    """Measure so many clusters, two at least, and one, in turn. Gives plain values. Raises BenchError."""
    walls: dict[int, _Walls] = {1: {}, clusters: {}}
    for _round in range(repeat):
        for number in (1, clusters):
            with _bare(number, collection) as controller:
                waves = _measure(controller, walls[number])
    one, many = walls[1], walls[clusters]
    return {
        "clusters": clusters,
        "waves": waves,
        **{
            play: {
                "ping": asdict(ratio(many[play], many["ping"])),
                "thrice": asdict(ratio(many[play], [3 * wall for wall in one[play]])),
                "memory_mib": _memory(clusters, play, collection),
            }
            for play in ("first", "verify")
        },
    }


def _memory(clusters: int, play: str, collection: Path) -> int:
    """The peak of the controller's memory in MiB: in a run of its own, for looking takes time."""
    with _bare(clusters, collection) as controller:
        if play == "first":
            return measure_memory(_forked(controller.runs.configure())) // 2**20
        measure_time(_forked(controller.runs.configure()))
        return measure_memory(_forked(controller.runs.verify())) // 2**20


def many_as_text(results: t.Mapping[str, t.Any]) -> str:
    """Give the results of measure_many as a table."""
    plays = ("first", "verify")
    rows = [
        ("wall time / a ping of all masters", *(Ratio(**results[play]["ping"]) for play in plays)),
        ("wall time / three times that of one cluster", *(Ratio(**results[play]["thrice"]) for play in plays)),
        ("peak memory of the controller in MiB", *(results[play]["memory_mib"] for play in plays)),
    ]
    clusters = results["clusters"]
    return "\n".join(
        [
            f"{clusters} clusters of three sandboxed masters in one inventory, with {FORKS} forks; a first run changes "
            f"them in {results['waves']} waves:",
            "",
            table((f"on {clusters * MASTERS} masters", "first run", "verify"), rows),
        ]
    )
