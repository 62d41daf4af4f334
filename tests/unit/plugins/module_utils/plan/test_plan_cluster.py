# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of one cluster: what is signed, what each master gets; and every refusal on the way."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import PkiFolder
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import iso
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    NOW,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    folder,
    plan,
    refusal,
    report,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.read_plan import (
    ALL,
    CA,
    CRT,
    KEY,
    NAMES,
    cluster,
    host,
    paths,
    why,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    kubeadm,
    master,
    sentence,
)

# --- the usual cases


def test_a_bare_cluster_gets_a_new_ca_all_files_and_all_flags() -> None:
    done = plan(master("m1"), master("m2"), master("m3"))
    found = cluster(done)
    assert found["make_ca"] is True and found["adopt"] is None and found["sign"]
    assert found["common_name"] == "front-proxy-client" and found["leader"] == "m1"
    assert found["ca"] is None and found["ca_reason"] == "no master and not the controller has a front-proxy CA"
    for name in ("m1", "m2", "m3"):
        each = host(done, name)
        assert each["action"] == "change" and each["flags"] == support.proxy_flags()
        assert paths(each) == ALL
        assert [file["src"] for file in each["files"]] == [
            "/pki/kubernetes/front-proxy-ca.crt",
            "/pki/kubernetes/front-proxy-client.key",
            "/pki/kubernetes/front-proxy-client.crt",
        ]
        assert "it gets the front-proxy CA, because it had none" in each["reasons"]
        assert f"it gets a proxy-client pair, because {CRT} and {KEY} are not there" in each["reasons"]
        assert each["found"] == "0 of 7 flags, no CA, no pair, release 1.28"
    assert done["waves"] == [["m1"], ["m2"], ["m3"]]


def test_a_configured_cluster_gets_nothing() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2"))
    found = cluster(done)
    assert (found["make_ca"], found["adopt"], found["sign"], done["waves"]) == (False, None, "", [])
    assert found["ca"] == "CN=front-proxy-ca" and found["ca_reason"] == "the one that m1 holds"
    for name in ("m1", "m2"):
        each = host(done, name)
        assert (each["action"], each["files"], each["reasons"]) == ("nothing", [], [])
        assert each["found"] == "7 of 7 flags, CN=front-proxy-ca, a pair for front-proxy-client, release 1.28"
        assert each["pair_not_after"] and each["ca_not_after"]


def test_a_kubeadm_cluster_keeps_its_pairs_and_gets_routing_alone() -> None:
    done = plan(kubeadm("m1", evidence=()), kubeadm("m2"))
    assert host(done)["action"] == "change" and host(done)["files"] == []
    assert host(done)["flags"] == {**support.proxy_flags(), "enable-aggregator-routing": "true"}
    assert why(host(done)).startswith("--enable-aggregator-routing is set to true, since no kube-proxy")
    assert host(done, "m2")["action"] == "nothing"
    assert cluster(done)["adopt"] is None and cluster(done)["sign"] == ""


def test_a_master_that_joins_gets_the_ca_of_the_others_when_its_key_is_there() -> None:
    done = plan(kubeadm("m1"), master("m2"), pki=folder(make_ca(), ca_key="plain"))
    assert host(done)["action"] == "nothing" and paths(host(done, "m2")) == ALL
    assert cluster(done)["adopt"] is None and "are not there" in cluster(done)["sign"]
    assert cluster(done)["ca_reason"] == "the controller's"


def test_the_ca_of_the_masters_is_adopted_where_something_is_written() -> None:
    lacking = kubeadm("m2").without(CA)
    done = plan(kubeadm("m1"), lacking)
    assert cluster(done)["adopt"] == make_ca().pem
    assert paths(host(done, "m2")) == [CA] and cluster(done)["sign"] == ""


def test_files_go_to_the_folder_of_a_kubespray_cluster() -> None:
    done = plan(master("m1", pki="/etc/kubernetes/ssl"))
    assert paths(host(done))[0] == "/etc/kubernetes/ssl/front-proxy-ca.crt"


