# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has to know of the smoke test's server: made, taken away, and found again after a run was cut off."""

from __future__ import annotations

import time
import typing as t
import urllib.parse

from .api import Answer, Api
from .endpoints import addresses_of, endpoints_paths, hand_made_endpoints
from .errors import MasterError

__all__ = ["GROUP_SUFFIX", "NAMESPACE", "Place", "group_of", "register", "remove", "service_of", "sweep"]

# It is there in every cluster, and nobody removes it while the test runs.
NAMESPACE = "kube-system"
# By this a group of a smoke test is known.
GROUP_SUFFIX = ".smoke-test.kubeops"
_LABELS = {"app.kubernetes.io/managed-by": "kubeops.aggregation_layer", "app.kubernetes.io/component": "smoke-test"}
_EXPIRES = "aggregation-layer.kubeops/expires"
_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
_SLICES, _ENDPOINTS = endpoints_paths(NAMESPACE)
_SERVICES = f"/api/v1/namespaces/{NAMESPACE}/services"
# In this order: while an APIService leads nowhere, no namespace of the cluster can be deleted.
_KINDS = (_API_SERVICES, _SLICES, _ENDPOINTS, _SERVICES)
# Beyond its life, before another run takes it for left over: clocks differ.
_GRACE = 60.0
_GONE = (200, 202, 404)


class Place(t.NamedTuple):
    """Where a server is: id of the test, its address and port, its certificate (PEM in base64), until when it lives
    (seconds since the epoch)."""

    id: str
    address: str
    port: int
    ca_bundle: str
    expires: float


def group_of(test: str) -> str:
    """The API group of a test: no other has it."""
    return test + GROUP_SUFFIX


def service_of(test: str) -> str:
    """The name of the Service of a test."""
    return f"aggregation-layer-smoke-test-{test}"


def _objects(place: Place) -> list[tuple[str, dict[str, t.Any]]]:
    """The objects with the paths to which they are posted."""
    service, group = service_of(place.id), group_of(place.id)
    metadata = {"labels": _LABELS, "annotations": {_EXPIRES: str(int(place.expires))}}
    placed = {**metadata, "name": service, "namespace": NAMESPACE}
    return [
        (
            _SERVICES,
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": placed,
                "spec": {"ports": [{"port": 443, "protocol": "TCP", "targetPort": place.port}]},
            },
        ),
        *hand_made_endpoints(placed, place.address, place.port),
        (
            _API_SERVICES,
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {**metadata, "name": f"v1.{group}"},
                "spec": {
                    "group": group,
                    "version": "v1",
                    # behind everybody else's
                    "groupPriorityMinimum": 1,
                    "versionPriority": 1,
                    "caBundle": place.ca_bundle,
                    "service": {"namespace": NAMESPACE, "name": service, "port": 443},
                },
            },
        ),
    ]


def _why(answer: Answer) -> str:
    return " ".join((answer.error or f"HTTP {answer.status}: {answer.body[:300]}").split())


def register(api: Api, place: Place) -> None:
    """Make the objects; if one cannot be made, the others are taken away again. Raises MasterError."""
    for path, document in _objects(place):
        answer = api.post(path, document)
        # kinds come and go: 1.20 has no such EndpointSlices, and a later release may have no Endpoints
        missing = answer.status == 404 and path in (_SLICES, _ENDPOINTS)
        if answer.status != 201 and not missing:
            remove(api, place.id)
            raise MasterError(f"The {document['kind']} of the smoke test cannot be made ({_why(answer)}).")


def _names(test: str) -> tuple[str, ...]:
    return f"v1.{group_of(test)}", service_of(test), service_of(test), service_of(test)


def remove(api: Api, test: str) -> list[str]:
    """Take the objects of a test away. Gives what is still there, as sentences."""
    left = []
    for path, name in zip(_KINDS, _names(test)):
        answer = api.delete(f"{path}/{urllib.parse.quote(name, safe='')}")
        if answer.status not in _GONE:
            left.append(f"{path}/{name} is still there ({_why(answer)})")
    return left


def _expires(metadata: t.Mapping[str, t.Any]) -> float:
    try:
        return float((metadata.get("annotations") or {}).get(_EXPIRES) or 0)
    except ValueError:
        return 0.0


def sweep(api: Api, dial: t.Callable[[str, int], str | None]) -> list[str]:
    """Take away what tests that were cut off have left: they are past their time, or nobody answers any more.

    dial: None if a server answers at an address. Gives the ids of those tests.
    """
    selector = urllib.parse.quote(",".join(f"{name}={value}" for name, value in _LABELS.items()), safe="")
    found: dict[str, list[t.Mapping[str, t.Any]]] = {}
    for path in _KINDS:
        listed = api.get(f"{path}?labelSelector={selector}").json() or {}
        for item in listed.get("items") or ():
            name = str((item.get("metadata") or {}).get("name") or "")
            test = name.partition(".")[2].partition(".")[0] if path == _API_SERVICES else name.rpartition("-")[2]
            found.setdefault(test, []).append(item)
    swept = []
    for test, items in found.items():
        late = any(_expires(item["metadata"]) + _GRACE < time.time() for item in items)
        places = [place for item in items for place in addresses_of(item)]
        # without an address it is one that is being made just now, or was cut off there, and is late one day
        if late or (places and not any(dial(*place) is None for place in places)):
            remove(api, test)
            swept.append(test)
    return swept
