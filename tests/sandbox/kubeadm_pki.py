# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and certificates as kubeadm makes them, for sandboxed masters and for the tests that start a kube-apiserver."""

from __future__ import annotations

import datetime
import ipaddress
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = [
    "Pair",
    "PrivateKey",
    "issue",
    "load_pair",
    "make_authority",
    "make_key",
    "name",
    "write_key_pair",
    "write_private",
]

PrivateKey = t.Union[ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey]

AUTHORITY_DAYS = 3650
CERTIFICATE_DAYS = 365
# The clocks of two machines are never quite the same.
BACKDATED = datetime.timedelta(minutes=5)


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: PrivateKey

    def write(self, folder: Path, stem: str) -> None:
        """Write STEM.crt (0644) and STEM.key (0600) into ``folder``, which is made if it is missing."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.crt").write_bytes(self.certificate.public_bytes(Encoding.PEM))
        write_private(folder / f"{stem}.key", key_text(self.key))


def key_text(key: PrivateKey) -> bytes:
    # kubeadm writes "RSA PRIVATE KEY" and "EC PRIVATE KEY", not PKCS#8.
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that is 0600 from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content)


def write_key_pair(key: PrivateKey, folder: Path, stem: str) -> None:
    """Write STEM.key and STEM.pub, as kubeadm does for the keys of service accounts."""
    write_private(folder / f"{stem}.key", key_text(key))
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    write_private(folder / f"{stem}.pub", public)


def make_key(kind: str = "ecdsa") -> PrivateKey:
    """A new P-256 (``ecdsa``) or RSA 2048 (``rsa``) key."""
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str, organization: str = "") -> x509.Name:
    """A subject in the order in which kubeadm writes it: O, then CN."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def load_pair(certificate: Path, key: Path) -> Pair:
    """Read the first certificate of one file, and the unencrypted key of another."""
    loaded = load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(loaded, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError(f"{key} holds a key that is neither RSA nor ECDSA")
    return Pair(x509.load_pem_x509_certificate(certificate.read_bytes()), loaded)


def make_authority(subject: x509.Name, *, kind: str = "ecdsa", age: int = 0) -> Pair:
    """A self-signed CA with the extensions of kubeadm's; ``age`` in days."""
    key = make_key(kind)
    builder = unsigned(subject, subject, key, days=AUTHORITY_DAYS, age=age, authority=True)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def issue(
    authority: Pair,
    subject: x509.Name,
    *,
    client: bool = False,
    hosts: t.Sequence[str] = (),
    kind: str = "ecdsa",
    age: int = 0,
) -> Pair:
    """A certificate signed by ``authority``: for a client, for a server with the names ``hosts``, or for both.

    It is ``age`` days old, and lives for a year.
    """
    key = make_key(kind)
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
    builder = unsigned(subject, authority.certificate.subject, key, days=CERTIFICATE_DAYS, age=age, authority=False)
    if hosts:
        purposes.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names = [general_name(host) for host in hosts]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    builder = builder.add_extension(issuer, critical=False)
    return Pair(builder.sign(authority.key, hashes.SHA256()), key)


def unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    *,
    days: int,
    age: int,
    authority: bool,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=age)
    usage = x509.KeyUsage(
        digital_signature=True,
        key_encipherment=True,
        key_cert_sign=authority,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
