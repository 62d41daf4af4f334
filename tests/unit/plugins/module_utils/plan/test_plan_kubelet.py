# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that no kubelet runs is not written, and a working master is not refused for what is not known."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.kubelet import (
    refuse_unread,
    unread,
    unread_warning,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import planning
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    KUBELET,
    MANIFEST,
    PKI,
    FakeMaster,
    kubeadm,
    master,
    sentence,
)

ELSEWHERE = {**KUBELET, "folder": "/srv/pods", "reads": False}
NOWHERE = {**KUBELET, "folder": "", "reads": False}
UNKNOWN = {**KUBELET, "folder": None, "told_by": "", "reads": None}
K3S = {**UNKNOWN, "program": "k3s"}
STATED = {**ELSEWHERE, "reads": True}  # it watches the folder, whatever its configuration has come to say
SIGNING = planning.folder(make_ca(), ca_key="plain")
Kubelets = t.Sequence[t.Mapping[str, t.Any]]


@pytest.mark.parametrize(
    ("kubelets", "words"),
    [
        ([], ["No kubelet runs on this host", "systemctl start kubelet", MANIFEST]),
        ([ELSEWHERE], ["/srv/pods", "/var/lib/kubelet/config.yaml", MANIFEST, "front_proxy_manifest"]),
        ([ELSEWHERE, ELSEWHERE], ["/srv/pods"]),
        ([{**ELSEWHERE, "told_by": "--pod-manifest-path"}], ["as --pod-manifest-path says"]),
        ([NOWHERE], ["no static pods", "staticPodPath to /etc/kubernetes/manifests"]),
        ([{**NOWHERE, "told_by": "its command line"}], ["its command line"]),
    ],
)
@pytest.mark.parametrize("running", [True, False])
def test_a_manifest_that_nobody_runs(kubelets: Kubelets, words: t.Sequence[str], running: bool) -> None:
    fake = master(kubelets=kubelets, running=running)
    result = planning.plan(fake)
    assert result["hosts"]["m1"]["action"] == "refused"
    sentence(result["hosts"]["m1"]["error"], *words, "nothing is written", "run again")
    assert result["waves"] == []


@pytest.mark.parametrize(
    "kubelets", [[KUBELET], [UNKNOWN], [K3S], [STATED], [ELSEWHERE, KUBELET], [NOWHERE, UNKNOWN], [ELSEWHERE, K3S]]
)
def test_what_is_not_known_refuses_nothing(kubelets: Kubelets) -> None:
    for running in (True, False):
        result = planning.plan(master(kubelets=kubelets, running=running))
        assert result["hosts"]["m1"]["action"] == "change", result["hosts"]["m1"]["error"]
        assert not [text for text in result["hosts"]["m1"]["warnings"] if "kubelet" in text]


@pytest.mark.parametrize("kubelets", [[], [ELSEWHERE], [NOWHERE]])
def test_below_a_root_nothing_runs(kubelets: Kubelets) -> None:
    fake = master(kubelets=kubelets, root="/srv/image")
    assert fake.observe()["kubelets"] is None
    assert planning.plan(fake)["hosts"]["m1"]["action"] == "change"


@pytest.mark.parametrize("kubelets", [[], [ELSEWHERE]])
def test_a_master_that_needs_nothing_is_only_warned_of(kubelets: Kubelets) -> None:
    result = planning.plan(kubeadm(kubelets=kubelets))
    assert result["hosts"]["m1"]["action"] == "nothing"
    (warning,) = result["hosts"]["m1"]["warnings"]
    sentence(warning, "kubelet", "no effect")


def test_files_that_the_running_server_takes_up_need_no_kubelet() -> None:
    result = planning.plan(kubeadm(kubelets=[]).without(f"{PKI}/front-proxy-client.key"), pki=SIGNING)
    assert result["hosts"]["m1"]["action"] == "change" and len(result["hosts"]["m1"]["warnings"]) == 1


@pytest.mark.parametrize("how", ["link", "old release", "not running"])
def test_files_that_need_a_restart_need_a_kubelet(how: str) -> None:
    fake = kubeadm(kubelets=[], running=how != "not running", release="v1.19.3" if how == "old release" else "v1.30.1")
    key = f"{PKI}/front-proxy-client.key"
    if how == "link":
        fake.files[key] = replace(fake.files[key], content="none", is_link=True)
    else:
        fake.without(key)
    result = planning.plan(fake, pki=SIGNING)
    assert result["hosts"]["m1"]["action"] == "refused" and "No kubelet" in result["hosts"]["m1"]["error"]


def test_flags_that_were_written_while_no_kubelet_ran_are_not_waited_for() -> None:
    fake = kubeadm(kubelets=[])
    fake.argv = [word for word in fake.command if "proxy-client" not in word]
    result = planning.plan(fake)
    assert result["hosts"]["m1"]["action"] == "refused"
    fake.kubelets = [KUBELET]
    assert planning.plan(fake)["hosts"]["m1"]["action"] == "wait"


def test_one_such_master_stops_its_cluster_before_anything_is_written() -> None:
    result = planning.plan(master("m1"), master("m2", kubelets=[]))
    assert [host["action"] for host in result["hosts"].values()] == ["refused", "refused"]
    assert result["hosts"]["m1"]["error"].startswith("Not begun, because m2") and result["waves"] == []


def hostile() -> FakeMaster:
    return master(kubelets=[{**ELSEWHERE, "folder": "/a\x1b[31m\n'; reboot #", "told_by": "\u202ex"}])


def test_what_a_master_says_is_shown_harmless() -> None:
    error = planning.plan(hostile())["hosts"]["m1"]["error"]
    assert error.isprintable()


def test_the_sentences() -> None:
    read = master(kubelets=[ELSEWHERE]).read()
    found = unread(read)
    assert found is not None and found.kubelet is not None and found.kubelet["folder"] == "/srv/pods"
    assert unread(master().read()) is None and unread_warning(master().read()) == ()
    with pytest.raises(PlanError, match="so nothing is written"):
        refuse_unread(read, {}, changes=True)
    refuse_unread(read, {}, changes=False)  # what runs has all flags that are wanted
