# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of findings: order, merging, targets, notes, causes of APIServices, and the table."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.catalogue import CATALOGUE
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.causes import decode, message_of
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.model import SEVERITIES, rank
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.table import headline, table
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    NOW,
    YEAR,
    cluster_ca,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import PKI, kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    COMMAND,
    Extension,
    Layer,
    apiservice,
    ids,
    look,
    service,
)


def test_ids_and_severities_are_sound() -> None:
    names = [kind.id for kind in CATALOGUE]
    assert len(names) == len(set(names))
    for kind in CATALOGUE:
        assert kind.severity in SEVERITIES
        assert kind.id == kind.id.lower() and " " not in kind.id
        for text in (kind.title, kind.consequence, kind.fix, kind.cause, kind.source):
            assert text.strip() == text and text
        assert kind.consequence.endswith(".") and not kind.title.endswith(".")


def test_the_worst_comes_first() -> None:
    fake = kubeadm(flags={"requestheader-allowed-names": None}, skew=4000.0)
    verdict = look(fake.put_pair(make_leaf(start=NOW - 2 * YEAR)))
    assert ids(verdict) == ["pair-expired", "clock-differs", "allowed-names-any"]
    assert [rank(found.severity) for found in verdict.findings] == [0, 1, 3]


def test_what_masters_have_in_common_is_said_once() -> None:
    flags = {"requestheader-extra-headers-prefix": "X-Remote-Extra"}
    verdict = look(*[kubeadm(f"m{number}", flags=flags) for number in (1, 2, 3)])
    assert ids(verdict) == ["header-not-standard"] and verdict.findings[0].hosts == ("m1", "m2", "m3")


def test_clusters_do_not_mix() -> None:
    verdict = look(Layer(kubeadm("m1")).seen("one"), Layer(kubeadm("m2", ca="other")).seen("two"))
    assert ids(verdict) == [] and dict(verdict.clusters) == {"one": ("m1",), "two": ("m2",)}


def test_a_target_release_leaves_out_what_breaks_later() -> None:
    fake = kubeadm(flags={"requestheader-allowed-names": "front-proxy-client,"})
    assert [(found.severity, found.when) for found in look(fake).findings] == [("will_break", "1.36")]
    assert ids(look(fake, target_release="1.35")) == []
    assert [found.severity for found in look(fake, target_release="v1.36.1").findings] == ["broken"]
    with pytest.raises(PlanError, match=r"'next', which is no release of Kubernetes"):
        look(fake, target_release="next")


def test_a_date_is_no_release() -> None:
    soon = kubeadm().put_pair(make_leaf(start=NOW - YEAR + YEAR / 100))
    assert [found.severity for found in look(soon, target_release="1.20").findings] == ["will_break"]


def test_a_union_bundle_on_all_masters_is_fine() -> None:
    both = [make_ca(), make_ca("other", "other")]
    one, two = kubeadm("m1").put_ca(*both), kubeadm("m2", ca="other").put_ca(*both[::-1])
    two.put_pair(make_leaf("other", owner="client m2"), "client m2")
    two.put_ca(both[1], both[0])
    assert "masters-hold-different-cas" not in ids(look(one, two))


def test_a_master_that_was_not_seen_may_hold_what_is_published() -> None:
    one = Layer(kubeadm("m1"), published=[make_ca(), make_ca("old", "old")])
    assert ids(look(one, Seen("m2", "kubernetes", None, "unreachable"))) == ["master-not-seen"]


def test_what_a_broken_front_proxy_explains_is_a_note() -> None:
    one = Layer(kubeadm("m1"), extension=Extension(status=200))
    refused = Extension(status=503, body="bad status from https://192.0.2.1:443/apis: 401")
    # the server accepts its own pair, but extension API servers do not know its CA
    two = Layer(kubeadm("m2").put_ca(make_ca("b"), make_ca()), published=[make_ca()], extension=refused)
    two.fake.put_pair(make_leaf("b", owner="client m2"), "client m2")
    two.fake.put_ca(make_ca("b"), make_ca())
    verdict = look(one, two)
    assert "extension-refuses-the-pair" not in ids(verdict)
    assert any("v1alpha1.wardle.example.com does not work through m2" in note for note in verdict.notes)


