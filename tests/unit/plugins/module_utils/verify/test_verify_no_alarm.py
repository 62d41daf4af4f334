# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What looks wrong and is not, and what is so odd that it must not end the judgement."""

from __future__ import annotations

import datetime
import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate, from_der
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import quiet, serialization, x509
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.view import View
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    YEAR,
    key,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import plan
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    File,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Layer,
    ids,
    look,
)

# Two characters that no Certificate has behind its tag and length.
BROKEN_BLOCK = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"


def authority(name: str, issuer: str) -> Certificate:
    """A CA that may sign CAs, signed by the key of the issuer's name: the same name for a root."""
    with quiet():

        def named(common_name: str) -> t.Any:
            return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])

        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key(name).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - datetime.timedelta(days=9))
            .not_valid_after(NOW + 10 * YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        )
        return from_der(key(issuer).sign_certificate(builder).public_bytes(serialization.Encoding.DER))


def through_an_intermediate(*, shown: bool) -> FakeMaster:
    between = authority("between", "root")
    leaf = leaf_of(between, "between")
    fake = kubeadm().put_ca(authority("root", "root")).put_pair(leaf)
    return fake.put(f"{PKI}/front-proxy-client.crt", leaf.pem + between.pem) if shown else fake


def test_a_pair_may_be_signed_through_an_intermediate() -> None:
    fake = through_an_intermediate(shown=True)
    assert ids(look(Layer(fake))) == []
    assert plan(fake)["waves"] == []


def test_an_intermediate_that_is_not_shown_helps_nobody() -> None:
    assert ids(look(Layer(through_an_intermediate(shown=False)))) == ["pair-not-signed-by-ca"]


def probed(status: int, accepted: bool) -> Layer:
    layer = Layer(kubeadm())
    layer.more = {"probe": {**layer.facts()["probe"], "status": status, "accepted": accepted}}
    return layer


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_refuses_no_pair(status: int) -> None:
    assert ids(look(probed(status, False))) == []


def test_a_server_that_does_not_know_the_pair_refuses_it() -> None:
    assert ids(look(probed(401, False))) == ["files-not-loaded"]


@pytest.mark.parametrize(
    "release, status, severity",
    [
        ("v1.20.2", 200, "will_break"),
        ("v1.37.2", 401, "broken"),
        (None, 401, "broken"),
        (None, 200, "will_break"),
    ],
)
def test_a_signature_that_is_refused_is_no_file_that_is_not_loaded(
    release: t.Optional[str], status: int, severity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = replace(make_leaf(owner="client m1"), signature_hash="sha1")
    monkeypatch.setattr(View, "leaf", property(lambda dummy: weak))
    layer = Layer(kubeadm(release=release or "v1.28.4"))
    if release is None:
        monkeypatch.setattr(View, "release", None)
    layer.more = {"probe": {**layer.facts()["probe"], "status": status, "accepted": status == 200}}
    (found,) = look(layer).findings
    assert (found.kind.id, found.severity) == ("weak-signature", severity)


def test_a_client_ca_that_cannot_be_read_here_may_be_what_the_server_names() -> None:
    fake = kubeadm()
    layer = Layer(fake)
    facts = layer.facts()
    files = {**facts["files"], f"{PKI}/ca.crt": {**facts["files"][f"{PKI}/ca.crt"], "certificates": [BROKEN_BLOCK]}}
    layer.more = {"files": files}
    assert ids(look(layer)) == []


def published(text: str) -> Layer:
    layer = Layer(kubeadm())
    facts = layer.facts()["layer"]
    layer.more = {"layer": {**facts, "published": {**facts["published"], "requestheader-client-ca-file": text}}}
    return layer


def test_a_published_ca_that_cannot_be_read_here_hides_no_other() -> None:
    verdict = look(published(BROKEN_BLOCK + make_ca().pem))
    assert ids(verdict) == [] and "1 could not be read here" in verdict.notes[0]
    # nor is anything concluded from it
    assert ids(look(published(BROKEN_BLOCK))) == []
    assert ids(look(published(""))) == ["nothing-published"]


@pytest.mark.parametrize("names", ["[" * 100_000, "{", "7", '{"a": 1}'])
def test_published_names_that_are_no_list_end_nothing(names: str) -> None:
    layer = Layer(kubeadm())
    facts = layer.facts()["layer"]
    layer.more = {"layer": {**facts, "published": {**facts["published"], "requestheader-allowed-names": names}}}
    assert ids(look(layer)) == []


@pytest.mark.parametrize("body", ['{"message": "cannot open C:\\data"}', '{"message": "\\ud8', "\x00\x1b[2J"])
def test_an_answer_that_is_odd_is_quoted(body: str) -> None:
    (found,) = look(Layer(kubeadm(), extension=Extension(status=500, body=body))).findings
    assert found.kind.id == "extension-fails"


def owned(uid: int, own_uid: int = 0) -> FakeMaster:
    fake = kubeadm()
    for name, owner in (("front-proxy-client.key", uid), ("apiserver.key", own_uid)):
        old = fake.files[f"{PKI}/{name}"]
        fake.files[f"{PKI}/{name}"] = File(old.content, "0600", owner, 0)
    return fake


def test_a_key_that_belongs_to_a_stranger_is_told() -> None:
    (found,) = look(owned(1000)).findings
    assert found.kind.id == "key-readable-by-others" and "belongs to user1000:root" in found.evidence[0]
    path = f"{PKI}/front-proxy-client.key"
    assert found.fix == f"run on m1: chown 0:0 {path} && chmod 0600 {path}"


@pytest.mark.parametrize("uid, own_uid", [(0, 0), (2000, 2000), (0, 2000)])
def test_a_key_may_belong_to_root_or_to_whom_the_servers_key_belongs(uid: int, own_uid: int) -> None:
    assert ids(look(owned(uid, own_uid))) == []


def test_a_half_pair_is_told_with_what_the_server_says() -> None:
    layer = Layer(kubeadm(flags={"proxy-client-key-file": None}))
    layer.more = {"probe": {**layer.facts()["probe"], "reload_hook": False}}
    found = look(layer).findings[0]
    assert found.kind.id == "proxy-client-half-set"
    assert "aggregator-reload-proxy-client-cert" in found.evidence[-1]
