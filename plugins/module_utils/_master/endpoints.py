# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Service leads: EndpointSlices, and Endpoints on releases before them.

kube-apiserver itself looks there to call an extension API server. Up to 1.33 it reads Endpoints, from 1.34 on
EndpointSlices (staging/src/k8s.io/apiserver/pkg/util/proxy/proxy.go); discovery.k8s.io/v1 is there from 1.21 on. The
controller-manager copies Endpoints that are made by hand into slices, but a server must not have to wait for it.
"""

from __future__ import annotations

import ipaddress
import typing as t
import urllib.parse

from .api import Answer

__all__ = [
    "Address",
    "Endpoint",
    "addresses_of",
    "addresses_of_service",
    "documents_of_service",
    "endpoints_of",
    "endpoints_paths",
    "hand_made_endpoints",
]

Address = t.Tuple[str, int]
Document = t.Mapping[str, t.Any]

_SLICES = "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
_ENDPOINTS = "/api/v1/namespaces/{namespace}/endpoints"
# By this label a slice belongs to a Service; by the other one nobody copies an Endpoints object into slices.
_SERVICE = "kubernetes.io/service-name"
_SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


def endpoints_paths(namespace: str) -> t.Tuple[str, str]:
    """Give the paths below which a namespace has its EndpointSlices and Endpoints."""
    quoted = urllib.parse.quote(namespace, safe="")
    return _SLICES.format(namespace=quoted), _ENDPOINTS.format(namespace=quoted)


def _ports(item: Document) -> t.List[int]:
    return [int(port.get("port") or 0) for port in item.get("ports") or ()]


def addresses_of(item: Document) -> t.List[Address]:
    """Give every ready address and port of an EndpointSlice or an Endpoints object."""
    # of a slice; what says nothing is ready, says its documentation
    ready = [each for each in item.get("endpoints") or () if (each.get("conditions") or {}).get("ready") is not False]
    found = [(str(ip), port) for each in ready for ip in each.get("addresses") or () for port in _ports(item)]
    for subset in item.get("subsets") or ():
        found += [
            (str(each.get("ip") or ""), port) for each in subset.get("addresses") or () for port in _ports(subset)
        ]
    return found


class Endpoint(t.NamedTuple):
    """A ready endpoint of one port of a Service. pod, node: their names where they are told."""

    address: str
    port: int
    pod: str
    node: str


def _ports_named(item: Document, name: str) -> t.List[int]:
    ports = [port for port in item.get("ports") or () if (port.get("name") or "") == name]
    return [int(port["port"]) for port in ports if port.get("port")]


def _endpoint(address: str, port: int, each: Document) -> Endpoint:
    target = each.get("targetRef") or {}
    pod = str(target.get("name") or "") if target.get("kind") == "Pod" else ""
    return Endpoint(address, port, pod, str(each.get("nodeName") or ""))


def endpoints_of(item: Document, port_name: str) -> t.List[Endpoint]:
    """Give the ready endpoints of an EndpointSlice or an Endpoints object for one port of the Service, as
    kube-apiserver takes them: of a slice's endpoint the first address only."""
    found = []
    for each in item.get("endpoints") or ():
        if (each.get("conditions") or {}).get("ready") is not False and each.get("addresses"):
            found += [_endpoint(str(each["addresses"][0]), port, each) for port in _ports_named(item, port_name)]
    for subset in item.get("subsets") or ():
        for each in subset.get("addresses") or ():
            found += [_endpoint(str(each.get("ip") or ""), port, each) for port in _ports_named(subset, port_name)]
    return found


def documents_of_service(get: t.Callable[[str], Answer], namespace: str, name: str) -> t.List[Document]:
    """Ask kube-apiserver for the EndpointSlices of a Service, or its Endpoints. get: asks for a path."""
    slices, endpoints = endpoints_paths(namespace)
    selector = urllib.parse.quote(f"{_SERVICE}={name}", safe="")
    answer = get(f"{slices}?labelSelector={selector}")
    if answer.status == 200:
        return list((answer.json() or {}).get("items") or ())
    return [get(f"{endpoints}/{urllib.parse.quote(name, safe='')}").json() or {}]


def addresses_of_service(get: t.Callable[[str], Answer], namespace: str, name: str) -> t.List[Address]:
    """Ask kube-apiserver for every ready address and port behind a Service. get: asks for a path."""
    return [address for item in documents_of_service(get, namespace, name) for address in addresses_of(item)]


def hand_made_endpoints(
    metadata: t.Mapping[str, t.Any], address: str, port: int
) -> t.List[t.Tuple[str, t.Dict[str, t.Any]]]:
    """Give an EndpointSlice and an Endpoints object for one address, each with the path to which it is posted.

    metadata: of the Service, which has no selector: name and namespace, labels and annotations.
    """
    slices, endpoints = endpoints_paths(metadata["namespace"])
    labels = metadata.get("labels") or {}
    own = {_SERVICE: metadata["name"], _MANAGED_BY: "kubeops.aggregation-layer"}
    kind = "IPv6" if ipaddress.ip_address(address).version == 6 else "IPv4"
    return [
        (
            slices,
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {**metadata, "labels": {**labels, **own}},
                "addressType": kind,
                "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
                "ports": [{"port": port, "protocol": "TCP", "name": ""}],
            },
        ),
        (
            endpoints,
            {
                "apiVersion": "v1",
                "kind": "Endpoints",
                "metadata": {**metadata, "labels": {**labels, _SKIP_MIRROR: "true"}},
                "subsets": [{"addresses": [{"ip": address}], "ports": [{"port": port, "protocol": "TCP"}]}],
            },
        ),
    ]
