# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster half: what is measured on real masters, as plain values and as tables."""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import asdict
from pathlib import Path

from community import CRYPTO, community_crypto, release
from masters import real_masters
from renewals import Renewal, measure_renewals
from rerun import Size, measure_rerun
from rolls import Play, Rolls, measure_rolls
from table import table
from turns import Ratio, ratio
from watch.serials import serial_server

__all__ = ["cluster_as_text", "measure_cluster"]

_PLAYBOOKS = ("collection", "by_hand")
_EXTENSIONS = ("without", "with")  # an extension API server
# What a run that changes nothing is compared with.
_COMPARED = (
    ("wall time / a pipelined ping", "wall", "pipelined"),
    ("wall time / a ping", "wall", "ping"),
    ("CPU of the controller / a pipelined ping", "cpu", "pipelined"),
)


def _span(lists: t.Iterable[t.Sequence[int]]) -> str:
    """Numbers that are the same for every master and round, or the least and the most."""
    numbers = sorted(number for numbers in lists for number in numbers)
    return str(numbers[0]) if numbers[0] == numbers[-1] else f"{numbers[0]}-{numbers[-1]}"


def _first(play: Play, bare: t.Sequence[float]) -> dict[str, t.Any]:
    return {
        "wall": asdict(ratio([sample.wall for sample in play.first], bare)),
        "trips": _span(sample.trips for sample in play.first),
        "restarts": _span(sample.starts for sample in play.first),
    }


def _floors(size: Size) -> dict[str, t.Any]:
    return {
        what: {name: asdict(found) for name, found in ratios.items()}
        for what, ratios in (("wall", size.wall), ("cpu", size.cpu))
    }


def _again(play: Play) -> dict[str, t.Any]:
    if play.again is None or play.size is None:
        raise TypeError("measure_rolls measures these in its last round")
    return {
        **_floors(play.size),
        "memory": play.size.memory["configure"] / play.size.memory["ping"],
        "trips": _span([play.again.trips]),
        "restarts": _span([play.again.starts]),
    }


def _as_json(rolls: Rolls, renewals: t.Sequence[Renewal]) -> dict[str, t.Any]:
    plays = {"collection": rolls.collection, "by_hand": rolls.by_hand}
    bare = [sum(seconds) for seconds in rolls.restarts]
    one = [statistics.median(second for seconds in rolls.restarts for second in seconds)] * len(renewals)
    return {
        "rounds": len(bare),
        "first": {name: _first(plays[name], bare) for name in _PLAYBOOKS},
        "again": {name: _again(plays[name]) for name in _PLAYBOOKS},
        "ping": {"trips": _span([rolls.ping.trips] if rolls.ping else [])},
        "renewal": {
            "restarts": _span(renewal.starts for renewal in renewals),
            "run": asdict(ratio([renewal.run for renewal in renewals], one)),
            "until": asdict(ratio([renewal.until for renewal in renewals], one)),
        },
    }


def measure_cluster(repeat: int, collection: Path) -> dict[str, t.Any]:
    """Boot three masters, and measure. Gives plain values; releases: of what took part. Raises BenchError."""
    crypto = community_crypto()
    with real_masters(collection, {CRYPTO: crypto}) as masters:
        rolls = measure_rolls(masters, repeat)
        verify = masters.runs.verify()
        looks = {"without": measure_rerun(len(masters.masters), masters.runs, verify, repeat)}
        with serial_server(masters):
            renewals = measure_renewals(masters, repeat)
            looks["with"] = measure_rerun(len(masters.masters), masters.runs, verify, repeat)
        releases = {"kube-apiserver": masters.release(), CRYPTO: release(crypto)}
    verified = {name: _floors(size) for name, size in looks.items()}
    return {**_as_json(rolls, renewals), "verify": verified, "releases": releases}


def cluster_as_text(results: t.Mapping[str, t.Any]) -> str:
    """Give the results of measure_cluster as two tables."""
    first, again, renewal = results["first"], results["again"], results["renewal"]

    def row(title: str, values: t.Callable[[str], object]) -> tuple[object, ...]:
        return (title, *(values(name) for name in _PLAYBOOKS))

    rows = [
        row("first run: wall time / sum of the bare restarts", lambda name: Ratio(**first[name]["wall"])),
        row("first run: ssh round trips a master", lambda name: first[name]["trips"]),
        row("first run: restarts of each kube-apiserver", lambda name: first[name]["restarts"]),
        *(
            (f"run that changes nothing: {title}", *(Ratio(**again[name][what][floor]) for name in _PLAYBOOKS))
            for title, what, floor in _COMPARED
        ),
        row("run that changes nothing: ssh round trips a master", lambda name: again[name]["trips"]),
        row("run that changes nothing: restarts", lambda name: again[name]["restarts"]),
    ]
    renewed = [
        ("restarts of any kube-apiserver", renewal["restarts"]),
        ("the run: wall time / one bare restart", Ratio(**renewal["run"])),
        ("until every master presents the new pair / one bare restart", Ratio(**renewal["until"])),
    ]
    verify = results["verify"]
    looked = [
        (title, *(Ratio(**verify[name][what][floor]) for name in _EXTENSIONS)) for title, what, floor in _COMPARED
    ]
    trips = results["ping"]["trips"]
    return "\n".join(
        [
            f"Three real masters; rounds: {results['rounds']}, median (least-most). A ping takes {trips} ssh "
            "round trips a master:",
            "",
            table(("on three real masters", "this collection", "by hand"), rows),
            "Renewal of the pair by this collection:",
            "",
            table(("renewal on three real masters", "this collection"), renewed),
            "A run of verify, without the smoke test:",
            "",
            table(("verify on three real masters", "no APIService", "one APIService"), looked),
        ]
    )
