# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private keys: what is made, read and refused; and that none is ever shown."""

from __future__ import annotations

import base64
import pickle
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import keys
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, "RSA 2048"),
        ({"kind": "RSA", "size": 3072}, "RSA 3072"),
        ({"kind": "RSA", "size": 4096}, "RSA 4096"),
        ({"kind": "ECDSA"}, "ECDSA P-256"),
        ({"kind": "ECDSA", "curve": "P-384"}, "ECDSA P-384"),
    ],
)
def test_kinds(values: dict[str, t.Any], wanted: str) -> None:
    spec = keys.KeySpec.of(**values)
    assert str(spec) == wanted
    assert keys.generate_key(spec).key_type == wanted


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"kind": "Ed25519"}, "kubeadm cannot read"),
        ({"kind": "DSA"}, "not known"),
        ({"size": 1024}, "1024 bits is refused"),
        ({"size": 2049}, "2049 bits is refused"),
        ({"curve": "P-256"}, "does not go with an RSA key"),
        ({"kind": "ECDSA", "size": 2048}, "does not go with an ECDSA key"),
        ({"kind": "ECDSA", "curve": "P-521"}, "'P-521' is refused"),
    ],
)
def test_kinds_that_are_refused(values: dict[str, t.Any], word: str) -> None:
    with pytest.raises(PkiError, match=word):
        keys.KeySpec.of(**values)


def test_plain_keys_are_pkcs8_and_come_back() -> None:
    pem = support.key().to_pem()
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert not keys.is_encrypted(pem, where="x")
    assert keys.load_key(pem, where="x").fingerprint == support.key().fingerprint


def test_encrypted_keys_are_aes_and_come_back(tmp_path: Path) -> None:
    pem = support.key().to_pem("pässword")
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert keys.is_encrypted(pem, where="x")
    assert keys.load_key(pem, where="x", passphrase="pässword").fingerprint == support.key().fingerprint
    path = support.put(tmp_path, "key", pem)
    assert "aes-256-cbc" in support.openssl("asn1parse", "-in", str(path))


def test_other_forms_are_read(tmp_path: Path) -> None:
    assert keys.load_key(support.traditional_key(), where="x").fingerprint == support.key().fingerprint
    # openssl ecparam puts its parameters before the key
    text = support.openssl("ecparam", "-name", "prime256v1", "-genkey")
    assert text.startswith("-----BEGIN EC PARAMETERS-----")
    assert keys.load_key(text.encode(), where="x").key_type == "ECDSA P-256"


def test_old_encryption_is_seen() -> None:
    path_text = support.openssl("ec", "-aes256", "-passout", "pass:geheim", stdin=support.traditional_key())
    pem = path_text[path_text.index("-----BEGIN") :].encode()
    assert b"Proc-Type" in pem
    assert keys.is_encrypted(pem, where="x")
    assert keys.load_key(pem, where="x", passphrase="geheim").fingerprint == support.key().fingerprint


@pytest.mark.parametrize(
    ("content", "passphrase", "word"),
    [
        (b"", None, "holds no private key"),
        (b"garbage", None, "holds no private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", None, "damaged"),
        (b"-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n", None, "damaged"),
        (support.key().to_pem("right"), None, "is encrypted and no passphrase"),
        (support.key().to_pem("right"), "wrong", "passphrase is wrong"),
        (support.key().to_pem("right"), "", "passphrase for the CA's key is empty"),
    ],
)
def test_what_is_refused(content: bytes, passphrase: str | None, word: str) -> None:
    with pytest.raises(PkiError, match=word) as caught:
        keys.load_key(content, where="/pki/x.key", passphrase=passphrase)
    assert caught.value.__cause__ is None
    assert all(secret not in str(caught.value) for secret in ("right", "'wrong'"))


def rsa_key() -> bytes:
    return keys.generate_key(keys.KeySpec.of(kind="RSA")).to_pem()


@pytest.mark.parametrize("content", [rsa_key(), support.key().to_pem()], ids=["RSA", "ECDSA"])
def test_a_quick_look_sees_what_a_thorough_one_sees(content: bytes) -> None:
    """A key with any one bit changed: it is damaged for both, or the same other key."""
    der = base64.b64decode(b"".join(content.splitlines()[1:-1]))
    changed = [der, *(der[:place] + bytes([der[place] ^ 4]) + der[place + 1 :] for place in range(0, len(der), 29))]
    for body in changed:
        pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(body) + b"-----END PRIVATE KEY-----\n"
        assert seen(pem, quick=True) == seen(pem, quick=False)
    assert len({seen(content, quick=quick) for quick in (True, False)}) == 1 and seen(content, quick=True)


def seen(pem: bytes, *, quick: bool) -> t.Optional[str]:
    try:
        return keys.load_key(pem, where="x", quick=quick).fingerprint
    except PkiError:
        return None


def test_a_kind_that_kubernetes_does_not_know() -> None:
    dsa = support.openssl("genpkey", "-algorithm", "X25519").encode()
    with pytest.raises(PkiError, match="does not know"):
        keys.load_key(dsa, where="x")


@pytest.mark.parametrize(("passphrase", "word"), [("", "is empty"), ("x" * 1024, "1024 bytes long")])
def test_passphrases_that_cannot_be(passphrase: str, word: str) -> None:
    with pytest.raises(PkiError, match=word):
        keys.check_passphrase(passphrase)
    with pytest.raises(PkiError, match=word):
        support.key().to_pem(passphrase)
    keys.check_passphrase(None)
    keys.check_passphrase("x" * 1023)


def test_a_key_never_shows_itself() -> None:
    key = support.key()
    material = [line for line in key.to_pem().decode().splitlines() if not line.startswith("-----")]
    shown = f"{key!r} {key!s} {key} {vars(key)}"
    assert key.fingerprint in repr(key)
    assert not any(line in shown for line in material)
    with pytest.raises(TypeError):
        pickle.dumps(key)
