# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring about the proxy client's pair at two paths: keep it, or issue it anew with the reason."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .access import CERTIFICATE_MODE, FOLDER_MODE, KEY_MODE, Access
from .ca import check_ca, check_ca_can_sign, check_pair
from .certificate import Certificate, read_certificates
from .client import ClientWish, Reason, dates_of_new_client, issue_client, judge_certificate
from .errors import PkiError
from .files import (
    check_folder,
    check_writable,
    folder_of,
    read_file,
    replace,
    settle_access,
    working_in,
)
from .folder import read_certificate_file
from .keys import PrivateKey, check_passphrase, load_key
from .report import diff_text, facts, planned_facts


@dataclass(frozen=True)
class ClientRequest:
    """Where the pair and its CA lie, and what the pair should be like. The passphrase is left out of what is shown."""

    certificate_path: str
    privatekey_path: str
    ca_certificate_path: str
    ca_privatekey_path: str
    wish: ClientWish
    ca_passphrase: str | None = field(default=None, repr=False)
    force: bool = False
    certificate_mode: int | None = None  # None: 0644 for a new file, and an old one as it is
    key_mode: int | None = None  # None: 0600 for a new file, and an old one as it is
    owner: int | None = None
    group: int | None = None

    def access(self, mode: int | None, default: int) -> Access:
        """Who may use a new file."""
        return Access(mode=default if mode is None else mode, owner=self.owner, group=self.group)


@dataclass(frozen=True)
class ClientOutcome:
    """What happened, or in check mode would: `values` are the returned facts, as report.facts gives them."""

    changed: bool
    action: str  # issued, renewed or kept
    reason: Reason
    values: dict[str, t.Any]
    before: dict[str, t.Any] | None = None  # the facts of the certificate that was there
    warnings: tuple[str, ...] = ()

    @property
    def diff(self) -> dict[str, str]:
        """Before and after, for people."""
        return {"before": diff_text(self.before), "after": diff_text(self.values)}


@dataclass(frozen=True)
class _Seen:
    """What lies at the pair's paths, and why it cannot be a pair."""

    chain: tuple[Certificate, ...]
    reason: Reason | None


def ensure_client(request: ClientRequest, *, check: bool, now: datetime) -> ClientOutcome:
    """
    Makes sure that there is a good pair at the paths. With `check`, tells what would be done and touches nothing.

    With `check` the CA may be missing, as it is where the real run makes it first. PkiError if a pair must be signed
    and cannot be.
    """
    check_passphrase(request.ca_passphrase)
    _check_paths(request)
    check_folder(folder_of(request.ca_privatekey_path))
    bundle = read_certificate_file(request.ca_certificate_path)
    if bundle:
        check_ca(bundle[0], where=request.ca_certificate_path, now=now)
    elif not check:
        raise PkiError(
            f"There is no CA certificate at {request.ca_certificate_path}; make or adopt the CA first, with the module "
            "kubeops.aggregation_layer.front_proxy_ca."
        )
    seen = _look(request)
    reason = _why_not_kept(request, seen, bundle, now)
    if reason is None:
        return _keep(request, seen, check=check)
    ca_key = _ca_key(request, bundle, reason, now=now) if bundle else None
    if bundle and ca_key is None:
        return _keep(request, seen, check=check, warnings=(_external_warning(request, reason),))
    if check or ca_key is None:
        for path in (request.certificate_path, request.privatekey_path):
            check_writable(folder_of(path))
        return _predict(request, seen, bundle, reason, now=now)
    folders = (folder_of(request.certificate_path), folder_of(request.privatekey_path))
    with working_in(folders, access=request.access(FOLDER_MODE, FOLDER_MODE)):
        seen = _look(request)
        reason = _why_not_kept(request, seen, bundle, now)
        if reason is None:  # another run was faster
            return _keep(request, seen, check=False)
        return _issue(request, seen, bundle, ca_key, reason, now=now)


def _check_paths(request: ClientRequest) -> None:
    paths = (
        request.certificate_path,
        request.privatekey_path,
        request.ca_certificate_path,
        request.ca_privatekey_path,
    )
    seen: set[str] = set()
    for path in paths:
        # Where a link leads counts: what is written here must never land on the CA.
        target = os.path.realpath(path)
        if target in seen:
            raise PkiError(f"{path} is named twice; pair and CA need four paths of their own.")
        seen.add(target)


def _look(request: ClientRequest) -> _Seen:
    check_folder(folder_of(request.privatekey_path))
    certificate_pem = read_file(request.certificate_path)
    key_pem = read_file(request.privatekey_path, private=True)
    missing: list[str] = []
    if certificate_pem is None:
        missing.append(f"no certificate at {request.certificate_path}")
    if key_pem is None:
        missing.append(f"no private key at {request.privatekey_path}")
    chain: tuple[Certificate, ...] = ()
    try:
        if certificate_pem is not None:
            chain = read_certificates(certificate_pem.decode("ascii", "replace"), where=request.certificate_path)
        if missing or key_pem is None:
            return _Seen(chain, Reason("missing", "there is " + " and ".join(missing)))
        key = load_key(key_pem, where=request.privatekey_path)
    except PkiError as exc:
        return _Seen(chain, Reason("unreadable", str(exc).rstrip(".")))
    if key.fingerprint != chain[0].key_fingerprint:
        return _Seen(
            chain,
            Reason(
                "key_mismatch",
                f"the private key {request.privatekey_path} does not belong to the certificate "
                f"{request.certificate_path}, as after an interrupted run",
            ),
        )
    return _Seen(chain, None)


