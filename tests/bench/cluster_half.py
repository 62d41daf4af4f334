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
from rerun import measure_rerun
from rolls import Play, Rolls, measure_rolls
from serials import serial_server
from table import table
from turns import Ratio, ratio

__all__ = ["cluster_as_text", "measure_cluster"]

_PLAYBOOKS = ("collection", "by_hand")
_EXTENSIONS = ("without", "with")  # an extension API server


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


def _again(play: Play) -> dict[str, t.Any]:
    if play.again is None or play.size is None:
        raise TypeError("measure_rolls measures these in its last round")
    return {
        "wall": asdict(play.size.wall),
        "cpu": asdict(play.size.cpu),
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
        ping, verify = masters.runs.ping(), masters.runs.verify()
        looks = {"without": measure_rerun(len(masters.masters), ping, verify, repeat)}
        with serial_server(masters):
            renewals = measure_renewals(masters, repeat)
            looks["with"] = measure_rerun(len(masters.masters), ping, verify, repeat)
        releases = {"kube-apiserver": masters.release(), CRYPTO: release(crypto)}
    verified = {name: {"wall": asdict(size.wall), "cpu": asdict(size.cpu)} for name, size in looks.items()}
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
        row("run that changes nothing: wall time / a ping", lambda name: Ratio(**again[name]["wall"])),
        row("run that changes nothing: CPU / a ping", lambda name: Ratio(**again[name]["cpu"])),
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
        (title, *(Ratio(**verify[name][what]) for name in _EXTENSIONS))
        for title, what in (("wall time / a ping", "wall"), ("CPU of the controller / a ping", "cpu"))
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
