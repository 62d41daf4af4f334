# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the proxy-client pairs that lie on masters can stay, and which masters get another."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._errors import HostError, about_host
from .._observed.master import Master, MasterFile
from .._pki.certificate import Certificate
from .._pki.client import Reason, check_client_certificate
from .._pki.errors import PkiError
from .._pki.folder import CA_KEY, CLIENT_CERTIFICATE, CLIENT_KEY, PkiFolder
from .._pki.lifetime import RenewBefore
from .apiserver_flags import Flags
from .signer import Signer

__all__ = [
    "ClientCertificateStatus",
    "controllers_client_certificate",
    "client_certificate_status",
    "client_certificate_statuses",
    "needing_pair",
]


@dataclass(frozen=True)
class ClientCertificateStatus:
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


def client_certificate_status(
    certificate: MasterFile,
    key: MasterFile,
    *,
    cas: t.Sequence[Certificate],
    allowed_names: t.Sequence[str],
    renew_before: RenewBefore,
    now: datetime,
) -> ClientCertificateStatus:
    """Judge a pair on a master by what was observed of it."""
    missing = [seen.host for seen in (certificate, key) if not seen.exists]
    if missing:
        return ClientCertificateStatus(
            None, Reason("missing", f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there")
        )
    try:
        leaf, *through = certificate.certificates()
    except PkiError as error:
        return ClientCertificateStatus(None, Reason("unreadable", str(error).rstrip(".")))
    if certificate.host not in (key.facts.get("loads_with") or ()):
        return ClientCertificateStatus(leaf, Reason("key_mismatch", f"{key.host} is not the key of {certificate.host}"))
    if not cas:
        return ClientCertificateStatus(leaf, Reason("not_signed_by_ca", "the front-proxy CA is yet to be made"))
    reason = check_client_certificate(
        leaf, cas=cas, allowed_names=allowed_names, renew_before=renew_before, now=now, through=through
    )
    return ClientCertificateStatus(leaf, reason)


def controllers_client_certificate(
    folder: PkiFolder,
    *,
    cas: t.Sequence[Certificate],
    allowed_names: t.Sequence[str],
    renew_before: RenewBefore,
    now: datetime,
) -> ClientCertificateStatus:
    """Judge the pair that lies on the controller."""
    if not folder.client or not cas:
        return ClientCertificateStatus(None, Reason("missing", f"{folder.path} holds no proxy-client pair"))
    if not folder.client_key_matches:
        return ClientCertificateStatus(
            folder.client[0], Reason("key_mismatch", f"the pair in {folder.path} does not fit together")
        )
    reason = check_client_certificate(
        folder.client[0], cas=cas, allowed_names=allowed_names, renew_before=renew_before, now=now
    )
    return ClientCertificateStatus(folder.client[0], reason)


def _by_kubeadm(master: Master, status: ClientCertificateStatus) -> str:
    """How kubeadm gives this master another pair, as words that end a sentence; empty where kubeadm did not make it."""
    if not master.made_by_kubeadm or status.reason is None:
        return ""
    return f", or, where kubeadm has that key, {status.reason.by_kubeadm} on {master.name}"


def _staying_warning(master: Master, status: ClientCertificateStatus) -> str:
    """Say that a pair works and should be replaced, and cannot be from here."""
    why = status.reason.text if status.reason else ""
    return (
        f"The proxy-client pair of {master.name} stays, though {why}, because the CA's key is not on the controller; "
        f"copy it there{_by_kubeadm(master, status)}."
    )


def client_certificate_statuses(
    masters: t.Sequence[Master],
    flags: t.Mapping[str, Flags],
    signer: Signer,
    renew_before: RenewBefore,
    now: datetime,
) -> dict[str, ClientCertificateStatus]:
    """Judge the pair of every master."""
    statuses = {}
    for master in masters:
        with about_host(master.name):
            statuses[master.name] = client_certificate_status(
                master.seen(flags[master.name].values["proxy-client-cert-file"] or ""),
                master.seen(flags[master.name].values["proxy-client-key-file"] or ""),
                cas=signer.cas,
                allowed_names=flags[master.name].pair_names,
                renew_before=renew_before,
                now=now,
            )
    return statuses


def _refuse_unsignable(
    folder: PkiFolder, signer: Signer, needing: t.Sequence[tuple[Master, ClientCertificateStatus]]
) -> None:
    host, status = needing[0]
    why = status.reason.text if status.reason else ""
    ca = signer.ca
    raise HostError(
        host.name,
        f"{host.name} needs a new proxy-client pair ({why}), which only the key of the CA "
        f"{ca.subject if ca else ''} can sign, and {folder.path}/{CA_KEY} is not there; copy it from where it "
        f"is (kubeadm keeps it as {host.folder(None)}/{CA_KEY} on its masters, mode 0600), or put a signed pair there "
        f"as {CLIENT_CERTIFICATE} and {CLIENT_KEY}{_by_kubeadm(host, status)}.",
    )


def needing_pair(
    masters: t.Sequence[Master],
    statuses: t.Mapping[str, ClientCertificateStatus],
    signer: Signer,
    folder: PkiFolder,
    ours: ClientCertificateStatus,
) -> tuple[list[str], list[str]]:
    """Give the masters that get the controller's pair, and warnings. Raises PlanError if there can be none for them."""
    needing = [master for master in masters if statuses[master.name].reason is not None]
    can_sign = signer.origin is None or folder.ca_key != "absent"
    if can_sign or ours.reason is None:
        return [master.name for master in needing], []
    # nothing can be signed here: what still works stays, with a word about it
    warnings = []
    for master in needing:
        leaf = statuses[master.name].certificate
        if statuses[master.name].should_go and leaf:
            warnings.append(_staying_warning(master, statuses[master.name]))
    needing = [master for master in needing if not statuses[master.name].should_go]
    if needing and not ours.usable:
        _refuse_unsignable(folder, signer, [(master, statuses[master.name]) for master in needing])
    return [master.name for master in needing], warnings
