# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proxy client's certificate: every reason against one, and how a new one is signed."""

from __future__ import annotations

import typing as t
from datetime import timedelta
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import client as client_values
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    from_der,
    is_signed_by,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import NameOID, openssl, x509
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.der import outline
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import KeySpec
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import BACKDATE, RenewBefore
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from hypothesis import given, settings
from hypothesis import strategies as st

CLIENT_AUTH = (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.2")]), False)
SERVER_AUTH = (x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.3.6.1.5.5.7.3.1")]), False)
CN = (NameOID.COMMON_NAME, "front-proxy-client")


def judge(certificate: Certificate, **changes: t.Any) -> str:
    """The code of the reason, '' if there is none."""
    options: dict[str, t.Any] = {
        "cas": (support.make_ca(),),
        "allowed_names": ("front-proxy-client",),
        "renew_before": support.THIRD,
        "now": support.NOW,
        **changes,
    }
    reason = client_values.judge_certificate(certificate, **options)
    if reason is None:
        return ""
    assert reason.text.startswith("the certificate") and not reason.text.endswith(".")
    return reason.code


def raw(*extensions: t.Any, subject: t.Sequence[t.Any] = (CN,), **more: t.Any) -> Certificate:
    return support.sign_raw(subject=subject, issuer=support.make_ca(), extensions=extensions, **more)


class TestJudgement:
    """One test for each reason."""

    def test_a_good_one_stays(self) -> None:
        assert judge(support.make_client()) == ""

    def test_whoever_made_it(self, tmp_path: Path) -> None:
        path, key = support.serial_zero_ca(tmp_path)
        ca = support.read_certificates(path.read_text(), where="x")[0]
        assert judge(support.sign_with_openssl(path, key, tmp_path), cas=(ca,), now=support.utc_now()) == ""

    def test_any_ca_of_the_bundle(self) -> None:
        assert judge(support.make_client(), cas=(support.make_ca("new", common_name="new"), support.make_ca())) == ""

    @pytest.mark.parametrize("cas", [(), (support.make_ca("other"),)])
    def test_not_signed_by_ca(self, cas: t.Any) -> None:
        assert judge(support.make_client(), cas=cas) == "not_signed_by_ca"

    def test_expired(self) -> None:
        certificate = support.make_client()
        assert judge(certificate, now=certificate.not_after) == "expired"
        assert judge(certificate, now=certificate.not_after - timedelta(seconds=1)) == "renewal_due"

    def test_not_yet_valid(self) -> None:
        certificate = support.make_client()
        assert judge(certificate, now=certificate.not_before - timedelta(seconds=1)) == "not_yet_valid"
        assert judge(certificate, now=certificate.not_before) == ""

    def test_wrong_common_name(self) -> None:
        assert judge(support.make_client(), allowed_names=("Front-Proxy-Client", "x")) == "wrong_common_name"
        assert judge(support.make_client(), allowed_names=("x", "front-proxy-client")) == ""
        assert judge(support.make_client(), allowed_names=()) == ""

    def test_of_several_names_the_last(self) -> None:
        both = raw(CLIENT_AUTH, subject=[CN, (NameOID.COMMON_NAME, "other")])
        assert judge(both) == "wrong_common_name"

    def test_no_common_name(self) -> None:
        assert judge(raw(CLIENT_AUTH, subject=[(NameOID.LOCALITY_NAME, "x")])) == "wrong_common_name"

    def test_wrong_usage(self) -> None:
        assert judge(raw(SERVER_AUTH)) == "wrong_usage"
        assert judge(raw(CLIENT_AUTH)) == ""

    def test_no_usage_limits_nothing(self) -> None:
        assert judge(raw()) == "no_usage"
        assert client_values.Reason("no_usage", "").works and not client_values.Reason("wrong_usage", "").works

    def test_privileged_organization(self) -> None:
        assert (
            judge(raw(CLIENT_AUTH, subject=[(NameOID.ORGANIZATION_NAME, "system:masters"), CN]))
            == "privileged_organization"
        )

    def test_weak_signature(self, tmp_path: Path) -> None:
        path, key = support.serial_zero_ca(tmp_path)
        ca = support.read_certificates(path.read_text(), where="x")[0]
        weak = support.sign_with_openssl(path, key, tmp_path, "-sha1")
        assert judge(weak, cas=(ca,), now=support.utc_now()) == "weak_signature"

    @pytest.mark.parametrize(("days", "code"), [(100, ""), (242, ""), (245, "renewal_due"), (364, "renewal_due")])
    def test_renewal_due(self, days: int, code: str) -> None:
        certificate = support.make_client(start=support.NOW - timedelta(days=days))
        ca = support.make_ca(start=support.NOW - timedelta(days=400))
        certificate = support.make_client(ca, start=support.NOW - timedelta(days=days))
        assert judge(certificate, cas=(ca,)) == code

    def test_the_reason_names_the_dates(self) -> None:
        reason = client_values.judge_certificate(
            support.make_client(),
            cas=(support.make_ca(),),
            allowed_names=(),
            renew_before=RenewBefore.parse("90d"),
            now=support.NOW + timedelta(days=300),
        )
        assert reason is not None
        assert "(90d) since" in reason.text and reason.text.count("T") == 2

    def test_one_that_ends_with_its_ca_is_not_renewed_for_nothing(self) -> None:
        ca = support.make_ca(validity=timedelta(days=100))
        certificate = support.make_client(ca)
        assert certificate.not_after == ca.not_after
        later = support.NOW + timedelta(days=99)
        assert judge(certificate, cas=(ca,), now=later) == ""
        # a longer-living CA that signs now makes the renewal worth while
        new = support.make_ca("new", common_name="new")
        assert judge(certificate, cas=(new, ca), now=later) == "renewal_due"
        assert judge(certificate, cas=(ca,), now=certificate.not_after) == "expired"


class TestIssue:
    """New pairs, looked at by others than their maker."""

    def issue(self, *, ca: Certificate | None = None, signer: str = "ca", **changes: t.Any) -> client_values.IssuedPair:
        return client_values.issue_client(
            wish=support.wish(**changes),
            bundle=(ca or support.make_ca(signer),),
            ca_key=support.key(signer),
            ca_where="/ca.crt",
            ca_key_where="/ca.key",
            now=support.NOW,
        )

    @pytest.mark.parametrize(
        ("spec", "usage"),
        [
            (KeySpec.of(), "Digital Signature, Key Encipherment"),
            (KeySpec.of(kind="ECDSA", curve="P-384"), "Digital Signature"),
        ],
    )
    def test_openssl_reads_a_proper_client(self, spec: KeySpec, usage: str, tmp_path: Path) -> None:
        ca = support.make_ca()
        pair = self.issue(ca=ca, key=spec)
        ca_path, path = support.put(tmp_path, "ca", ca.pem), support.put(tmp_path, "c", pair.cert_pem)
        assert support.openssl_accepts(ca_path, path)
        assert not support.openssl_accepts(support.put(tmp_path, "o", support.make_ca("other").pem), path)
        text = support.openssl("x509", "-in", str(path), "-noout", "-text")
        assert "Version: 3" in text and "Subject: CN = front-proxy-client\n" in text
        assert f"X509v3 Key Usage: critical\n                {usage}\n" in text
        assert "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n" in text
        assert "X509v3 Basic Constraints: critical\n                CA:FALSE" in text
        assert "Alternative Name" not in text and "system:masters" not in text
        subject_id = support.openssl("x509", "-in", str(ca_path), "-noout", "-ext", "subjectKeyIdentifier").split()[-1]
        assert f"X509v3 Authority Key Identifier: \n                {subject_id}" in text
        assert "X509v3 Subject Key Identifier" in text
        key = support.put(tmp_path, "k", pair.key_pem)
        public = support.openssl("pkey", "-in", str(key), "-pubout")
        assert public == support.openssl("x509", "-in", str(path), "-noout", "-pubkey")

    def test_the_store_of_pyopenssl_accepts_it(self) -> None:
        ca = support.make_ca()
        pair = self.issue(ca=ca)
        store = openssl.X509Store()
        store.add_cert(openssl.load_certificate(openssl.FILETYPE_PEM, ca.pem.encode()))
        leaf = openssl.load_certificate(openssl.FILETYPE_PEM, pair.cert_pem.encode())
        openssl.X509StoreContext(store, leaf).verify_certificate()

    def test_every_pair_has_a_new_key_and_serial(self) -> None:
        one, two = self.issue(), self.issue()
        assert one.certificate.key_fingerprint != two.certificate.key_fingerprint
        assert one.certificate.serial != two.certificate.serial
        assert one.key_pem.startswith(b"-----BEGIN PRIVATE KEY-----")

    def test_all_parts_of_the_subject(self) -> None:
        subject = Subject.of(common_name="agg", country="DE", organization=["A", "B"], organizational_unit=["C"])
        assert self.issue(subject=subject).certificate.subject == "CN=agg,OU=C,O=B,O=A,C=DE"

    def test_dates(self) -> None:
        certificate = self.issue(validity=timedelta(days=30)).certificate
        assert certificate.not_before == support.NOW - BACKDATE
        assert certificate.not_after == support.NOW + timedelta(days=30)

    def test_it_ends_with_its_ca_and_says_so(self) -> None:
        ca = support.make_ca(validity=timedelta(days=100))
        pair = self.issue(ca=ca)
        assert pair.certificate.not_after == ca.not_after
        assert len(pair.warnings) == 1 and f"{ca.not_after:%Y-%m-%d}" in pair.warnings[0]
        assert self.issue().warnings == ()

    def test_it_does_not_begin_before_its_ca(self, tmp_path: Path) -> None:
        ca = support.make_ca(start=support.NOW + timedelta(minutes=30))
        assert self.issue(ca=ca).certificate.not_before == ca.not_before

    def test_an_adopted_ca_with_serial_zero_signs(self, tmp_path: Path) -> None:
        path, key_path = support.serial_zero_ca(tmp_path)
        ca = support.read_certificates(path.read_text(), where="x")[0]
        pair = client_values.issue_client(
            wish=support.wish(),
            bundle=(ca,),
            ca_key=support.load_key(key_path.read_bytes(), where="x"),
            ca_where="x",
            ca_key_where="x",
            now=support.utc_now(),
        )
        assert support.openssl_accepts(path, support.put(tmp_path, "c", pair.cert_pem))

    @pytest.mark.parametrize(
        ("ca", "signer", "word"),
        [
            (support.make_ca(start=support.NOW - 11 * support.YEAR), "ca", "expired"),
            (support.make_ca(start=support.NOW + support.YEAR), "ca", "clock"),
            (support.make_ca("other"), "ca", "does not belong to"),
            (support.make_client(), "client", "is no CA"),
        ],
    )
    def test_a_ca_that_cannot_sign(self, ca: Certificate, signer: str, word: str) -> None:
        with pytest.raises(PkiError, match=word):
            self.issue(ca=ca, signer=signer)

    def test_openssl_has_the_last_word(self) -> None:
        # A CA that may not have anything but DNS names below it, said critically: Go and OpenSSL refuse such chains.
        limits = x509.NameConstraints(
            permitted_subtrees=[x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "DE")]))],
            excluded_subtrees=None,
        )
        ca = support.sign_raw(
            subject=[(NameOID.COMMON_NAME, "limited")],
            public="ca",
            extensions=[(x509.BasicConstraints(ca=True, path_length=None), True), (limits, True)],
        )
        with pytest.raises(PkiError, match=r"OpenSSL does not accept the new certificate .* nothing was written"):
            self.issue(ca=ca)

    def test_the_name_of_the_ca_is_repeated_byte_by_byte(self) -> None:
        ca = support.make_ca()
        # The same name as another kind of string: equal to OpenSSL, another name to Go.
        other = from_der(ca.der.replace(b"\x0c\x0efront-proxy-ca", b"\x13\x0efront-proxy-ca"))
        assert outline(other.der).subject != outline(ca.der).subject and other.subject == ca.subject
        assert outline(self.issue(ca=other).certificate.der).issuer == outline(other.der).subject
        leaf = support.make_client(ca)
        assert is_signed_by(leaf, other)
        with pytest.raises(PkiError, match="cannot be repeated byte by byte"):
            client_values._verify(leaf, ca=other, wish=support.wish(), now=support.NOW)

    def test_a_key_is_not_in_what_is_shown_of_a_pair(self) -> None:
        pair = self.issue()
        assert "PRIVATE" not in repr(pair) and pair.key_pem.decode().splitlines()[1] not in f"{pair!r}{pair}"


