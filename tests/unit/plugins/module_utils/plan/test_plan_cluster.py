# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of one cluster: which CA, what is signed, what each master gets; and every refusal on the way."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    DAY,
    NOW,
    PKI,
    YEAR,
    folder,
    kubeadm,
    leaf_of,
    make_ca,
    make_leaf,
    master,
    plan,
    refusal,
    report,
    sentence,
)

CA, CRT, KEY = f"{PKI}/front-proxy-ca.crt", f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-client.key"
ALL = [CA, KEY, CRT]
NAMES = "requestheader-allowed-names"


def cluster(done: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The one cluster of a plan that is not refused."""
    found: t.Dict[str, t.Any] = done["clusters"]["kubernetes"]
    assert found["error"] == ""
    return found


def host(done: t.Mapping[str, t.Any], name: str = "m1") -> t.Dict[str, t.Any]:
    found: t.Dict[str, t.Any] = done["hosts"][name]
    assert found["error"] == ""
    return found


def paths(found: t.Mapping[str, t.Any]) -> t.List[str]:
    return [each["path"] for each in found["files"]]


def why(found: t.Mapping[str, t.Any]) -> str:
    return "; ".join(found["reasons"])


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


# --- which CA


def test_different_cas_are_refused_with_a_table() -> None:
    other = make_ca("other", "their-ca")
    done = plan(kubeadm("m1"), kubeadm("m2", ca="other").put_ca(other))
    said = refusal(done, "m1")
    sentence(said, "front_proxy_ca_from", "front_proxy_cluster", "do not hold the same front-proxy CA")
    title, *rows = said.splitlines()[1:]
    assert title.split() == ["host", "CN", "SHA-256", "of", "the", "key", "not", "after"]
    assert [row.split() for row in rows] == [
        ["m1", "front-proxy-ca", make_ca().key_fingerprint[:16], support.iso(make_ca().not_after)],
        ["m2", "their-ca", other.key_fingerprint[:16], support.iso(other.not_after)],
    ]
    assert "\n" not in done["hosts"]["m2"]["error"] and done["hosts"]["m2"]["error"].endswith("clusters.")


def test_the_same_name_with_another_key_is_another_ca() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other")))
    assert "do not hold the same" in refusal(done, "m1")


def test_the_controllers_other_ca_is_in_the_table_too() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2"), pki=folder(make_ca("other"), ca_key="plain"))
    said = refusal(done, "m1")
    sentence(said, support.FOLDER, "no master holds", "the masters agree", "move that folder away", "to controller")
    assert [row.split()[0] for row in said.splitlines()[2:]] == ["controller", "m1", "m2"]


def test_the_controller_is_one_of_three_opinions() -> None:
    masters = [kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other"))]
    said = refusal(plan(*masters, pki=folder(make_ca("third"), ca_key="plain")), "m1")
    assert "do not hold the same" in said
    assert [row.split()[0] for row in said.splitlines()[2:]] == ["controller", "m1", "m2"]


def test_ca_from_a_host_gives_its_ca_to_all() -> None:
    masters = [kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other"))]
    done = plan(*masters, wish=Wish(ca_from="m2"), pki=folder(make_ca("other"), ca_key="plain"))
    assert cluster(done)["ca_reason"] == "the CA of m2, as front_proxy_ca_from says"
    assert paths(host(done)) == ALL and host(done, "m2")["action"] == "nothing"
    assert "it gets the front-proxy CA, because its file held another" in host(done)["reasons"]
    assert "is not signed by the CA" in why(host(done))


def test_ca_from_a_host_without_the_key_cannot_sign() -> None:
    masters = [kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other"))]
    sentence(
        refusal(plan(*masters, wish=Wish(ca_from="m2")), "m1"), "m1 needs a new proxy-client pair", "front-proxy-ca.key"
    )


def test_ca_from_the_controller() -> None:
    done = plan(kubeadm("m1"), wish=Wish(ca_from="controller"), pki=folder(make_ca("other"), ca_key="plain"))
    assert paths(host(done)) == ALL
    assert cluster(done)["ca_reason"] == "the CA of controller, as front_proxy_ca_from says"


@pytest.mark.parametrize("name", ["nobody", "m2", "controller"])
def test_ca_from_one_that_holds_none_is_refused(name: str) -> None:
    said = refusal(plan(kubeadm("m1"), master("m2"), wish=Wish(ca_from=name)), "m1")
    sentence(said, f"front_proxy_ca_from is {name}", "those that do: m1")


def test_ca_from_a_host_where_nobody_holds_one() -> None:
    sentence(refusal(plan(master("m1"), wish=Wish(ca_from="m1")), "m1"), "those that do: nobody")


def test_ca_from_a_host_never_replaces_the_controllers() -> None:
    masters = [kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other"))]
    said = refusal(plan(*masters, wish=Wish(ca_from="m2"), pki=folder(make_ca(), ca_key="plain")), "m1")
    sentence(
        said, "the CA of m2", support.FOLDER, "CN=front-proxy-ca", "never replaced", "front_proxy_ca_from to controller"
    )


def test_ca_from_a_host_that_was_not_looked_at_is_looked_at() -> None:
    done = plan(report(kubeadm("m1"), wish=Wish(ca_from="m2")), report("m2", targeted=False))
    assert done["clusters"]["kubernetes"]["look_at"] == ["m2"]
    sentence(refusal(done, "m1"), "front_proxy_ca_from is m2", "could not be looked at", "--limit")


def test_bundles_that_have_a_ca_in_common_are_one() -> None:
    old, new = make_ca("old", "old"), make_ca()
    done = plan(kubeadm("m1").put_ca(old, new), kubeadm("m2").put_ca(new, old), kubeadm("m3").put_ca(new))
    assert done["waves"] == [] and cluster(done)["ca"] == "CN=front-proxy-ca"


def test_a_union_bundle_is_adopted_with_the_common_ca_first() -> None:
    old, new = make_ca("old", "old"), make_ca()
    done = plan(kubeadm("m1").put_ca(old, new), kubeadm("m2").put_ca(new), kubeadm("m3").without(CA))
    assert cluster(done)["adopt"] == new.pem + old.pem


def test_the_first_of_the_controllers_bundle_signs_and_masters_without_it_get_the_bundle() -> None:
    old, new = make_ca("old", "old"), make_ca()
    fake = kubeadm("m1").put_ca(old).put_pair(leaf_of(old, "old"), "client")
    done = plan(fake, pki=folder(new, old, ca_key="plain"))
    assert cluster(done)["ca"] == "CN=front-proxy-ca" and cluster(done)["sign"] == ""
    assert paths(host(done)) == [CA]


def test_a_ca_that_was_issued_anew_for_its_key_is_the_same_ca() -> None:
    anew = make_ca(common_name="front-proxy-ca", start=NOW - DAY, validity=20 * YEAR)
    assert anew.fingerprint != make_ca().fingerprint
    done = plan(kubeadm("m1"), kubeadm("m2").put_ca(anew), pki=folder(anew, ca_key="plain"))
    assert done["waves"] == []


def test_a_master_whose_ca_expired_gets_the_one_that_was_issued_anew() -> None:
    expired = make_ca(start=NOW - 11 * YEAR, validity=10 * YEAR)
    for done in (
        plan(kubeadm("m1").put_ca(expired), pki=folder(make_ca(), ca_key="plain")),
        plan(kubeadm("m1").put_ca(expired), kubeadm("m2")),
        plan(kubeadm("m2"), kubeadm("m1").put_ca(expired)),
    ):
        assert paths(host(done)) == [CA]
        assert "has expired" in why(host(done))
        assert cluster(done)["adopt"] in (None, make_ca().pem)


def test_a_ca_file_that_holds_no_certificate_is_replaced_where_the_ca_is_known() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2").put(CA, "rubbish"))
    assert paths(host(done, "m2")) == [CA] and f"no certificate in PEM form in {CA}" in why(host(done, "m2"))
    assert "an unreadable CA file" in host(done, "m2")["found"]


def test_a_ca_file_that_holds_no_certificate_keeps_a_new_ca_from_being_made() -> None:
    done = plan(master("m1"), kubeadm("m2").put(CA, "rubbish"))
    sentence(refusal(done, "m2"), CA, "none is made", "move that file away")


# --- a CA that cannot be one


def test_an_expired_ca_is_refused() -> None:
    expired = make_ca(start=NOW - 11 * YEAR, validity=10 * YEAR)
    said = refusal(plan(kubeadm("m1").put_ca(expired)), "m1")
    sentence(
        said,
        "CN=front-proxy-ca",
        "the one that m1 holds",
        "expired on",
        support.iso(expired.not_after),
        "a new one is made",
    )


def test_a_certificate_that_is_no_ca_is_refused() -> None:
    said = refusal(plan(kubeadm("m1").put_ca(make_leaf())), "m1")
    sentence(said, "CN=front-proxy-client", "is no CA", "CA:FALSE", "replace it")


def test_a_ca_near_its_end_is_a_warning() -> None:
    ending = make_ca(validity=100 * DAY)
    done = plan(kubeadm("m1").put_ca(ending).put_pair(make_leaf(validity=90 * DAY), "client"))
    (said,) = cluster(done)["warnings"]
    sentence(said, "CN=front-proxy-ca", support.iso(ending.not_after), "rotation")


def test_masters_of_different_clusters_are_refused() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", cluster="second"))
    sentence(refusal(done, "m1"), "m1 and m2", "--client-ca-file", "front_proxy_cluster")


def test_masters_whose_client_ca_is_not_known_belong_to_any_cluster() -> None:
    assert plan(kubeadm("m1"), kubeadm("m2", flags={"client-ca-file": None}))["waves"] == []


# --- a CA that is the client CA, too


def shared_master(names: t.Optional[str] = "front-proxy-client", anew: bool = False) -> support.FakeMaster:
    """A master whose front-proxy CA has the key of its client CA; anew: in another certificate."""
    key = "cluster kubernetes"
    ca = make_ca(key, "front-proxy-ca" if anew else "kubernetes")
    leaf = leaf_of(ca, key)
    return kubeadm("m1", flags={NAMES: names}).put_ca(ca).put_pair(leaf, "client")


def test_a_shared_ca_with_names_is_refused_unless_it_is_accepted() -> None:
    fake = shared_master()
    said = refusal(plan(fake), "m1")
    sentence(said, "--client-ca-file", "front-proxy-client becomes anyone", "front_proxy_allow_shared_ca: true")
    done = plan(fake, wish=Wish(allow_shared_ca=True))
    assert done["waves"] == []
    (warning,) = cluster(done)["warnings"]
    sentence(warning, "m1: ", "--client-ca-file", "accepted")


@pytest.mark.parametrize("allowed", [True, False])
def test_a_shared_ca_without_names_is_refused_always(allowed: bool) -> None:
    said = refusal(plan(shared_master(""), wish=Wish(allow_shared_ca=allowed)), "m1")
    sentence(
        said,
        f"--{NAMES} is empty",
        "anyone with a client certificate",
        "becomes anyone",
        "1.35",
        "front_proxy_allowed_names",
    )


def test_a_shared_ca_is_told_by_its_key_not_by_its_certificate() -> None:
    fake = shared_master(anew=True)
    assert "--client-ca-file" in refusal(plan(fake), "m1")


def test_a_shared_ca_that_is_not_the_first_of_what_a_master_trusts_is_refused_too() -> None:
    fake = kubeadm("m2").put_ca(make_ca(), support.cluster_ca())
    for done in (plan(kubeadm("m1"), fake), plan(kubeadm("m1"), fake, pki=folder(make_ca(), ca_key="plain"))):
        assert "--client-ca-file" in refusal(done, "m2")


def test_a_new_ca_shares_nothing() -> None:
    assert cluster(plan(master("m1")))["make_ca"]


# --- the pair


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda fake: fake.without(CRT), f"{CRT} is not there"),
        (lambda fake: fake.without(KEY), f"{KEY} is not there"),
        (lambda fake: fake.without(CRT, KEY), f"{CRT} and {KEY} are not there"),
        (lambda fake: fake.put(CRT, "rubbish"), f"no certificate in PEM form in {CRT}"),
        (lambda fake: fake.put(KEY, "rubbish"), f"{KEY} is not the key of {CRT}"),
        (lambda fake: fake.put(KEY, support.key_pem("somebody"), "0600"), f"{KEY} is not the key of {CRT}"),
        (lambda fake: fake.put_pair(make_leaf("other"), "client"), "is not signed by the CA (CN=front-proxy-ca"),
        (lambda fake: fake.put_pair(make_leaf(common_name="aggregator"), "client"), "common name is 'aggregator'"),
        (lambda fake: fake.put_pair(make_leaf(usage="server"), "client"), "lacks clientAuth"),
        (lambda fake: fake.put_pair(make_leaf(usage=""), "client"), "lacks clientAuth"),
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
        sentence(said, "front-proxy-client.crt and front-proxy-client.key", "kubeadm certs renew front-proxy-client")


def test_a_pair_that_is_due_stays_where_nothing_can_be_signed_with_a_warning() -> None:
    due = make_leaf(validity=12 * DAY)
    done = plan(kubeadm("m1").put_pair(due, "client"))
    assert host(done)["action"] == "nothing" and done["waves"] == []
    (said,) = cluster(done)["warnings"]
    sentence(said, "m1", support.iso(due.not_after), "due for renewal", "kubeadm certs renew front-proxy-client")


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
def test_a_pair_of_the_controller_that_does_not_fit_is_not_used(pki: support.PkiFolder) -> None:
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
    ours, other = support.cluster_ca().key_fingerprint, support.cluster_ca("x").key_fingerprint
    held = replace(folder(make_ca(), ca_key="plain"), client_cas=(other,))
    said = refusal(plan(master("m1"), pki=held), "m1")
    sentence(said, "holds the front-proxy CA of another cluster", "front_proxy_cluster", "client-ca-keys")
    found = cluster(plan(master("m1"), pki=replace(held, client_cas=(other, ours))))
    assert found["sign"] and found["client_cas"] == [ours]


def test_a_ca_key_that_is_anothers_is_refused_before_anything_is_signed() -> None:
    done = plan(master("m1"), pki=replace(folder(make_ca()), ca_key_matches=False))
    sentence(refusal(done, "m1"), "front-proxy-ca.key is not the key of the CA")
