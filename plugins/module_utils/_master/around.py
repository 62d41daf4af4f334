# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a broken APIService stops in a cluster, and in which version kubeadm keeps its configuration there."""

from __future__ import annotations

import re
import typing as t

from .._contract.cluster import Stuck
from .._contract.readers import NAME
from .api import Answer

__all__ = ["DISCOVERY", "read_kubeadm_config", "read_stale", "read_stuck"]

Document = t.Mapping[str, t.Any]
Get = t.Callable[..., Answer]

#: The discovery of all APIs in one document (1.27 and newer; before, the answer is another one, without what is read).
DISCOVERY = ",".join(
    [f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")]
    + ["application/json"]
)
_STUCK = 50
_LENGTH = 1000
_CONDITION = "NamespaceDeletionDiscoveryFailure"
_NAMESPACES = "/api/v1/namespaces?fieldSelector=status.phase%3DTerminating&limit=200"
_KUBEADM_CONFIG = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
_VERSION = re.compile(r"^[\"']?apiVersion[\"']?\s*:\s*[\"']?kubeadm\.k8s\.io/(v[a-z0-9]{1,40})[\"']?\s*,?\s*$", re.M)


def read_stuck(get: Get) -> t.List[Stuck]:
    """Give the namespaces that do not end because not all APIs could be discovered (namespace_conditions.go)."""
    found: t.List[Stuck] = []
    for item in (get(_NAMESPACES).json() or {}).get("items") or ():
        metadata, conditions = item.get("metadata") or {}, (item.get("status") or {}).get("conditions") or ()
        for condition in conditions:
            if condition.get("type") == _CONDITION and condition.get("status") == "True":
                since = str(metadata.get("deletionTimestamp") or "")[:50]
                message = str(condition.get("message") or "")[:_LENGTH]
                found.append({"namespace": str(metadata.get("name") or ""), "since": since, "message": message})
    return found[:_STUCK]


def read_stale(get: Get) -> t.List[str]:
    """Give GROUP/VERSION of each API whose discovery this kube-apiserver could not read anew."""
    found = []
    for group in (get("/apis", accept=DISCOVERY).json() or {}).get("items") or ():
        name = str((group.get("metadata") or {}).get("name") or "")
        for version in group.get("versions") or ():
            if version.get("freshness") == "Stale":
                found.append(f"{name}/{version.get('version')}")
    return [each for each in found if re.fullmatch(f"{NAME}/{NAME}", each)]


def read_kubeadm_config(get: Get) -> t.Optional[str]:
    """Give the version of the API in which kubeadm keeps the ClusterConfiguration; None if there is none."""
    text = ((get(_KUBEADM_CONFIG).json() or {}).get("data") or {}).get("ClusterConfiguration")
    match = _VERSION.search(str(text or ""))
    return match.group(1) if match else None