def test_files_go_to_the_folder_that_is_asked_for_and_it_is_mounted() -> None:
    done = plan(master("m1"), wish=Wish(certificates_dir="/opt/pki"))
    assert paths(host(done))[0] == "/opt/pki/front-proxy-ca.crt"
    assert "/opt/pki was not mounted into the pod" in host(done)["reasons"]


def test_files_in_an_empty_dir_are_refused() -> None:
    fake = master("m2", mounts=[support.mounted(PKI), support.MountSpec("/opt/pki", None)])
    done = plan(master("m1"), fake, wish=Wish(certificates_dir="/opt/pki"))
    sentence(refusal(done, "m2"), "/opt/pki", "no plain hostPath")


# --- one master's fault is told with its name


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"proxy-client-cert-file": "front-proxy-client.crt"}, "--proxy-client-cert-file"),
        ({NAMES: "$(NAMES)"}, f"--{NAMES}"),
    ],
)
def test_a_manifest_that_cannot_be_changed_stops_its_cluster_by_its_own_name(flags: support.Flags, words: str) -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", flags=flags), kubeadm("m3"))
    sentence(refusal(done, "m2"), words)


def test_a_flag_with_two_values_stops_its_cluster_by_its_own_name() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", extra=["--requestheader-allowed-names=other"]))
    sentence(refusal(done, "m2"), f"--{NAMES}", "twice")


def test_an_extra_flag_with_two_values_stops_its_cluster_by_its_own_name() -> None:
    twice = kubeadm("m2", extra=["--v=1", "--v=2"])
    done = plan(kubeadm("m1"), twice, wish=Wish(extra_flags={"v": "4"}))
    sentence(refusal(done, "m2"), "--v", "twice")


def test_an_extra_flag_for_another_release_is_refused_by_the_masters_name() -> None:
    wish = Wish(extra_flags={"requestheader-uid-headers": "X-Remote-Uid"})
    done = plan(kubeadm("m1", release="v1.33.0"), kubeadm("m2"), wish=wish)
    sentence(refusal(done, "m2"), "requestheader-uid-headers", "this master runs 1.28")


def test_a_variable_that_is_wrong_for_one_master_is_refused_by_its_name() -> None:
    done = plan(report(kubeadm("m1")), report(kubeadm("m2"), wish=Wish(routing="maybe")))
    sentence(refusal(done, "m2"), "front_proxy_aggregator_routing")


def test_a_wrong_renewal_is_refused() -> None:
    sentence(refusal(plan(kubeadm("m1"), renew_before="soon"), "m1"), "front_proxy_renew_before", "soon")


# --- the pair


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fake: fake.without(CRT), f"{CRT} is not there"),
        (lambda fake: fake.without(KEY), f"{KEY} is not there"),
        (lambda fake: fake.without(CRT, KEY), f"{CRT} and {KEY} are not there"),
        (lambda fake: fake.put(CRT, "rubbish"), f"no certificate in PEM form in {CRT}"),
        (lambda fake: fake.put(KEY, "rubbish"), f"{KEY} is not the key of {CRT}"),
        (lambda fake: fake.put(KEY, certificates.key_pem("somebody"), "0600"), f"{KEY} is not the key of {CRT}"),
        (lambda fake: fake.put_pair(make_leaf("other"), "client"), "is not signed by the CA (CN=front-proxy-ca"),
        (lambda fake: fake.put_pair(make_leaf(common_name="aggregator"), "client"), "common name is 'aggregator'"),
        (lambda fake: fake.put_pair(make_leaf(usage="server"), "client"), "lacks clientAuth"),
        (lambda fake: fake.put_pair(make_leaf(usage=""), "client"), "has no extended key usage"),
        (lambda fake: fake.put_pair(make_leaf(validity=9 * DAY), "client"), "expired on"),
        (lambda fake: fake.put_pair(make_leaf(start=NOW + DAY), "client"), "valid only from"),
        (lambda fake: fake.put_pair(make_leaf(organization="system:masters"), "client"), "system:masters"),
        (lambda fake: fake.put_pair(make_leaf(validity=12 * DAY), "client"), "due for renewal (1/3)"),
    ],
)
def test_a_pair_that_cannot_stay_is_replaced_with_the_reason(
    change: t.Callable[[support.FakeMaster], support.FakeMaster], words: str
) -> None:
    fake = change(kubeadm("m2"))
    done = plan(kubeadm("m1"), fake, pki=folder(make_ca(), ca_key="plain"))
    assert host(done)["action"] == "nothing"
    assert paths(host(done, "m2")) == [KEY, CRT]
    assert words in why(host(done, "m2")) and words in cluster(done)["sign"]