def _why_not_kept(request: ClientRequest, seen: _Seen, bundle: tuple[Certificate, ...], now: datetime) -> Reason | None:
    if seen.reason is not None:
        return seen.reason
    if not bundle:
        return Reason("not_signed_by_ca", f"there is no CA at {request.ca_certificate_path} yet")
    reason = judge_certificate(
        seen.chain[0],
        cas=bundle[:1],  # the one that signs; kubeadm looks at no other
        allowed_names=(request.wish.common_name,),
        renew_before=request.wish.renew_before,
        now=now,
    )
    if reason is None and request.force:
        return Reason("forced", "a new pair is asked for with force")
    return reason


def _ca_key(
    request: ClientRequest, bundle: tuple[Certificate, ...], reason: Reason, *, now: datetime
) -> PrivateKey | None:
    """The CA's key, tried and found right; None if there is none and the pair can be kept for now."""
    key_pem = read_file(request.ca_privatekey_path, private=True)
    if key_pem is None:
        if reason.works and not request.force:
            return None
        raise PkiError(
            f"The proxy client's certificate must be signed, because {reason.text}, but the private key of the CA "
            f"{bundle[0].subject} is not at {request.ca_privatekey_path}; copy it there (on kubeadm masters it is "
            f"front-proxy-ca.key beside front-proxy-ca.crt), or {reason.by_kubeadm} where that key is."
        )
    check_ca_can_sign(bundle[0], where=request.ca_certificate_path, now=now)
    ca_key = load_key(key_pem, where=request.ca_privatekey_path, passphrase=request.ca_passphrase)
    check_pair(bundle, ca_key, certificate_where=request.ca_certificate_path, key_where=request.ca_privatekey_path)
    return ca_key


def _external_warning(request: ClientRequest, reason: Reason) -> str:
    return (
        f"The proxy client's pair is kept though {reason.text}, because the CA's private key is not at "
        f"{request.ca_privatekey_path}; copy front-proxy-ca.key there, or {reason.by_kubeadm} where that key is."
    )


def _keep(request: ClientRequest, seen: _Seen, *, check: bool, warnings: tuple[str, ...] = ()) -> ClientOutcome:
    settled = [
        path
        for path, mode in (
            (request.certificate_path, request.certificate_mode),
            (request.privatekey_path, request.key_mode),
        )
        if settle_access(path, mode=mode, owner=request.owner, group=request.group, check=check)
    ]
    values = facts(seen.chain)
    reason = Reason("", "")
    if settled:
        reason = Reason("access", f"mode, owner or group of {' and '.join(settled)} are set as asked for")
    return ClientOutcome(
        changed=bool(settled), action="kept", reason=reason, values=values, before=values, warnings=warnings
    )


def _action(seen: _Seen) -> str:
    """A pair that was whole is renewed; where none was, one is issued."""
    return "issued" if seen.reason is not None and seen.reason.code in ("missing", "unreadable") else "renewed"


def _predict(
    request: ClientRequest, seen: _Seen, bundle: tuple[Certificate, ...], reason: Reason, *, now: datetime
) -> ClientOutcome:
    not_before, not_after, warnings = dates_of_new_client(
        validity=request.wish.validity, ca=bundle[0] if bundle else None, now=now
    )
    return ClientOutcome(
        changed=True,
        action=_action(seen),
        reason=reason,
        values=planned_facts(subject=str(request.wish.subject), not_before=not_before, not_after=not_after),
        before=facts(seen.chain) if seen.chain else None,
        warnings=warnings,
    )


def _issue(
    request: ClientRequest,
    seen: _Seen,
    bundle: tuple[Certificate, ...],
    ca_key: PrivateKey,
    reason: Reason,
    *,
    now: datetime,
) -> ClientOutcome:
    pair = issue_client(
        wish=request.wish,
        bundle=bundle,
        ca_key=ca_key,
        ca_where=request.ca_certificate_path,
        ca_key_where=request.ca_privatekey_path,
        now=now,
    )
    # Cut off between the two, the run leaves a key that is not the certificate's: the next one sees that.
    replace(request.privatekey_path, pair.key_pem, access=request.access(request.key_mode, KEY_MODE))
    replace(
        request.certificate_path,
        pair.cert_pem.encode("ascii"),
        access=request.access(request.certificate_mode, CERTIFICATE_MODE),
    )
    return ClientOutcome(
        changed=True,
        action=_action(seen),
        reason=reason,
        values=facts((pair.certificate,)),
        before=facts(seen.chain) if seen.chain else None,
        warnings=pair.warnings,
    )


__all__ = ("ClientOutcome", "ClientRequest", "ensure_client")
