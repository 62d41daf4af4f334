# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The closing words: for every way in which a run can end, what a person reads."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.result import PlanResult, TaskResults
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.summary import summarize
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    folder,
    plan,
    report,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm, master

Results = t.Dict[str, TaskResults]
DONE = {"changed": True, "files": ["a", "b", "c"], "manifest_changed": True, "restarted": True, "seconds": 7.6}


def lines_of(lines: t.Sequence[str], host: str) -> t.List[str]:
    """The lines of one host: its own and those below it."""
    start = next(place for place, line in enumerate(lines) if line.startswith(f"  {host}: "))
    end = next((place for place in range(start + 1, len(lines)) if not lines[place].startswith("      ")), len(lines))
    return [line.strip() for line in lines[start:end]]


def results(**hosts: t.Dict[str, t.Any]) -> Results:
    none = dict.fromkeys(TaskResults.__annotations__)
    return {name: t.cast(TaskResults, {**none, "observed": {}, **each}) for name, each in hosts.items()}


def test_a_cluster_in_which_nothing_was_to_be_done() -> None:
    lines = summarize(plan(kubeadm("m1")), results(m1={}), checking=False)
    ca, leaf = make_ca(), make_leaf()
    assert lines[0] == (
        f"cluster kubernetes: front-proxy CA: CN=front-proxy-ca, the one that m1 holds, until {ca.not_after:%Y-%m-%d}"
    )
    assert lines_of(lines, "m1") == [
        "m1: nothing to do",
        "found: 7 of 7 flags, CN=front-proxy-ca, a pair for front-proxy-client, release 1.28",
        "routing: left unset: the process kube-proxy runs",
        f"certificates: CA until {ca.not_after:%Y-%m-%d}, pair until {leaf.not_after:%Y-%m-%d}",
    ]


def test_a_master_that_was_changed() -> None:
    changed = kubeadm("m1", flags={"enable-aggregator-routing": "true"})
    proof = changed.put_ca(make_ca("new", validity=4 * certificates.YEAR)).observe()
    proof["probe"]["accepted"] = True
    lines = summarize(plan(master("m1", evidence=())), results(m1={"applied": DONE, "proof": proof}), checking=False)
    assert lines[0] == "cluster kubernetes: front-proxy CA: a new one"
    found = lines_of(lines, "m1")
    assert found[0] == "m1: 3 files written, manifest changed, restarted and serving after 8 s, accepts the pair"
    assert any(line.startswith("why: it gets the front-proxy CA") for line in found)
    assert any(
        line.startswith("why: --enable-aggregator-routing is set to true, since no kube-proxy") for line in found
    )
    assert not any(line.startswith("routing:") for line in found)
    # what was observed last counts, not what was there before
    end = make_ca("new", validity=4 * certificates.YEAR).not_after
    assert found[-1].startswith(f"certificates: CA until {end:%Y-%m-%d}, pair until ")


def test_one_file_is_one_file() -> None:
    applied = {"changed": True, "files": ["a"], "manifest_changed": False}
    lines = summarize(plan(master("m1")), results(m1={"applied": applied}), checking=False)
    assert lines_of(lines, "m1")[0] == "m1: 1 file written"


def test_a_change_that_was_only_waited_for() -> None:
    done = plan(kubeadm("m1", argv=["kube-apiserver"]))
    lines = summarize(done, results(m1={"applied": {"changed": False, "files": []}}), checking=False)
    assert lines_of(lines, "m1")[0] == "m1: waited until it served as wanted"


def test_a_change_that_was_cut_off_and_finished() -> None:
    done = plan(kubeadm("m1", pending={"started": "then"}))
    applied = {"changed": True, "files": [], "recovered": "Finished a change that began then."}
    lines = summarize(done, results(m1={"applied": applied}), checking=False)
    assert lines_of(lines, "m1")[0] == "m1: Finished a change that began then"


def test_check_mode_says_what_would_be_done() -> None:
    applied = {"changed": True, "files": ["a", "b"], "manifest_changed": True, "restart": "flags"}
    lines = summarize(plan(master("m1")), results(m1={"applied": applied}), checking=True)
    assert lines_of(lines, "m1")[0] == "m1: would be done: 2 files written, manifest changed, kube-apiserver restarted"


@pytest.mark.parametrize("part", ["applied", "proof"])
def test_a_master_that_failed_and_one_that_was_not_begun(part: str) -> None:
    results_of = results(
        m1={"applied": DONE, part: {"failed": True, "msg": "It did not serve.\nOld bytes are back."}}, m2={}
    )
    lines = summarize(plan(master("m1"), master("m2")), results_of, checking=False)
    found = lines_of(lines, "m1")
    assert found[0] == "m1: FAILED" and found[-2:] == ["It did not serve.", "Old bytes are back."]
    assert lines_of(lines, "m2")[0] == "m2: not begun"


def test_a_failure_without_a_word() -> None:
    lines = summarize(plan(master("m1")), results(m1={"applied": {"failed": True}}), checking=False)
    assert lines_of(lines, "m1")[-1] == "it failed without a word"


