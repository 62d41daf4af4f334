# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that never had an aggregation layer gets one, while clients ask it twenty times a second."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass
from functools import partial

import pytest
from conftest import Cluster
from cryptography import x509
from watch.absence import Absences, Sample, Span, away_for_sure, most_at_once
from watch.balancer import Follower, LoadBalancer
from watch.extension import SampleApiServer
from watch.master import ApiServer, wait_for
from watch.playbook import Run

FLAGS = {
    "requestheader-client-ca-file": "/etc/kubernetes/pki/front-proxy-ca.crt",
    "requestheader-allowed-names": "front-proxy-client",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-username-headers": "X-Remote-User",
    "proxy-client-cert-file": "/etc/kubernetes/pki/front-proxy-client.crt",
    "proxy-client-key-file": "/etc/kubernetes/pki/front-proxy-client.key",
    # there is no kube-proxy in this cluster
    "enable-aggregator-routing": "true",
}

pytestmark = pytest.mark.differs


@dataclass
class Roll:
    """What came of the first run on bare masters."""

    run: Run
    before: dict[str, ApiServer]
    pods: dict[str, set[str]]
    after: dict[str, ApiServer]
    seen: Follower
    absences: Absences


@pytest.fixture(scope="module")
def roll(whole_cluster: Cluster) -> Roll:
    """Strip the cluster, and configure it while a client asks through a load balancer."""
    cluster = whole_cluster
    cluster.strip()
    before = {master.name: master.apiserver() for master in cluster.masters}
    pods = {master.name: master.pods() for master in cluster.masters}
    # in the network of the third node: it has to be somewhere
    balancer = LoadBalancer(cluster.masters[2].node, cluster.masters)
    try:
        with Follower(cluster.client, balancer.address, balancer.port) as seen, Absences(cluster.masters) as absences:
            time.sleep(2)
            run = cluster.configure()
            time.sleep(2)
    finally:
        balancer.stop()
    cluster.keep("configured")
    after = {master.name: master.apiserver() for master in cluster.masters}
    return Roll(run, before, pods, after, seen, absences)


def test_every_apiserver_runs_with_the_flags(cluster: Cluster, roll: Roll) -> None:
    for name, server in roll.after.items():
        assert {flag: server.flags.get(flag) for flag in FLAGS} == FLAGS, name


def test_every_apiserver_was_restarted_once(cluster: Cluster, roll: Roll) -> None:
    for master in cluster.masters:
        before, after = roll.before[master.name], roll.after[master.name]
        assert before.start < after.start
        # one new pod, and of it one container that served, with the last log
        assert master.pods() - roll.pods[master.name] == {after.pod}
        folder = f"/var/log/pods/kube-system_kube-apiserver-{master.name}_{after.pod}/kube-apiserver"
        logs = sorted(master.node.path(folder).iterdir(), key=lambda path: int(path.stem))
        # the kubelet of 1.20 can be too quick: the old server still holds the port, and the first start fails at once
        assert all("address already in use" in path.read_text(encoding="utf-8") for path in logs[:-1])
        assert len(logs) <= 3


def test_no_master_is_begun_before_the_last_is_ready(roll: Roll) -> None:
    told = "\n".join(roll.absences.told(name) for name in roll.after)
    restarts = [roll.absences.around(name, server.started) for name, server in roll.after.items()]
    known = [span for span in restarts if span]
    assert len(known) == len(restarts), told
    assert most_at_once(known) == 1, told


def test_two_at_once_would_be_seen() -> None:
    def away(begin: int, end: int) -> list[Span]:
        return away_for_sure([Sample(at, at + 0.5, "gone" if begin <= at < end else "") for at in range(10)])

    assert most_at_once(away(1, 4) + away(3, 9)) == 1  # at 3 the first may have been back already
    assert most_at_once(away(1, 6) + away(3, 9) + away(0, 0)) == 2
    assert away_for_sure([Sample(0, 3, "gone")]) == []


def test_clients_of_a_load_balancer_lost_nothing(roll: Roll, remark: t.Callable[[str], None]) -> None:
    remark(f"first run on bare masters, through the load balancer: {roll.seen}")
    assert roll.seen.asked > 200
    assert not roll.seen.lost, roll.seen


def test_all_masters_got_the_same_ca_and_pair(cluster: Cluster, roll: Roll) -> None:
    for name in ("front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key"):
        assert len({master.digest(name) for master in cluster.masters}) == 1, name
    for master in cluster.masters:
        assert not master.node.path("/etc/kubernetes/pki/front-proxy-ca.key").exists()
    assert cluster.is_clean()


def test_the_cluster_publishes_our_ca_and_names(cluster: Cluster, roll: Roll) -> None:
    published = json.loads(
        cluster.bed.kubectl(
            *("--namespace=kube-system", "get", "configmap", "extension-apiserver-authentication", "--output=json")
        )
    )["data"]
    ours = x509.load_pem_x509_certificate(cluster.masters[0].read("front-proxy-ca.crt"))
    assert ours in x509.load_pem_x509_certificates(published["requestheader-client-ca-file"].encode())
    assert json.loads(published["requestheader-allowed-names"]) == ["front-proxy-client"]
    assert json.loads(published["requestheader-username-headers"]) == ["X-Remote-User"]


def test_flunders_are_served_through_every_master(cluster: Cluster, roll: Roll, flunders: SampleApiServer) -> None:
    for master in cluster.masters:
        wait_for(
            partial(flunders.answers_through, cluster.client, master.address),
            f"flunders through {master.name}\n{flunders.log}",
        )
        said = cluster.bed.kubectl("get", "flunders", node=master.node)
        assert "No resources found" in said
    # the user came all the way
    expected = {cluster.bed.parts.release.administrators, "system:authenticated"}
    callers = flunders.callers()
    assert len(callers) >= 6
    assert {user for user, _groups in callers} == {"kubernetes-admin"}
    assert all(set(groups) == expected for _user, groups in callers)


# sample-apiserver of 1.37 is not ready for writes here at once, and nobody knows yet what it waits for
@pytest.mark.before(37)
def test_an_object_made_through_one_master_is_seen_through_all(
    cluster: Cluster, roll: Roll, flunders: SampleApiServer
) -> None:
    first, *_others = cluster.masters
    flunder = {"apiVersion": "wardle.example.com/v1alpha1", "kind": "Flunder", "metadata": {"name": "one"}}
    cluster.bed.kubectl("create", "--filename=-", given=json.dumps(flunder), node=first.node)
    for master in cluster.masters:
        said = cluster.bed.kubectl("get", "flunders", "--output=name", node=master.node).splitlines()
        # newer sample-apiservers warn of their own kind
        shown = [line for line in said if not line.startswith("Warning:")]
        assert shown == ["flunder.wardle.example.com/one"]


def test_a_second_run_changes_nothing_and_restarts_nothing(cluster: Cluster, roll: Roll) -> None:
    sums = [master.checksums() for master in cluster.masters]
    second = cluster.configure()
    assert second.changed == {"m1": 0, "m2": 0, "m3": 0}
    assert [master.checksums() for master in cluster.masters] == sums
    assert {master.name: master.apiserver() for master in cluster.masters} == roll.after


def test_check_mode_foretells_the_roll(cluster: Cluster, roll: Roll) -> None:
    cluster.bring("bare")
    sums = [master.checksums() for master in cluster.masters]
    # as the first run did: a controller that knows nothing yet
    foretold = cluster.configure("--check", "--diff", pki="foretold")
    assert foretold.changed == roll.run.changed
    assert [master.checksums() for master in cluster.masters] == sums
    assert not (cluster.folder / "foretold").exists()
