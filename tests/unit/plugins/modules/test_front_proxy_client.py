# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_client: issued, kept, renewed with a reason, refused."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import client_files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import NameOID, x509
from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_client
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.client_runner import Client

CLIENT_AUTH = (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]), False)
SERVER_AUTH = (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), False)


def ending_soon() -> tuple[Certificate, Certificate]:
    """(CA, client's certificate that is due for renewal but valid)."""
    ca = support.make_ca(start=support.NOW - support.YEAR)
    return ca, support.make_client(ca, start=support.NOW - timedelta(days=300))


class TestIssued:
    """Nothing is there."""

    def test_issued_and_then_kept(self, client: Client) -> None:
        issued = client()
        assert (issued["changed"], issued["action"], issued["reason"]) == (True, "issued", "missing")
        assert issued["subject"] == "CN=front-proxy-client" and str(client.key) in issued["reason_text"]
        assert {path.name: oct(path.stat().st_mode)[-3:] for path in client.folder.iterdir()} == {
            "c.crt": "644",
            "c.key": "600",
        }
        assert client.certificate.read_text() == issued["certificate"]
        assert support.openssl_accepts(client.ca_certificate, client.certificate)
        assert support.openssl("pkey", "-in", str(client.key), "-pubout") == support.openssl(
            "x509", "-in", str(client.certificate), "-noout", "-pubkey"
        )
        before = support.checksums(client.folder)
        kept = client()
        assert (kept["changed"], kept["action"], kept["reason"], kept["reason_text"]) == (False, "kept", "", "")
        assert kept["fingerprint"] == issued["fingerprint"]
        assert kept["diff"]["before"] == kept["diff"]["after"]
        assert support.checksums(client.folder) == before

    def test_the_defaults(self, client: Client) -> None:
        issued = client(type=None)
        assert read_certificates(issued["certificate"], where="x")[0].key_type == "RSA 2048"
        assert support.as_utc(issued["not_after"]) - support.as_utc(issued["not_before"]) == timedelta(
            days=365, hours=1
        )

    def test_all_wishes(self, client: Client) -> None:
        issued = client(
            common_name="agg",
            allowed_names=["x", "agg"],
            subject={"organization": ["A", "B"], "country": "DE"},
            curve="P-384",
            validity="90d",
            renew_before="30d",
            mode="0600",
            privatekey_mode="0400",
        )
        assert issued["subject"] == "CN=agg,O=B,O=A,C=DE"
        assert read_certificates(issued["certificate"], where="x")[0].key_type == "ECDSA P-384"
        assert oct(client.key.stat().st_mode)[-3:] == "400"

    def test_check_mode_makes_nothing_and_predicts_it(self, client: Client) -> None:
        predicted = client(check=True)
        assert not client.folder.parent.exists()
        issued = client()
        for name in ("changed", "action", "reason", "reason_text", "subject"):
            assert predicted[name] == issued[name]
        assert predicted["fingerprint"] is predicted["certificate"] is None

    def test_check_mode_before_there_is_a_ca(self, client: Client) -> None:
        client.ca_certificate.unlink()
        client.ca_key.unlink()
        client.ca_folder.rmdir()
        predicted = client(check=True)
        assert (predicted["changed"], predicted["reason"]) == (True, "missing")
        client.lay(support.make_client())
        assert client(check=True)["reason"] == "not_signed_by_ca"
        assert "no CA certificate at" in client.refused()

    def test_with_an_encrypted_ca_key(self, client: Client) -> None:
        client.lay_ca(support.make_ca().pem, support.key().to_pem("right"))
        for check in (True, False):
            assert "is encrypted and no passphrase" in client.refused(check=check)
            assert "passphrase is wrong" in client.refused(check=check, ca_passphrase="battery")
        assert not client.folder.exists()
        assert client(ca_passphrase="right")["changed"]
        assert client()["changed"] is False  # nothing to sign, so no passphrase is needed

    def test_with_a_ca_that_ends_soon(self, client: Client) -> None:
        ca = support.make_ca(validity=timedelta(days=100))
        client.lay_ca(ca.pem, support.key().to_pem())
        for check in (True, False):
            assert support.as_utc(client(check=check)["not_after"]) == ca.not_after
            assert len(client.warnings) == 1 and f"{ca.not_after:%Y-%m-%dT%H}" in client.warnings[0]
        assert client()["changed"] is False

    def test_with_a_ca_of_kubeadm_with_serial_zero(self, client: Client, tmp_path: Path) -> None:
        certificate, key = support.serial_zero_ca(tmp_path)
        client.lay_ca(certificate.read_text(), key.read_text())
        assert client()["changed"] and client()["changed"] is False
        assert support.openssl_accepts(certificate, client.certificate)

    def test_with_a_ca_of_cfssl(self, client: Client, tmp_path: Path) -> None:
        certificate, key = support.cfssl_ca(tmp_path)
        client.lay_ca(certificate, key)
        issued = client()
        assert support.openssl_accepts(client.ca_certificate, client.certificate)
        assert "Issuer: C = DE, ST = Bayern, L = F\\C3\\BCrth, O = Example, OU = Kubernetes, CN = front-proxy-ca" in (
            support.openssl("x509", "-in", str(client.certificate), "-noout", "-text")
        )
        assert client()["fingerprint"] == issued["fingerprint"]

    def test_a_pair_of_cfssl_is_kept(self, client: Client, tmp_path: Path) -> None:
        certificate, key = support.cfssl_ca(tmp_path)
        client.lay_ca(certificate, key)
        leaf, leaf_key = support.cfssl_client(tmp_path, client.ca_certificate, client.ca_key)
        client.lay(leaf.encode(), leaf_key.encode())
        assert client()["action"] == "kept"