@pytest.mark.parametrize(
    ("probe", "answer"),
    [
        ({"accepted": False, "status": 401, "error": None}, "HTTP 401"),
        ({"accepted": None, "status": None, "error": "refused"}, "refused"),
        (None, "no answer"),
    ],
)
def test_a_pair_that_is_not_accepted_in_the_end_is_a_failure(probe: t.Any, answer: str) -> None:
    proof = {"root": "", "probe": probe, "files": {}}
    lines = summarize(plan(master("m1")), results(m1={"applied": DONE, "proof": proof}), checking=False)
    found = lines_of(lines, "m1")
    assert found[0] == "m1: FAILED" and f"does not accept the pair ({answer})" in found[-1]


def test_below_a_root_nothing_is_proven() -> None:
    applied = {"changed": True, "files": ["a"], "manifest_changed": True}
    proof = {"root": "/sandbox", "probe": None, "files": {}}
    lines = summarize(
        plan(master("m1", root="/sandbox")), results(m1={"applied": applied, "proof": proof}), checking=False
    )
    assert lines_of(lines, "m1")[0] == "m1: 1 file written, manifest changed"


def test_a_refused_cluster() -> None:
    done = plan(kubeadm("m1"), kubeadm("m2", ca="other").put_ca(make_ca("other", "their-ca")))
    lines = summarize(done, results(m1={}, m2={}), checking=False)
    assert lines[0] == "cluster kubernetes: refused, nothing was changed"
    first = lines_of(lines, "m1")
    assert first[0] == "m1: FAILED" and first[1].startswith("The masters do not hold the same")
    assert len(first) == 5  # the table is whole
    assert lines_of(lines, "m2")[1].startswith("Not begun, because m1 of the same cluster is refused")
    assert not any("certificates:" in line for line in lines)


def test_an_unreachable_master_and_another_cluster() -> None:
    lost = report("m2", failure="m2 is unreachable (timed out); make it reachable.")
    other = report(kubeadm("x1", cluster="x"), cluster="x")
    lines = summarize(plan(report(master("m1")), lost, other), results(m1={}, x1={}), checking=False)
    assert lines_of(lines, "m2") == ["m2: FAILED", "m2 is unreachable (timed out); make it reachable."]
    assert lines_of(lines, "x1")[0] == "x1: nothing to do"


def test_nothing_could_be_observed_at_all() -> None:
    for empty in ({}, {"hosts": {}, "clusters": {}, "waves": []}):
        seen = results(
            m1={"observed": {"unreachable": True, "msg": "timed out"}},
            m2={"observed": {"failed": True, "msg": "There is no manifest."}},
            m3={"observed": {"manifest": {}}},
        )
        lines = summarize(t.cast(PlanResult, empty), seen, checking=False)
        assert lines == [
            "m1: FAILED: timed out",
            "m2: FAILED: There is no manifest.",
            "Nothing was changed on any master.",
        ]


def test_warnings_are_shown() -> None:
    due = kubeadm("m1", flags={"requestheader-allowed-names": ""})
    due.put_pair(make_leaf(validity=12 * certificates.DAY), "client")
    lines = summarize(plan(due), results(m1={}), checking=False)
    assert sum("warning: " in line for line in lines) == 2
    assert any("due for renewal" in line for line in lines) and any("is empty" in line for line in lines)


def test_no_key_is_shown() -> None:
    done = plan(master("m1"), wish=Wish(), pki=folder(make_ca(), ca_key="plain", client=make_leaf()))
    assert "PRIVATE" not in "\n".join(summarize(done, results(m1={"applied": DONE}), checking=False))


def test_what_an_earlier_run_left_is_told_first() -> None:
    plan = {
        "hosts": {"m1": {"action": "nothing", "reasons": [], "error": "", "found": "7 of 7 flags"}},
        "clusters": {"kubernetes": {"error": "", "ca": None, "warnings": [], "members": ["m1"]}},
    }
    recovered = {"recovered": "Rolled back a change that began at noon and was cut off."}
    lines = summarize(t.cast(PlanResult, plan), results(m1={"recovered": recovered}), checking=False)
    assert "      first: Rolled back a change that began at noon and was cut off." in lines


@pytest.mark.parametrize("step", ["recovered", "ca", "client"])
def test_a_step_that_failed_before_the_master_was_begun_is_told(step: str) -> None:
    plan = {
        "hosts": {"m1": {"action": "change", "reasons": [], "error": "", "found": "0 of 7 flags"}},
        "clusters": {"kubernetes": {"error": "", "ca": None, "warnings": [], "members": ["m1"]}},
    }
    failed = results(m1={step: {"failed": True, "msg": "The passphrase is wrong."}})
    lines = summarize(t.cast(PlanResult, plan), failed, checking=False)
    assert "  m1: FAILED" in lines and "      The passphrase is wrong." in lines


def test_a_plan_that_failed_is_told() -> None:
    lines = summarize({"failed": True, "msg": "The play uses the strategy free."}, {}, checking=False)
    assert lines == ["FAILED: The play uses the strategy free.", "Nothing was changed on any master."]