def test_a_pair_for_another_allowed_name_is_kept() -> None:
    fake = kubeadm("m1", flags={NAMES: "aggregator,front-proxy-client"})
    assert plan(fake.put_pair(make_leaf(common_name="aggregator"), "client"))["waves"] == []


def test_a_pair_with_any_name_is_kept_where_any_name_is_allowed() -> None:
    fake = kubeadm("m1", flags={NAMES: ""}).put_pair(make_leaf(common_name="anything"), "client")
    done = plan(fake)
    assert done["waves"] == []
    sentence(host(done)["warnings"][0], "front_proxy_allowed_names")


def test_names_that_are_asked_for_make_a_pair_unfit() -> None:
    done = plan(kubeadm("m1"), wish=Wish(allowed_names=("aggregator",)), pki=folder(make_ca(), ca_key="plain"))
    assert cluster(done)["common_name"] == "aggregator" and paths(host(done)) == [KEY, CRT]
    assert host(done)["flags"][NAMES] == "aggregator"


def test_an_encrypted_ca_key_can_sign() -> None:
    done = plan(kubeadm("m1").without(KEY), pki=folder(make_ca(), ca_key="encrypted"))
    assert paths(host(done)) == [KEY, CRT]


def test_a_pair_that_must_be_signed_without_the_key_is_refused_with_the_ways_out() -> None:
    lacking = kubeadm("m2").without(CRT, KEY)
    for pki in (folder(), folder(make_ca())):
        said = refusal(plan(kubeadm("m1"), lacking, pki=pki), "m2")
        sentence(said, "m2 needs a new proxy-client pair", "are not there", "CN=front-proxy-ca")
        sentence(said, "/pki/kubernetes/front-proxy-ca.key is not there", f"{PKI}/front-proxy-ca.key", "0600")
        sentence(said, "front-proxy-client.crt and front-proxy-client.key")
        assert "kubeadm certs" not in said  # which is of no use where kubeadm did not make the master


def by_kubeadm(fake: support.FakeMaster) -> support.FakeMaster:
    noted = "metadata:\n  annotations: {kubeadm.kubernetes.io/kube-apiserver.advertise-address.endpoint: a}\n"
    fake.text = fake.text.replace("metadata:\n", noted, 1)
    return fake


RENEW, ANOTHER = "`kubeadm certs renew front-proxy-client` on m1", "`kubeadm init phase certs front-proxy-client` on m1"


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        (lambda fake: fake.put_pair(make_leaf(validity=9 * DAY), "client"), RENEW),
        (lambda fake: fake.put_pair(make_leaf(start=NOW + DAY), "client"), RENEW),
        (lambda fake: fake.without(CRT, KEY), ANOTHER),
        (lambda fake: fake.put(CRT, "rubbish"), ANOTHER),
        (lambda fake: fake.put(KEY, certificates.key_pem("somebody"), "0600"), ANOTHER),
        (lambda fake: fake.put_pair(make_leaf("other"), "client"), ANOTHER),
        (lambda fake: fake.put_pair(make_leaf(common_name="aggregator"), "client"), ANOTHER),
        (lambda fake: fake.put_pair(make_leaf(usage="server"), "client"), ANOTHER),
        (lambda fake: fake.put_pair(make_leaf(organization="system:masters"), "client"), ANOTHER),
    ],
)
def test_kubeadm_is_told_to_do_what_it_can(
    change: t.Callable[[support.FakeMaster], support.FakeMaster], advice: str
) -> None:
    sentence(refusal(plan(by_kubeadm(change(kubeadm("m1")))), "m1"), advice)


