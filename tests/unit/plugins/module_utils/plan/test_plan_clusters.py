# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All clusters of a play side by side: who stops whom, and in which waves masters go."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import PkiFolder
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.clusters import Report, plan_clusters
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    folder,
    plan,
    refusal,
    report,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    kubeadm,
    master,
    sentence,
)


def of(cluster: str, *names: str, **more: t.Any) -> t.List[Report]:
    return [report(master(name, cluster=cluster, **more), cluster=cluster, path=f"/pki/{cluster}") for name in names]


def test_clusters_go_side_by_side_one_master_of_each_at_a_time() -> None:
    done = plan(*of("a", "a1", "a2", "a3"), *of("b", "b1"), *of("c", "c1", "c2"))
    assert done["waves"] == [["a1", "b1", "c1"], ["a2", "c2"], ["a3"]]
    assert {name: each["leader"] for name, each in done["clusters"].items()} == {"a": "a1", "b": "b1", "c": "c1"}
    assert {name: each["folder"] for name, each in done["clusters"].items()} == {c: f"/pki/{c}" for c in "abc"}
    assert done["clusters"]["c"]["members"] == ["c1", "c2"]


def test_those_that_do_not_serve_go_first_and_the_rest_in_the_order_of_the_inventory() -> None:
    masters = [master("m1"), master("m2", answers=False), master("m3"), master("m4", running=False)]
    done = plan(*masters)
    assert done["waves"] == [["m2"], ["m4"], ["m1"], ["m3"]]


def test_a_master_that_needs_nothing_is_in_no_wave() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2"), kubeadm("m3", evidence=()))
    assert done["waves"] == [["m3"]]
    assert done["clusters"]["kubernetes"]["members"] == ["m1", "m2", "m3"]


def test_what_is_made_before_it_is_copied_is_marked_for_check_mode() -> None:
    files = plan(master("m1"))["hosts"]["m1"]["files"]
    assert len(files) == 3 and all(file["made_anew"] for file in files)


def test_a_host_that_does_not_say_its_cluster_may_hold_the_ca_of_any() -> None:
    lost = Report("m2", "", False, None, "m2 was not looked at.", None, None)
    done = plan(*of("blue", "m1"), lost)
    assert done["clusters"]["blue"]["look_at"] == ["m2"] and done["waves"] == []


def test_a_host_that_turns_out_to_be_of_another_cluster_is_left_out() -> None:
    seen = report(master("x1", cluster="x"), cluster="", targeted=False)
    assert plan(*of("blue", "m1"), seen)["clusters"]["blue"]["make_ca"]


def test_masters_that_may_not_be_all_make_no_ca() -> None:
    reports = [report(master("m1"))]
    done = plan_clusters(
        reports, read_folder=lambda dummy: folder(), now=certificates.NOW, doubt="Name the whole group."
    )
    sentence(refusal(done, "m1"), "Name the whole group")


def test_masters_that_may_not_be_all_are_no_matter_where_a_ca_is_known() -> None:
    reports = [report(kubeadm("m1", evidence=()))]
    done = plan_clusters(
        reports, read_folder=lambda dummy: folder(), now=certificates.NOW, doubt="Name the whole group."
    )
    assert done["waves"] == [["m1"]]


def test_what_a_cluster_can_have_only_once_must_be_the_same_for_all() -> None:
    one, other = report(kubeadm("m1")), report(kubeadm("m2"))
    assert other.settings and other.wish
    elsewhere = replace(other, settings=replace(other.settings, folder="/elsewhere"))
    sentence(refusal(plan(one, elsewhere), "m1"), "front_proxy_pki_dir", "m1", "m2", "/elsewhere")
    choosing = replace(other, wish=replace(other.wish, ca_from="m2"))
    sentence(refusal(plan(one, choosing), "m1"), "front_proxy_ca_from", "m2")


def test_a_wait_that_is_too_short_is_refused() -> None:
    one = report(kubeadm("m1"))
    assert one.settings
    done = plan(replace(one, settings=replace(one.settings, wait_timeout=0)))
    sentence(refusal(done, "m1"), "front_proxy_wait_timeout is 0", "30")


def test_a_refused_cluster_stops_no_other() -> None:
    done = plan(report(kubeadm("a1", skew=9999.0), cluster="a"), *of("b", "b1"))
    sentence(refusal(done, "a1", "a"), "clock")
    assert done["waves"] == [["b1"]] and done["hosts"]["b1"]["action"] == "change"


