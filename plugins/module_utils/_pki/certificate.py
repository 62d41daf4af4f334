# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a certificate says, as plain values, and whether one has signed another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timezone

from .deps import ExtendedKeyUsageOID, openssl, quiet, require, x509
from .der import outline, with_serial, without_key_identifier
from .errors import PkiError
from .keys import describe_public_key
from .names import common_name, organizations, readable_name

_BLOCK = re.compile(r"-----BEGIN (?P<label>[A-Z0-9 ]+)-----(?P<body>[^-]*)-----END (?P=label)-----")
_BEGIN = re.compile(r"^[ \t]*-----BEGIN CERTIFICATE-----", re.MULTILINE)

# X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h (1.1.0 and newer); pyOpenSSL has no name for it.
_NO_CHECK_TIME = 0x200000


@dataclass(frozen=True)
class Certificate:
    """One certificate. Times are aware and in UTC; fingerprints are SHA-256 in lower-case hex without colons."""

    pem: str  # one CERTIFICATE block, lines of 64 characters, a final newline
    subject: str  # as in RFC 4514, such as "CN=front-proxy-ca,O=Example"
    issuer: str
    common_name: str | None  # of several the last one, as Go takes it
    organizations: tuple[str, ...]
    serial: int
    fingerprint: str  # of the DER
    key_fingerprint: str  # of the SubjectPublicKeyInfo's DER
    key_type: str  # such as "RSA 2048" or "ECDSA P-256"
    not_before: datetime
    not_after: datetime
    is_ca: bool  # as Go judges a certificate in a CA bundle; why not, says not_ca_because
    client_auth: bool  # the extended key usages name clientAuth or any
    any_usage: bool  # there are no extended key usages, which limits nothing
    signature_hash: str  # such as "sha256"; empty if the algorithm has none or is unknown
    not_ca_because: str = field(default="", compare=False)  # a clause, empty for a CA

    @property
    def der(self) -> bytes:
        """The certificate's bytes."""
        return base64.b64decode("".join(self.pem.splitlines()[1:-1]))


def pem_block(der: bytes) -> str:
    """DER as one CERTIFICATE block."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


def bundle_text(certificates: t.Iterable[Certificate]) -> str:
    """Certificates as the text of a bundle, in their order."""
    return "".join(certificate.pem for certificate in certificates)


def load_x509(der: bytes) -> t.Any:
    """
    The library's object for a certificate, to read facts from.

    kubeadm up to at least 1.20 gave its CAs the serial number 0, which RFC 5280 does not allow and which `cryptography`
    announces to refuse. Then a copy with another serial number is read: everything else in it is as in the original.
    """
    with quiet():
        try:
            return x509.load_der_x509_certificate(der)
        except ValueError:
            if outline(der).serial > 0:
                raise
            return x509.load_der_x509_certificate(with_serial(der, 1))


def validity_of(certificate: t.Any) -> tuple[datetime, datetime]:
    """(NotBefore, NotAfter) as aware UTC times. Before cryptography 42 there are naive ones only."""
    if hasattr(certificate, "not_valid_after_utc"):
        return certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return (
        certificate.not_valid_before.replace(tzinfo=timezone.utc),
        certificate.not_valid_after.replace(tzinfo=timezone.utc),
    )


def _extension(certificate: t.Any, kind: t.Any) -> t.Any:
    """The value of an extension, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _usages(certificate: t.Any) -> frozenset[str] | None:
    """The dotted names of the extended key usages; None if there is no such extension."""
    value = _extension(certificate, x509.ExtendedKeyUsage)
    return None if value is None else frozenset(usage.dotted_string for usage in value)


def _client_usages() -> frozenset[str]:
    # anyExtendedKeyUsage by number: the library names it only since release 39.
    return frozenset((ExtendedKeyUsageOID.CLIENT_AUTH.dotted_string, "2.5.29.37.0"))


def _not_ca_because(certificate: t.Any) -> str:
    """Why Go's crypto/x509 would not let this certificate vouch for a client's, as a clause; empty if it would."""
    if certificate.version is not x509.Version.v1:
        constraints = _extension(certificate, x509.BasicConstraints)
        if constraints is None:
            return "it has no basicConstraints"
        if not constraints.ca:
            return "its basicConstraints say CA:FALSE"
        usage = _extension(certificate, x509.KeyUsage)
        if usage is not None and not usage.key_cert_sign:
            return "its keyUsage lacks keyCertSign"
        extended = _usages(certificate)
        if extended is not None and not extended & _client_usages():
            return "its extendedKeyUsage lacks clientAuth"
    return ""


def _signature_hash(certificate: t.Any) -> str:
    try:
        algorithm = certificate.signature_hash_algorithm
    except Exception:  # UnsupportedAlgorithm of several places in several releases
        return ""
    return "" if algorithm is None else str(algorithm.name)


def _key_type(certificate: t.Any) -> str:
    try:
        return describe_public_key(certificate.public_key())
    except Exception:  # a curve or an algorithm that the library does not know
        return "unknown"


