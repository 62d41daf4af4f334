# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front-proxy CA: sign one, and judge one that is there. Values only; the files are ca_files.py's."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .certificate import Certificate, from_der
from .deps import quiet, require, serialization, x509
from .errors import PkiError
from .keys import KeySpec, PrivateKey, why_unusable
from .lifetime import BACKDATE, DEFAULT_CLIENT_VALIDITY, end_of_life, iso, parse_duration
from .names import Subject

# Go, and so Kubernetes, refuses signatures with these: MD5 always, SHA-1 from 1.24 on.
WEAK_HASHES = ("md5", "sha1")


@dataclass(frozen=True)
class CaWish:
    """What a CA should be like, if one has to be made."""

    subject: Subject
    key: KeySpec
    validity: timedelta
    # Whether somebody asked for them, or they are the defaults: a CA that differs from a default is nothing to warn of.
    subject_asked: bool = True
    key_asked: bool = True


def dates_of_new_ca(validity: timedelta, now: datetime) -> tuple[datetime, datetime]:
    """(NotBefore, NotAfter) of a CA that is made now."""
    return now - BACKDATE, end_of_life(now, validity)


def self_sign(*, key: PrivateKey, subject: Subject, validity: timedelta, now: datetime) -> Certificate:
    """
    A CA certificate for a key, signed by that key.

    It may sign certificates of clients but no further CA (path length 0), as nothing below a front-proxy CA is one.
    """
    require()
    not_before, not_after = dates_of_new_ca(validity, now)
    name = subject.to_name()
    public_key = key.public_key()
    with quiet():
        builder = (
            begin_certificate(name, name, public_key, not_before=not_before, not_after=not_after)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(key_usage("digital_signature", "key_cert_sign", "crl_sign"), critical=True)
        )
        signed = key.sign_certificate(builder)
        return from_der(signed.public_bytes(serialization.Encoding.DER))


def begin_certificate(
    subject: t.Any, issuer: t.Any, public_key: t.Any, *, not_before: datetime, not_after: datetime
) -> t.Any:
    """A certificate builder with all that every certificate has: names, key and its id, a random serial, a life."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def key_usage(*names: str) -> t.Any:
    """A keyUsage extension with these bits, by the library's names."""
    bits = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{bit: bit in names for bit in bits})


def check_ca(ca: Certificate, *, where: str, now: datetime) -> None:
    """PkiError if a certificate is no CA for Kubernetes, or its life is over. It is never replaced: people decide."""
    if not ca.is_ca:
        raise PkiError(
            f"The certificate {ca.subject} in {where} is no CA: {ca.not_ca_because}; give the front-proxy CA's own "
            "certificate, first in the file."
        )
    unusable = why_unusable(ca.key_type)
    if unusable:
        raise PkiError(f"The CA {ca.subject} in {where} {unusable}; use a CA with an RSA or ECDSA key.")
    if ca.not_after <= now:
        raise PkiError(
            f"The CA {ca.subject} in {where} expired on {iso(ca.not_after)}; it is not replaced by itself, because "
            "masters and extension API servers trust it: move it away, or rotate to a new one."
        )


def check_ca_can_sign(ca: Certificate, *, where: str, now: datetime) -> None:
    """PkiError if what this CA signs now would not be accepted."""
    check_ca(ca, where=where, now=now)
    if ca.not_before > now:
        raise PkiError(
            f"The CA {ca.subject} in {where} is valid only from {iso(ca.not_before)}, and it is {iso(now)} here; set "
            "this machine's clock right."
        )


def check_pair(ca: t.Sequence[Certificate], key: PrivateKey, *, certificate_where: str, key_where: str) -> None:
    """PkiError if the key is not that of the bundle's first certificate, the one that signs."""
    if ca[0].key_fingerprint == key.fingerprint:
        return
    for place, other in enumerate(ca[1:], start=2):
        if other.key_fingerprint == key.fingerprint:
            raise PkiError(
                f"The private key {key_where} belongs to certificate {place} in {certificate_where}, not to the first; "
                "the one that signs must come first, because kubeadm reads only that."
            )
    raise PkiError(
        f"The private key {key_where} does not belong to the certificate {ca[0].subject} in {certificate_where}; put "
        "the right key there, or move it away to work without a CA key."
    )


def differences(ca: Certificate, wish: CaWish) -> tuple[str, ...]:
    """How a CA differs from what is asked for, as warnings with both values. A CA is never changed for that."""
    warnings: list[str] = []
    wanted_subject = str(wish.subject)
    if wish.subject_asked and ca.subject != wanted_subject:
        warnings.append(
            f"The CA's subject is {ca.subject}, while {wanted_subject} is asked for; a CA in use is not replaced."
        )
    if wish.key_asked and ca.key_type != str(wish.key):
        warnings.append(f"The CA's key is {ca.key_type}, while {wish.key} is asked for; a CA in use is not replaced.")
    return tuple(warnings)


def concerns(ca: Certificate, *, now: datetime) -> tuple[str, ...]:
    """What will give trouble with a CA that is kept or adopted, as warnings."""
    warnings: list[str] = []
    if ca.not_before > now:
        warnings.append(
            f"The CA {ca.subject} is valid only from {iso(ca.not_before)}, and here it is {iso(now)}; check the clocks."
        )
    enough = min(parse_duration(DEFAULT_CLIENT_VALIDITY), (ca.not_after - ca.not_before) / 3)
    if ca.not_after - now < enough:
        warnings.append(
            f"The CA {ca.subject} ends on {iso(ca.not_after)}, and all that it signed ends with it; plan its rotation."
        )
    if ca.key_type == "Ed25519":
        warnings.append(f"The CA {ca.subject} has an Ed25519 key, which kubeadm cannot read.")
    elif ca.key_type.startswith("RSA ") and int(ca.key_type.split()[1]) < 2048:
        warnings.append(f"The CA {ca.subject} has a key of type {ca.key_type}, which OpenSSL 3 refuses in a handshake.")
    if ca.signature_hash in WEAK_HASHES and ca.subject != ca.issuer:
        warnings.append(
            f"The CA {ca.subject} is signed with {ca.signature_hash}, which Kubernetes refuses from 1.24 on."
        )
    return tuple(warnings)


__all__ = (
    "CaWish",
    "WEAK_HASHES",
    "begin_certificate",
    "check_ca",
    "check_ca_can_sign",
    "check_pair",
    "concerns",
    "dates_of_new_ca",
    "differences",
    "key_usage",
    "self_sign",
)
