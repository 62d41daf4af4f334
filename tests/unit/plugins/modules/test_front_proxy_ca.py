# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_ca: made, kept, adopted, repaired, refused."""

from __future__ import annotations

import os
import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    is_signed_by,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.ca_runner import Ca


def facts(result: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        name: result[name] for name in ("subject", "serial", "fingerprint", "not_before", "not_after", "certificate")
    }


class TestMade:
    """Nothing is there."""

    def test_made_and_then_kept(self, ca: Ca) -> None:
        made = ca()
        assert (made["changed"], made["action"], made["reason"]) == (True, "made", "nothing_there")
        assert made["subject"] == "CN=front-proxy-ca" and made["privatekey"] == "present"
        assert {path.name: oct(path.stat().st_mode)[-3:] for path in ca.folder.iterdir()} == {
            "ca.crt": "644",
            "ca.key": "600",
        }
        assert oct(ca.folder.stat().st_mode)[-3:] == oct(ca.folder.parent.stat().st_mode)[-3:] == "700"
        assert ca.certificate.read_text() == made["certificate"]
        before = support.checksums(ca.folder)
        kept = ca()
        assert (kept["changed"], kept["action"], kept["reason"]) == (False, "kept", "present")
        assert facts(kept) == facts(made)
        assert kept["diff"]["before"] == kept["diff"]["after"]
        assert support.checksums(ca.folder) == before
        assert ca.warnings == []

    def test_as_openssl_sees_it(self, ca: Ca) -> None:
        made = ca(type="RSA", size=3072, validity="876000h", subject={"country": "DE", "organization": ["A", "B"]})
        text = support.openssl("x509", "-in", str(ca.certificate), "-noout", "-text", "-fingerprint", "-sha256")
        assert "Subject: C = DE, O = A, O = B, CN = front-proxy-ca" in text
        assert "Public-Key: (3072 bit)" in text and "CA:TRUE" in text and "Certificate Sign" in text
        assert made["fingerprint"].upper() in text.replace(":", "")
        assert support.as_utc(made["not_after"]) - support.as_utc(made["not_before"]) == timedelta(days=36500, hours=1)
        assert support.openssl("pkey", "-in", str(ca.key), "-pubout") == support.openssl(
            "x509", "-in", str(ca.certificate), "-noout", "-pubkey"
        )

    def test_the_default_is_rsa_2048_for_ten_years(self, ca: Ca) -> None:
        made = ca(type=None)
        assert read_certificates(made["certificate"], where="x")[0].key_type == "RSA 2048"
        assert support.as_utc(made["not_after"]) - support.as_utc(made["not_before"]) == timedelta(days=3650, hours=1)

    def test_it_is_noted_for_which_cluster_it_is(self, ca: Ca) -> None:
        note = ca.folder / "client-ca-keys"
        ca(client_cas=["aa"], check=True)
        assert not note.exists()
        assert ca(client_cas=["aa", "bb"])["changed"] is True
        assert note.read_text() == "aa\nbb\n" and oct(note.stat().st_mode)[-3:] == "600"
        before = note.stat()
        assert ca(client_cas=["aa", "bb"])["changed"] is False and note.stat() == before
        # a kept CA is noted for its cluster, too, and that alone is no change
        assert ca(client_cas=["cc"])["changed"] is False and note.read_text() == "cc\n"
        assert ca()["changed"] is False and note.read_text() == "cc\n"

    def test_with_a_passphrase(self, ca: Ca) -> None:
        made = ca(passphrase="correct horse")
        assert made["privatekey"] == "encrypted"
        assert ca.key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
        support.openssl("pkey", "-in", str(ca.key), "-passin", "pass:correct horse", "-noout")
        assert ca(passphrase="correct horse")["changed"] is False
        assert ca()["privatekey"] == "encrypted"
        assert "the passphrase is wrong" in ca.refused(passphrase="battery staple")

    def test_check_mode_makes_nothing_and_predicts_it(self, ca: Ca, tmp_path: Path) -> None:
        predicted = ca(check=True)
        assert list(tmp_path.iterdir()) == []
        assert predicted["fingerprint"] is predicted["serial"] is predicted["certificate"] is None
        made = ca()
        for name in ("changed", "action", "reason", "reason_text", "subject", "privatekey"):
            assert predicted[name] == made[name]
        assert abs(support.as_utc(predicted["not_after"]) - support.as_utc(made["not_after"])) < timedelta(minutes=1)

    def test_modes_and_owner(self, ca: Ca) -> None:
        ca(mode="0640", privatekey_mode="0400", owner=str(os.geteuid()))
        assert (oct(ca.certificate.stat().st_mode)[-3:], oct(ca.key.stat().st_mode)[-3:]) == ("640", "400")
        assert ca()["changed"] is False
        changed = ca(mode="0644", check=True)
        assert changed["changed"] and changed["action"] == "kept" and "ca.crt" in changed["reason_text"]
        assert oct(ca.certificate.stat().st_mode)[-3:] == "640"
        ca(mode="0644")
        assert oct(ca.certificate.stat().st_mode)[-3:] == "644"
        assert ca(mode="0644")["changed"] is False

    def test_the_diff_shows_facts_only(self, ca: Ca) -> None:
        made = ca()
        assert made["diff"]["before"] == ""
        assert [line.partition(":")[0] for line in made["diff"]["after"].splitlines()] == [
            "subject",
            "fingerprint",
            "not_before",
            "not_after",
        ]
        assert "diff" not in ca(diff=False)


