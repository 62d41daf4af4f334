# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: make, load, write as PEM. Nothing here ever shows one."""

from __future__ import annotations

import contextlib
import hashlib
import re
import typing as t
from dataclasses import dataclass

from .deps import CRYPTOGRAPHY_VERSION, ec, ed25519, hashes, quiet, require, rsa, serialization, version_tuple
from .errors import PkiError

RSA_SIZES = (2048, 3072, 4096)
CURVES = ("P-256", "P-384")
KEY_TYPES = ("RSA", "ECDSA")

# OpenSSL refuses a longer one.
_LONGEST_PASSPHRASE = 1023

_BLOCK = re.compile(
    rb"-----BEGIN (?P<label>(?:RSA |EC |ENCRYPTED )?PRIVATE KEY)-----.*?-----END (?P=label)-----", re.DOTALL
)
# The names that Kubernetes and users know, for the names of the library.
_CURVE_NAMES = {"secp224r1": "P-224", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}


@dataclass(frozen=True)
class KeySpec:
    """The kind of key that is wanted. Build it with KeySpec.of, which checks the values."""

    kind: str = "RSA"  # RSA or ECDSA
    size: int = 2048
    curve: str = ""

    @classmethod
    def of(cls, *, kind: str = "RSA", size: int | None = None, curve: str | None = None) -> KeySpec:
        """PkiError for a kind that Kubernetes or kubeadm cannot use, or for a size with ECDSA or a curve with RSA."""
        if kind == "Ed25519":
            raise PkiError(
                "An Ed25519 key is refused because kubeadm cannot read one (it knows RSA and ECDSA only), so `kubeadm "
                "certs` would fail on every master; choose RSA or ECDSA."
            )
        if kind not in KEY_TYPES:
            raise PkiError(f"The key type {kind!r} is not known; choose RSA or ECDSA.")
        if kind == "RSA":
            if curve is not None:
                raise PkiError(f"A curve ({curve}) does not go with an RSA key; give size, or choose the type ECDSA.")
            chosen = 2048 if size is None else size
            if chosen not in RSA_SIZES:
                raise PkiError(f"An RSA key of {chosen} bits is refused; choose 2048, 3072 or 4096.")
            return cls(kind=kind, size=chosen)
        if size is not None:
            raise PkiError(f"A size ({size}) does not go with an ECDSA key; give curve, or choose the type RSA.")
        chosen_curve = "P-256" if curve is None else curve
        if chosen_curve not in CURVES:
            raise PkiError(f"The curve {chosen_curve!r} is refused; choose P-256 or P-384.")
        return cls(kind=kind, size=0, curve=chosen_curve)

    def __str__(self) -> str:
        return f"RSA {self.size}" if self.kind == "RSA" else f"ECDSA {self.curve}"


class PrivateKey:
    """A private key that can sign; it shows its kind and its public half's fingerprint, never itself."""

    def __init__(self, key: t.Any) -> None:
        self._key = key

    @property
    def key_type(self) -> str:
        """For example 'RSA 2048' or 'ECDSA P-256'."""
        return describe_public_key(self._key.public_key())

    @property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of the public half's SubjectPublicKeyInfo."""
        return hashlib.sha256(
            self._key.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        ).hexdigest()

    def public_key(self) -> t.Any:
        """The public half, as the library's object."""
        return self._key.public_key()

    def sign_certificate(self, builder: t.Any) -> t.Any:
        """Lets the key sign what a certificate builder holds; the hash is as strong as the key."""
        return builder.sign(self._key, self._signature_hash())

    def _signature_hash(self) -> t.Any:
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return None
        if isinstance(self._key, ec.EllipticCurvePrivateKey):
            if self._key.curve.key_size > 384:
                return hashes.SHA512()
            if self._key.curve.key_size > 256:
                return hashes.SHA384()
        return hashes.SHA256()

    def to_pem(self, passphrase: str | None = None) -> bytes:
        """
        PKCS#8 PEM, with AES under a passphrase if one is given.

        kubeadm and kube-apiserver read unencrypted PKCS#8 (client-go util/keyutil ParsePrivateKeyPEM, Go's
        tls.X509KeyPair).
        """
        encryption: t.Any = serialization.NoEncryption()
        if passphrase is not None:
            encryption = serialization.BestAvailableEncryption(_passphrase_bytes(passphrase))
        pem: bytes = self._key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        return pem

    def __repr__(self) -> str:
        return f"<PrivateKey {self.key_type}, public half {self.fingerprint}>"

    def __reduce__(self) -> t.NoReturn:
        raise TypeError("a private key is not to be pickled")


def generate_key(spec: KeySpec) -> PrivateKey:
    """A new random key."""
    require()
    with quiet():
        if spec.kind == "RSA":
            return PrivateKey(rsa.generate_private_key(public_exponent=65537, key_size=spec.size))
        return PrivateKey(ec.generate_private_key(ec.SECP384R1() if spec.curve == "P-384" else ec.SECP256R1()))


