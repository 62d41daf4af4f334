# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CA is signed like, and what is said of one that is there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import ca as ca_values
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import KeySpec, generate_key
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support

WISH = ca_values.CaWish(
    subject=Subject.of(common_name="front-proxy-ca"), key=KeySpec.of(kind="ECDSA"), validity=10 * support.YEAR
)


@pytest.mark.parametrize(
    ("spec", "algorithm"),
    [
        (KeySpec.of(), "sha256WithRSAEncryption"),
        (KeySpec.of(kind="ECDSA"), "ecdsa-with-SHA256"),
        (KeySpec.of(kind="ECDSA", curve="P-384"), "ecdsa-with-SHA384"),
    ],
)
def test_openssl_reads_a_proper_ca(spec: KeySpec, algorithm: str, tmp_path: Path) -> None:
    ca = ca_values.self_sign(
        key=generate_key(spec), subject=WISH.subject, validity=timedelta(days=36500), now=support.NOW
    )
    path = support.put(tmp_path, "ca.crt", ca.pem)
    text = support.openssl("x509", "-in", str(path), "-noout", "-text")
    assert f"Signature Algorithm: {algorithm}" in text
    assert "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature, Certificate Sign, CRL Sign" in text
    assert "X509v3 Subject Key Identifier" in text
    assert "Alternative Name" not in text and "Extended Key Usage" not in text
    assert support.openssl("verify", "-x509_strict", "-check_ss_sig", "-CAfile", str(path), str(path)).endswith("OK\n")


def test_serial_numbers_are_random() -> None:
    assert len({support.make_ca().serial for dummy in range(5)}) == 5


def test_an_expired_ca_is_refused_with_its_date() -> None:
    old = support.make_ca(start=support.NOW - 11 * support.YEAR)
    with pytest.raises(PkiError, match=r"CN=front-proxy-ca in /x expired on 20\d\d-.*Z; it is not replaced"):
        ca_values.check_ca(old, where="/x", now=support.NOW)
    ca_values.check_ca(old, where="/x", now=old.not_after - timedelta(seconds=1))
    with pytest.raises(PkiError, match="expired"):
        ca_values.check_ca(old, where="/x", now=old.not_after)


def test_a_ca_of_tomorrow_cannot_sign_today() -> None:
    early = support.make_ca(start=support.NOW + timedelta(days=1))
    ca_values.check_ca(early, where="/x", now=support.NOW)
    with pytest.raises(PkiError, match="clock"):
        ca_values.check_ca_can_sign(early, where="/x", now=support.NOW)
    assert any("check the clocks" in text for text in ca_values.concerns(early, now=support.NOW))


def test_what_is_no_ca_is_refused_with_the_reason() -> None:
    with pytest.raises(PkiError, match=r"CN=front-proxy-client in /x is no CA: its basicConstraints say CA:FALSE"):
        ca_values.check_ca(support.make_client(), where="/x", now=support.NOW)


@pytest.mark.parametrize("kind", ["ML-DSA-65", "unknown", "Ed448"])
def test_a_ca_whose_signature_kubernetes_cannot_check_is_refused(kind: str) -> None:
    ca = replace(support.make_ca(), key_type=kind)
    with pytest.raises(PkiError, match=f"CN=front-proxy-ca in /x has a key of the kind {kind}"):
        ca_values.check_ca(ca, where="/x", now=support.NOW)


def test_key_and_certificate_must_belong_together() -> None:
    bundle = (support.make_ca("one"), support.make_ca("two"))
    where = {"certificate_where": "/c", "key_where": "/k"}
    ca_values.check_pair(bundle, support.key("one"), **where)
    with pytest.raises(PkiError, match="belongs to certificate 2 in /c, not to the first"):
        ca_values.check_pair(bundle, support.key("two"), **where)
    with pytest.raises(PkiError, match="/k does not belong to the certificate CN=front-proxy-ca in /c"):
        ca_values.check_pair(bundle, support.key("three"), **where)


def test_differences_name_both_values() -> None:
    assert ca_values.differences(support.make_ca(), WISH) == ()
    other = ca_values.CaWish(subject=Subject.of(common_name="x"), key=KeySpec.of(), validity=support.YEAR)
    subject, key = ca_values.differences(support.make_ca(), other)
    assert "CN=front-proxy-ca" in subject and "CN=x" in subject
    assert "ECDSA P-256" in key and "RSA 2048" in key
    defaults = ca_values.CaWish(
        subject=other.subject, key=other.key, validity=other.validity, subject_asked=False, key_asked=False
    )
    assert ca_values.differences(support.make_ca(), defaults) == ()


def test_concerns() -> None:
    assert ca_values.concerns(support.make_ca(), now=support.NOW) == ()
    ending = support.make_ca(start=support.NOW - 10 * support.YEAR + timedelta(days=300))
    assert any("ends on" in text for text in ca_values.concerns(ending, now=support.NOW))
    # a CA that was meant to be short is no concern while it is young
    assert ca_values.concerns(support.make_ca(validity=timedelta(days=30)), now=support.NOW) == ()


def test_concerns_of_odd_keys_and_signatures(tmp_path: Path) -> None:
    root, root_key = support.serial_zero_ca(tmp_path)
    weak = support.sign_with_openssl(root, root_key, tmp_path, "-sha1")
    assert any("sha1, which Kubernetes refuses" in text for text in ca_values.concerns(weak, now=support.NOW))
    for algorithm, word in (("ed25519", "kubeadm cannot read"), ("rsa:1024", "OpenSSL 3 refuses")):
        support.openssl(
            "req", "-x509", "-newkey", algorithm, "-nodes", "-subj", "/CN=x", "-days", "3650",
            "-keyout", str(tmp_path / "k"), "-out", str(tmp_path / "c"),
        )  # fmt: skip
        ca = support.read_certificates((tmp_path / "c").read_text(), where="x")[0]
        assert any(word in text for text in ca_values.concerns(ca, now=support.NOW))


def test_a_life_beyond_the_year_9999_is_refused() -> None:
    with pytest.raises(PkiError, match="9999"):
        support.make_ca(validity=timedelta(days=8000 * 365))
