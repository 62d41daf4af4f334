# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy client's certificate: sign one, judge one that is there. Values only; the files are client_files.py's."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from .ca import WEAK_HASHES, begin_certificate, check_ca_can_sign, check_pair, key_usage
from .certificate import Certificate, from_der, is_signed_by, load_x509, openssl_objection
from .deps import ExtendedKeyUsageOID, quiet, require, serialization, x509
from .der import outline
from .errors import PkiError
from .keys import KeySpec, PrivateKey, generate_key
from .lifetime import BACKDATE, DEFAULT_CLIENT_VALIDITY, RenewBefore, end_of_life, iso, parse_duration
from .names import PRIVILEGED_ORGANIZATION, Subject


@dataclass(frozen=True)
class Reason:
    """Why a pair cannot stay: a code for programs, and a clause for people that reads after 'because'."""

    code: str
    text: str

    @property
    def works(self) -> bool:
        """Whether the pair does its work all the same, and only should be replaced."""
        return self.code in ("renewal_due", "no_usage")

    @property
    def by_kubeadm(self) -> str:
        """How kubeadm mends it where it has the CA's key: its renewal keeps subject and usages, and needs some of them.

        Source: cmd/kubeadm/app/phases/certs/renewal/manager.go, util/pkiutil (NewSignedCert).
        """
        if self.code in ("renewal_due", "expired", "not_yet_valid", "weak_signature"):
            return "run `kubeadm certs renew front-proxy-client`"
        return "move the old pair away and run `kubeadm init phase certs front-proxy-client`"


@dataclass(frozen=True)
class ClientWish:
    """What the proxy client's pair should be like. Build it with ClientWish.of, which checks the values."""

    common_name: str
    renew_before: RenewBefore
    allowed_names: tuple[str, ...] = ()
    subject: Subject = field(default_factory=lambda: Subject(common_name="front-proxy-client"))
    key: KeySpec = field(default_factory=KeySpec)
    validity: timedelta = timedelta(days=365)

    @classmethod
    def of(
        cls,
        *,
        renew_before: RenewBefore,
        subject: Subject,
        allowed_names: t.Sequence[str] = (),
        key: KeySpec | None = None,
        validity: timedelta | None = None,
    ) -> ClientWish:
        """PkiError if the parts contradict each other: a CN that is not allowed, a renewal that is always due."""
        life = parse_duration(DEFAULT_CLIENT_VALIDITY) if validity is None else validity
        subject.refuse_privileged()
        check_allowed(subject.common_name, allowed_names)
        renew_before.check_fits(life)
        return cls(
            common_name=subject.common_name,
            renew_before=renew_before,
            allowed_names=tuple(allowed_names),
            subject=subject,
            key=key or KeySpec(),
            validity=life,
        )


@dataclass(frozen=True)
class IssuedPair:
    """A new key and its certificate. The key is left out of what is shown of it."""

    key_pem: bytes = field(repr=False)
    certificate: Certificate
    warnings: tuple[str, ...] = ()

    @property
    def cert_pem(self) -> str:
        """The certificate as PEM."""
        return self.certificate.pem


def check_allowed(common_name: str, allowed_names: t.Sequence[str]) -> None:
    """PkiError if kube-apiserver would refuse this CN. No names at all means that every name is allowed."""
    if allowed_names and common_name not in allowed_names:
        raise PkiError(
            f"The common name {common_name!r} is not among the allowed names ({', '.join(allowed_names)}), so every "
            "API server would refuse the certificate; add it to the allowed names or choose one of them."
        )


def judge_certificate(
    certificate: Certificate,
    *,
    cas: t.Sequence[Certificate],
    allowed_names: t.Sequence[str],
    renew_before: RenewBefore,
    now: datetime,
    through: t.Sequence[Certificate] = (),
) -> Reason | None:
    """
    The first reason why a proxy client's certificate cannot stay, or None.

    `cas`: the trust bundle, the one that signs first. `allowed_names`: empty means any. `through`: the certificates
    that follow it in its file. Whether a key belongs to the certificate is not judged here. Codes: not_signed_by_ca,
    expired, not_yet_valid, wrong_common_name, wrong_usage, privileged_organization, weak_signature, renewal_due,
    no_usage.
    """
    if not any(is_signed_by(certificate, ca, through) for ca in cas):
        names = ", ".join(f"{ca.subject} ({ca.fingerprint[:16]})" for ca in cas) or "none is known"
        return Reason("not_signed_by_ca", f"the certificate {certificate.subject} is not signed by the CA ({names})")
    if certificate.not_after <= now:
        return Reason("expired", f"the certificate expired on {iso(certificate.not_after)}")
    if certificate.not_before > now:
        return Reason("not_yet_valid", f"the certificate is valid only from {iso(certificate.not_before)}")
    if allowed_names and certificate.common_name not in allowed_names:
        return Reason(
            "wrong_common_name",
            f"the certificate's common name is {certificate.common_name!r}, wanted is "
            f"{' or '.join(map(repr, allowed_names))}",
        )
    if not certificate.client_auth and not certificate.any_usage:
        return Reason("wrong_usage", "the certificate's extended key usage lacks clientAuth")
    if PRIVILEGED_ORGANIZATION in certificate.organizations:
        return Reason("privileged_organization", f"the certificate's organization is {PRIVILEGED_ORGANIZATION}")
    if certificate.signature_hash in WEAK_HASHES:
        return Reason(
            "weak_signature",
            f"the certificate is signed with {certificate.signature_hash}, which Kubernetes refuses from 1.24 on",
        )
    due = renew_before.deadline(not_before=certificate.not_before, not_after=certificate.not_after)
    if due <= now and not _ends_with_signer(certificate, cas[0]):
        return Reason(
            "renewal_due",
            f"the certificate ends on {iso(certificate.not_after)} and is due for renewal ({renew_before.text}) since "
            f"{iso(due)}",
        )
    if certificate.any_usage:
        return Reason(
            "no_usage", "the certificate has no extended key usage, so it works, but it is not limited to clients"
        )
    return None


