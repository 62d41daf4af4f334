# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter front_proxy_summary: it finds what the role's tasks kept for each host."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.filter.front_proxy_summary import (
    FilterModule,
    front_proxy_failed,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import plan
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm, master

REGISTERED = {part: f"front_proxy__{part}" for part in ("observed", "recovered", "ca", "client", "applied", "proof")}


def summary(done: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any], checking: bool = False) -> t.List[str]:
    lines: t.List[str] = FilterModule().filters()["front_proxy_summary"](done, hostvars, REGISTERED, checking)
    return lines


def test_results_are_found_under_the_names_of_the_role() -> None:
    hostvars = {
        "m1": {
            "front_proxy__observed": {},
            "front_proxy__applied": {"files": ["a"], "manifest_changed": False},
            "front_proxy__proof": {"root": "", "probe": {"accepted": True}, "files": {}},
        },
        "m2": {"front_proxy__observed": {}},
    }
    lines = summary(plan(master("m1"), master("m2")), hostvars)
    assert "  m1: 1 file written, accepts the pair" in lines and "  m2: not begun" in lines


def test_hosts_without_an_observation_are_left_out() -> None:
    lines = summary({}, {"m1": {"front_proxy__observed": {"failed": True, "msg": "no"}}, "localhost": {}})
    assert lines == ["m1: FAILED: no", "Nothing was changed on any master."]


def test_check_mode_is_passed_on() -> None:
    hostvars = {"m1": {"front_proxy__observed": {}, "front_proxy__applied": {"files": ["a"], "restart": "flags"}}}
    assert "  m1: would be done: 1 file written, kube-apiserver restarted" in summary(
        plan(master("m1")), hostvars, True
    )
    assert summary(plan(kubeadm("m1")), {}, True)[1] == "  m1: nothing to do"


def test_who_failed_is_known_even_if_the_play_has_rescued_it() -> None:
    hostvars = {
        "m1": {"front_proxy__applied": {"failed": True, "msg": "no"}},
        "m2": {"front_proxy__applied": {"failed": False}},
        "m3": {"front_proxy__recovered": {"unreachable": True}},
        "m4": {},
    }
    assert front_proxy_failed(["m1", "m2", "m3", "m4"], hostvars, REGISTERED) == ["m1", "m3"]
