# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many masters are away at one moment, because their kube-apiserver is restarted."""

from __future__ import annotations

import threading
import time
import typing as t
from dataclasses import dataclass, field

from watch.master import Master

__all__ = ["Absences", "Sample", "Span", "away_for_sure", "most_at_once"]

PAUSE = 0.1  # seconds between two questions to one master

Span = tuple[float, float]


class Sample(t.NamedTuple):
    """A question to a master: when (seconds since the machine's start), and why it does not serve."""

    asked: float
    answered: float
    missing: str


def away_for_sure(samples: t.Sequence[Sample]) -> list[Span]:
    """The spans in which a master certainly did not serve: between two answers that both say so, one after the other.

    A question can take seconds, so one answer alone says nothing of any moment.
    """
    spans: list[Span] = []
    failed: list[Sample] = []
    for sample in [*samples, Sample(0, 0, "")]:
        if sample.missing:
            failed.append(sample)
            continue
        if len(failed) > 1 and failed[0].answered < failed[-1].asked:
            spans.append((failed[0].answered, failed[-1].asked))
        failed = []
    return spans


def most_at_once(spans: t.Collection[Span]) -> int:
    """How many of these spans share a moment, at most."""
    return max((sum(begin <= other < end for begin, end in spans) for other, _end in spans), default=0)


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


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
            asked = _now()
            missing = master.why_not_ready()
            self.samples[master.name].append(Sample(asked, _now(), missing))
            self._ending.wait(PAUSE)

    def around(self, name: str, moment: float) -> Span | None:
        """The span in which a master was away at this moment: of the start of a process, its restart.

        Others are not of interest: on a busy machine etcd is slow now and then, and no master is ready for a second.
        """
        spans = away_for_sure(self.samples[name])
        return next(((begin, end) for begin, end in spans if begin <= moment <= end), None)

    def told(self, name: str) -> str:
        """What a master lacked, and when."""
        return "\n".join(
            f"{name} {one.asked:.2f}-{one.answered:.2f} {one.missing}" for one in self.samples[name] if one.missing
        )
