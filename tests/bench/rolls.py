# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection and the playbook by hand cost on real masters: the first run, and one that changes nothing."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass, field

from apiservers import watching
from cost import Command, measure_time
from masters import Masters
from rerun import Size, measure_rerun

__all__ = ["Play", "Rolls", "Sample", "measure_rolls"]

PLAYBOOK_BY_HAND = "front-proxy.yml"


@dataclass(frozen=True)
class Sample:
    """One run. wall: seconds; trips: ssh sessions of each master; starts: how often each kube-apiserver started."""

    wall: float
    trips: t.Sequence[int]
    starts: t.Sequence[int]


@dataclass
class Play:
    """What was measured of one playbook. first: on bare masters; again: one run that changed nothing; size: many."""

    first: list[Sample] = field(default_factory=list)
    again: Sample | None = None
    size: Size | None = None


@dataclass
class Rolls:
    """What was measured of both. restarts: the seconds of the bare restarts of all masters, one list a round."""

    restarts: list[list[float]] = field(default_factory=list)
    ping: Sample | None = None
    collection: Play = field(default_factory=Play)
    by_hand: Play = field(default_factory=Play)


def sample(masters: Masters, command: Command) -> Sample:
    """Run a playbook, and wait until the masters have come to rest, which is not timed. Raises BenchError."""
    before = masters.sessions()
    with watching(masters.networks) as starts:
        cost = measure_time(command)
        # what restarts after the end of the run was restarted by it all the same
        masters.wait()
    trips = [now - then for now, then in zip(masters.sessions(), before, strict=True)]
    return Sample(cost.wall, trips, starts.counts)


def _say(what: str, found: Sample) -> None:
    """Show that something happens: all of it takes long."""
    trips, starts = (", ".join(map(str, numbers)) for numbers in (found.trips, found.starts))
    print(f"{what}; round trips {trips}; starts {starts}", file=sys.stderr, flush=True)


def _measure_again(masters: Masters, play: Play, command: Command, repeat: int) -> None:
    play.again = sample(masters, command)
    _say("again", play.again)
    play.size = measure_rerun(len(masters.masters), masters.runs, command, repeat)


def measure_rolls(masters: Masters, repeat: int) -> Rolls:
    """Measure in rounds: the playbook by hand, the bare restarts, and the collection; each on bare masters.

    The restarts stand between the two that are divided by them. At the end the masters are as the collection
    configured them. Raises BenchError.
    """
    rolls = Rolls()
    by_hand, collection = masters.runs.command(masters.by_hand / PLAYBOOK_BY_HAND), masters.runs.configure()
    for number in range(1, repeat + 1):
        masters.strip()
        rolls.by_hand.first.append(sample(masters, by_hand))
        if number == repeat:
            _measure_again(masters, rolls.by_hand, by_hand, repeat)
        masters.strip()
        rolls.restarts.append([masters.restart(master) for master in masters.masters])
        masters.strip()
        rolls.collection.first.append(sample(masters, collection))
        for name, play in (("by hand", rolls.by_hand), ("collection", rolls.collection)):
            wall = play.first[-1].wall / sum(rolls.restarts[-1])
            _say(f"round {number}, {name}: {wall:.2f} of the bare restarts", play.first[-1])
    _measure_again(masters, rolls.collection, collection, repeat)
    rolls.ping = sample(masters, masters.runs.ping())
    return rolls
