# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many masters are away at one moment, while something is done to them."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field

from watch.master import Master

__all__ = ["Absences", "Sample", "away_for_sure", "most_at_once"]

PAUSE = 0.1  # seconds between two questions to one master


class Sample(t.NamedTuple):
    """A question to a master: when it was asked and answered (seconds by time.monotonic()), and whether it serves."""

    asked: float
    answered: float
    serves: bool


def away_for_sure(samples: t.Sequence[Sample]) -> list[tuple[float, float]]:
    """The spans in which a master certainly did not serve: between two answers that both say so, one after the other.

    A question can take seconds, so one answer alone says nothing of any moment.
    """
    spans: list[tuple[float, float]] = []
    failed: list[Sample] = []
    for sample in [*samples, Sample(0, 0, True)]:
        if not sample.serves:
            failed.append(sample)
            continue
        if len(failed) > 1 and failed[0].answered < failed[-1].asked:
            spans.append((failed[0].answered, failed[-1].asked))
        failed = []
    return spans


def most_at_once(masters: t.Iterable[t.Sequence[Sample]]) -> int:
    """How many of these masters were away at one moment, at most."""
    spans = [span for samples in masters for span in away_for_sure(samples)]
    return max((sum(begin <= other < end for begin, end in spans) for other, _end in spans), default=0)


@dataclass
class Absences:
    """Asks every master, each by a thread of its own, while the ``with`` block runs."""

    masters: t.Sequence[Master]
    samples: dict[str, list[Sample]] = field(default_factory=dict)

    def __enter__(self) -> Absences:
        self._ending = threading.Event()
        self.samples = {master.name: [] for master in self.masters}
        self._threads = [threading.Thread(target=self._follow, args=[master], daemon=True) for master in self.masters]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def _follow(self, master: Master) -> None:
        while not self._ending.is_set():
            asked = time.monotonic()
            serves = master.is_ready()
            self.samples[master.name].append(Sample(asked, time.monotonic(), serves))
            self._ending.wait(PAUSE)

    @property
    def most_at_once(self) -> int:
        """How many masters were away at one moment, at most."""
        return most_at_once(self.samples.values())