class TestWish:
    """What cannot be wished."""

    def test_a_name_outside_the_allowed_ones(self) -> None:
        with pytest.raises(PkiError, match=r"'aggregator' is not among the allowed names \(a, b\)"):
            support.wish("aggregator", allowed_names=("a", "b"))
        support.wish("aggregator", allowed_names=())
        support.wish("aggregator", allowed_names=("a", "aggregator"))

    def test_an_administrator(self) -> None:
        with pytest.raises(PkiError, match="system:masters is refused"):
            support.wish(subject=Subject.of(common_name="x", organization=["system:masters"]))

    def test_a_renewal_that_is_always_due(self) -> None:
        with pytest.raises(PkiError, match="every run would renew"):
            support.wish(validity=timedelta(days=30), renew_before=RenewBefore.parse("30d"))


@settings(max_examples=40, deadline=None)
@given(
    ca_age=st.integers(0, 3000),
    ca_days=st.integers(1, 4000),
    days=st.integers(1, 40000),
    percent=st.integers(1, 99),
)
def test_a_new_certificate_lies_within_its_ca_and_is_kept(ca_age: int, ca_days: int, days: int, percent: int) -> None:
    ca = support.make_ca(start=support.NOW - timedelta(days=ca_age), validity=timedelta(days=ca_age + ca_days))
    renew = RenewBefore.parse(f"{percent}%")
    certificate = support.make_client(ca, validity=timedelta(days=days), renew_before=renew)
    assert ca.not_before <= certificate.not_before <= support.NOW < certificate.not_after <= ca.not_after
    assert is_signed_by(certificate, ca)
    assert (
        client_values.judge_certificate(
            certificate, cas=(ca,), allowed_names=("front-proxy-client",), renew_before=renew, now=support.NOW
        )
        is None
    ) or timedelta(days=days) * (100 - percent) / 100 <= BACKDATE
