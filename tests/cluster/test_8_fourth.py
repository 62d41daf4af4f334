# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fourth master joins with kubeadm after the role ran: the next run brings it in, and touches no other."""

from __future__ import annotations

import pytest
from bed import kubeadm
from conftest import Cluster
from watch.extension import SampleApiServer
from watch.master import wait_for


@pytest.mark.differs
def test_a_fourth_master_gets_the_same_ca_and_no_other_is_touched(
    configured: Cluster, flunders: SampleApiServer
) -> None:
    first, *_others = configured.masters
    # as docs/guides/kubeadm.md has it: the role made the CA, and kubeadm needs its key where it uploads certificates
    key = (configured.folder / "pki" / "kubernetes" / "front-proxy-ca.key").read_text(encoding="ascii")
    first.node.run("sh", "-c", "umask 077; cat > /etc/kubernetes/pki/front-proxy-ca.key", given=key)
    assert configured.configure().changed == {"m1": 0, "m2": 0, "m3": 0}
    node = configured.bed.add_node()
    kubeadm.join(node, configured.bed.nodes[0], configured.bed.parts.release)
    fourth = configured.adopt(node)
    fourth.wait_until_it_runs_its_manifest()
    before = [(master.checksums(), master.apiserver()) for master in configured.masters[:3]]

    run = configured.configure()

    assert {name: changed for name, changed in run.changed.items() if name != "m4"} == {"m1": 0, "m2": 0, "m3": 0}
    assert run.changed["m4"] > 0
    assert [(master.checksums(), master.apiserver()) for master in configured.masters[:3]] == before
    assert fourth.read("front-proxy-ca.crt") == first.read("front-proxy-ca.crt")
    # kubeadm made it a pair of its own, which is as good as ours
    assert fourth.read("front-proxy-client.crt") != first.read("front-proxy-client.crt")
    wait_for(lambda: flunders.answers_through(configured.client, fourth.address), "flunders through m4")
    assert configured.configure().changed == {"m1": 0, "m2": 0, "m3": 0, "m4": 0}
