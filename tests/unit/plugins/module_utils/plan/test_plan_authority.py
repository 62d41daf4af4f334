# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of one cluster: which CA counts, and which cannot be one."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import iso
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    NOW,
    YEAR,
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
    NAMES,
    cluster,
    host,
    paths,
    why,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    kubeadm,
    master,
    sentence,
)

# --- which CA


def test_different_cas_are_refused_with_a_table() -> None:
    other = make_ca("other", "their-ca")
    done = plan(kubeadm("m1"), kubeadm("m2", ca="other").put_ca(other))
    said = refusal(done, "m1")
    sentence(said, "front_proxy_ca_from", "front_proxy_cluster", "do not hold the same front-proxy CA")
    title, *rows = said.splitlines()[1:]
    assert title.split() == ["host", "CN", "SHA-256", "of", "the", "key", "not", "after"]
    assert [row.split() for row in rows] == [
        ["m1", "front-proxy-ca", make_ca().key_fingerprint[:16], iso(make_ca().not_after)],
        ["m2", "their-ca", other.key_fingerprint[:16], iso(other.not_after)],
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


def test_a_ca_whose_signatures_kubernetes_cannot_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """No library that is supported everywhere makes such a key: tests/real has a real one."""
    module = "ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate._key_type"
    monkeypatch.setattr(module, lambda dummy: "ML-DSA-65")
    said = refusal(plan(kubeadm("m1")), "m1")
    sentence(said, "CN=front-proxy-ca", "the one that m1 holds", "a key of the kind ML-DSA-65", "RSA or ECDSA")


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
        iso(expired.not_after),
        "a new one is made",
    )


def test_a_certificate_that_is_no_ca_is_refused() -> None:
    said = refusal(plan(kubeadm("m1").put_ca(make_leaf())), "m1")
    sentence(said, "CN=front-proxy-client", "is no CA", "CA:FALSE", "set front_proxy_ca_from to controller")
    assert "too, stays" not in said
    ours = folder(make_leaf())
    sentence(refusal(plan(kubeadm("m1").put_ca(make_leaf()), pki=ours), "m1"), "is no CA", f"put a CA into {ours.path}")


def test_a_ca_near_its_end_is_a_warning() -> None:
    ending = make_ca(validity=100 * DAY)
    done = plan(kubeadm("m1").put_ca(ending).put_pair(make_leaf(validity=90 * DAY), "client"))
    (said,) = cluster(done)["warnings"]
    sentence(said, "CN=front-proxy-ca", iso(ending.not_after), "rotation")


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
    fake = kubeadm("m2").put_ca(make_ca(), certificates.cluster_ca())
    for done in (plan(kubeadm("m1"), fake), plan(kubeadm("m1"), fake, pki=folder(make_ca(), ca_key="plain"))):
        assert "--client-ca-file" in refusal(done, "m2")


def test_a_new_ca_shares_nothing() -> None:
    assert cluster(plan(master("m1")))["make_ca"]
