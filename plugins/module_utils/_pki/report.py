# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules return and show of a certificate: never a key."""

from __future__ import annotations

import typing as t
from datetime import datetime

from .certificate import Certificate, bundle_text
from .lifetime import iso


def facts(bundle: t.Sequence[Certificate]) -> dict[str, t.Any]:
    """The returned values on a file of certificates: those of its first one, and the text of all."""
    first = bundle[0]
    return {
        "subject": first.subject,
        # As text: it has up to 160 bits, and JSON readers keep 53.
        "serial": str(first.serial),
        "fingerprint": first.fingerprint,
        "public_key_fingerprint": first.key_fingerprint,
        "not_before": iso(first.not_before),
        "not_after": iso(first.not_after),
        "certificate": bundle_text(bundle),
    }


def planned_facts(
    *, subject: str, not_before: datetime, not_after: datetime, public_key_fingerprint: str | None = None
) -> dict[str, t.Any]:
    """The same values for a certificate that check mode does not make; what only making it tells is None."""
    return {
        "subject": subject,
        "serial": None,
        "fingerprint": None,
        "public_key_fingerprint": public_key_fingerprint,
        "not_before": iso(not_before),
        "not_after": iso(not_after),
        "certificate": None,
    }


def diff_text(values: t.Mapping[str, t.Any] | None) -> str:
    """Subject, fingerprint and dates of a certificate as the lines of a diff; empty for none."""
    if values is None:
        return ""
    lines = [
        f"{name}: {values[name] or '(known when it is made)'}"
        for name in ("subject", "fingerprint", "not_before", "not_after")
    ]
    return "\n".join(lines) + "\n"


__all__ = ("diff_text", "facts", "planned_facts")