def test_a_condition_that_a_broken_master_has_set_is_a_note_at_all_masters() -> None:
    failed = apiservice(available="False", reason="FailedDiscoveryCheck", message="bad status from https://x: 401")
    away = Extension(status=503, body="service unavailable", each=failed)
    ill = kubeadm("m2").put_pair(make_leaf(start=NOW - 2 * YEAR, owner="client m2"), "client m2")
    verdict = look(Layer(kubeadm("m1"), extension=away), Layer(ill))
    assert ids(verdict) == ["pair-expired"]
    assert "v1alpha1.wardle.example.com does not work through m1" in verdict.notes[0]
    # a refusal through a master that is right has another reason
    verdict = look(Layer(kubeadm("m1"), extension=Extension(status=401)), Layer(ill))
    assert ids(verdict) == ["pair-expired", "extension-refuses-the-pair"]


def test_one_master_that_cannot_reach_an_extension_is_named() -> None:
    well = [Layer(kubeadm(f"m{number}"), extension=Extension()) for number in (1, 3)]
    silent = service(address_error="TimeoutError: timed out")
    ill = Layer(kubeadm("m2"), extension=Extension(status=503, body="service unavailable", service=silent))
    verdict = look(*well, ill)
    assert ids(verdict) == ["service-address-silent"] and verdict.findings[0].hosts == ("m2",)
    assert "front_proxy_aggregator_routing=true" in verdict.findings[0].fix


def test_a_pinned_ca_file_is_named() -> None:
    pods = [{"name": "api-0", "arguments": ["--requestheader-client-ca-file=/etc/old.crt"]}]
    verdict = look(Layer(kubeadm(), extension=Extension(status=401, service=service(pods=pods))))
    assert "--requestheader-client-ca-file=/etc/old.crt" in verdict.findings[0].evidence[0]
    assert verdict.findings[0].kind.ours is False


def test_a_tls_1_3_only_server_is_a_note() -> None:
    layer = Layer(kubeadm(), more={"handshake": {"names": None, "error": "ConnectionAbortedError: alert"}})
    verdict = look(layer)
    assert ids(verdict) == [] and "could not be seen in the TLS handshake" in verdict.notes[0]


def test_before_1_20_a_pair_is_read_at_the_start_only() -> None:
    fake = kubeadm(release="v1.19.4")
    facts = Layer(fake).facts()
    facts["files"][f"{PKI}/front-proxy-client.crt"]["stamp"] = f"1:2:{3 * 10**9}:4"
    (found,) = look(Seen("m1", "kubernetes", facts)).findings
    assert found.kind.id == "files-not-loaded" and "restart kube-apiserver on m1" in found.fix
    facts["process"]["started"] = 4.0
    assert ids(look(Seen("m1", "kubernetes", facts))) == []


def test_a_single_file_mount_hides_a_new_file() -> None:
    facts = Layer(kubeadm()).facts()
    facts["files"][f"{PKI}/front-proxy-ca.crt"]["in_container"] = False
    (found,) = look(Seen("m1", "kubernetes", facts)).findings
    assert found.kind.id == "files-not-loaded" and "the container sees another file" in found.evidence[0]


def test_a_folder_that_is_mounted_elsewhere_is_not_judged() -> None:
    facts = Layer(kubeadm()).facts()
    text = facts["manifest"]["text"].replace(f"      path: {PKI}\n", "      path: /srv/pki\n")
    facts["manifest"]["text"] = text
    moved = {path.replace(PKI, "/srv/pki"): {**file, "in_container": False} for path, file in facts["files"].items()}
    for file in moved.values():
        file["loads_with"] = [path.replace(PKI, "/srv/pki") for path in file.get("loads_with") or ()]
    facts["files"] = moved
    assert ids(look(Seen("m1", "kubernetes", facts))) == []


