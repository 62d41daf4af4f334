# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verdict as lines for people: the first one names the worst cause."""

from __future__ import annotations

import textwrap
import typing as t

from .._shown import printable
from .judge import Verdict
from .model import AT_RISK, BROKEN, SEVERITIES, UNTIDY, WILL_BREAK, Finding

__all__ = ["Line", "headline", "table"]

_WORDS = {BROKEN: "BROKEN", AT_RISK: "AT RISK", WILL_BREAK: "WILL BREAK", UNTIDY: "UNTIDY"}
_WIDTH = 116
_INDENT = " " * 12


class Line(t.NamedTuple):
    """A line. severity: by which it may be coloured; empty for none."""

    text: str
    severity: str


def _place(found: Finding, several: bool) -> str:
    hosts = ", ".join(found.hosts) or "cluster"
    return f"{found.cluster}: {hosts}" if several or not found.hosts else hosts


def headline(found: Finding, *, several: bool) -> str:
    """One line that names the cause of a finding, and where it is."""
    when = f" at {found.when}" if found.when else ""
    return printable(f"{_WORDS[found.severity]}{when}: {_place(found, several)}: {found.title}")


def _wrapped(label: str, text: str) -> list[str]:
    # a command must stay in one line, to be pasted
    width = 10**6 if label == "fix" else _WIDTH
    return textwrap.wrap(
        printable(text),
        width,
        initial_indent=f"  {label + ':':<10}",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _block(found: Finding, *, several: bool) -> t.Iterator[Line]:
    yield Line(f"{headline(found, several=several)}  [{found.kind.id}]", found.severity)
    for evidence in found.evidence:
        for text in _wrapped("seen", evidence):
            yield Line(text, "")
    for label, text in (("means", found.consequence), ("fix", found.fix)):
        for line in _wrapped(label, text):
            yield Line(line, "")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def table(verdict: Verdict) -> list[Line]:
    """All findings, the worst one first, then the notes, then how many there are."""
    several = len(verdict.clusters) > 1
    lines = [line for found in verdict.findings for line in _block(found, several=several)]
    lines += [Line(printable(f"note: {note}"), "") for note in verdict.notes]
    masters = sum(len(names) for names in verdict.clusters.values())
    clusters = sum(bool(names) for names in verdict.clusters.values())
    looked = f"{_count(masters, 'master')} of {_count(clusters, 'cluster')}"
    if not verdict.findings:
        return [Line(f"OK: the aggregation layer works, no finding on {looked}", "ok"), *lines]
    counts = [
        f"{sum(found.severity == severity for found in verdict.findings)} {_WORDS[severity].lower()}"
        for severity in SEVERITIES
        if any(found.severity == severity for found in verdict.findings)
    ]
    return [*lines, Line(f"{looked}: {', '.join(counts)}", verdict.findings[0].severity)]
