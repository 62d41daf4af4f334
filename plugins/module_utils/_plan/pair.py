# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the proxy-client pairs that lie on masters can stay, and which masters get another."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._pki.certificate import Certificate
from .._pki.client import Reason, judge_certificate
from .._pki.errors import PkiError
from .._pki.folder import CA_KEY, CLIENT_CERTIFICATE, CLIENT_KEY, PkiFolder
from .._pki.lifetime import RenewBefore
from .authority import Authority
from .errors import HostError, about_host
from .flags import Flags
from .master import Master, Seen

__all__ = ["PairVerdict", "controller_pair", "judge_pair", "judge_pairs", "needing_pair"]


@dataclass(frozen=True)
class PairVerdict:
    """certificate: the one that is there, if it can be read; reason: why a new pair is needed, None if it can stay."""

    certificate: Certificate | None
    reason: Reason | None

    @property
    def should_go(self) -> bool:
        """Whether the pair works, and should be replaced all the same: it is due, say."""
        return self.reason is not None and self.reason.works

    @property
    def usable(self) -> bool:
        """Whether the pair works today."""
        return self.reason is None or self.should_go


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


def _by_kubeadm(master: Master, verdict: PairVerdict) -> str:
    """How kubeadm gives this master another pair, as words that end a sentence; empty where kubeadm did not make it."""
    if not master.made_by_kubeadm or verdict.reason is None:
        return ""
    return f", or, where kubeadm has that key, {verdict.reason.by_kubeadm} on {master.name}"


def _staying_warning(master: Master, verdict: PairVerdict) -> str:
    """Say that a pair works and should be replaced, and cannot be from here."""
    why = verdict.reason.text if verdict.reason else ""
    return (
        f"The proxy-client pair of {master.name} stays, though {why}, because the CA's key is not on the controller; "
        f"copy it there{_by_kubeadm(master, verdict)}."
    )


def judge_pairs(
    masters: t.Sequence[Master],
    flags: t.Mapping[str, Flags],
    authority: Authority,
    renew_before: RenewBefore,
    now: datetime,
) -> dict[str, PairVerdict]:
    """Judge the pair of every master."""
    verdicts = {}
    for master in masters:
        with about_host(master.name):
            verdicts[master.name] = judge_pair(
                master.seen(flags[master.name].values["proxy-client-cert-file"] or ""),
                master.seen(flags[master.name].values["proxy-client-key-file"] or ""),
                cas=authority.bundle,
                allowed_names=flags[master.name].pair_names,
                renew_before=renew_before,
                now=now,
            )
    return verdicts


def _refuse_unsignable(
    folder: PkiFolder, authority: Authority, needing: t.Sequence[tuple[Master, PairVerdict]]
) -> None:
    host, verdict = needing[0]
    why = verdict.reason.text if verdict.reason else ""
    signer = authority.signer
    raise HostError(
        host.name,
        f"{host.name} needs a new proxy-client pair ({why}), which only the key of the CA "
        f"{signer.subject if signer else ''} can sign, and {folder.path}/{CA_KEY} is not there; copy it from where it "
        f"is (kubeadm keeps it as {host.folder(None)}/{CA_KEY} on its masters, mode 0600), or put a signed pair there "
        f"as {CLIENT_CERTIFICATE} and {CLIENT_KEY}{_by_kubeadm(host, verdict)}.",
    )


def needing_pair(
    masters: t.Sequence[Master],
    verdicts: t.Mapping[str, PairVerdict],
    authority: Authority,
    folder: PkiFolder,
    ours: PairVerdict,
) -> tuple[list[str], list[str]]:
    """Give the masters that get the controller's pair, and warnings. Raises PlanError if there can be none for them."""
    needing = [master for master in masters if verdicts[master.name].reason is not None]
    can_sign = authority.origin is None or folder.ca_key != "absent"
    if can_sign or ours.reason is None:
        return [master.name for master in needing], []
    # nothing can be signed here: what still works stays, with a word about it
    warnings = []
    for master in needing:
        leaf = verdicts[master.name].certificate
        if verdicts[master.name].should_go and leaf:
            warnings.append(_staying_warning(master, verdicts[master.name]))
    needing = [master for master in needing if not verdicts[master.name].should_go]
    if needing and not ours.usable:
        _refuse_unsignable(folder, authority, [(master, verdicts[master.name]) for master in needing])
    return [master.name for master in needing], warnings