class TestReissued:
    """One test for each reason."""

    def reissued(self, client: Client, reason: str, action: str = "renewed", **options: t.Any) -> None:
        """Checks that check mode foresees it, the run does it with a new key, and the next run keeps it."""
        before = support.checksums(client.folder)
        old_key = client.key.read_bytes() if client.key.exists() else b""
        predicted = client(check=True, **options)
        assert support.checksums(client.folder) == before
        result = client(**options)
        for one in (predicted, result):
            assert (one["changed"], one["action"], one["reason"]) == (True, action, reason)
            assert one["reason_text"] and not one["reason_text"].endswith(".")
        assert client.key.read_bytes() != old_key
        assert support.openssl_accepts(client.ca_certificate, client.certificate)
        if not options.get("force"):
            assert client(**options)["changed"] is False

    def test_no_certificate(self, client: Client) -> None:
        client.lay(None)
        self.reissued(client, "missing", "issued")

    def test_no_key(self, client: Client) -> None:
        client.lay(support.make_client(), b"")
        self.reissued(client, "missing", "issued")

    @pytest.mark.parametrize("content", [b"", b"\xff garbage", support.make_client().pem[:-50].encode()])
    def test_unreadable_certificate(self, content: bytes, client: Client) -> None:
        client.lay(content)
        self.reissued(client, "unreadable", "issued")

    @pytest.mark.parametrize("content", [b"garbage", support.key("client").to_pem("x"), b"-----BEGIN PRIVATE KEY-----"])
    def test_unreadable_key(self, content: bytes, client: Client) -> None:
        client.lay(support.make_client(), content)
        self.reissued(client, "unreadable", "issued")

    def test_key_mismatch(self, client: Client) -> None:
        client.lay(support.make_client(), support.key("other").to_pem())
        self.reissued(client, "key_mismatch")

    def test_signed_by_another_ca_of_the_same_name(self, client: Client) -> None:
        client.lay(support.make_client(signer="other"))
        self.reissued(client, "not_signed_by_ca")

    def test_signed_by_a_later_ca_of_the_bundle(self, client: Client) -> None:
        new = support.make_ca("new", common_name="new")
        client.lay_ca(new.pem + support.make_ca().pem, support.key("new").to_pem())
        client.lay(support.make_client())
        self.reissued(client, "not_signed_by_ca")

    def test_expired(self, client: Client) -> None:
        ca = support.make_ca(start=support.NOW - 2 * support.YEAR)
        client.lay_ca(ca.pem, support.key().to_pem())
        client.lay(support.make_client(ca, start=support.NOW - timedelta(days=366)))
        self.reissued(client, "expired")

    def test_not_yet_valid(self, client: Client) -> None:
        client.lay(support.make_client(start=support.NOW + timedelta(days=1)))
        self.reissued(client, "not_yet_valid")

    def test_wrong_common_name(self, client: Client) -> None:
        client.lay(support.make_client(common_name="old"))
        self.reissued(client, "wrong_common_name")

    def test_an_allowed_name_that_is_not_the_wanted_one(self, client: Client) -> None:
        client.lay(support.make_client(common_name="old"))
        self.reissued(client, "wrong_common_name", allowed_names=["old", "front-proxy-client"])

    def test_wrong_usage(self, client: Client) -> None:
        name = [(NameOID.COMMON_NAME, "front-proxy-client")]
        client.lay(support.sign_raw(subject=name, issuer=support.make_ca(), extensions=[SERVER_AUTH]))
        self.reissued(client, "wrong_usage")

    def test_no_usage(self, client: Client) -> None:
        name = [(NameOID.COMMON_NAME, "front-proxy-client")]
        client.lay(support.sign_raw(subject=name, issuer=support.make_ca()))
        self.reissued(client, "no_usage")

    def test_privileged_organization(self, client: Client) -> None:
        name = [(NameOID.ORGANIZATION_NAME, "system:masters"), (NameOID.COMMON_NAME, "front-proxy-client")]
        client.lay(support.sign_raw(subject=name, issuer=support.make_ca(), extensions=[CLIENT_AUTH]))
        self.reissued(client, "privileged_organization")

    def test_renewal_due(self, client: Client) -> None:
        ca, certificate = ending_soon()
        client.lay_ca(ca.pem, support.key().to_pem())
        client.lay(certificate)
        assert client(renew_before="10d")["changed"] is False
        self.reissued(client, "renewal_due")

    def test_forced(self, client: Client) -> None:
        client.lay(support.make_client())
        self.reissued(client, "forced", force=True)

    def test_the_diff_shows_both(self, client: Client) -> None:
        old = support.make_client(common_name="old")
        client.lay(old)
        result = client()
        assert old.fingerprint in result["diff"]["before"] and result["fingerprint"] in result["diff"]["after"]


