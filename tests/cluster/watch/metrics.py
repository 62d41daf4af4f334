# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics-server, as its users run it: the pod of a Deployment, which asks the kubelets, behind an APIService.

What it may do is what its own components.yaml grants. What differs is the testbed's: there is no pod network, so the
pod uses its node's; there is no kube-proxy, so it is told the address of a kube-apiserver; kubelets have certificates
that they signed themselves.
"""

from __future__ import annotations

import json
import typing as t

from bed.testbed import Testbed

__all__ = ["MetricsServer"]

NAME, NAMESPACE = "metrics-server", "kube-system"
PORT = 4443  # 10250 is the kubelet's
RBAC = "rbac.authorization.k8s.io"
ACCOUNT = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}


def _bound(kind: str, name: str, role_kind: str, role: str) -> dict[str, t.Any]:
    metadata = {"name": name, **({"namespace": NAMESPACE} if kind == "RoleBinding" else {})}
    reference = {"apiGroup": RBAC, "kind": role_kind, "name": role}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": kind,
        "metadata": metadata,
        "roleRef": reference,
        "subjects": [ACCOUNT],
    }


def _container(image: str) -> dict[str, t.Any]:
    host = {"valueFrom": {"fieldRef": {"fieldPath": "status.hostIP"}}}
    return {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "Never",
        "args": [
            "--cert-dir=/tmp",
            f"--secure-port={PORT}",
            "--kubelet-preferred-address-types=InternalIP",
            "--kubelet-use-node-status-port",
            "--kubelet-insecure-tls",
            "--metric-resolution=15s",
        ],
        "env": [
            {"name": "KUBERNETES_SERVICE_HOST", **host},
            {"name": "KUBERNETES_SERVICE_PORT", "value": "6443"},
        ],
        "readinessProbe": {
            "httpGet": {"path": "/readyz", "port": PORT, "scheme": "HTTPS"},
            "periodSeconds": 2,
        },
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "readOnlyRootFilesystem": True},
        "volumeMounts": [{"name": "tmp-dir", "mountPath": "/tmp"}],
    }


def _objects(image: str) -> list[dict[str, t.Any]]:
    placed = {"name": NAME, "namespace": NAMESPACE}
    labels = {"k8s-app": NAME}
    readable = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods", "nodes"], "verbs": readable},
    ]
    pod = {
        "serviceAccountName": NAME,
        "hostNetwork": True,
        "tolerations": [{"operator": "Exists"}],
        "containers": [_container(image)],
        "volumes": [{"name": "tmp-dir", "emptyDir": {}}],
    }
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": placed},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "ClusterRole",
            "metadata": {"name": f"system:{NAME}"},
            "rules": rules,
        },
        _bound("ClusterRoleBinding", f"system:{NAME}", "ClusterRole", f"system:{NAME}"),
        _bound("ClusterRoleBinding", f"{NAME}:system:auth-delegator", "ClusterRole", "system:auth-delegator"),
        _bound("RoleBinding", f"{NAME}-auth-reader", "Role", "extension-apiserver-authentication-reader"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": placed,
            "spec": {"selector": labels, "ports": [{"name": "https", "port": 443, "targetPort": PORT}]},
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": placed,
            "spec": {
                "selector": {"matchLabels": labels},
                "strategy": {"type": "Recreate"},
                "template": {"metadata": {"labels": labels}, "spec": pod},
            },
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": "v1beta1.metrics.k8s.io"},
            "spec": {
                "group": "metrics.k8s.io",
                "version": "v1beta1",
                "service": placed,
                "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
            },
        },
    ]


class MetricsServer:
    """Deployed while the block lasts."""

    def __init__(self, bed: Testbed) -> None:
        self._bed = bed
        self._list = json.dumps({"apiVersion": "v1", "kind": "List", "items": _objects(bed.parts.metrics_server)})

    def __enter__(self) -> MetricsServer:
        self._bed.kubectl("apply", "--filename=-", given=self._list)
        return self

    def __exit__(self, *_exc: object) -> None:
        # first the APIService: while it leads nowhere, no namespace of the cluster can be deleted
        self._bed.kubectl("delete", "apiservice", "v1beta1.metrics.k8s.io", "--ignore-not-found", check=False)
        self._bed.kubectl("delete", "--filename=-", "--ignore-not-found", given=self._list, check=False)

    def is_ready(self) -> bool:
        """Whether its pod says so: it has read something of a kubelet."""
        options = ("--namespace", NAMESPACE, "--output=jsonpath={.status.readyReplicas}")
        return self._bed.kubectl("get", "deployment", NAME, *options, check=False).strip() == "1"

    def log(self) -> str:
        """What its pod said last."""
        return self._bed.kubectl("logs", "--namespace", NAMESPACE, f"deployment/{NAME}", "--tail=30", check=False)
