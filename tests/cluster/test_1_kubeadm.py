# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster as kubeadm made it: almost all is right already, and kubeadm's own commands go on working."""

from __future__ import annotations

import re

import pytest
from conftest import Cluster
from cryptography import x509

ROUTING = "    - --enable-aggregator-routing=true\n"
PAIR = "front-proxy-client.crt"

pytestmark = pytest.mark.differs


def test_nothing_changes_but_routing(cluster: Cluster) -> None:
    before = [(master.apiserver(), master.manifest, master.checksums()) for master in cluster.masters]
    run = cluster.configure()
    for master, (server, manifest, sums) in zip(cluster.masters, before, strict=True):
        # there is no kube-proxy here, so the one flag that kubeadm does not set is needed
        assert master.manifest.count(ROUTING) == 1
        assert master.manifest.replace(ROUTING, "") == manifest
        changed = {path for path, found in master.checksums().items() if sums.get(path) != found}
        assert {path for path in changed if "/front-proxy-backup/" not in path} == {
            "/etc/kubernetes/manifests/kube-apiserver.yaml"
        }
        now = master.apiserver()
        assert now.pod != server.pod and now.flags["enable-aggregator-routing"] == "true"
    assert run.recap["m1"].failed == 0 and cluster.is_clean()


def test_kubeadm_finds_its_certificates_and_renews_the_pair(cluster: Cluster) -> None:
    before = {master.name: master.apiserver() for master in cluster.masters}
    for master in cluster.masters:
        old = x509.load_pem_x509_certificate(master.read(PAIR))
        said = master.node.run("kubeadm", "certs", "check-expiration")
        assert re.search(r"^front-proxy-client .* no *$", said, re.MULTILINE), said
        assert re.search(r"^front-proxy-ca .* no *$", said, re.MULTILINE), said
        # newer releases want a super-admin.conf, too, and only the first master has one
        assert not [line for line in said.splitlines() if "MISSING" in line and "super-admin.conf" not in line], said
        master.node.run("kubeadm", "certs", "renew", "front-proxy-client")
        assert x509.load_pem_x509_certificate(master.read(PAIR)).serial_number != old.serial_number
    renewed = [master.read(PAIR) for master in cluster.masters]

    # what kubeadm renewed is right, whoever made it
    run = cluster.configure()
    assert run.changed == {"m1": 0, "m2": 0, "m3": 0}
    assert [master.read(PAIR) for master in cluster.masters] == renewed
    assert {master.name: master.apiserver() for master in cluster.masters} == before
