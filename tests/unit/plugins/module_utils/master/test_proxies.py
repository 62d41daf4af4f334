# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What steers the connections of a kube-apiserver, read from its process and its files."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.network import (
    DIRECT,
    NO_SELECTION,
    TUNNEL,
    UNKNOWN,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import Process
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.proxies import (
    egress_of,
    pod_networks,
    proxy_environment,
    selected_for_cluster,
)


def test_of_a_process_only_its_proxies_are_told() -> None:
    given = {
        "HTTPS_PROXY": "http://user:hunter2@proxy:3128",
        "http_proxy": "",
        "NO_PROXY": "10.0.0.0/8,http://user:hunter2@x",
        "no_proxy": "x",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "ALL_PROXY": "http://user:hunter2@proxy:3128",
    }
    running = subprocess.Popen(["sh", "-c", "read dummy"], stdin=subprocess.PIPE, env=given)
    try:
        deadline = time.monotonic() + 20
        while not proxy_environment(running.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        found = proxy_environment(running.pid)
    finally:
        running.kill()
        running.wait()
    assert found == {
        "HTTPS_PROXY": "http://proxy:3128",
        "http_proxy": "",
        "NO_PROXY": "10.0.0.0/8",
        "no_proxy": "x",
    }
    assert proxy_environment(running.pid) == {}


def test_of_two_the_first_one_counts(tmp_path: Path) -> None:
    (tmp_path / "7").mkdir()
    raw = b"HTTPS_PROXY=a\0HTTPS_PROXY=b\0odd\0=\0NO_PROXY=\xff\0\0"
    (tmp_path / "7" / "environ").write_bytes(raw)
    found = proxy_environment(7, proc=str(tmp_path))
    assert found == {"HTTPS_PROXY": "http://a", "NO_PROXY": os.fsdecode(b"\xff")}


HEAD = "apiVersion: apiserver.k8s.io/v1beta1\nkind: EgressSelectorConfiguration\n"
GRPC = "proxyProtocol: GRPC, transport: {uds: {udsName: /x/konnectivity-server.socket}}"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"egressSelections:\n- name: cluster\n  connection: {{{GRPC}}}\n", TUNNEL),
        ("egressSelections:\n- name: cluster\n  connection:\n    proxyProtocol: GRPC\n", TUNNEL),
        ("egressSelections:\n  - connection:\n      proxyProtocol: HTTPConnect\n    name: Cluster\n", TUNNEL),
        ("egressSelections:\n- name: cluster\n  connection:\n    proxyProtocol: Direct\n", DIRECT),
        ("egressSelections:\n- name: etcd\n  connection:\n    proxyProtocol: GRPC\n", NO_SELECTION),
        (
            "egressSelections:\n- name: etcd\n  connection:\n    proxyProtocol: Direct\n"
            "- connection:\n    proxyProtocol: GRPC\n  name: cluster\n",
            TUNNEL,
        ),
        (
            "egressSelections:\n- connection:\n    proxyProtocol: GRPC\n  name: controlplane\n"
            "- name: cluster\n  connection:\n    proxyProtocol: Direct\n",
            DIRECT,
        ),
        (
            "egressSelections:\n# - name: cluster\n- name: etcd # cluster\n  connection: {proxyProtocol: GRPC}",
            NO_SELECTION,
        ),
        ('{"egressSelections":[{"name":"cluster","connection":{"proxyProtocol":"GRPC"}}]}', TUNNEL),
        ('{"egressSelections": [{"connection": {"proxyProtocol": "Direct"}, "name": "cluster"}]}', DIRECT),
        ("'egressSelections':\n- 'name': 'cluster'\n  connection: {'proxyProtocol': 'GRPC'}\n", TUNNEL),
        (
            "egressSelections:\n- name: cluster\n  connection:\n    transport:\n      tcp:\n"
            "        url: https://127.0.0.1:8131\n        tlsConfig: {tlsServerName: etcd}\n"
            "    proxyProtocol: HTTPConnect\n",
            TUNNEL,
        ),
        ("egressSelections: []\n", NO_SELECTION),
        ("", NO_SELECTION),
    ],
)
def test_how_the_cluster_is_reached(text: str, kind: str) -> None:
    assert selected_for_cluster(text if text.startswith("{") else HEAD + text) == kind


def test_the_file_of_the_flag(tmp_path: Path) -> None:
    (tmp_path / "egress.yaml").write_text(f"{HEAD}egressSelections:\n- name: cluster\n  connection: {{{GRPC}}}\n")
    flag = "--egress-selector-config-file"
    assert egress_of(["kube-apiserver"], "") is None
    assert egress_of(["kube-apiserver", f"{flag}=/egress.yaml"], str(tmp_path)) == {
        "path": "/egress.yaml",
        "cluster": TUNNEL,
    }
    for path in ("/absent.yaml", "/"):
        assert egress_of(["kube-apiserver", flag, path], str(tmp_path)) == {"path": path, "cluster": UNKNOWN}
    assert selected_for_cluster("root:x:0:0") == UNKNOWN


def test_the_networks_of_pods() -> None:
    argvs = [
        ["kube-controller-manager", "--cluster-cidr=10.244.0.0/16,fd00:10:244::/56", "--leader-elect=true"],
        ["/usr/local/bin/kube-proxy", "--cluster-cidr=10.244.0.0/16"],
        ["kube-controller-manager", "--cluster-cidr=odd,"],
        ["grep", "--cluster-cidr=10.1.0.0/16"],
        ["kube-apiserver", "--service-cluster-ip-range=10.96.0.0/12"],
    ]
    processes = [Process(number, tuple(argv), 1) for number, argv in enumerate(argvs)]
    assert pod_networks(processes) == ["10.244.0.0/16", "fd00:10:244::/56"]
    assert pod_networks([]) == []


def test_the_pods_of_a_nested_cluster_are_not_ours(tmp_path: Path) -> None:
    for name, network in (("self", "net:[1]"), ("7", "net:[1]"), ("8", "net:[2]")):
        (tmp_path / name / "ns").mkdir(parents=True)
        (tmp_path / name / "ns" / "net").symlink_to(network)
    words = [("kube-controller-manager", f"--cluster-cidr=10.{number}.0.0/16") for number in (7, 8, 9)]
    processes = [Process(number, argv, 1) for number, argv in zip((7, 8, 9), words)]
    # the one of which nothing is known any more may be ours
    assert pod_networks(processes, proc=str(tmp_path)) == ["10.7.0.0/16", "10.9.0.0/16"]