def test_a_short_life_is_no_reason_for_an_alarm() -> None:
    fake = kubeadm().put_pair(make_leaf(start=NOW - DAY, validity=20 * DAY))
    assert ids(look(fake)) == []
    old = kubeadm().put_pair(make_leaf(start=NOW - 16 * DAY, validity=20 * DAY))
    assert ids(look(old)) == ["pair-expires-soon"]


def test_different_cas_name_the_master_whose_ca_can_sign() -> None:
    both = [make_ca(), make_ca("other")]
    fits = {"ca_key_fits": [f"{PKI}/front-proxy-ca.crt"]}
    one, two = Layer(kubeadm("m1"), published=both), Layer(kubeadm("m2", ca="other"), published=both, more=fits)
    (found,) = look(one, two).findings
    note = f"first copy front-proxy-ca.crt and front-proxy-ca.key in {PKI} of m2"
    assert f"-e front_proxy_ca_from=m2  # {note}" in found.fix


def test_different_cas_never_make_the_client_ca_the_one_that_counts() -> None:
    sharing = kubeadm("m1").put_ca(cluster_ca()).put_pair(leaf_of(cluster_ca(), "cluster kubernetes"))
    verdict = look(sharing, kubeadm("m2"))
    (found,) = [found for found in verdict.findings if found.kind.id == "masters-hold-different-cas"]
    assert "-e front_proxy_ca_from=m2" in found.fix


def test_what_mends_one_of_several_clusters_leaves_the_others_alone() -> None:
    late = kubeadm().put_pair(make_leaf(start=NOW - 2 * YEAR))
    (alone,) = look(late).findings
    assert "--limit" not in alone.fix
    (found,) = look(Layer(late).seen("blue"), Layer(kubeadm("g1")).seen("green")).findings
    assert f"{COMMAND} --limit m1" in found.fix


def test_below_a_root_a_fix_stays_there_and_asks_no_kubeadm() -> None:
    root = "/srv/my image"
    fake = kubeadm(root=root, running=False).put_pair(make_leaf(organization="system:masters"))
    path = f"{PKI}/front-proxy-client.key"
    fake.put(path, fake.files[path].content, "0644")
    fake.siblings = [{"name": "kube-apiserver.yaml.bak", "size": 9, "text": fake.text}]
    fixes = {found.kind.id: found.fix for found in look(fake).findings}
    assert fixes["key-readable-by-others"] == f"run on m1: chmod 0600 '{root}{path}'"
    assert fixes["stray-manifest"].startswith(f"run on m1: mv -n '{root}/etc/kubernetes/manifests/")
    assert fixes["pair-is-an-administrator"].startswith(f"run: {COMMAND}")


def test_kubeadm_renews_where_it_can() -> None:
    fake = kubeadm().put_pair(make_leaf(start=NOW - 2 * YEAR))
    assert COMMAND in look(fake).findings[0].fix
    fake.text = fake.text.replace("metadata:\n", "metadata:\n  annotations:\n    kubeadm.kubernetes.io/a: b\n")
    layer = Layer(fake, more={"ca_key_fits": [f"{PKI}/front-proxy-ca.crt"]})
    assert look(layer).findings[0].fix == "run on m1: kubeadm certs renew front-proxy-client"
    # which keeps the usages of the old certificate
    fake.put_pair(make_leaf(usage="server"))
    assert look(layer).findings[0].fix.endswith("&& kubeadm init phase certs front-proxy-client")
    # and its name
    fake.put_pair(make_leaf(common_name="stranger"))
    assert look(layer).findings[0].fix.endswith("&& kubeadm init phase certs front-proxy-client")
    fake.text = fake.text.replace("allowed-names=front-proxy-client", "allowed-names=aggregator")
    assert look(layer).findings[0].fix.startswith(f"run: {COMMAND}")