class TestAdopted:
    """A CA is given."""

    def test_adopted_without_its_key(self, ca: Ca) -> None:
        given = support.make_ca()
        result = ca(adopt=given.pem, passphrase="unused")
        assert (result["changed"], result["action"], result["reason"]) == (True, "adopted", "given")
        assert result["privatekey"] == "absent" and result["fingerprint"] == given.fingerprint
        assert ca.certificate.read_text() == given.pem and not ca.key.exists()
        assert ca(adopt=given.pem)["changed"] is False
        kept = ca()
        assert (kept["action"], kept["privatekey"]) == ("kept", "absent")

    def test_check_mode(self, ca: Ca, tmp_path: Path) -> None:
        given = support.make_ca()
        predicted = ca(adopt=given.pem, check=True)
        assert list(tmp_path.iterdir()) == []
        done = ca(adopt=given.pem)
        for result in (predicted, done):
            # up to ansible-core 2.21: it tells of check mode
            result.pop("invocation", None)
        assert predicted == done

    def test_a_bundle_keeps_its_order(self, ca: Ca) -> None:
        one, two = support.make_ca("one", common_name="one"), support.make_ca("two", common_name="two")
        result = ca(adopt="# new first\n" + two.pem + one.pem)
        assert result["subject"] == "CN=two" and result["certificate"] == two.pem + one.pem

    def test_a_private_key_in_it_is_not_written(self, ca: Ca) -> None:
        ca(adopt=support.key().to_pem().decode() + support.make_ca().pem)
        assert "PRIVATE" not in ca.certificate.read_text() and not ca.key.exists()

    @pytest.mark.parametrize("empty", ["", " \n"])
    def test_an_empty_text_is_none(self, empty: str, ca: Ca) -> None:
        assert ca(adopt=empty)["action"] == "made"

    def test_one_that_is_there_stays(self, ca: Ca) -> None:
        made, other = ca(), support.make_ca(common_name="other")
        kept = ca(adopt=other.pem)
        assert facts(kept) == facts(made)
        assert any(made["fingerprint"] in text and other.fingerprint in text for text in ca.warnings)
        assert ca(adopt=made["certificate"])["changed"] is False and ca.warnings == []

    def test_with_its_key_beside_it(self, ca: Ca) -> None:
        ca.lay(None, support.traditional_key())
        assert ca(adopt=support.make_ca().pem)["privatekey"] == "present"

    def test_with_another_key_beside_it(self, ca: Ca) -> None:
        ca.lay(None, support.key("other").to_pem())
        before = support.checksums(ca.folder)
        assert "does not belong to the certificate" in ca.refused(adopt=support.make_ca().pem)
        assert support.checksums(ca.folder) == before

    def test_with_its_encrypted_key_beside_it(self, ca: Ca) -> None:
        ca.lay(None, support.key().to_pem("right"))
        given = support.make_ca().pem
        assert "is encrypted and no passphrase was given" in ca.refused(adopt=given)
        assert "passphrase is wrong" in ca.refused(adopt=given, passphrase="battery")
        assert ca(adopt=given, passphrase="right")["privatekey"] == "encrypted"

    def test_one_of_kubeadm_with_serial_zero(self, ca: Ca, tmp_path: Path) -> None:
        given, key = support.serial_zero_ca(tmp_path)
        result = ca(adopt=given.read_text(), type=None)
        assert result["serial"] == "0" and ca.warnings == []
        ca.lay(None, key.read_bytes())
        assert ca(type=None)["privatekey"] == "present"

    def test_one_of_cfssl(self, ca: Ca, tmp_path: Path) -> None:
        certificate, key = support.cfssl_ca(tmp_path)
        ca.lay(None, key)
        subject = {
            "country": "DE",
            "state": "Bayern",
            "locality": "Fürth",
            "organization": "Example",
            "organizational_unit": "Kubernetes",
        }
        result = ca(adopt=certificate, subject=subject, curve="P-384")
        assert result["action"] == "adopted" and result["privatekey"] == "present"
        assert result["subject"] == "CN=front-proxy-ca,OU=Kubernetes,O=Example,L=Fürth,ST=Bayern,C=DE"
        assert ca.warnings == []

    @pytest.mark.parametrize(
        ("given", "word"),
        [
            ("garbage", "no certificate in PEM form in adopt"),
            (support.make_client().pem, "in adopt is no CA"),
            (support.make_ca(start=support.NOW - 11 * support.YEAR).pem, "in adopt expired on"),
            (support.make_ca().pem[:-30], "in adopt is cut off"),
        ],
    )
    def test_what_cannot_be_adopted(self, given: str, word: str, ca: Ca, tmp_path: Path) -> None:
        for check in (True, False):
            assert word in ca.refused(adopt=given, check=check)
            assert list(tmp_path.iterdir()) == []


