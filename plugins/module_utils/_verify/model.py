# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a finding is: a kind out of the catalogue, and where and by what it was seen."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._shown import note_word, printable, shell_word

__all__ = ["AT_RISK", "BROKEN", "SEVERITIES", "UNTIDY", "WILL_BREAK", "Finding", "Kind", "finding", "rank"]

BROKEN = "broken"  # it does not work now, or it lets in whom it must not
AT_RISK = "at_risk"  # it works, and one step of somebody, or of the weather, breaks it
WILL_BREAK = "will_break"  # at a release or a date that is named
UNTIDY = "untidy"  # it does no harm yet

# What is shown of one finding: characters of a sentence, and sentences.
_EVIDENCE, _SENTENCES = 1500, 50

#: The worst one first. The documentation of the role says the same.
SEVERITIES = (BROKEN, AT_RISK, WILL_BREAK, UNTIDY)


def rank(severity: str) -> int:
    """Give the place of a severity: 0 is the worst."""
    return SEVERITIES.index(severity)


@dataclass(frozen=True)
class Kind:
    """A kind of finding. Texts in braces are filled in from what was observed.

    id: stays the same for ever; title: names the cause in a few words; consequence: what follows of it; fix: a
    variable, a command or a step; cause: how to bring it about, for tests and for the curious; source: where the fact
    comes from; ours: whether the front proxy is at fault, False if it is an extension API server; explains: the ids of
    kinds that follow from this one, whose own fixes do not help before its fix does.
    """

    id: str
    severity: str
    title: str
    consequence: str
    fix: str
    cause: str
    source: str
    ours: bool = True
    explains: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One finding. hosts: the masters at which it was seen, empty for the cluster as a whole.

    evidence: sentences or lists, what was seen; when: the release (``1.35``) or date of what will break.
    """

    kind: Kind
    cluster: str
    hosts: tuple[str, ...]
    evidence: tuple[str, ...]
    severity: str
    when: str = ""
    fields: t.Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def title(self) -> str:
        """The cause, in a few words."""
        return printable(self.kind.title.format(**self.fields))

    @property
    def consequence(self) -> str:
        """What follows of it."""
        return printable(self.kind.consequence.format(**self.fields))

    @property
    def fix(self) -> str:
        """What to do. It can be pasted, whatever stands in what was observed."""
        command, hash_sign, note = self.kind.fix.partition("#")
        words = {name: shell_word(value) for name, value in self.fields.items()}
        notes = {name: note_word(value) for name, value in self.fields.items()}
        return command.format(**words) + hash_sign + note.format(**notes)

    def as_dict(self) -> dict[str, t.Any]:
        """Give plain data, for a result and a report."""
        return {
            "id": self.kind.id,
            "severity": self.severity,
            "when": self.when,
            "cluster": self.cluster,
            "hosts": list(self.hosts),
            "title": self.title,
            "evidence": list(self.evidence),
            "consequence": self.consequence,
            "fix": self.fix,
            "front_proxy": self.kind.ours,
        }


def finding(
    kind: Kind, where: tuple[str, t.Sequence[str]], *evidence: str, when: str = "", severity: str = "", **fields: str
) -> Finding:
    """Make a finding. where: the cluster and its masters, none for all of it; severity: another than the kind's."""
    cluster, hosts = where
    seen = [printable(sentence, longest=_EVIDENCE) for sentence in evidence[:_SENTENCES]]
    if len(evidence) > _SENTENCES:
        seen.append(f"and {len(evidence) - _SENTENCES} more")
    return Finding(kind, cluster, tuple(hosts), tuple(seen), severity or kind.severity, when, fields)
