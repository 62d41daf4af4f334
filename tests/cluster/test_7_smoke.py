# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoke test on a whole cluster: what it shows, what it tells where calls do not arrive, and what is left of it."""

from __future__ import annotations

import contextlib
import typing as t

import pytest
from conftest import Cluster
from verifying import VERIFY, paste, publish_only_what_is_held, verify, wait_until_found
from watch.master import wait_for

SHOWN = (
    "smoke test: through m1, m2, m3 an extension API server saw the certificate CN=front-proxy-client, the user "
    "kubeops:aggregation-layer:smoke-test and the groups system:masters, system:authenticated."
)
# The server runs on the first master, on a port of those that the kernel gives out; etcd and the API have others.
FIREWALL = ("ipproto", "tcp", "sport", "32768-60999", "dport", "32768-60999", "priority", "10", "prohibit")


def left(cluster: Cluster) -> str:
    """What of a smoke test is in the cluster."""
    kinds = "apiservices,services,endpoints,endpointslices"
    selector = "--selector=app.kubernetes.io/component=smoke-test"
    said = cluster.bed.kubectl("get", kinds, "--all-namespaces", selector, "--output=name")
    # newer releases warn of Endpoints
    return "\n".join(line for line in said.splitlines() if not line.startswith("Warning:"))


def servers(cluster: Cluster) -> list[str]:
    """The processes of smoke tests on the masters: nobody else runs as nobody."""
    return [
        line for master in cluster.masters for line in master.node.run("pgrep", "-u", "65534", check=False).splitlines()
    ]


def nothing_is_left(cluster: Cluster) -> None:
    """See that the objects are gone, and that the server ends, which says goodbye first."""
    assert left(cluster) == ""
    wait_for(lambda: not servers(cluster), "the server of the smoke test ends")


@pytest.fixture
def healthy(configured: Cluster) -> Cluster:
    """A cluster in which nothing of other tests is still trusted, and whose extension API servers know that."""
    publish_only_what_is_held(configured)
    wait_until_found(configured)
    return configured


@pytest.mark.differs
def test_calls_arrive_through_every_master(healthy: Cluster) -> None:
    before = [master.checksums() for master in healthy.masters]
    verified = verify(healthy, front_proxy_smoke=True, front_proxy_fail_on="untidy")
    assert verified.findings == [], verified.output
    assert SHOWN in " ".join(verified.output.split())
    nothing_is_left(healthy)
    assert [master.checksums() for master in healthy.masters] == before


def test_without_a_way_to_services_no_call_arrives(cluster: Cluster, alone: None) -> None:
    cluster.bring("kubeadm")
    publish_only_what_is_held(cluster)
    verified = verify(cluster, front_proxy_smoke=True)
    # the one finding explains why the calls do not arrive
    assert verified.ids == ["no-route-to-services"], verified.output
    assert "The smoke test does not work through m1, which the finding above explains." in verified.output
    nothing_is_left(cluster)


@contextlib.contextmanager
def firewall(cluster: Cluster) -> t.Iterator[None]:
    """For the block, the second master reaches no port of the first one but those of Kubernetes."""
    first, second, _third = cluster.masters
    second.node.run("ip", "rule", "add", "to", first.address, *FIREWALL)
    try:
        yield
    finally:
        second.node.run("ip", "rule", "delete", "to", first.address, *FIREWALL)


def test_a_firewall_between_the_masters_is_told(healthy: Cluster) -> None:
    with firewall(healthy):
        verified = verify(healthy, front_proxy_smoke=True)
    assert verified.ids == ["smoke-test-not-reached"], verified.output
    (found,) = verified.findings
    assert found["hosts"] == ["m2"] and found["fix"].startswith("let m2 connect to 10.")
    assert left(healthy) == ""


def test_what_is_left_of_a_killed_test_is_found_and_removed(healthy: Cluster) -> None:
    # so that it takes half a minute: time enough to kill it
    with firewall(healthy):
        run = healthy.ansible.start(VERIFY, front_proxy_smoke=True)
        wait_for(lambda: left(healthy), "the smoke test's objects")
        run.kill()
    # the controller is gone; the server would remove all of it when its time is over, if it were not killed as well
    assert servers(healthy)
    healthy.masters[0].node.run("pkill", "-KILL", "-u", "65534")
    assert left(healthy)
    (found,) = wait_until_found(healthy, "smoke-test-left-over").findings
    paste(healthy, found["fix"])
    nothing_is_left(healthy)
    wait_until_found(healthy)