class TestKept:
    """A CA is there."""

    def test_another_subject_and_key_are_warnings(self, ca: Ca) -> None:
        made = ca()
        kept = ca(subject={"common_name": "other"}, type="RSA", size=4096)
        assert facts(kept) == facts(made) and not kept["changed"]
        assert any("CN=front-proxy-ca" in text and "CN=other" in text for text in ca.warnings)
        assert any("ECDSA P-256" in text and "RSA 4096" in text for text in ca.warnings)

    def test_what_nobody_asked_for_is_no_warning(self, ca: Ca) -> None:
        ca(subject={"common_name": "mine"})
        ca(type=None)
        assert ca.warnings == []

    def test_a_passphrase_for_a_plain_key_is_a_warning(self, ca: Ca) -> None:
        ca()
        before = support.checksums(ca.folder)
        assert ca(passphrase="something")["privatekey"] == "present"
        assert any("is not encrypted" in text for text in ca.warnings)
        assert support.checksums(ca.folder) == before

    def test_an_end_that_is_near_is_a_warning(self, ca: Ca) -> None:
        ending = support.make_ca(start=support.NOW - 10 * support.YEAR + timedelta(days=100))
        ca.lay(ending.pem, support.key().to_pem())
        ca()
        assert any(f"{ending.not_after:%Y-%m-%d}" in text for text in ca.warnings)

    @pytest.mark.parametrize(
        ("certificate", "key", "word"),
        [
            (support.make_ca().pem, support.key("other").to_pem(), "does not belong to the certificate"),
            (
                support.make_ca("a").pem + support.make_ca("b").pem,
                support.key("b").to_pem(),
                "belongs to certificate 2",
            ),
            (support.make_client().pem, support.key("client").to_pem(), "is no CA: its basicConstraints say CA:FALSE"),
            (support.make_ca(start=support.NOW - 11 * support.YEAR).pem, support.key().to_pem(), "expired on"),
            ("garbage", support.key().to_pem(), "no certificate in PEM form in"),
            (support.make_ca().pem, b"garbage", "holds no private key"),
            (support.make_ca().pem, support.key().to_pem()[:100], "holds no private key"),
        ],
    )
    def test_what_cannot_be_kept(self, certificate: str, key: bytes, word: str, ca: Ca) -> None:
        ca.lay(certificate, key)
        before = support.checksums(ca.folder)
        for check in (True, False):
            assert word in ca.refused(check=check)
            assert word in ca.refused(check=check, adopt=support.make_ca().pem)
        assert support.checksums(ca.folder) == before

    def test_an_open_key(self, ca: Ca) -> None:
        ca()
        ca.key.chmod(0o644)
        assert f"chmod 0600 {ca.key}" in ca.refused()

    def test_an_open_folder(self, ca: Ca) -> None:
        ca()
        ca.folder.chmod(0o755)
        assert f"chmod 0700 {ca.folder}" in ca.refused()


