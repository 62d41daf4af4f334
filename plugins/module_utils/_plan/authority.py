# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which front-proxy CA is the cluster's: the controller's, one that its masters already hold, or a new one."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._pki.certificate import Certificate
from .._pki.errors import PkiError
from .._pki.folder import PkiFolder
from .._pki.lifetime import iso
from .._shown import printable
from .errors import PlanError
from .master import Master, Seen
from .wish import Wish

__all__ = ["CONTROLLER", "Authority", "Holder", "choose", "holder_of", "refuse_shared"]

CONTROLLER = "controller"
# CAs of one holder in a table.
_SHOWN = 10


@dataclass(frozen=True)
class Holder:
    """Who holds which bundle: name of the host or ``controller``; bundle: the one that signs first, maybe empty."""

    name: str
    bundle: tuple[Certificate, ...]
    problem: str = ""  # why the file that is there is no bundle

    @property
    def keys(self) -> frozenset[str]:
        """The public keys of its CAs: a CA that was issued anew for the same key is the same CA."""
        return frozenset(ca.key_fingerprint for ca in self.bundle)


@dataclass(frozen=True)
class Authority:
    """The decision. origin: whose bundle it is, None for a CA that is yet to be made; reason: a sentence."""

    bundle: tuple[Certificate, ...]
    origin: str | None
    reason: str

    @property
    def signer(self) -> Certificate | None:
        """The CA that signs."""
        return self.bundle[0] if self.bundle else None

    def trusted_by(self, holder: Holder, now: datetime) -> bool:
        """Whether this holder's bundle has the CA already, not necessarily the same certificate, but one that lives."""
        return self.signer is not None and any(
            ca.key_fingerprint == self.signer.key_fingerprint and ca.not_after > now for ca in holder.bundle
        )


def holder_of(master: Master, bundle: Seen) -> Holder:
    """Read the bundle that a master holds."""
    if not bundle.exists:
        return Holder(master.name, ())
    try:
        return Holder(master.name, bundle.certificates())
    except PkiError as error:
        return Holder(master.name, (), str(error))


def _table(holders: t.Sequence[Holder]) -> list[str]:
    """Show who holds which CA. Of one that holds very many, the first ones are shown."""
    rows = [("host", "CN", "SHA-256 of the key", "not after")]
    rows += [
        (holder.name, printable(ca.common_name or ca.subject, longest=60), ca.key_fingerprint[:16], iso(ca.not_after))
        for holder in holders
        for ca in holder.bundle[:_SHOWN]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def _asked_for(holders: t.Sequence[Holder], name: str) -> Authority:
    for holder in holders:
        if holder.name == name and holder.bundle:
            return Authority(holder.bundle, name, f"the CA of {name}, as front_proxy_ca_from says")
    known = ", ".join(holder.name for holder in holders if holder.bundle) or "nobody"
    raise PlanError(
        f"front_proxy_ca_from is {name}, which holds no front-proxy CA (those that do: {known}); name one of them."
    )


def _end(ca: Certificate) -> datetime:
    return ca.not_after


def choose(folder: PkiFolder, holders: t.Sequence[Holder], wish: Wish) -> Authority:
    """Choose the CA. Raises PlanError with a table if the holders do not agree, and nothing says whose counts."""
    everybody = [Holder(CONTROLLER, folder.ca), *holders]
    having = [holder for holder in everybody if holder.bundle]
    if wish.ca_from:
        return _asked_for(everybody, wish.ca_from)
    if not having:
        return Authority((), None, "no master and not the controller has a front-proxy CA")
    common = frozenset.intersection(*(holder.keys for holder in having))
    if not common:
        masters = [holder for holder in having if holder.name != CONTROLLER]
        if folder.ca and frozenset.intersection(*(holder.keys for holder in masters)):
            raise PlanError(
                f"{folder.path} on the controller holds a front-proxy CA that no master holds, and the masters agree "
                "about another one; move that folder away, and the next run takes over what the masters have, or set "
                f"front_proxy_ca_from to {CONTROLLER}, and all masters get the controller's:",
                _table(having),
            )
        raise PlanError(
            "The masters do not hold the same front-proxy CA, so a request would be accepted through one master and "
            "refused through another; set front_proxy_ca_from to the host whose CA all shall use (the other masters "
            "then get that CA and a new pair), or front_proxy_cluster if these are different "
            "clusters:",
            _table(having),
        )
    if folder.ca:
        # as it lies there: its first one signs, and its file is what the masters get
        return Authority(folder.ca, CONTROLLER, "the controller's")
    first = having[0]
    # In the order of the first holder, so that the one that signs there goes on signing; of a CA that was issued anew
    # for the same key, the certificate that lives longest.
    newest = {
        key: max((ca for holder in having for ca in holder.bundle if ca.key_fingerprint == key), key=_end)
        for key in first.keys
    }
    ordered = sorted(first.bundle, key=lambda ca: ca.key_fingerprint not in common)
    keys = dict.fromkeys(ca.key_fingerprint for ca in ordered)
    return Authority(tuple(newest[key] for key in keys), first.name, f"the one that {first.name} holds")


def refuse_shared(bundle: t.Sequence[Certificate], master: Master, *, names: str | None, wish: Wish) -> str | None:
    """Refuse a front-proxy CA that is also the CA of the cluster's own client certificates, compared by key.

    bundle: all that this master will trust;
    names: the value that --requestheader-allowed-names has or gets. Returns a warning where it is allowed.
    Source: kube-apiserver 1.35 and newer refuses equal certificates with no names (PR 131411, issue 119267).
    """
    client_keys = {ca.key_fingerprint: ca for ca in master.client_cas()}
    shared = [ca for ca in bundle if ca.key_fingerprint in client_keys]
    if not shared:
        return None
    what = f"The front-proxy CA {shared[0].subject} has the key of the cluster's client CA (--client-ca-file)"
    if not names:
        raise PlanError(
            f"{what}, and --requestheader-allowed-names is empty: anyone with a client certificate of this cluster "
            "becomes anyone, and kube-apiserver 1.35 and newer will not start; set front_proxy_allowed_names, and "
            "give the front proxy a CA of its own."
        )
    if not wish.allow_shared_ca:
        raise PlanError(
            f"{what}: whoever gets a client certificate with the name {names} becomes anyone in this cluster; give the "
            "front proxy a CA of its own (a --requestheader-client-ca-file of its own), or accept it with "
            "front_proxy_allow_shared_ca: true."
        )
    return f"{what}; accepted, since front_proxy_allow_shared_ca is set."
