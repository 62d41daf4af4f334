# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action front_proxy_findings: from the variables of the hosts to a table, a result and a report."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible.playbook.task import Task
from ansible.utils.context_objects import CLIArgs
from ansible_collections.kubeops.aggregation_layer.plugins.action import front_proxy_findings
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.smoke import Smoke
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._smoke_steps import read_smoke
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    YEAR,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Layer

Variables = t.Dict[str, t.Any]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> t.List[str]:
    """The lines that are shown."""
    lines: t.List[str] = []

    def display(text: str, color: t.Optional[str] = None) -> None:
        lines.append(text)

    monkeypatch.setattr(front_proxy_findings.display, "display", display)
    monkeypatch.setattr(front_proxy_findings, "load_extra_vars", lambda dummy: {})
    return lines


def run(hosts: t.Mapping[str, Variables], check: bool = False, group: str = "masters", **arguments: t.Any) -> Variables:
    task = MagicMock(spec=Task)
    task.async_val, task.check_mode, task.diff, task.no_log = False, check, False, False
    task.action = "front_proxy_findings"
    task.args = {"observed_var": "front_proxy__surveyed", "pattern": group, **arguments}
    action = front_proxy_findings.ActionModule(
        task=task,
        connection=MagicMock(),
        play_context=MagicMock(),
        loader=MagicMock(),
        templar=MagicMock(),
        shared_loader_obj=None,
    )
    variables = {
        "hostvars": {"m9": {}, **{name: {"front_proxy__surveyed": found} for name, found in hosts.items()}},
        "ansible_play_hosts_all": list(hosts),
        "ansible_play_batch": list(hosts),
        "ansible_inventory_sources": ["/in my/hosts"],
    }
    result: Variables = action.run(task_vars=variables)
    return result


def well(name: str = "m1", cluster: str = "kubernetes") -> Variables:
    return {**Layer(kubeadm(name)).facts(), "spec": {"cluster": cluster, "container": "kube-apiserver"}}


def expired() -> Variables:
    return {**Layer(kubeadm().put_pair(make_leaf(start=NOW - 2 * YEAR))).facts(), "spec": {"cluster": "kubernetes"}}


def test_nothing_is_wrong(shown: t.List[str]) -> None:
    result = run({"m1": well(), "m2": well("m2")})
    assert not result["wrong"] and result["findings"] == [] and result["changed"] is False
    assert shown == ["OK: the aggregation layer works, no finding on 2 masters of 1 cluster"]


def test_what_is_wrong_is_shown_and_returned(shown: t.List[str]) -> None:
    result = run({"m1": expired()})
    assert result["wrong"] and result["worst"] == "broken"
    assert shown[0].startswith(result["headline"]) and "has expired" in shown[0]
    (found,) = result["findings"]
    assert found["fix"].startswith("run: ansible-playbook -i '/in my/hosts' kubeops.aggregation_layer.configure")
    assert "PRIVATE KEY" not in json.dumps(result)


@pytest.mark.parametrize(
    "fail_on, wrong", [("broken", False), ("at_risk", True), ("will_break", True), ("untidy", True), ("never", False)]
)
def test_the_severity_decides(fail_on: str, wrong: bool, shown: t.List[str]) -> None:
    late = {**Layer(kubeadm(skew=999.0)).facts(), "spec": {}}
    assert run({"m1": late}, fail_on=fail_on)["wrong"] is wrong


def test_no_host_fails_for_another_cluster(shown: t.List[str]) -> None:
    green = {**expired(), "spec": {"cluster": "green"}}
    result = run({"m1": green, "m2": well("m2", "blue"), "m3": well("m3", "blue")})
    assert result["failing"] == {"m1": result["headline"]} and result["wrong"]
    # all masters of a cluster stop together, each for the worst that there is
    both = run({"m1": expired(), "m2": well("m2"), "m3": {"failed": True, "msg": "no Python", "spec": {}}})
    assert set(both["failing"]) == {"m1", "m2", "m3"} and set(both["failing"].values()) == {both["headline"]}


def test_masters_that_could_not_be_seen_are_findings(shown: t.List[str]) -> None:
    result = run(
        {
            "m1": well(),
            "m2": {"unreachable": True, "msg": "no route"},
            "m3": {"failed": True, "msg": "There is no manifest."},
        }
    )
    assert [(found["hosts"], found["evidence"]) for found in result["findings"]] == [
        (["m2"], ["unreachable: no route"]),
        (["m3"], ["There is no manifest."]),
    ]