@pytest.mark.parametrize("usage, advice", [("client", RENEW), ("", ANOTHER)])
def test_a_pair_that_works_stays_without_the_key_and_kubeadm_is_told_what_it_can(usage: str, advice: str) -> None:
    leaf = make_leaf(validity=12 * DAY) if usage else make_leaf(usage="")
    done = plan(by_kubeadm(kubeadm("m1").put_pair(leaf, "client")))
    assert host(done)["action"] == "nothing" and done["waves"] == []
    (said,) = cluster(done)["warnings"]
    sentence(said, "m1 stays", "the CA's key is not on the controller", advice)
    assert ("has no extended key usage" in said) == (not usage)


def test_a_pair_that_is_due_stays_where_nothing_can_be_signed_with_a_warning() -> None:
    due = make_leaf(validity=12 * DAY)
    done = plan(kubeadm("m1").put_pair(due, "client"))
    assert host(done)["action"] == "nothing" and done["waves"] == []
    (said,) = cluster(done)["warnings"]
    sentence(said, "m1", iso(due.not_after), "due for renewal", "copy it there")


def test_the_controllers_pair_is_used_where_nothing_can_be_signed() -> None:
    lacking = kubeadm("m1").without(KEY)
    done = plan(lacking, pki=folder(make_ca(), client=make_leaf()))
    assert paths(host(done)) == [KEY, CRT]
    # one that is due as well is better than none
    done = plan(lacking, pki=folder(make_ca(), client=make_leaf(validity=12 * DAY)))
    assert paths(host(done)) == [KEY, CRT]


@pytest.mark.parametrize(
    "pki",
    [
        folder(make_ca(), client=make_leaf(), client_key_matches=False),
        folder(make_ca(), client=make_leaf("other")),
        folder(make_ca(), client=make_leaf(validity=9 * DAY)),
        folder(make_ca(), client=make_leaf(common_name="aggregator")),
        # front_proxy_client would not keep what the second one signed
        folder(make_ca(), make_ca("other", "other"), client=leaf_of(make_ca("other", "other"), "other")),
    ],
)
def test_a_pair_of_the_controller_that_does_not_fit_is_not_used(pki: PkiFolder) -> None:
    said = refusal(plan(kubeadm("m1").put_ca(*pki.ca).without(KEY), pki=pki), "m1")
    sentence(said, "front-proxy-ca.key is not there")


def test_a_pair_that_is_due_goes_along_with_the_controllers_better_one() -> None:
    done = plan(
        kubeadm("m1").put_pair(make_leaf(validity=12 * DAY), "client"), pki=folder(make_ca(), client=make_leaf())
    )
    assert paths(host(done)) == [KEY, CRT] and cluster(done)["warnings"] == []


# --- masters that were not looked at


def test_no_ca_is_made_while_a_master_is_unseen() -> None:
    done = plan(report(master("m1")), report("m2", targeted=False), report("m3", targeted=False))
    assert done["clusters"]["kubernetes"]["look_at"] == ["m2", "m3"]
    assert list(done["hosts"]) == ["m1"]
    sentence(
        refusal(done, "m1"),
        "m2, m3",
        "--limit",
        "reachable",
        "out of the inventory",
        "the PKI folder of the controller",
    )


def test_a_master_that_was_only_looked_at_can_bring_the_ca() -> None:
    done = plan(report(kubeadm("m1").without(CA)), report(kubeadm("m2"), targeted=False))
    assert cluster(done)["adopt"] == make_ca().pem and cluster(done)["ca_reason"] == "the one that m2 holds"
    assert cluster(done)["members"] == ["m1"] and list(done["hosts"]) == ["m1"]


