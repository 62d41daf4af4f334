# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether this master reaches the addresses of Services, found out by trying it, and by what the API says of its node.

Asked only where nothing on the machine shows it: a kube-proxy that is just being replaced does not run, and a machine
without iptables and nft cannot be asked for what it left in the kernel.
"""

from __future__ import annotations

import ipaddress
import socket
import typing as t
import urllib.parse

from .._argv import flag_values, last_value
from .._contract.network import Tried
from .api import Answer
from .handshake import offered_client_cas
from .layer import dial
from .process import Process

__all__ = ["answering_apiservice", "nodes_names", "routers_of_node", "service_range", "try_service_address"]

Document = t.Mapping[str, t.Any]
Get = t.Callable[[str], Answer]

# ServiceClusterIPRange of kube-apiserver where the flag is not set (pkg/controlplane/apiserver/options).
_DEFAULT_RANGE = "10.0.0.0/24"
# kube-proxy takes any of the masters for each connection, and one of them may just be away.
_TRIES = 3
# By the container's name: what routes the addresses of Services on each node of its DaemonSet.
_ROUTERS = frozenset(("kube-proxy", "cilium-agent", "kube-router", "ovnkube-node", "ovnkube-controller"))
_DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets?limit=200"
_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
# How many APIServices are asked at most.
_ASKED = 3
# What the DaemonSet controller tolerates in everybody's name begins so.
_OF_THE_NODE = "node.kubernetes.io/"


def service_range(argv: t.Sequence[str]) -> str:
    """Give the first range of Services' addresses of a kube-apiserver with this command line."""
    value = last_value(flag_values(argv), "service-cluster-ip-range") or _DEFAULT_RANGE
    return value.split(",")[0].strip()


def try_service_address(argv: t.Sequence[str]) -> Tried | None:
    """Try the address of the Service kubernetes, which every cluster has: the first one of the range.

    Source: ServiceIPRange of pkg/controlplane/instance.go. None if the range cannot be read.
    """
    try:
        network = ipaddress.ip_network(service_range(argv), strict=False)
        address = str(network[1])
    except (ValueError, IndexError):
        return None
    error: str | None = None
    for dummy in range(_TRIES):
        error = dial(address, 443)
        # a kube-apiserver asks for client certificates; a proxy that answers for every address does not
        if error is None and offered_client_cas(address, 443)["names"] == []:
            error = "a server answers there that is no kube-apiserver"
        if error is None:
            break
    shown = f"[{address}]" if ":" in address else address
    return {"address": f"{shown}:443", "error": error and error[:500]}


def nodes_names(processes: t.Sequence[Process]) -> list[str]:
    """Give the names that this machine may have as a node; none where no kubelet runs, as then it is none."""
    kubelet = next((process for process in processes if process.name == "kubelet"), None)
    if kubelet is None:
        return []
    stated = last_value(flag_values(kubelet.argv), "hostname-override")
    names = [stated] if stated else [socket.gethostname(), socket.getfqdn()]
    return list(dict.fromkeys(name.strip().lower() for name in names if name and name.strip()))


def _tolerates(tolerations: t.Sequence[Document], taint: Document) -> bool:
    for each in tolerations:
        if each.get("effect") not in (None, "", taint.get("effect")):
            continue
        exists = each.get("operator") == "Exists"
        if not each.get("key"):
            if exists:
                return True
        elif each["key"] == taint.get("key") and (exists or (each.get("value") or "") == (taint.get("value") or "")):
            return True
    return False


def _comes_to(daemon_set: Document, node: Document) -> bool:
    """Whether the pods of a DaemonSet are to run on a node, as far as its selector and tolerations tell."""
    spec = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    labels = (node.get("metadata") or {}).get("labels") or {}
    if any(labels.get(name) != value for name, value in (spec.get("nodeSelector") or {}).items()):
        return False
    taints = [
        taint
        for taint in (node.get("spec") or {}).get("taints") or ()
        if taint.get("effect") in ("NoSchedule", "NoExecute") and not str(taint.get("key")).startswith(_OF_THE_NODE)
    ]
    return all(_tolerates(spec.get("tolerations") or (), taint) for taint in taints)


def _routes(daemon_set: Document) -> str | None:
    spec = ((daemon_set.get("spec") or {}).get("template") or {}).get("spec") or {}
    names = [str(container.get("name")) for container in spec.get("containers") or ()]
    return next((name for name in names if name in _ROUTERS), None)


def routers_of_node(get: Get, names: t.Sequence[str]) -> list[str] | None:
    """List the evidence of the API that something which routes Services is to run on this node, a sentence each.

    get: asks for a path; names: of this node, as `nodes_names` gives them. None if the API could not be asked.
    """
    listed = get(_DAEMON_SETS).json()
    if not isinstance(listed, dict):
        return None
    found = [(each, _routes(each)) for each in listed.get("items") or ()]
    found = [(each, name) for each, name in found if name]
    if not found or not names:
        return []
    node = None
    for name in names:
        node = node or get(f"/api/v1/nodes/{urllib.parse.quote(name, safe='')}").json()
    # a kubelet runs here, and under which name is not known: then the DaemonSet counts
    return [
        f"the DaemonSet {str((each.get('metadata') or {}).get('name'))[:100]} of kube-system runs {name} on this node"
        for each, name in found
        if node is None or _comes_to(each, node)
    ][:5]


def _is_available(item: Document) -> bool:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return any(each.get("type") == "Available" and each.get("status") == "True" for each in conditions)


def answering_apiservice(get: Get) -> str | None:
    """Name an APIService that answers through this server at the address of its Service; None if none was seen."""
    listed = get(_API_SERVICES).json()
    items = (listed or {}).get("items") or ()
    remote = [item for item in items if (item.get("spec") or {}).get("service")]
    remote.sort(key=lambda item: not _is_available(item))
    for item in remote[:_ASKED]:
        spec = item["spec"]
        group, version, namespace, name = (
            urllib.parse.quote(str(part or ""), safe="")
            for part in (spec.get("group"), spec.get("version"), *map(spec["service"].get, ("namespace", "name")))
        )
        if get(f"/apis/{group}/{version}").status == 200:
            service = (get(f"/api/v1/namespaces/{namespace}/services/{name}").json() or {}).get("spec") or {}
            if service.get("clusterIP") not in (None, "", "None") and service.get("type") != "ExternalName":
                return str((item.get("metadata") or {}).get("name"))[:150]
    return None