def test_a_master_that_the_run_leaves_out_is_a_note(shown: t.List[str]) -> None:
    old = {**Layer(kubeadm(), published=[make_ca(), make_ca("old", "old")]).facts(), "spec": {}}
    assert [found["id"] for found in run({"m1": old})["findings"]] == ["ca-still-trusted"]
    result = run({"m1": old}, members=["m1", "m9", "nobody"])
    assert result["findings"] == [] and "m9: it was left out of this run" in result["notes"][0]
    assert "no finding on 1 master of 1 cluster" in shown[-2]


def test_the_report_is_written_in_one_step(shown: t.List[str], tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    result = run({"m1": expired(), "m2": well("m2", "blue")}, report=str(path))
    document = json.loads(path.read_text())
    assert document["findings"] == result["findings"] and document["clusters"] == {"kubernetes": ["m1"], "blue": ["m2"]}
    assert [entry.name for entry in tmp_path.iterdir()] == ["report.json"]


def test_a_report_is_written_where_the_command_was_typed(
    shown: t.List[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run({"m1": well()}, report="report.json")
    assert json.loads((tmp_path / "report.json").read_text())["findings"] == []


@pytest.mark.parametrize(
    ("group", "extra", "named"),
    [
        ("masters", {}, False),
        ("kube_master", {}, False),
        ("kube_master", {"front_proxy_hosts": "kube_master"}, True),
        ("my_masters", {}, True),
    ],
)
def test_a_fix_names_the_hosts_that_are_not_found_by_themselves(
    shown: t.List[str], monkeypatch: pytest.MonkeyPatch, group: str, extra: Variables, named: bool
) -> None:
    monkeypatch.setattr(front_proxy_findings, "load_extra_vars", lambda dummy: extra)
    (found,) = run({"m1": expired()}, group=group)["findings"]
    assert (f"-e front_proxy_hosts={group}" in found["fix"]) == named


def test_a_fix_is_called_as_this_run_was(shown: t.List[str], monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"become": True, "remote_user": "an admin", "become_ask_pass": True, "extra_vars": ("secret=1",)}
    monkeypatch.setattr(front_proxy_findings.context, "CLIARGS", CLIArgs(given))
    (found,) = run({"m1": expired()}, group="control")["findings"]
    assert found["fix"].startswith(
        "run: ansible-playbook -i '/in my/hosts' -b -K -u 'an admin' kubeops.aggregation_layer.configure "
        "-e front_proxy_hosts=control"
    )
    assert "secret" not in json.dumps(found)


def test_check_mode_makes_no_smoke_test_and_misses_none(shown: t.List[str]) -> None:
    steps = {"smoke_vars": {"begin": "begun", "ask": "asked"}}
    nothing = {"changed": False, "took_part": False}
    assert read_smoke({"begun": nothing, "asked": nothing}, steps) is None
    assert read_smoke({"begun": {**nothing, "host": ""}}, steps) == Smoke()


def test_a_step_of_the_smoke_test_that_failed_or_says_nonsense_is_told() -> None:
    steps = {"smoke_vars": {"begin": "begun", "ask": "asked"}}
    read = read_smoke({"begun": {"failed": True, "msg": "No."}, "asked": {"took_part": True, "status": "odd"}}, steps)
    assert read is not None and read.failures["begin"] == "No." and read.asked is None
    assert "is no result of front_proxy_smoke (asked_as is missing)" in read.failures["ask"]


def test_check_mode_writes_no_report(shown: t.List[str], tmp_path: Path) -> None:
    run({"m1": well()}, check=True, report=str(tmp_path / "report.json"))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_is_named(shown: t.List[str], tmp_path: Path) -> None:
    result = run({"m1": well()}, report=str(tmp_path / "none" / "report.json"))
    assert result["failed"] and "front_proxy_report" in result["msg"] and "No such file" in result["msg"]


def test_a_release_that_is_none_is_named(shown: t.List[str]) -> None:
    result = run({"m1": well()}, target_release="newest")
    assert result["failed"] and "front_proxy_target_release is 'newest'" in result["msg"]


def test_nothing_is_shown_if_it_is_told_so(shown: t.List[str]) -> None:
    run({"m1": well()}, show=False)
    assert shown == []
