# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a cluster of nodes with kubeadm: the first one inits, the others join as masters."""

from __future__ import annotations

import json
import typing as t

from releases import Release

from bed.node import Node
from bed.places import REGISTRY
from bed.shell import BedError

__all__ = ["init", "join"]

CONFIGURATION = "/etc/kubeadm.json"
PATCHES = "/etc/kubeadm.patches"
GRACE_SECONDS = 2
PORT = 6443
SOCKET = "/run/containerd/containerd.sock"


def _registration(node: Node, release: Release) -> dict[str, t.Any]:
    flags: t.Any = {"node-ip": node.address}
    if release.kubeadm_api not in ("v1beta2", "v1beta3"):
        flags = [{"name": name, "value": value} for name, value in flags.items()]
    return {"name": node.name, "criSocket": release.socket_address(SOCKET), "kubeletExtraArgs": flags}


def _patches(node: Node, release: Release) -> dict[str, t.Any]:
    """Let kubeadm give kube-apiserver seconds to end, and not half a minute: there are a hundred restarts.

    A kubelet that waits for the old pod waits for its whole grace period: kube-apiserver keeps its watches to the end.
    """
    if not release.waits_for_the_old_pod:
        return {}
    node.path(PATCHES).mkdir(exist_ok=True)
    patch = {"spec": {"terminationGracePeriodSeconds": GRACE_SECONDS}}
    (node.path(PATCHES) / "kube-apiserver+merge.json").write_text(json.dumps(patch), encoding="utf-8")
    return {"patches": {"directory": PATCHES}}


def _kubeadm(node: Node, *command: str, documents: t.Sequence[t.Mapping[str, t.Any]]) -> None:
    # a JSON document is a YAML document
    text = "\n---\n".join(json.dumps(document) for document in documents)
    node.path(CONFIGURATION).write_text(text, encoding="utf-8")
    node.run("kubeadm", *command, f"--config={CONFIGURATION}", "--ignore-preflight-errors=all", seconds=400)


def init(node: Node, release: Release) -> None:
    """Make the cluster's first master. Without kube-proxy, and without a pod network: pods use their node's."""
    endpoint = {"advertiseAddress": node.address, "bindPort": PORT}
    documents: list[dict[str, t.Any]] = [
        {
            "apiVersion": f"kubeadm.k8s.io/{release.kubeadm_api}",
            "kind": "InitConfiguration",
            "localAPIEndpoint": endpoint,
            "nodeRegistration": _registration(node, release),
            **_patches(node, release),
        },
        {
            "apiVersion": f"kubeadm.k8s.io/{release.kubeadm_api}",
            "kind": "ClusterConfiguration",
            "kubernetesVersion": release.tag,
            "imageRepository": REGISTRY,
            "controlPlaneEndpoint": f"{node.address}:{PORT}",
            "networking": {"podSubnet": "10.244.0.0/16", "serviceSubnet": "10.96.0.0/16"},
        },
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            **release.kubelet_configuration,
        },
    ]
    _kubeadm(node, "init", "--skip-phases=preflight,addon", documents=documents)


def join(node: Node, first: Node, release: Release) -> None:
    """Let a node join as a master; the keys come by way of the cluster, as kubeadm's documentation has it."""
    command = first.run("kubeadm", "token", "create", "--print-join-command").split()
    token = command[command.index("--token") + 1]
    hashed = command[command.index("--discovery-token-ca-cert-hash") + 1]
    uploaded = first.run("kubeadm", "init", "phase", "upload-certs", "--upload-certs").split()
    key = uploaded[-1]
    if len(key) != 64:
        raise BedError(f"kubeadm did not say with which key it uploaded the certificates: {' '.join(uploaded)}")
    document = {
        "apiVersion": f"kubeadm.k8s.io/{release.kubeadm_api}",
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {
                "apiServerEndpoint": f"{first.address}:{PORT}",
                "token": token,
                "caCertHashes": [hashed],
            }
        },
        "controlPlane": {
            "certificateKey": key,
            "localAPIEndpoint": {"advertiseAddress": node.address, "bindPort": PORT},
        },
        "nodeRegistration": _registration(node, release),
        **_patches(node, release),
    }
    _kubeadm(node, "join", "--skip-phases=preflight", documents=[document])
