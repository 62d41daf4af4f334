# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading certificates, also those that a library refuses, and judging signatures."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t
import warnings
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import certificate as certificates
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import deps, der
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    is_signed_by,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import NameOID, hashes, x509
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from hypothesis import given, settings
from hypothesis import strategies as st

CN = [(NameOID.COMMON_NAME, "x")]
CA_TRUE = (x509.BasicConstraints(ca=True, path_length=None), True)


def test_the_facts_of_a_ca() -> None:
    ca = support.make_ca()
    assert (ca.subject, ca.issuer, ca.common_name) == ("CN=front-proxy-ca", "CN=front-proxy-ca", "front-proxy-ca")
    assert ca.key_type == "ECDSA P-256"
    assert ca.key_fingerprint == support.key().fingerprint
    assert ca.is_ca and not ca.client_auth and ca.not_ca_because == ""
    assert ca.signature_hash == "sha256"
    assert ca.not_before == support.NOW - timedelta(hours=1)
    assert ca.not_after == support.NOW + 10 * support.YEAR
    assert ca.not_after.tzinfo is timezone.utc
    assert 0 < ca.serial < 2**160


def test_openssl_sees_the_same_facts(tmp_path: Path) -> None:
    client = support.make_client(subject=support.Subject.of(common_name="client", organization=["A", "B"]))
    path = support.put(tmp_path, "c.crt", client.pem)
    text = support.openssl(
        "x509", "-in", str(path), "-noout", "-fingerprint", "-sha256", "-serial", "-subject", "-nameopt", "RFC2253"
    )
    assert client.fingerprint.upper() in text.replace(":", "")
    assert f"serial={client.serial:X}" in text.replace("serial=0", "serial=")
    assert f"subject={client.subject}" in text
    assert client.organizations == ("A", "B")
    assert client.client_auth


def test_a_bundle_keeps_its_order_and_skips_the_rest() -> None:
    one, two = support.make_ca("one", common_name="one"), support.make_ca("two", common_name="two")
    text = f"# a comment\n{two.pem}\n{support.key().to_pem().decode()}{one.pem.replace(chr(10), chr(13) + chr(10))}"
    assert read_certificates(text, where="x") == (two, one)
    assert certificates.bundle_text((two, one)) == two.pem + one.pem


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no certificate in PEM form in /pki/ca.crt"),
        ("garbage", "no certificate in PEM form"),
        (support.key().to_pem().decode(), "no certificate in PEM form"),
        ("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n", "Certificate 1 in /pki/ca.crt cannot be read"),
        ("-----BEGIN CERTIFICATE-----\n@@@@\n-----END CERTIFICATE-----\n", "not base64"),
        ("-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n", "Certificate 1 in /pki/ca.crt"),
        (support.make_ca().pem[:-40], "cut off"),
        (support.make_ca().pem + support.make_ca().pem[:300], "cut off"),
        (support.make_ca().pem + support.make_ca().pem.replace("MII", "MIJ", 1), "Certificate 2 in"),
    ],
)
def test_what_cannot_be_read(text: str, word: str) -> None:
    with pytest.raises(PkiError, match=word) as caught:
        read_certificates(text, where="/pki/ca.crt")
    assert "\n" not in str(caught.value)


WHOLE = support.make_ca().der


@settings(max_examples=60, deadline=None)
@given(position=st.integers(0, 299), value=st.integers(0, 255))
def test_damage_is_an_error_of_ours_and_no_other(position: int, value: int) -> None:
    damaged = WHOLE[:position] + bytes([value]) + WHOLE[position + 1 :]
    for content in (damaged, WHOLE[:position]):
        try:
            certificates.from_der(content)
        except PkiError:
            pass


def test_something_behind_the_certificate_is_refused() -> None:
    with pytest.raises(PkiError):
        certificates.from_der(support.make_ca().der + b"x")


