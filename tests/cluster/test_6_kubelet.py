# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest that no kubelet runs is not written, and the real kubelets of the cluster are known for what they read."""

from __future__ import annotations

import time
import typing as t

import pytest
from conftest import Cluster
from verifying import paste, publish_only_what_is_held, verify, wait_until_found
from watch.master import MANIFEST, Master, wait_for

COPY = "/srv/copy/kube-apiserver.yaml"
# pid 1 of a node starts the kubelet where it finds this file
SETTINGS = "/var/lib/kubelet/kubeadm-flags.env"
SYSTEMCTL = f"""\
#!/bin/sh
[ "$*" = "start kubelet" ] && mv {SETTINGS}.off {SETTINGS}
"""


@pytest.fixture
def second(configured: Cluster) -> Master:
    """m2 of a cluster that is configured and has no finding."""
    publish_only_what_is_held(configured)
    wait_until_found(configured)
    return configured.masters[1]


@pytest.fixture
def stopped(second: Master) -> t.Iterator[Master]:
    """m2 without its kubelet, which the usual command starts."""
    tool = second.node.path("/usr/local/bin/systemctl")
    tool.write_text(SYSTEMCTL, encoding="utf-8")
    tool.chmod(0o755)
    second.node.run("sh", "-c", f"mv {SETTINGS} {SETTINGS}.off; pkill -KILL -x kubelet")
    yield second
    second.node.run("sh", "-c", f"[ ! -e {SETTINGS}.off ] || mv {SETTINGS}.off {SETTINGS}")
    tool.unlink()
    wait_for(lambda: second.node.succeeds("pgrep", "-x", "kubelet"), "m2 has a kubelet")


def refused(cluster: Cluster, *words: str) -> None:
    """See that a change is refused before anything is written, and within a minute."""
    sums = [master.checksums() for master in cluster.masters]
    servers = [master.apiserver() for master in cluster.masters]
    began = time.monotonic()
    run = cluster.start(front_proxy_extra_flags={"v": "3"}).failed()
    assert time.monotonic() - began < 60
    assert [word for word in words if word not in run.words] == [], run.output
    assert [master.checksums() for master in cluster.masters] == sums
    assert [master.apiserver() for master in cluster.masters] == servers


def test_a_kubelet_that_does_not_run(configured: Cluster, stopped: Master, alone: None) -> None:
    (found,) = verify(configured).findings
    assert found["id"] == "kubelet-not-running" and found["hosts"] == ["m2"]
    assert found["severity"] == "at_risk"  # kube-apiserver runs on
    refused(configured, "No kubelet runs on this host", MANIFEST)
    # where nothing is to be changed, nothing is refused
    assert set(configured.configure().changed.values()) == {0}
    paste(configured, found["fix"])
    wait_for(lambda: stopped.node.succeeds("pgrep", "-x", "kubelet"), "m2 has a kubelet")
    wait_until_found(configured)


def test_a_kubelet_and_the_server_that_do_not_run(configured: Cluster, stopped: Master, alone: None) -> None:
    stopped.node.run("pkill", "-KILL", "-x", "kube-apiserver")
    wait_for(lambda: not stopped.apiservers(), "kube-apiserver of m2 has ended")
    (found,) = [each for each in verify(configured).findings if "m2" in each["hosts"]]
    assert found["id"] == "kubelet-not-running" and found["severity"] == "broken"
    paste(configured, found["fix"])
    configured.wait_until_ready()
    wait_until_found(configured)


def test_a_copy_of_the_manifest_that_nobody_runs(configured: Cluster, second: Master, alone: None) -> None:
    second.node.run("sh", "-c", f"mkdir -p $(dirname {COPY}) && cp -p {MANIFEST} {COPY}")
    configured.give("m2", {"front_proxy_manifest": COPY})
    try:
        (found,) = verify(configured).findings
        assert found["id"] == "kubelet-reads-another-folder" and found["hosts"] == ["m2"]
        assert "set front_proxy_manifest of m2" in found["fix"] and MANIFEST.rpartition("/")[0] in found["fix"]
        refused(configured, "/etc/kubernetes/manifests (as /var/lib/kubelet/config.yaml says)", COPY)
    finally:
        configured.give("m2", {})
        second.node.run("rm", "-r", COPY.rpartition("/")[0])
    wait_until_found(configured)
