# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter front_proxy_summary: it finds what the role's tasks kept for each host."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.filter.front_proxy_summary import (
    FilterModule,
    front_proxy_down,
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


def test_who_does_not_serve_after_a_change_was_finished() -> None:
    well = {"answers": True, "ready": True, "reload_hook": True, "error": None}
    probes: t.Dict[str, t.Any] = {
        "well": well,
        "forbids": {**well, "ready": False, "reload_hook": None},
        "gone": None,
        "silent": {**well, "answers": False, "error": "refused"},
        "unready": {**well, "ready": False},
    }
    hostvars: t.Dict[str, t.Any] = {
        name: {"front_proxy__observed": {"root": "", "probe": probe}, "front_proxy__recovered": {"recovered": "x"}}
        for name, probe in probes.items()
    }
    down = {**well, "answers": False}
    # nothing was finished there, or nothing runs below a root
    hostvars["untouched"] = {"front_proxy__observed": {"root": "", "probe": down}, "front_proxy__recovered": None}
    hostvars["image"] = {"front_proxy__observed": {"root": "/i", "probe": None}, "front_proxy__recovered": {"a": 1}}
    hostvars["failed"] = {**hostvars["well"], "front_proxy__recovered": {"failed": True, "msg": "no"}}
    hostvars["lost"] = {}
    playing = [name for name in hostvars if name != "lost"]
    begin = "of the same cluster a change that was cut off has been finished, and"
    assert front_proxy_down(list(hostvars), hostvars, REGISTERED, playing) == [
        "lost of the same cluster failed",
        "failed of the same cluster failed",
        f"on gone {begin} no kube-apiserver is running",
        f"on silent {begin} its kube-apiserver does not answer (refused)",
        f"on unready {begin} its kube-apiserver says that it is not ready",
    ]