class TestExternalCa:
    """The CA's key is elsewhere."""

    def test_a_good_pair_is_kept(self, client: Client) -> None:
        client.lay_ca(support.make_ca().pem, None)
        client.lay(support.make_client())
        assert client()["action"] == "kept" and client.warnings == []

    def test_one_that_is_due_is_kept_with_a_warning(self, client: Client) -> None:
        ca, certificate = ending_soon()
        client.lay_ca(ca.pem, None)
        client.lay(certificate)
        for check in (True, False):
            assert (client(check=check)["changed"], client(check=check)["action"]) == (False, "kept")
            assert len(client.warnings) == 1
            assert (
                f"{certificate.not_after:%Y-%m-%d}" in client.warnings[0] and str(client.ca_key) in client.warnings[0]
            )

    def test_otherwise_it_says_what_is_missing(self, client: Client) -> None:
        client.lay_ca(support.make_ca().pem, None)
        for check in (True, False):
            message = client.refused(check=check)
            for word in (str(client.ca_key), "front-proxy-ca.key", "kubeadm init phase certs front-proxy-client"):
                assert word in message
            assert "there is no certificate at" in message
        client.lay(support.make_client())
        assert "asked for with force" in client.refused(force=True)


class TestRefused:
    """What cannot be."""

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"allowed_names": ["a", "b"]}, "not among the allowed names (a, b)"),
            ({"subject": {"organization": "system:masters"}}, "system:masters is refused"),
            ({"validity": "30d", "renew_before": "90d"}, "every run would renew"),
            ({"renew_before": "soon"}, "neither a duration"),
            ({"renew_before": "100%"}, "less than the whole life"),
            ({"validity": "x"}, "not a duration"),
            ({"validity": "9000y"}, "year 9999"),
            ({"type": "Ed25519"}, "kubeadm cannot read"),
            ({"common_name": ""}, "common_name is empty"),
            ({"ca_passphrase": ""}, "is empty"),
            ({"privatekey_mode": "0640"}, "for its owner alone"),
        ],
    )
    def test_one_sentence(self, options: dict[str, t.Any], word: str, client: Client) -> None:
        for check in (True, False):
            assert word in client.refused(check=check, **options)
        assert not client.folder.parent.exists()

    def test_the_pair_never_lands_on_the_ca(self, client: Client) -> None:
        before = support.checksums(client.ca_folder)
        client.folder.mkdir(parents=True, mode=0o700)
        client.key.symlink_to(client.ca_key)
        for options in ({}, {"certificate_path": str(client.ca_certificate)}, {"privatekey_path": str(client.ca_key)}):
            assert "is named twice" in client.refused(**options)
        assert support.checksums(client.ca_folder) == before

    @pytest.mark.parametrize(
        ("certificate", "key", "word"),
        [
            (support.make_ca().pem, support.key("other").to_pem(), "does not belong to the certificate"),
            (support.make_ca("x").pem + support.make_ca().pem, support.key().to_pem(), "belongs to certificate 2"),
            (support.make_client().pem, support.key("client").to_pem(), "is no CA"),
            (support.make_ca(start=support.NOW - 11 * support.YEAR).pem, support.key().to_pem(), "expired"),
            (support.make_ca(start=support.NOW + support.YEAR).pem, support.key().to_pem(), "clock"),
            ("garbage", support.key().to_pem(), "no certificate in PEM form"),
            (support.make_ca().pem, b"garbage", "holds no private key"),
        ],
    )
    def test_a_ca_that_cannot_be_used(self, certificate: str, key: bytes, word: str, client: Client) -> None:
        client.lay_ca(certificate, key)
        for check in (True, False):
            assert word in client.refused(check=check)
        assert not client.folder.parent.exists()

    def test_what_is_open_to_others(self, client: Client) -> None:
        client()
        for path, fitting in (
            (client.ca_key, 0o600),
            (client.ca_folder, 0o700),
            (client.key, 0o600),
            (client.folder, 0o700),
        ):
            path.chmod(0o755)
            assert f"chmod {fitting:04o} {path}" in client.refused(force=True)
            path.chmod(fitting)


