# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kube-apiserver that cannot run with its flags: the old state comes back, and nobody else is touched."""

from __future__ import annotations

import typing as t

import pytest
from conftest import Cluster

pytestmark = pytest.mark.differs

BROKEN = {"no-such-flag": "1"}


@pytest.fixture
def only_the_second(cluster: Cluster) -> t.Iterator[None]:
    """A broken flag that only m2 has."""
    cluster.give("m2", {"front_proxy_extra_flags": BROKEN})
    yield
    cluster.give("m2", {})


def test_a_broken_flag_on_the_first_master_comes_to_no_other(bare: Cluster) -> None:
    first, *others = bare.masters
    manifest = first.manifest
    before = [(master.checksums(), master.apiserver()) for master in others]
    run = bare.start(front_proxy_extra_flags=BROKEN).failed()
    assert "unknown flag: --no-such-flag" in run.words
    assert first.manifest == manifest
    first.wait_until_it_runs_its_manifest()
    assert [(master.checksums(), master.apiserver()) for master in others] == before
    assert not first.node.path("/etc/kubernetes/pki/front-proxy-client.key").exists()
    assert bare.is_clean()


def test_a_broken_flag_on_the_second_master_leaves_the_first_configured(bare: Cluster, only_the_second: None) -> None:
    first, second, third = bare.masters
    manifest = second.manifest
    untouched = third.checksums(), third.apiserver()
    run = bare.start().failed()
    assert first.apiserver().flags["requestheader-allowed-names"] == "front-proxy-client"
    assert second.manifest == manifest
    second.wait_until_it_runs_its_manifest()
    assert (third.checksums(), third.apiserver()) == untouched
    assert "unknown flag: --no-such-flag" in run.words
    summary = run.words.partition("Summary")[2]
    assert "m1: 3 files written, manifest changed, restarted and serving" in summary
    assert "m2: FAILED" in summary and "The old state is back and serves again" in summary, summary
    assert "m3: not begun" in summary, summary


def test_without_the_broken_flag_the_next_run_does_the_rest(cluster: Cluster) -> None:
    first = cluster.masters[0].apiserver()
    run = cluster.configure()
    # the CA and the pair are there already, and the first master is done
    assert run.changed["m1"] == 0 and run.changed["m2"] > 0 and run.changed["m3"] > 0
    assert cluster.masters[0].apiserver() == first
    assert cluster.configure().changed == {"m1": 0, "m2": 0, "m3": 0}
