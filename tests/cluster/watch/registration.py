# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has to know of an extension API server that runs outside of its pods."""

from __future__ import annotations

import typing as t

__all__ = ["registration"]


def registration(
    group: str, version: str, *, namespace: str, address: str, port: int, trust: t.Mapping[str, t.Any]
) -> list[dict[str, t.Any]]:
    """The objects: a Namespace, the Service ``api`` without a selector, its endpoints by hand, and the APIService.

    trust: how the server is known, ``caBundle`` (base64) or ``insecureSkipTLSVerify``.
    """
    placed = {"name": "api", "namespace": namespace}
    ports = [{"port": 443, "protocol": "TCP", "targetPort": port}]
    subsets = [{"addresses": [{"ip": address}], "ports": [{"port": port, "protocol": "TCP"}]}]
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {"apiVersion": "v1", "kind": "Service", "metadata": placed, "spec": {"ports": ports}},
        {"apiVersion": "v1", "kind": "Endpoints", "metadata": placed, "subsets": subsets},
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{version}.{group}"},
            "spec": {
                "group": group,
                "version": version,
                "groupPriorityMinimum": 1000,
                "versionPriority": 15,
                "service": placed,
                **trust,
            },
        },
    ]