def test_a_ca_is_made_when_all_were_looked_at() -> None:
    assert cluster(plan(report(master("m1")), report(master("m2"), targeted=False)))["make_ca"]


def test_a_partial_run_works_where_the_ca_is_known() -> None:
    unseen = report("m2", targeted=False)
    assert cluster(plan(report(kubeadm("m1")), unseen))["look_at"] == []
    done = plan(report(master("m1")), unseen, pki=folder(make_ca(), ca_key="plain"))
    assert paths(host(done)) == ALL


def test_a_master_that_was_only_looked_at_is_not_judged_for_its_pair() -> None:
    assert plan(report(kubeadm("m1")), report(kubeadm("m2").without(KEY), targeted=False))["waves"] == []


# --- what else is told


def test_a_change_that_was_cut_off_is_finished_first() -> None:
    done = plan(kubeadm("m1", pending={"started": "2026-01-01T00:00:00Z"}))
    assert host(done)["action"] == "change"
    assert host(done)["reasons"][0] == "a change that began at 2026-01-01T00:00:00Z was cut off and is finished first"


def test_what_is_in_place_but_does_not_run_is_waited_for() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", argv=["kube-apiserver"]))
    assert host(done)["action"] == "nothing" and host(done, "m2")["action"] == "wait"
    assert "does not have --proxy-client-cert-file as its manifest says" in why(host(done, "m2"))
    assert done["waves"] == [["m2"]]


def test_a_server_that_does_not_answer_is_told() -> None:
    done = plan(kubeadm("m1", answers=False, image="kube-apiserver:latest"))
    assert host(done)["found"].endswith("release unknown release, not answering")


def test_the_ca_of_another_cluster_is_not_given_out() -> None:
    ours, other = certificates.cluster_ca().key_fingerprint, certificates.cluster_ca("x").key_fingerprint
    held = replace(folder(make_ca(), ca_key="plain"), client_cas=(other,))
    said = refusal(plan(master("m1"), pki=held), "m1")
    sentence(said, "holds the front-proxy CA of another cluster", "front_proxy_cluster", "client-ca-keys")
    found = cluster(plan(master("m1"), pki=replace(held, client_cas=(other, ours))))
    assert found["sign"] and found["client_cas"] == [ours]


def test_a_ca_key_that_is_anothers_is_refused_before_anything_is_signed() -> None:
    done = plan(master("m1"), pki=replace(folder(make_ca()), ca_key_matches=False))
    sentence(refusal(done, "m1"), "front-proxy-ca.key is not the key of the CA")


def without_client_ca(name: str, **more: t.Any) -> support.FakeMaster:
    """A master of which nobody can tell of which cluster it is."""
    return master(name, flags={"client-ca-file": None}, **more)


def test_a_folder_that_serves_others_serves_no_master_that_may_be_of_another_cluster() -> None:
    (ours,) = {ca.key_fingerprint for ca in master().read().client_cas()}
    used = replace(folder(make_ca(), ca_key="plain", client=make_leaf()), client_cas=(ours,))
    unseen = master("m1").put(f"{PKI}/ca.crt", "rubbish")
    for fake in (without_client_ca("m1"), unseen):
        said = refusal(plan(fake, pki=used), "m1")
        sentence(
            said, "m1 would get files of", "no client CA was seen on it", "front_proxy_allow_unknown_client_ca: true"
        )
    # beside one that is known it is refused in a new folder, too
    sentence(refusal(plan(master("m1"), without_client_ca("m2")), "m2"), "m2 would get files of")
    # nothing is given to one that needs nothing, and a folder that serves nobody yet may begin with anybody
    assert cluster(plan(kubeadm("m1", flags={"client-ca-file": None}), pki=used))["error"] == ""
    assert cluster(plan(without_client_ca("m1")))["error"] == ""
    allowed = Wish(allow_unknown_client_ca=True)
    found = cluster(plan(without_client_ca("m1"), pki=used, wish=allowed))
    assert found["error"] == "" and found["client_cas"] == [ours]