def describe_public_key(key: t.Any) -> str:
    """'RSA 2048', 'ECDSA P-256', 'Ed25519'; the library's name for what Kubernetes does not know."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA {key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return f"ECDSA {_CURVE_NAMES.get(key.curve.name, key.curve.name)}"
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return type(key).__name__.lstrip("_").replace("PublicKey", "").replace("MLDSA", "ML-DSA-")


def why_unusable(key_type: str) -> str:
    """Why kube-apiserver cannot check a signature of a key, as a clause behind its owner; empty if it can.

    key_type: as `describe_public_key` has it. Source: checkSignature of Go's crypto/x509, up to the Go 1.26 with which
    Kubernetes 1.37 is built.
    """
    if key_type == "Ed25519" or key_type.startswith(("RSA ", "ECDSA ")):
        return ""
    return f"has a key of the kind {key_type}, and kube-apiserver up to 1.37 checks no such signature"


def check_passphrase(passphrase: str | None) -> None:
    """PkiError if a passphrase is given that cannot encrypt a key."""
    if passphrase is not None:
        _passphrase_bytes(passphrase)


def _passphrase_bytes(passphrase: str) -> bytes:
    data = passphrase.encode("utf-8", "surrogateescape")
    if not data:
        raise PkiError(
            "The passphrase for the CA's key is empty; give one, or leave the option out for a key without encryption."
        )
    if len(data) > _LONGEST_PASSPHRASE:
        raise PkiError(
            f"The passphrase for the CA's key is {len(data)} bytes long; OpenSSL takes {_LONGEST_PASSPHRASE} at most."
        )
    return data


def _key_block(pem: bytes, where: str) -> bytes:
    match = _BLOCK.search(pem)
    if match is None:
        raise PkiError(f"{where} holds no private key in PEM form (RSA, EC or PKCS#8).")
    return match.group() + b"\n"


def is_encrypted(pem: bytes, *, where: str) -> bool:
    """Whether the first private key of a PEM text needs a passphrase; PkiError if there is none."""
    block = _key_block(pem, where)
    return block.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") or b"Proc-Type: 4,ENCRYPTED" in block


def _numbers_fit(key: t.Any) -> bool:
    """Whether the numbers of an RSA key belong together, as RFC 8017, 3.2 has it; p and q are taken for primes."""
    numbers = key.private_numbers()
    p, q, d = numbers.p, numbers.q, numbers.d
    public = numbers.public_numbers
    return bool(
        p * q == public.n
        and (public.e * d - 1) % (p - 1) == 0
        and (public.e * d - 1) % (q - 1) == 0
        and numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and numbers.iqmp * q % p == 1
    )


def load_key(pem: bytes, *, where: str, passphrase: str | None = None, quick: bool = False) -> PrivateKey:
    """
    The first private key of a PEM text; a passphrase is used only if the key is encrypted.

    With `quick`, it is not tested whether the primes of an RSA key are such, which takes longer than all the rest: for
    a look at a key that is compared with a certificate. A key that is damaged is noticed all the same.

    PkiError if it is no key, not RSA, ECDSA or Ed25519, or if the passphrase is missing or wrong.
    """
    require()
    block = _key_block(pem, where)
    encrypted = is_encrypted(pem, where=where)
    if encrypted and passphrase is None:
        raise PkiError(f"{where} is encrypted and no passphrase was given.")
    secret = _passphrase_bytes(passphrase) if encrypted and passphrase is not None else None
    # cryptography has this option from 39 on
    untested = quick and version_tuple(CRYPTOGRAPHY_VERSION or "") >= (39,)
    options = {"unsafe_skip_rsa_key_validation": True} if untested else {}
    key: t.Any = None
    # Many types of errors in many releases, and their texts may say too much: none of them is passed on.
    with quiet(), contextlib.suppress(Exception):
        loaded = serialization.load_pem_private_key(block, password=secret, **options)
        if not untested or not isinstance(loaded, rsa.RSAPrivateKey) or _numbers_fit(loaded):
            key = loaded
    if key is None:
        if encrypted:
            raise PkiError(f"{where} cannot be decrypted: the passphrase is wrong, or the file is damaged.")
        raise PkiError(f"{where} is damaged or holds a kind of private key that cannot be used.")
    if not isinstance(key, (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)):
        raise PkiError(f"{where} holds a key of a kind that Kubernetes does not know; it takes RSA and ECDSA.")
    return PrivateKey(key)


__all__ = (
    "CURVES",
    "KEY_TYPES",
    "KeySpec",
    "PrivateKey",
    "RSA_SIZES",
    "check_passphrase",
    "describe_public_key",
    "generate_key",
    "is_encrypted",
    "load_key",
    "why_unusable",
)
