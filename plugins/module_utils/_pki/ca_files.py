# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring about a CA at two paths: keep what is there, adopt what is given, or make one; never replace."""

from __future__ import annotations

import contextlib
import os
import typing as t
from dataclasses import dataclass, field
from datetime import datetime

from .access import CERTIFICATE_MODE, FOLDER_MODE, KEY_MODE, Access
from .ca import CaWish, check_ca, check_pair, concerns, dates_of_new_ca, differences, self_sign
from .certificate import Certificate, bundle_text, openssl_objection, read_certificates
from .errors import PkiError
from .files import (
    check_folder,
    check_writable,
    folder_of,
    read_file,
    settle_access,
    working_in,
    write_new,
)
from .folder import read_certificate_file
from .keys import KeySpec, PrivateKey, check_passphrase, generate_key, is_encrypted, load_key
from .report import diff_text, facts, planned_facts


@dataclass(frozen=True)
class CaRequest:
    """Where the CA lies, and what it should be like if there is none. The passphrase is left out of what is shown."""

    certificate_path: str
    privatekey_path: str
    wish: CaWish
    passphrase: str | None = field(default=None, repr=False)
    adopt: str | None = None  # PEM text, used only if there is no certificate at the path
    certificate_mode: int | None = None  # None: 0644 for a new file, and an old one as it is
    key_mode: int | None = None  # None: 0600 for a new file, and an old one as it is
    owner: int | None = None
    group: int | None = None

    def access(self, mode: int | None, default: int) -> Access:
        """Who may use a new file."""
        return Access(mode=default if mode is None else mode, owner=self.owner, group=self.group)


@dataclass(frozen=True)
class CaOutcome:
    """What happened, or in check mode would: `values` are the returned facts, as report.facts gives them."""

    changed: bool
    action: str  # made, kept or adopted
    reason: str  # present, nothing_there, key_without_certificate or given
    reason_text: str
    privatekey: str  # present, encrypted or absent
    values: dict[str, t.Any]
    warnings: tuple[str, ...] = ()

    @property
    def diff(self) -> dict[str, str]:
        """Before and after, for people."""
        after = diff_text(self.values)
        return {"before": after if self.action == "kept" else "", "after": after}


@dataclass(frozen=True)
class _Seen:
    """What lies at the two paths."""

    bundle: tuple[Certificate, ...]
    key_pem: bytes | None = field(repr=False)


def ensure_ca(request: CaRequest, *, check: bool, now: datetime) -> CaOutcome:
    """
    Makes sure that there is a CA at the paths. With `check`, tells what would be done and touches nothing.

    PkiError if what is there cannot be used: it is reported, not replaced.
    """
    check_passphrase(request.passphrase)
    if os.path.abspath(request.certificate_path) == os.path.abspath(request.privatekey_path):
        raise PkiError(f"Certificate and private key cannot both lie at {request.certificate_path}; give two paths.")
    given = _given(request, now)
    seen = _look(request)
    if seen.bundle:
        return _keep(request, seen, given, check=check, now=now)
    folders = (folder_of(request.certificate_path), folder_of(request.privatekey_path))
    if check:
        for folder in folders:
            check_writable(folder)
        return _supply(request, seen, given, check=True, now=now)
    with working_in(folders, access=request.access(FOLDER_MODE, FOLDER_MODE)):
        seen = _look(request)
        if seen.bundle:  # another run was faster
            return _keep(request, seen, given, check=False, now=now)
        return _supply(request, seen, given, check=False, now=now)


def _given(request: CaRequest, now: datetime) -> tuple[Certificate, ...]:
    """The bundle to adopt, () if none is given; it must be usable even if it is not used."""
    if request.adopt is None or not request.adopt.strip():
        return ()
    bundle = read_certificates(request.adopt, where="adopt")
    check_ca(bundle[0], where="adopt", now=now)
    return bundle


def _look(request: CaRequest) -> _Seen:
    check_folder(folder_of(request.privatekey_path))
    # The key first: who makes a CA writes it first, so a certificate that is seen has its key beside it.
    bundle = read_certificate_file(request.certificate_path)
    return _Seen(bundle=bundle, key_pem=read_file(request.privatekey_path, private=True))


def _key_state(request: CaRequest, key_pem: bytes | None) -> str:
    if key_pem is None:
        return "absent"
    return "encrypted" if is_encrypted(key_pem, where=request.privatekey_path) else "present"


def _load_key(request: CaRequest, key_pem: bytes) -> PrivateKey:
    return load_key(key_pem, where=request.privatekey_path, passphrase=request.passphrase)


def _keep(request: CaRequest, seen: _Seen, given: tuple[Certificate, ...], *, check: bool, now: datetime) -> CaOutcome:
    ca = seen.bundle[0]
    check_ca(ca, where=request.certificate_path, now=now)
    state = _key_state(request, seen.key_pem)
    # Without its passphrase an encrypted key is taken on trust: whoever needs it gives the passphrase and is told then.
    if seen.key_pem is not None and (state == "present" or request.passphrase is not None):
        key = _load_key(request, seen.key_pem)
        check_pair(seen.bundle, key, certificate_where=request.certificate_path, key_where=request.privatekey_path)
    warnings = differences(ca, request.wish) + concerns(ca, now=now) + _on_passphrase(request, state)
    if given and all(given[0].fingerprint != other.fingerprint for other in seen.bundle):
        warnings += (
            f"The CA at {request.certificate_path} ({ca.subject}, {ca.fingerprint}) is kept; the other one that adopt "
            f"gives ({given[0].subject}, {given[0].fingerprint}) is not used.",
        )
    settled = [
        path
        for path, mode in (
            (request.certificate_path, request.certificate_mode),
            (request.privatekey_path, request.key_mode),
        )
        if (path == request.certificate_path or seen.key_pem is not None)
        and settle_access(path, mode=mode, owner=request.owner, group=request.group, check=check)
    ]
    text = f"there is a CA at {request.certificate_path}"
    if settled:
        text += f"; mode, owner or group of {' and '.join(settled)} are set as asked for"
    return CaOutcome(
        changed=bool(settled),
        action="kept",
        reason="present",
        reason_text=text,
        privatekey=state,
        values=facts(seen.bundle),
        warnings=warnings,
    )


