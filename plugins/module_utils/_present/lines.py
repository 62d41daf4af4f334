# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for people, and how many of something there are."""

from __future__ import annotations

import typing as t

__all__ = ["BAD", "CHANGED", "GOOD", "PLAIN", "Line", "count"]

#: What a line is about, by which it is coloured on a terminal.
PLAIN, GOOD, CHANGED, BAD = "plain", "good", "changed", "bad"


class Line(t.NamedTuple):
    """A line of printable text, and its tone: one of `PLAIN`, `GOOD`, `CHANGED` and `BAD`."""

    text: str
    tone: str = PLAIN


def count(number: int, what: str) -> str:
    """Say how many there are: ``1 master``, ``3 masters``."""
    return f"{number} {what}{'' if number == 1 else 's'}"
