# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a Service leads, as releases of all ages tell it."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Answer
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.endpoints import (
    addresses_of,
    addresses_of_service,
    hand_made_endpoints,
)

SERVICE = {"name": "api", "namespace": "ext", "labels": {"of": "us"}}
SLICES = "/apis/discovery.k8s.io/v1/namespaces/ext/endpointslices"
ENDPOINTS = "/api/v1/namespaces/ext/endpoints"


def server(known: t.Mapping[str, t.Any], asked: t.List[str]) -> t.Callable[[str], Answer]:
    def get(path: str) -> Answer:
        asked.append(path)
        found = known.get(path)
        return Answer(404, "404 page not found", None) if found is None else Answer(200, json.dumps(found), None)

    return get


def test_what_is_made_by_hand_is_read_alike() -> None:
    made = hand_made_endpoints(SERVICE, "192.0.2.7", 4443)
    assert [path for path, document in made] == [SLICES, ENDPOINTS]
    assert [addresses_of(document) for path, document in made] == [[("192.0.2.7", 4443)]] * 2
    (dummy, slice_), (dummy, endpoints) = made
    # the aggregator finds the slice by the label, and nobody copies the other one into a second slice
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "api"
    assert endpoints["metadata"]["labels"]["endpointslice.kubernetes.io/skip-mirror"] == "true"
    assert all(document["metadata"]["labels"]["of"] == "us" for path, document in made)
    assert SERVICE["labels"] == {"of": "us"}


def test_an_address_of_version_6() -> None:
    (dummy, slice_), dummy = hand_made_endpoints(SERVICE, "2001:db8::7", 4443)
    assert slice_["addressType"] == "IPv6" and addresses_of(slice_) == [("2001:db8::7", 4443)]


def test_slices_are_asked_first() -> None:
    one = {"endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 1}, {"port": 2}]}
    two = {
        "endpoints": [
            {"addresses": ["192.0.2.2"], "conditions": {"ready": None}},
            {"addresses": ["192.0.2.3"], "conditions": {"ready": False}},
        ],
        "ports": [{"port": 1}],
    }
    asked: t.List[str] = []
    path = f"{SLICES}?labelSelector=kubernetes.io%2Fservice-name%3Dapi"
    found = addresses_of_service(server({path: {"items": [one, two]}}, asked), "ext", "api")
    assert found == [("192.0.2.1", 1), ("192.0.2.1", 2), ("192.0.2.2", 1)] and asked == [path]


def test_a_release_before_slices() -> None:
    endpoints = {"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}, {"notReadyAddresses": []}]}
    assert addresses_of_service(server({f"{ENDPOINTS}/api": endpoints}, []), "ext", "api") == [("192.0.2.1", 1)]
    assert addresses_of_service(server({}, []), "ext", "api") == []