def _on_passphrase(request: CaRequest, state: str) -> tuple[str, ...]:
    if request.passphrase is None or state != "present":
        return ()
    return (
        f"A passphrase is given, but the private key {request.privatekey_path} is not encrypted and stays so; encrypt "
        "it with openssl pkcs8 -topk8 if it should be.",
    )


def _supply(
    request: CaRequest, seen: _Seen, given: tuple[Certificate, ...], *, check: bool, now: datetime
) -> CaOutcome:
    """No certificate is there: adopt, repair or make."""
    if given:
        return _adopt(request, seen, given, check=check, now=now)
    if seen.key_pem is not None:
        return _repair(request, seen.key_pem, check=check, now=now)
    return _make(request, check=check, now=now)


def _adopt(request: CaRequest, seen: _Seen, given: tuple[Certificate, ...], *, check: bool, now: datetime) -> CaOutcome:
    state = _key_state(request, seen.key_pem)
    if seen.key_pem is not None:
        key = _load_key(request, seen.key_pem)
        check_pair(given, key, certificate_where="adopt", key_where=request.privatekey_path)
    if not check:
        _write_certificate(request, given)
    return CaOutcome(
        changed=True,
        action="adopted",
        reason="given",
        reason_text=f"there is no CA at {request.certificate_path}, and one is given to be adopted",
        privatekey=state,
        values=facts(given),
        warnings=differences(given[0], request.wish) + concerns(given[0], now=now) + _on_passphrase(request, state),
    )


def _repair(request: CaRequest, key_pem: bytes, *, check: bool, now: datetime) -> CaOutcome:
    key = _load_key(request, key_pem)
    _check_kind(request, key)
    state = _key_state(request, key_pem)
    certificate = _signed(request, key, now)
    if not check:
        _write_certificate(request, (certificate,))
    return CaOutcome(
        changed=True,
        action="made",
        reason="key_without_certificate",
        reason_text=f"there is a private key at {request.privatekey_path} without its certificate, as an interrupted "
        "run leaves it, so the certificate is made with that key",
        privatekey=state,
        values=_planned(request, now, key=key) if check else facts((certificate,)),
        warnings=differences(certificate, request.wish) + _on_passphrase(request, state),
    )


def _check_kind(request: CaRequest, key: PrivateKey) -> None:
    """PkiError if a key that was found is of a kind that would not be made."""
    words = key.key_type.split(" ")
    try:
        if words[0] == "RSA":
            KeySpec.of(kind="RSA", size=int(words[1]))
        else:
            KeySpec.of(kind=words[0], curve=words[-1] if len(words) > 1 else None)
    except PkiError as exc:
        raise PkiError(
            f"The private key {request.privatekey_path} has no certificate and cannot become a CA's. {exc}"
        ) from None


def _make(request: CaRequest, *, check: bool, now: datetime) -> CaOutcome:
    dates_of_new_ca(request.wish.validity, now)  # refuses what cannot be, also in check mode
    values = _planned(request, now)
    if not check:
        key = generate_key(request.wish.key)
        certificate = _signed(request, key, now)
        write_new(
            request.privatekey_path, key.to_pem(request.passphrase), access=request.access(request.key_mode, KEY_MODE)
        )
        try:
            _write_certificate(request, (certificate,))
        except BaseException:
            # This run made the key and holds the lock, so nobody else has it: as if nothing had been begun.
            with contextlib.suppress(OSError):
                os.unlink(request.privatekey_path)
            raise
        values = facts((certificate,))
    return CaOutcome(
        changed=True,
        action="made",
        reason="nothing_there",
        reason_text=f"there is no CA at {request.certificate_path}, and none is given to be adopted",
        privatekey="present" if request.passphrase is None else "encrypted",
        values=values,
    )


def _signed(request: CaRequest, key: PrivateKey, now: datetime) -> Certificate:
    certificate = self_sign(key=key, subject=request.wish.subject, validity=request.wish.validity, now=now)
    objection = openssl_objection(certificate, certificate, at=now)
    if objection is not None:
        raise PkiError(f"OpenSSL does not accept the new CA {certificate.subject}: {objection}; nothing was written.")
    return certificate


def _planned(request: CaRequest, now: datetime, key: PrivateKey | None = None) -> dict[str, t.Any]:
    not_before, not_after = dates_of_new_ca(request.wish.validity, now)
    return planned_facts(
        subject=str(request.wish.subject),
        not_before=not_before,
        not_after=not_after,
        public_key_fingerprint=None if key is None else key.fingerprint,
    )


def _write_certificate(request: CaRequest, bundle: tuple[Certificate, ...]) -> None:
    write_new(
        request.certificate_path,
        bundle_text(bundle).encode("ascii"),
        access=request.access(request.certificate_mode, CERTIFICATE_MODE),
    )


__all__ = ("CaOutcome", "CaRequest", "ensure_ca")