class TestSerialZero:
    """CAs of kubeadm up to 1.20 have the serial number 0, which cryptography means to refuse one day."""

    def test_it_is_read_and_no_warning_shows(self, tmp_path: Path) -> None:
        path, dummy = support.serial_zero_ca(tmp_path)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            ca = read_certificates(path.read_text(), where="x")[0]
        assert not seen
        assert ca.serial == 0 and ca.is_ca and ca.key_type == "RSA 2048"

    def test_not_even_on_the_screen_of_another_process(self, tmp_path: Path) -> None:
        path, dummy = support.serial_zero_ca(tmp_path)
        package = certificates.__name__
        code = (
            f"import pathlib, sys; from {package} import read_certificates, is_signed_by\n"
            "ca = read_certificates(pathlib.Path(sys.argv[1]).read_text(), where='x')[0]\n"
            "print(ca.serial, is_signed_by(ca, ca))"
        )
        done = subprocess.run(
            [sys.executable, "-W", "always", "-c", code, str(path)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert done.stdout == "0 True\n", done.stderr
        assert "serial" not in done.stderr and "cryptography" not in done.stderr.lower()

    def test_it_is_read_when_the_library_refuses_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path, dummy = support.serial_zero_ca(tmp_path)
        before = read_certificates(path.read_text(), where="x")[0]
        original = x509.load_der_x509_certificate
        refused: list[int] = []

        def strict(data: bytes, *more: t.Any) -> t.Any:
            loaded = original(data, *more)
            if der.outline(data).serial == 0:
                refused.append(1)
                raise ValueError("serial number must be positive")
            return loaded

        monkeypatch.setattr(x509, "load_der_x509_certificate", strict)
        assert read_certificates(path.read_text(), where="x")[0] == before
        assert refused
        leaf = support.sign_with_openssl(path, dummy, tmp_path)
        assert is_signed_by(leaf, before)
        assert not is_signed_by(leaf, support.make_ca())

    def test_only_the_serial_number_is_another_in_the_copy(self, tmp_path: Path) -> None:
        path, dummy = support.serial_zero_ca(tmp_path)
        original = read_certificates(path.read_text(), where="x")[0].der
        copy = der.with_serial(original, 1)
        assert der.outline(copy) == der.outline(original)._replace(serial=1)
        assert len(copy) == len(original)

    def test_other_errors_of_the_library_are_not_taken_for_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*dummy: t.Any) -> t.Any:
            raise ValueError("something else")

        monkeypatch.setattr(x509, "load_der_x509_certificate", refuse)
        with pytest.raises(PkiError, match="something else"):
            certificates.from_der(support.make_ca().der)


def test_a_long_serial_number_shrinks_in_the_copy() -> None:
    original = support.make_ca().der
    copy = der.with_serial(original, 1)
    assert der.outline(copy) == der.outline(original)._replace(serial=1)
    assert certificates.from_der(copy).serial == 1
    assert certificates.from_der(copy).key_fingerprint == support.key().fingerprint


@pytest.mark.parametrize("number", [1, 127, 128, 255, 256, 2**63, 2**158])
def test_a_copy_has_any_serial_number(number: int) -> None:
    copy = der.with_serial(support.make_ca().der, number)
    assert der.outline(copy).serial == number == certificates.from_der(copy).serial


def test_in_a_copy_only_the_key_identifier_is_missing() -> None:
    original = support.make_ca()
    copy = certificates.from_der(der.without_key_identifier(original.der))
    assert (copy.key_fingerprint, copy.serial, copy.is_ca) == (original.key_fingerprint, original.serial, True)
    loaded = x509.load_der_x509_certificate(copy.der)
    kinds = [extension.oid.dotted_string for extension in loaded.extensions]
    assert "2.5.29.14" not in kinds and "2.5.29.127" in kinds
    bare = support.sign_raw(subject=CN, public="ca", extensions=[CA_TRUE]).der
    assert der.without_key_identifier(bare) == bare


@pytest.mark.parametrize(
    "content", [b"", b"\x30", b"\x30\x80", b"\x30\x85\x01\x01\x01\x01\x01", b"\x30\x05\x30\x03\x02\x09\x01"]
)
def test_der_that_is_none(content: bytes) -> None:
    with pytest.raises(PkiError):
        der.outline(content)


@pytest.mark.parametrize(
    ("extensions", "because"),
    [
        ([], "no basicConstraints"),
        ([(x509.BasicConstraints(ca=False, path_length=None), True)], "CA:FALSE"),
        ([CA_TRUE, (support.key_usage("digital_signature"), True)], "lacks keyCertSign"),
        ([CA_TRUE, (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), False)], "lacks clientAuth"),
        ([CA_TRUE], ""),
        ([CA_TRUE, (support.key_usage("key_cert_sign"), True)], ""),
        ([CA_TRUE, (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]), False)], ""),
        ([CA_TRUE, (x509.ExtendedKeyUsage([x509.ObjectIdentifier("2.5.29.37.0")]), False)], ""),
    ],
)
def test_what_is_a_ca(extensions: list[t.Any], because: str) -> None:
    certificate = support.sign_raw(subject=CN, public="ca", extensions=extensions)
    assert because in certificate.not_ca_because
    assert certificate.is_ca == (because == "")
    # what is no CA has signed nothing, whatever OpenSSL would think of it
    leaf = support.make_client(certificate)
    assert is_signed_by(leaf, certificate) == (because == "")


def test_a_certificate_of_version_1_is_a_ca(tmp_path: Path) -> None:
    key = support.put(tmp_path, "k", support.key().to_pem())
    support.openssl("req", "-new", "-key", str(key), "-subj", "/CN=old", "-out", str(tmp_path / "r"))
    support.openssl(
        "x509", "-req", "-in", str(tmp_path / "r"), "-signkey", str(key), "-days", "9", "-out", str(tmp_path / "c")
    )
    ca = read_certificates((tmp_path / "c").read_text(), where="x")[0]
    assert "Version: 1 " in support.openssl("x509", "-in", str(tmp_path / "c"), "-noout", "-text")
    assert ca.is_ca
    assert is_signed_by(support.make_client(ca), ca)