def test_a_targeted_master_that_could_not_be_observed_stops_its_cluster_and_no_other() -> None:
    lost = report("a2", cluster="a", failure="a2 is unreachable (timed out); make it reachable, or leave it out.")
    done = plan(*of("a", "a1"), lost, *of("b", "b1"))
    sentence(refusal(done, "a2", "a"), "a2 is unreachable")
    assert done["waves"] == [["b1"]]
    assert done["clusters"]["a"]["look_at"] == []


def test_a_master_that_was_only_looked_at_and_must_not_be_touched_stops_its_cluster() -> None:
    done = plan(report(kubeadm("m1")), report(kubeadm("m2", skew=9999.0), targeted=False))
    assert done["clusters"]["kubernetes"]["culprit"] == "m2"
    sentence(done["hosts"]["m1"]["error"], "Not begun, because m2 of the same cluster is refused", "clock")
    assert list(done["hosts"]) == ["m1"]


def test_a_cluster_of_which_nobody_is_targeted_is_left_out() -> None:
    done = plan(report(master("m1")), report("x1", cluster="x", targeted=False))
    assert list(done["clusters"]) == ["kubernetes"]


def test_a_folder_that_cannot_be_used_refuses_its_cluster_alone() -> None:
    def read(path: str) -> PkiFolder:
        if path == "/pki/a":
            raise PkiError("/pki/a can be read by everybody; set its mode to 0700.")
        return folder()

    done = plan(*of("a", "a1"), *of("b", "b1"), pki=read)
    sentence(refusal(done, "a1", "a"), "/pki/a", "0700")
    assert done["waves"] == [["b1"]]


def test_an_observation_without_settings_is_refused() -> None:
    seen = kubeadm("m1").observe()
    done = plan(Report("m1", "kubernetes", True, seen, "", Wish(), None))
    sentence(refusal(done, "m1"), "m1", "settings")


@pytest.mark.parametrize("masters", [1, 2, 3])
def test_every_cluster_has_all_keys_that_the_role_reads(masters: int) -> None:
    names = [f"m{place}" for place in range(masters)]
    for done in (plan(*map(master, names)), plan(*(master(name, skew=9999.0) for name in names))):
        for cluster in done["clusters"].values():
            assert {"leader", "members", "error", "look_at", "warnings"} <= set(cluster)
        for name in names:
            assert {"action", "error", "files", "reasons", "warnings", "found"} <= set(done["hosts"][name])
            if not done["hosts"][name]["error"]:
                assert {"flags", "routing", "pair_not_after", "ca_not_after"} <= set(done["hosts"][name])


def test_settled_is_what_needs_nothing_and_is_not_refused() -> None:
    assert plan(kubeadm("m1"), kubeadm("m2"))["settled"]
    assert not plan(kubeadm("m1"), kubeadm("m2", evidence=()))["settled"]
    assert not plan(*of("blue", "m1"), Report("m2", "", False, None, "m2 was not looked at.", None, None))["settled"]


def test_masters_with_a_change_that_was_cut_off_are_named_even_if_they_are_refused() -> None:
    cut_off = {"started": "2026-01-01T00:00:00Z"}
    done = plan(kubeadm("m1", pending=cut_off), kubeadm("m2"), report(kubeadm("m3", pending=cut_off), targeted=False))
    assert done["pending"] == [["m1"]] and not done["settled"]
    refused = plan(kubeadm("m1", pending=cut_off), report(kubeadm("m2"), path="/elsewhere"))
    assert refused["pending"] == [["m1"]] and not refused["settled"] and refused["waves"] == []


def test_what_was_cut_off_is_finished_on_one_master_of_a_cluster_at_a_time() -> None:
    """Each may restart its server. One that does not say of which cluster it is comes after all others."""
    cut_off = {"started": "2026-01-01T00:00:00Z"}
    names = {"m1": "blue", "m2": "blue", "m3": "blue", "g1": "green", "g2": "green", "x1": "", "x2": ""}
    reports = [report(kubeadm(name, pending=cut_off), cluster=cluster) for name, cluster in names.items()]
    assert plan(*reports)["pending"] == [["m1", "g1"], ["m2", "g2"], ["m3"], ["x1"], ["x2"]]


def test_no_master_no_plan() -> None:
    assert plan_clusters([], read_folder=lambda dummy: folder(), now=certificates.NOW) == {
        "hosts": {},
        "clusters": {},
        "waves": [],
        "pending": [],
        "settled": True,
    }
