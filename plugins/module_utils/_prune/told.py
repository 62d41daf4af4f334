# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was taken out, as data for a result and as lines for a person."""

from __future__ import annotations

import typing as t

from .._contract.prune import Watched
from .._pki.lifetime import iso
from .._plan.errors import PlanError
from .._shown import printable
from .._verify.published import NAMESPACE_AND_NAME
from .._verify.view import describe
from .decide import NO_MASTER_ALLOWS_IT, NO_MASTER_HAS_IT, Decision

__all__ = ["as_result", "diff", "refuse_what_came_back", "summary"]


def as_result(decision: Decision) -> dict[str, t.Any]:
    """Give what goes, and why, as plain data."""
    return {
        "cas": [
            {
                "subject": printable(ca.subject, longest=300),
                "fingerprint": ca.fingerprint,
                "key_fingerprint": ca.key_fingerprint,
                "not_after": iso(ca.not_after),
                "why": NO_MASTER_HAS_IT,
            }
            for ca in decision.cas
        ],
        "names": [{"name": printable(name, longest=300), "why": NO_MASTER_ALLOWS_IT} for name in decision.names],
        "stays": [printable(sentence) for sentence in decision.stays],
    }


def _gone(decision: Decision) -> list[str]:
    cas = [f"CA {describe(ca)}: {NO_MASTER_HAS_IT}" for ca in decision.cas]
    return [*cas, *(f"name {name!r}: {NO_MASTER_ALLOWS_IT}" for name in decision.names)]


def diff(decision: Decision) -> dict[str, str]:
    """Give what --diff shows: the lines that go."""
    lines = "".join(f"{printable(line)}\n" for line in _gone(decision))
    return {"before_header": NAMESPACE_AND_NAME, "after_header": NAMESPACE_AND_NAME, "before": lines, "after": ""}


def summary(cluster: str, host: str, decision: Decision, *, checking: bool, notes: t.Sequence[str]) -> list[str]:
    """Give the lines for a person. host: through which it was done; notes: clauses that follow."""
    if decision.any:
        verb = "would be taken out" if checking else "taken out"
        head = f"{verb} of {NAMESPACE_AND_NAME}, through {host}"
    else:
        head = f"nothing to take out of {NAMESPACE_AND_NAME}"
    lines = [f"cluster {cluster}: {head}", *(f"  {line}" for line in _gone(decision))]
    lines += [f"  stays: {sentence}" for sentence in decision.stays]
    lines += [f"  {note}" for note in notes]
    return [printable(line) for line in lines]


def refuse_what_came_back(decision: Decision, watched: Watched) -> None:
    """Raise PlanError if something that was taken out is there again."""
    back = [describe(ca) for ca in decision.cas if ca.fingerprint in watched["cas"]]
    back += [f"the name {name!r}" for name in decision.names if name in watched["names"]]
    if back:
        raise PlanError(
            f"{', '.join(back)} was taken out of {NAMESPACE_AND_NAME} and came back after {watched['seconds']} s, so a "
            "kube-apiserver still has it loaded: one that the inventory does not have, or one that was started with it "
            "meanwhile; find it (kubectl get endpoints kubernetes), add it to the inventory, and run again."
        )