class TestRefused:
    """Options that cannot be."""

    @pytest.mark.parametrize(
        ("options", "word"),
        [
            ({"type": "Ed25519"}, "kubeadm cannot read"),
            ({"type": "RSA", "curve": "P-256"}, "does not go with"),
            ({"size": 2048}, "does not go with"),
            ({"validity": "10"}, "validity '10' is not a duration"),
            ({"validity": "0d"}, "above zero"),
            ({"validity": "9000y"}, "year 9999"),
            ({"validity": "99999999999y"}, "longer than"),
            ({"subject": {"country": "Germany"}}, "two letters"),
            ({"subject": {"common_name": ""}}, "common_name is empty"),
            ({"passphrase": ""}, "is empty"),
            ({"passphrase": "x" * 2000}, "2000 bytes"),
            ({"privatekey_mode": "0644"}, "for its owner alone"),
            ({"mode": "rw"}, "not an octal mode"),
            ({"owner": "no-such-user"}, "not known"),
            ({"group": "no-such-group"}, "not known"),
            ({"client_cas": ["ab", "\u00e4"]}, "no SHA-256 fingerprint"),
            ({"client_cas": ["ab\ncd"]}, "no SHA-256 fingerprint"),
            ({"certificate_path": "/proc/x/y/ca.crt", "privatekey_path": "/proc/x/y/ca.key"}, "/proc/x"),
            ({"certificate_path": "/tmp/same", "privatekey_path": "/tmp/same"}, "cannot both lie"),
        ],
    )
    def test_one_sentence(self, options: dict[str, t.Any], word: str, ca: Ca, tmp_path: Path) -> None:
        assert word in ca.refused(**options)
        assert list(tmp_path.iterdir()) == []

    def test_without_the_library(self, ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
        from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import deps

        monkeypatch.setattr(deps, "CRYPTOGRAPHY_VERSION", "3.4.8")
        assert "cryptography 3.4.8 is too old" in ca.refused()

    def test_a_file_where_a_folder_should_be(self, ca: Ca, tmp_path: Path) -> None:
        (tmp_path / "pki").touch()
        for check in (True, False):
            assert "cannot be a folder" in ca.refused(check=check)


def test_no_secret_is_in_anything(ca: Ca) -> None:
    seen = ""
    for options in ({"check": True}, {}, {}, {"subject": {"common_name": "x"}}, {"adopt": support.make_ca().pem}):
        ca(passphrase="very-secret-phrase", **options)
        seen += ca.output + "".join(ca.warnings)
    ca.refused(passphrase="another-secret-phrase")
    seen += ca.output
    support.openssl("pkey", "-in", str(ca.key), "-passin", "pass:very-secret-phrase", "-out", str(ca.folder / "plain"))
    for secret in (*support.secrets_of(ca.key, ca.folder / "plain"), "very-secret-phrase", "another-secret-phrase"):
        assert secret not in seen
    assert "PRIVATE KEY" not in seen


def test_the_ca_signs_for_others(ca: Ca) -> None:
    made = read_certificates(ca(type="RSA")["certificate"], where="x")[0]
    leaf = support.sign_with_openssl(ca.certificate, ca.key, ca.folder)
    assert is_signed_by(leaf, made)


def test_the_documentation_and_the_specification_agree() -> None:
    support.compare_documentation(front_proxy_ca, yaml.safe_load(front_proxy_ca.DOCUMENTATION))
