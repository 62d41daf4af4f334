# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who failed, and whose server is down, by what the role's tasks kept for each host."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.filter.front_proxy_failed import (
    front_proxy_down,
    front_proxy_failed,
)

REGISTERED = {part: f"front_proxy__{part}" for part in ("observed", "recovered", "ca", "client", "applied", "proof")}


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
