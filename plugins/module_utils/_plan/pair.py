# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the proxy-client pair that lies on a master can stay."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._pki.certificate import Certificate
from .._pki.client import Reason, judge_certificate
from .._pki.errors import PkiError
from .._pki.folder import PkiFolder
from .._pki.lifetime import RenewBefore, iso
from .master import Seen

__all__ = ["PairVerdict", "controller_pair", "due_warning", "judge_pair"]


@dataclass(frozen=True)
class PairVerdict:
    """certificate: the one that is there, if it can be read; reason: why a new pair is needed, None if it can stay."""

    certificate: Certificate | None
    reason: Reason | None

    @property
    def only_due(self) -> bool:
        """Whether the pair still works and is merely due for renewal."""
        return self.reason is not None and self.reason.code == "renewal_due"

    @property
    def usable(self) -> bool:
        """Whether the pair works today."""
        return self.reason is None or self.only_due


def judge_pair(
    certificate: Seen,
    key: Seen,
    *,
    cas: t.Sequence[Certificate],
    allowed_names: t.Sequence[str],
    renew_before: RenewBefore,
    now: datetime,
) -> PairVerdict:
    """Judge a pair on a master by what was observed of it."""
    missing = [seen.host for seen in (certificate, key) if not seen.exists]
    if missing:
        return PairVerdict(
            None, Reason("missing", f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there")
        )
    try:
        leaf, *through = certificate.certificates()
    except PkiError as error:
        return PairVerdict(None, Reason("unreadable", str(error).rstrip(".")))
    if certificate.host not in (key.facts.get("loads_with") or ()):
        return PairVerdict(leaf, Reason("key_mismatch", f"{key.host} is not the key of {certificate.host}"))
    if not cas:
        return PairVerdict(leaf, Reason("not_signed_by_ca", "the front-proxy CA is yet to be made"))
    reason = judge_certificate(
        leaf, cas=cas, allowed_names=allowed_names, renew_before=renew_before, now=now, through=through
    )
    return PairVerdict(leaf, reason)


def controller_pair(
    folder: PkiFolder,
    *,
    cas: t.Sequence[Certificate],
    allowed_names: t.Sequence[str],
    renew_before: RenewBefore,
    now: datetime,
) -> PairVerdict:
    """Judge the pair that lies on the controller."""
    if not folder.client or not cas:
        return PairVerdict(None, Reason("missing", f"{folder.path} holds no proxy-client pair"))
    if not folder.client_key_matches:
        return PairVerdict(folder.client[0], Reason("key_mismatch", f"the pair in {folder.path} does not fit together"))
    reason = judge_certificate(
        folder.client[0], cas=cas, allowed_names=allowed_names, renew_before=renew_before, now=now
    )
    return PairVerdict(folder.client[0], reason)


def due_warning(host: str, leaf: Certificate) -> str:
    """Say that a pair should be renewed and cannot be from here."""
    return (
        f"The proxy-client certificate of {host} ends on {iso(leaf.not_after)} and is due for renewal, but the CA's "
        "key is not on the controller; renew it where the key is (kubeadm certs renew front-proxy-client), or copy "
        "the key to the controller."
    )
