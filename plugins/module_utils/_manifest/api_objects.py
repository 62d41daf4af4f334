# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of the API that a static pod names: kubelets from 1.34 on run no such pod."""

from __future__ import annotations

import typing as t

from .nodes import Node, compose, entries, is_mapping, is_null, is_scalar, is_sequence
from .pod import StaticPod

__all__ = ["api_objects"]

# How many are shown: a text can hold thousands.
_SHOWN = 5

# Keys of a pod's spec, wherever they stand in it, and the resource that they name.
# Source: HasAPIObjectReference and VisitPodSecretNames of pkg/api/pod/util.go, 1.37.
_RESOURCES = {
    "azureFile": "secrets",
    "clusterTrustBundle": "clustertrustbundles",
    "configMap": "configmaps",
    "configMapKeyRef": "configmaps",
    "configMapRef": "configmaps",
    "csi": "csidrivers",
    "ephemeral": "persistentvolumeclaims",
    "glusterfs": "endpoints",
    "imagePullSecrets": "secrets",
    "persistentVolumeClaim": "persistentvolumeclaims",
    "podCertificate": "podcertificates",
    "resourceClaims": "resourceclaims",
    "secret": "secrets",
    "secretKeyRef": "secrets",
    "secretRef": "secrets",
    # the second one is an alias of the first, from long ago
    "serviceAccountName": "serviceaccounts",
    "serviceAccount": "serviceaccounts",
    "serviceAccountToken": "serviceaccounts",
}


def api_objects(pod: StaticPod) -> t.Tuple[str, ...]:
    """Return what a pod names of the API, each as ``spec.path (resource)``, in the order of the manifest.

    pod: as `read_pod` gives it. Of very many, the last item says how many more there are.
    """
    spec = entries(compose(pod.text, pod.where).roots[0])["spec"]
    found = tuple(_named(spec, "spec"))
    more = (f"and {len(found) - _SHOWN} more",) if len(found) > _SHOWN else ()
    return found[:_SHOWN] + more


def _named(node: Node, path: str) -> t.Iterator[str]:
    if is_sequence(node):
        for number, item in enumerate(node.value):
            yield from _named(item, f"{path}[{number}]")
    elif is_mapping(node):
        for key, value in entries(node).items():
            if key in _RESOURCES and not _is_empty(value):
                yield f"{path}.{key} ({_RESOURCES[key]})"
            else:
                yield from _named(value, f"{path}.{key}")


def _is_empty(node: Node) -> bool:
    return is_null(node) or (is_scalar(node) and not node.value) or (is_sequence(node) and not node.value)
