# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action front_proxy_summary: it finds what the role's tasks kept for each host, and shows lines."""

from __future__ import annotations

import typing as t
from unittest.mock import MagicMock

import pytest
from ansible import constants as C
from ansible.playbook.task import Task
from ansible_collections.kubeops.aggregation_layer.plugins.action import front_proxy_summary
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils import _screen
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import plan
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm, master

REGISTERED = {part: f"front_proxy__{part}" for part in ("observed", "recovered", "ca", "client", "applied", "proof")}
Shown = t.List[t.Tuple[str, t.Optional[str]]]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """The lines that are shown, with their colours."""
    lines: Shown = []
    monkeypatch.setattr(_screen.display, "display", lambda text, color=None: lines.append((text, color)))
    monkeypatch.setattr(_screen.display, "verbosity", 0)
    return lines


def run(done: t.Any, hostvars: t.Mapping[str, t.Any], check: bool = False) -> t.List[str]:
    task = MagicMock(spec=Task)
    task.async_val, task.check_mode, task.diff, task.no_log = False, check, False, False
    task.action = "front_proxy_summary"
    task.args = {"plan_var": "front_proxy__plan", "registered_vars": REGISTERED}
    action = front_proxy_summary.ActionModule(
        task=task,
        connection=MagicMock(),
        play_context=MagicMock(),
        loader=MagicMock(),
        templar=MagicMock(),
        shared_loader_obj=None,
    )
    result = action.run(task_vars={"hostvars": hostvars, "front_proxy__plan": done})
    assert result["changed"] is False
    lines: t.List[str] = result["summary"]
    return lines


def test_results_are_found_under_the_names_of_the_role(shown: Shown) -> None:
    hostvars = {
        "m1": {
            "front_proxy__observed": {},
            "front_proxy__applied": {"files": ["a"], "manifest_changed": False},
            "front_proxy__proof": {"root": "", "probe": {"accepted": True}, "files": {}},
        },
        "m2": {"front_proxy__observed": {}},
    }
    lines = run(plan(master("m1"), master("m2")), hostvars)
    assert "  m1: 1 file written, accepts the pair" in lines and "  m2: not begun" in lines
    assert [text for text, dummy in shown] == lines
    assert ("  m1: 1 file written, accepts the pair", C.COLOR_CHANGED) in shown


def test_hosts_without_an_observation_are_left_out(shown: Shown) -> None:
    lines = run({}, {"m1": {"front_proxy__observed": {"failed": True, "msg": "no"}}, "localhost": {}})
    assert lines == ["m1: FAILED: no", "Nothing was changed on any master."]
    assert shown[0] == ("m1: FAILED: no", C.COLOR_ERROR)


def test_without_a_plan_nothing_was_changed(shown: Shown) -> None:
    """Forgotten by a second call of the role, or never made."""
    assert run(None, {}) == ["Nothing was changed on any master."] == [text for text, dummy in shown]


def test_check_mode_is_heeded(shown: Shown) -> None:
    hostvars = {"m1": {"front_proxy__observed": {}, "front_proxy__applied": {"files": ["a"], "restart": "flags"}}}
    lines = run(plan(master("m1")), hostvars, check=True)
    assert "  m1: would be done: 1 file written, kube-apiserver restarted" in lines
    assert run(plan(kubeadm("m1")), {}, check=True)[0].startswith("m1: nothing to do")


def test_more_is_told_on_request(shown: Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("found: " in line for line in run(plan(kubeadm("m1")), {}))
    monkeypatch.setattr(_screen.display, "verbosity", 1)
    assert any("found: 7 of 7 flags" in line for line in run(plan(kubeadm("m1")), {}))