@pytest.mark.parametrize(("gone", "left"), [(("crt",), "key"), (("key",), "crt"), (("crt", "key"), "")])
def test_what_is_missing_is_not_moved_away(gone: t.Sequence[str], left: str) -> None:
    fake = kubeadm().without(*(f"{PKI}/front-proxy-client.{end}" for end in gone))
    assert all(found.fix.startswith(f"run: {COMMAND}") for found in look(fake).findings)
    fake.text = fake.text.replace("metadata:\n", "metadata:\n  annotations:\n    kubeadm.kubernetes.io/a: b\n")
    found = look(Layer(fake, more={"ca_key_fits": [f"{PKI}/front-proxy-ca.crt"]})).findings
    moved = f"mv {PKI}/front-proxy-client.{left} {PKI}/front-proxy-client.{left}.old && " if left else ""
    assert {each.fix for each in found} == {f"run on m1: {moved}kubeadm init phase certs front-proxy-client"}


def test_a_missing_ca_is_no_matter_of_kubeadm() -> None:
    fake = kubeadm().without(f"{PKI}/front-proxy-ca.crt")
    assert f"run: {COMMAND}" in {found.fix for found in look(fake).findings}


@pytest.mark.parametrize(
    "status, text, kind",
    [
        (401, "", "extension-refuses-the-pair"),
        (403, "", "extension-forbids"),
        (503, "bad status from https://10.1.2.3:443/apis/a/v1: 401", "extension-refuses-the-pair"),
        (503, "bad status from https://10.1.2.3:443/apis/a/v1: 403", "extension-forbids"),
        (503, "tls: failed to verify certificate: x509: unknown authority", "extension-certificate-not-trusted"),
        (503, 'x509: certificate signed by unknown authority (candidate "x")', "extension-certificate-not-trusted"),
        (503, "Get https://10.1.2.3:443: dial tcp 10.1.2.3:443: i/o timeout", "extension-silent"),
        (503, "net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "extension-silent"),
        (503, "dial tcp 10.1.2.3:443: connect: no route to host", "extension-silent"),
        (503, "MissingEndpoints: endpoints for service/a in b have no addresses", "extension-not-there"),
        (503, "ServiceNotFound: service/a in b is not present", "extension-not-there"),
        (500, "panic", "extension-fails"),
        (None, "", "extension-fails"),
    ],
)
def test_messages_are_decoded(status: t.Optional[int], text: str, kind: str) -> None:
    assert decode(status, text).kind.id == kind


def test_the_message_of_a_status_is_found_in_it() -> None:
    assert message_of('{"kind":"Status","message":"User \\"x\\" cannot get","code":403') == 'User "x" cannot get'
    assert message_of("error trying to reach service") == "error trying to reach service"


def test_the_first_line_of_the_table_names_the_cause() -> None:
    verdict = look(kubeadm().put_pair(make_leaf(start=NOW - 2 * YEAR)), kubeadm("m2", skew=4000.0))
    lines = table(verdict)
    assert lines[0].text == "BROKEN: m1: the proxy client's certificate has expired  [pair-expired]"
    assert lines[0].severity == "broken" and lines[1].severity == ""
    assert lines[-1].text == "2 masters of 1 cluster: 1 broken, 1 at risk"
    assert max(len(line.text) for line in lines if not line.text.startswith("  fix:")) <= 120
    assert headline(verdict.findings[0], several=True).startswith("BROKEN: kubernetes: m1: ")


def test_a_table_without_findings_says_so() -> None:
    (line,) = table(look(kubeadm()))
    assert line == ("OK: the aggregation layer works, no finding on 1 master of 1 cluster", "ok")


def test_the_handshake_tells_what_is_loaded() -> None:
    (found,) = look(Layer(kubeadm(), offered=[cluster_ca()])).findings
    assert found.kind.id == "files-not-loaded"
    assert found.evidence == ("the TLS handshake does not name CN=front-proxy-ca",)
