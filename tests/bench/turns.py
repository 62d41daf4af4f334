# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Time several commands in turn, and give what each costs as a ratio to another."""

from __future__ import annotations

import statistics
import typing as t
from dataclasses import dataclass

from cost import Command, Cost, measure_time

__all__ = ["Ratio", "in_turn", "ratio"]


@dataclass(frozen=True)
class Ratio:
    """How many times as much one thing is as another: the median of several pairs, and the least and the most."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f}-{self.most:.2f})"


def in_turn(commands: t.Mapping[str, Command], times: int) -> dict[str, list[Cost]]:
    """Run all commands one after the other, then all again, so that the machine's noise meets all of them alike.

    The first round warms the caches and does not count. Raises BenchError if a command fails.
    """
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(times + 1):
        for name, command in commands.items():
            cost = measure_time(command)
            if number:
                costs[name].append(cost)
    return costs


def ratio(one: t.Sequence[float], other: t.Sequence[float]) -> Ratio:
    """Compare what was measured in turn, pair by pair."""
    each = [value / base for value, base in zip(one, other, strict=True)]
    return Ratio(statistics.median(each), min(each), max(each))