def test_no_secret_is_in_anything(client: Client) -> None:
    seen = ""
    client.lay_ca(support.make_ca().pem, support.key().to_pem("very-secret-phrase"))
    keys: list[str] = []
    for options in ({"check": True}, {}, {}, {"force": True}, {"force": True, "check": True}):
        client(ca_passphrase="very-secret-phrase", **options)
        seen += client.output + "".join(client.warnings)
        if client.key.exists():
            keys += support.secrets_of(client.key)
    client.refused(force=True, ca_passphrase="another-secret-phrase")
    seen += client.output
    keys += [line for line in support.key().to_pem().decode().splitlines() if "-----" not in line]
    for secret in (*keys, "very-secret-phrase", "another-secret-phrase"):
        assert secret not in seen
    assert "PRIVATE KEY" not in seen


def test_the_documentation_and_the_specification_agree() -> None:
    support.compare_documentation(front_proxy_client, yaml.safe_load(front_proxy_client.DOCUMENTATION))
    codes = yaml.safe_load(front_proxy_client.RETURN)["reason"]["choices"]
    source = "".join(
        Path(t.cast(str, module.__file__)).read_text("utf-8")
        for module in (
            client_files,
            __import__(client_files.__name__.replace("client_files", "client"), fromlist=["x"]),
        )
    )
    assert all(f'"{code}"' in source for code in codes)
