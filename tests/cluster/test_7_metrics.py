# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why most people come here: `kubectl top nodes` on a cluster that never had the aggregation layer."""

from __future__ import annotations

import re

import pytest
from bed.shell import BedError
from conftest import Cluster
from releases import Release
from verifying import publish_only_what_is_held, wait_until_found
from watch.master import wait_for
from watch.metrics import MetricsServer

pytestmark = [pytest.mark.differs, pytest.mark.since(27)]


def top(cluster: Cluster, number: int) -> dict[str, str]:
    """What `kubectl top nodes` shows through one master: by node, how much memory it uses."""
    try:
        said = cluster.bed.kubectl("top", "nodes", "--no-headers", node=cluster.bed.nodes[number])
    except BedError:
        return {}
    lines = [line.split() for line in said.splitlines()]
    return {words[0]: words[3] for words in lines if len(words) == 5 and re.fullmatch(r"\d+m", words[1])}


def test_kubectl_top_shows_numbers_after_one_run(bare: Cluster, alone: None, release: Release) -> None:
    names = {master.name for master in bare.masters}
    with MetricsServer(bare.bed) as server:
        assert [top(bare, number) for number in range(len(names))] == [{}] * len(names)
        before = {master.name: master.apiserver() for master in bare.masters}

        run = bare.configure()

        assert all(changed > 0 for changed in run.changed.values())
        after = {master.name: master.apiserver() for master in bare.masters}
        assert all(after[name] != before[name] for name in names)
        wait_for(server.is_ready, f"metrics-server is ready: {server.log()}", seconds=180)
        for number in range(len(names)):
            wait_for(lambda number=number: set(top(bare, number)) == names, f"numbers through m{number + 1}")
        assert all(re.fullmatch(r"[1-9]\d*Mi", shown) for shown in top(bare, 0).values())
        # the CA that kubeadm had made stays published
        publish_only_what_is_held(bare)
        wait_until_found(bare, *["metrics-v1-not-registered"] * (release.minor >= 37))
        assert set(bare.configure().changed.values()) == {0}
        assert {master.name: master.apiserver() for master in bare.masters} == after
