# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubelet that does not run the manifest explains what else is seen of the server."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    KUBELET,
    MANIFEST,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import ids, look

ELSEWHERE = {**KUBELET, "folder": "/srv/static pods", "reads": False}
NOWHERE = {**KUBELET, "folder": "", "reads": False}
FAULTS = [([], "kubelet-not-running"), ([ELSEWHERE], "kubelet-reads-another-folder")]
Kubelets = t.Sequence[t.Mapping[str, t.Any]]


@pytest.mark.parametrize(("kubelets", "kind"), FAULTS)
def test_while_the_server_runs_it_is_a_risk(kubelets: Kubelets, kind: str) -> None:
    (found,) = look(kubeadm(kubelets=kubelets)).findings
    assert (found.kind.id, found.severity) == (kind, "at_risk")


@pytest.mark.parametrize(("kubelets", "kind"), FAULTS)
def test_it_is_why_no_server_runs(kubelets: Kubelets, kind: str) -> None:
    (found,) = look(kubeadm(kubelets=kubelets, running=False)).findings
    assert (found.kind.id, found.severity) == (kind, "broken")
    assert "kube-apiserver does not run" in found.evidence


@pytest.mark.parametrize(("kubelets", "kind"), FAULTS)
def test_it_is_why_other_flags_run(kubelets: Kubelets, kind: str) -> None:
    fake = kubeadm(kubelets=kubelets)
    fake.argv = [*fake.command, "--enable-aggregator-routing=true"]
    assert ids(look(fake)) == [kind]
    fake.kubelets = [KUBELET]
    assert ids(look(fake)) == ["process-not-as-manifest"]


@pytest.mark.parametrize(
    "kubelets",
    [[KUBELET], [ELSEWHERE, KUBELET], [{**KUBELET, "folder": None, "reads": None}], [{**ELSEWHERE, "reads": True}]],
)
def test_no_false_alarm(kubelets: Kubelets) -> None:
    assert ids(look(kubeadm(kubelets=kubelets))) == []


def test_below_a_root_nothing_is_found() -> None:
    assert ids(look(kubeadm(kubelets=[], root="/srv/image"))) == []


def test_what_a_person_must_decide() -> None:
    (found,) = look(kubeadm(kubelets=[ELSEWHERE])).findings
    assert f"put {MANIFEST} into '/srv/static pods'" in found.fix and "front_proxy_manifest of m1" in found.fix
    (found,) = look(kubeadm(kubelets=[NOWHERE])).findings
    assert "set staticPodPath to /etc/kubernetes/manifests" in found.fix and "/var/lib/kubelet/config.yaml" in found.fix