def _ends_with_signer(certificate: Certificate, signer: Certificate) -> bool:
    """Whether a renewal could not give a longer life, because the certificate already lasts as long as its CA."""
    return certificate.not_after >= signer.not_after and is_signed_by(certificate, signer)


def dates_of_new_client(
    *, validity: timedelta, ca: Certificate | None, now: datetime
) -> tuple[datetime, datetime, tuple[str, ...]]:
    """(NotBefore, NotAfter, warnings) of a certificate that is made now, within the life of its CA if that is known."""
    not_before, not_after = now - BACKDATE, end_of_life(now, validity)
    if ca is None:
        return not_before, not_after, ()
    warnings: tuple[str, ...] = ()
    if ca.not_after < not_after:
        warnings = (
            (
                f"The proxy client's certificate ends on {iso(ca.not_after)}, before the validity that is asked for, "
                f"because its CA {ca.subject} ends then; plan the CA's rotation."
            ),
        )
    return max(not_before, ca.not_before), min(not_after, ca.not_after), warnings


def issue_client(
    *,
    wish: ClientWish,
    bundle: t.Sequence[Certificate],
    ca_key: PrivateKey,
    ca_where: str,
    ca_key_where: str,
    now: datetime,
) -> IssuedPair:
    """
    A new key and a certificate for it, signed by the bundle's first CA and verified by OpenSSL before it is returned.

    The `where` values name the CA's files in messages. PkiError if the CA cannot sign, or its key is another's.
    """
    require()
    ca = bundle[0]
    check_ca_can_sign(ca, where=ca_where, now=now)
    check_pair(bundle, ca_key, certificate_where=ca_where, key_where=ca_key_where)
    wish.subject.refuse_privileged()
    key = generate_key(wish.key)
    certificate, warnings = sign_client(wish=wish, ca=ca, ca_key=ca_key, public_key=key.public_key(), now=now)
    _verify(certificate, ca=ca, wish=wish, now=now)
    return IssuedPair(key_pem=key.to_pem(), certificate=certificate, warnings=warnings)


def sign_client(
    *, wish: ClientWish, ca: Certificate, ca_key: PrivateKey, public_key: t.Any, now: datetime
) -> tuple[Certificate, tuple[str, ...]]:
    """(certificate, warnings): the wish's subject on a public key, signed by the CA."""
    not_before, not_after, warnings = dates_of_new_client(validity=wish.validity, ca=ca, now=now)
    usages = ("digital_signature", "key_encipherment") if wish.key.kind == "RSA" else ("digital_signature",)
    with quiet():
        issuer = load_x509(ca.der)
        builder = (
            begin_certificate(
                wish.subject.to_name(), issuer.subject, public_key, not_before=not_before, not_after=not_after
            )
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage(*usages), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(_authority_key_identifier(issuer, ca_key), critical=False)
        )
        signed = ca_key.sign_certificate(builder)
        return from_der(signed.public_bytes(serialization.Encoding.DER)), warnings


def _authority_key_identifier(issuer: t.Any, ca_key: PrivateKey) -> t.Any:
    """What the CA calls its key; a CA may have chosen another way to number it, or none."""
    try:
        own = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _verify(certificate: Certificate, *, ca: Certificate, wish: ClientWish, now: datetime) -> None:
    """PkiError if another judge than the one who signed finds fault with a new certificate."""
    objection = openssl_objection(certificate, ca, at=now)
    if objection is not None:
        raise PkiError(
            f"OpenSSL does not accept the new certificate with the CA {ca.subject}: {objection}; nothing was written."
        )
    if outline(certificate.der).issuer != outline(ca.der).subject:
        # OpenSSL compares names leniently, Go by their bytes.
        raise PkiError(
            f"The name of the CA {ca.subject} is encoded in a way that cannot be repeated byte by byte, so Kubernetes "
            "would not find it; sign the proxy client's certificate with the tool that made the CA."
        )
    if certificate.common_name != wish.common_name or not certificate.client_auth:
        raise PkiError("The new certificate does not say what was asked for; nothing was written.")


__all__ = (
    "ClientWish",
    "IssuedPair",
    "Reason",
    "check_allowed",
    "dates_of_new_client",
    "issue_client",
    "judge_certificate",
    "sign_client",
)