def test_usages_of_a_client() -> None:
    def client(*usages: str) -> Certificate:
        value = x509.ExtendedKeyUsage([x509.ObjectIdentifier(usage) for usage in usages])
        return support.sign_raw(subject=CN, issuer=support.make_ca(), extensions=[(value, False)] if usages else [])

    assert client("1.3.6.1.5.5.7.3.2").client_auth
    assert client("2.5.29.37.0").client_auth
    assert client("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2").client_auth
    assert not client("1.3.6.1.5.5.7.3.1").client_auth
    assert not client().client_auth


class TestSignatures:
    """Names do not count, signatures do; dates do not."""

    def test_the_signer(self) -> None:
        assert is_signed_by(support.make_client(), support.make_ca())

    def test_same_name_other_key(self) -> None:
        leaf = support.make_client()
        assert leaf.issuer == support.make_ca("other").subject
        assert not is_signed_by(leaf, support.make_ca("other"))

    def test_same_name_other_key_without_key_identifiers(self) -> None:
        bare = support.sign_raw(subject=CN, public="ca", extensions=[CA_TRUE])
        other = support.sign_raw(subject=CN, public="other", signer="other", extensions=[CA_TRUE])
        leaf = support.sign_raw(subject=[(NameOID.COMMON_NAME, "leaf")], issuer=bare)
        assert is_signed_by(leaf, bare)
        assert not is_signed_by(leaf, other)

    @pytest.mark.parametrize("named", ["sha1", "another", "serial", "all"])
    def test_how_a_leaf_calls_the_key_of_its_ca_does_not_count(self, named: str) -> None:
        """Go takes it for a hint only. Up to Go 1.24 it numbers keys by SHA-1, then by SHA-256 (RFC 7093)."""
        public = support.key().public_key()
        own = (x509.SubjectKeyIdentifier(b"\x07" * 20), False)
        ca = support.sign_raw(subject=CN, public="ca", extensions=[own, CA_TRUE])
        issuer = [x509.DirectoryName(x509.load_der_x509_certificate(ca.der).subject)]
        identifier = {
            "sha1": x509.AuthorityKeyIdentifier.from_issuer_public_key(public),
            "another": x509.AuthorityKeyIdentifier(b"\x08" * 20, None, None),
            "serial": x509.AuthorityKeyIdentifier(None, issuer, 2**150 + 1),
            "all": x509.AuthorityKeyIdentifier(b"\x08" * 20, issuer, 128),
        }[named]
        leaf = support.sign_raw(subject=[(NameOID.COMMON_NAME, "leaf")], issuer=ca, extensions=[(identifier, False)])
        assert certificates.openssl_objection(leaf, ca)
        assert is_signed_by(leaf, ca)
        other = support.sign_raw(subject=CN, public="other", signer="other", extensions=[own, CA_TRUE])
        assert not is_signed_by(leaf, other)

    def test_same_key_renewed_certificate(self) -> None:
        assert is_signed_by(support.make_client(), support.make_ca(start=support.NOW - support.YEAR))

    def test_same_key_other_name(self) -> None:
        assert not is_signed_by(support.make_client(), support.make_ca(common_name="another"))

    def test_a_changed_signature(self) -> None:
        leaf = support.make_client()
        changed = certificates.from_der(leaf.der[:-1] + bytes([leaf.der[-1] ^ 1]))
        assert not is_signed_by(changed, support.make_ca())

    @pytest.mark.parametrize("years", [-50, -12, 20])
    def test_dates_play_no_part(self, years: int) -> None:
        start = support.NOW + years * support.YEAR
        ca = support.make_ca(start=start)
        assert is_signed_by(support.make_client(ca, start=start), ca)

    def test_with_a_moment_dates_do_play_a_part(self) -> None:
        ca, leaf = support.make_ca(), support.make_client()
        assert certificates.openssl_objection(leaf, ca, at=support.NOW) is None
        for moment, word in ((-1, "not yet valid"), (2, "expired")):
            objection = certificates.openssl_objection(leaf, ca, at=support.NOW + moment * support.YEAR)
            assert objection is not None and word in objection

    def test_an_intermediate_ca_is_trusted_by_itself(self) -> None:
        root = support.make_ca("root", common_name="root")
        middle = support.sign_raw(subject=CN, issuer=root, signer="root", public="ca", extensions=[CA_TRUE])
        leaf = support.make_client(middle)
        assert is_signed_by(leaf, middle)
        assert not is_signed_by(leaf, root)


def test_hashes_are_named() -> None:
    assert support.sign_raw(subject=CN, algorithm=hashes.SHA512()).signature_hash == "sha512"
    assert support.make_ca().signature_hash == "sha256"


def test_the_library_is_asked_for_first() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deps, "CRYPTOGRAPHY_VERSION", None)
        with pytest.raises(PkiError, match="cryptography is not installed"):
            read_certificates(support.make_ca().pem, where="x")