def from_der(der: bytes) -> Certificate:
    """The facts of one certificate; PkiError with a clause on why it cannot be read."""
    require()
    parts = outline(der)
    try:
        with quiet():
            loaded = load_x509(der)
            not_before, not_after = validity_of(loaded)
            usages = _usages(loaded)
            objection = _not_ca_because(loaded)
            return Certificate(
                pem=pem_block(der),
                subject=readable_name(loaded.subject),
                issuer=readable_name(loaded.issuer),
                common_name=common_name(loaded.subject),
                organizations=organizations(loaded.subject),
                serial=parts.serial,
                fingerprint=hashlib.sha256(der).hexdigest(),
                key_fingerprint=hashlib.sha256(parts.public_key).hexdigest(),
                key_type=_key_type(loaded),
                not_before=not_before,
                not_after=not_after,
                is_ca=not objection,
                any_usage=usages is None,
                client_auth=usages is not None and bool(usages & _client_usages()),
                signature_hash=_signature_hash(loaded),
                not_ca_because=objection,
            )
    except PkiError:
        raise
    except Exception as exc:  # ValueError, InvalidVersion, DuplicateExtension and more
        detail = " ".join(str(exc).split())[:120]
        raise PkiError(f"it is damaged or not allowed ({detail or type(exc).__name__})") from None


def read_certificates(pem_text: str, *, where: str) -> tuple[Certificate, ...]:
    """
    All CERTIFICATE blocks of a text, in order; blocks of another kind are skipped, as Kubernetes does.

    `where` names the text in messages, such as a path. PkiError if there is none, or one cannot be read.
    """
    require()
    found: list[Certificate] = []
    number = 0
    for match in _BLOCK.finditer(pem_text):
        if match.group("label") != "CERTIFICATE":
            continue
        number += 1
        try:
            der = base64.b64decode("".join(match.group("body").split()), validate=True)
            found.append(from_der(der))
        except (binascii.Error, ValueError):
            raise PkiError(f"Certificate {number} in {where} cannot be read: it is not base64.") from None
        except PkiError as exc:
            raise PkiError(f"Certificate {number} in {where} cannot be read: {exc}.") from None
    if len(_BEGIN.findall(pem_text)) != number:
        raise PkiError(f"A certificate in {where} is cut off or has no proper END line.")
    if not found:
        raise PkiError(f"There is no certificate in PEM form in {where}.")
    return tuple(found)


def _called_as_in(leaf: Certificate, ca: Certificate) -> bytes:
    """The DER of a CA, such that the authority key identifier of `leaf` fits it."""
    named = _extension(load_x509(leaf.der), x509.AuthorityKeyIdentifier)
    serial = named and named.authority_cert_serial_number
    anchor = without_key_identifier(ca.der)
    return with_serial(anchor, serial) if serial else anchor


def openssl_objection(
    leaf: Certificate,
    ca: Certificate,
    *,
    at: datetime | None = None,
    through: t.Sequence[Certificate] = (),
    any_key_identifier: bool = False,
) -> str | None:
    """
    Why OpenSSL does not accept `leaf` with `ca` as its only trust, in OpenSSL's words; None if it does.

    With `at` (aware) the dates of both are judged for that moment, otherwise not at all. `through`: what is shown with
    it, and may stand between the two. `any_key_identifier`: whether it may name the key of `ca`, or the certificate of
    which it came, as it likes.
    """
    require()
    with quiet():
        store = openssl.X509Store()
        trusted = _called_as_in(leaf, ca) if any_key_identifier else ca.der
        store.add_cert(openssl.load_certificate(openssl.FILETYPE_ASN1, trusted))
        flags = openssl.X509StoreFlags.PARTIAL_CHAIN
        if at is None:
            flags |= _NO_CHECK_TIME
        else:
            # Before the flags, because it replaces the store's parameters. pyOpenSSL wants a naive UTC time.
            store.set_time(at.astimezone(timezone.utc).replace(tzinfo=None))
        store.set_flags(flags)
        shown, *between = [openssl.load_certificate(openssl.FILETYPE_ASN1, each.der) for each in (leaf, *through)]
        context = openssl.X509StoreContext(store, shown, between or None)
        try:
            context.verify_certificate()
        except openssl.X509StoreContextError as exc:
            return str(exc)
        except openssl.Error:
            return "it cannot be verified"
    return None


def is_signed_by(leaf: Certificate, ca: Certificate, through: t.Sequence[Certificate] = ()) -> bool:
    """
    Whether `ca` has signed `leaf`: by the signature, as OpenSSL judges it, not by the name.

    Not by the authority key identifier either, which Go takes for a hint only (findPotentialParents of crypto/x509):
    there are two ways to number a key (RFC 5280, 4.2.1.2, and RFC 7093), and kubeadm has gone from one to the other.

    `through`: the intermediates that are shown with it, which kube-apiserver takes into account
    (staging/src/k8s.io/apiserver/pkg/authentication/request/x509/x509.go). The dates play no part. A `ca` that is no
    CA has signed nothing but itself: Go takes a certificate that is itself among the trusted ones, whatever it is
    (Certificate.Verify of crypto/x509: Roots.contains).
    """
    if leaf.fingerprint == ca.fingerprint:
        return True
    return ca.is_ca and any(
        openssl_objection(leaf, ca, through=through, any_key_identifier=lenient) is None for lenient in (False, True)
    )


__all__ = (
    "Certificate",
    "bundle_text",
    "from_der",
    "is_signed_by",
    "load_x509",
    "openssl_objection",
    "pem_block",
    "read_certificates",
    "validity_of",
)
