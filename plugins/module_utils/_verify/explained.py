# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes and symptoms: a finding that another one explains is a note, so that one fix is shown and not two."""

from __future__ import annotations

import typing as t

from .model import Finding, rank

__all__ = ["without_symptoms"]


def _meet(one: Finding, other: Finding) -> bool:
    """Whether two findings are about the same masters; one without any is about the whole cluster."""
    return not one.hosts or not other.hosts or not set(one.hosts).isdisjoint(other.hosts)


def _same_subject(one: Finding, other: Finding) -> bool:
    """Whether two findings are about the same Service, as far as both are about one."""
    services = {each.fields["service"] for each in (one, other) if "service" in each.fields}
    return len(services) < 2


def _explains(cause: Finding, symptom: Finding) -> bool:
    """Whether a finding follows from another one, which is no less severe: what works explains nothing that fails."""
    return (
        symptom.kind.id in cause.kind.explains
        and cause.cluster == symptom.cluster
        and rank(cause.severity) <= rank(symptom.severity)
        and _meet(cause, symptom)
        and _same_subject(cause, symptom)
    )


def without_symptoms(findings: t.Sequence[Finding]) -> tuple[list[Finding], list[str]]:
    """Leave out what is explained by another finding. Returns what is left, and a note for each that is not."""
    kept: list[Finding] = []
    notes: list[str] = []
    for each in findings:
        cause = next((other for other in findings if other is not each and _explains(other, each)), None)
        if cause is None:
            kept.append(each)
        else:
            where = ", ".join(each.hosts) or "cluster"
            notes.append(f"{where}: {each.title} [{each.kind.id}], which {cause.kind.id} explains.")
    return kept, notes
