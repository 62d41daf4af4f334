# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who made an APIService and the Service behind it, and which other products could serve the same API."""

from __future__ import annotations

import json
import typing as t
import urllib.parse

from .._contract.cluster import MARKS, Provider, Setter
from .._contract.survey import ApiService
from .api import Answer
from .endpoints import documents_of_service, endpoints_of

__all__ = ["applied_service", "marks_of", "read_providers", "setters_of"]

Document = t.Mapping[str, t.Any]
Get = t.Callable[[str], Answer]

_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LENGTH = 500
_SETTERS, _PROVIDERS = 20, 50
# Several products serve APIs of these groups, and each group version has one APIService only.
_SHARED_GROUPS = ("metrics.k8s.io", "custom.metrics.k8s.io", "external.metrics.k8s.io")
# By these labels their Services are found: the manifests and charts of metrics-server, prometheus-adapter, KEDA,
# Datadog's cluster agent, and the adapters for Stackdriver and CloudWatch.
_NAMES = (
    "metrics-server",
    "prometheus-adapter",
    "keda-operator-metrics-apiserver",
    "keda-metrics-apiserver",
    "datadog-cluster-agent",
    "custom-metrics-stackdriver-adapter",
    "k8s-cloudwatch-adapter",
)
_LABELS = ("app.kubernetes.io/name", "k8s-app", "app")


def marks_of(metadata: Document) -> t.Dict[str, str]:
    """Give the labels and annotations of an object that tell whose it is."""
    both = {**(metadata.get("annotations") or {}), **(metadata.get("labels") or {})}
    return {name: str(both[name])[:_LENGTH] for name in MARKS if name in both}


def applied_service(metadata: Document) -> t.Optional[str]:
    """Give NAMESPACE/NAME of the Service in what ``kubectl apply`` was last given; None if that is not known."""
    try:
        applied = json.loads((metadata.get("annotations") or {}).get(_APPLIED) or "null")
        service = applied["spec"]["service"]
        namespace, name = service["namespace"], service["name"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    return f"{namespace}/{name}"


def _setter(entry: Document) -> Setter:
    spec = (entry.get("fieldsV1") or {}).get("f:spec") or {}
    service = spec.get("f:service") or {}
    return {
        "manager": str(entry.get("manager") or "")[:100],
        "operation": str(entry.get("operation") or "")[:50],
        "group": "f:group" in spec,
        "service": "f:name" in service or "f:namespace" in service,
    }


def setters_of(metadata: Document) -> t.List[Setter]:
    """Give those who wrote the group of an APIService or where it leads, by its managedFields."""
    entries = [entry for entry in metadata.get("managedFields") or () if not entry.get("subresource")]
    found = [_setter(entry) for entry in entries[:_SETTERS]]
    return [each for each in found if each["group"] or each["service"]]


def _provider(get: Get, metadata: Document, ports: t.Sequence[Document]) -> Provider:
    namespace, name = str(metadata.get("namespace") or ""), str(metadata.get("name") or "")
    documents = documents_of_service(get, namespace, name)
    names = {str(port.get("name") or "") for port in ports}
    ready = any(endpoints_of(item, port) for item in documents for port in names)
    return {"namespace": namespace, "name": name, "marks": marks_of(metadata), "ready": ready}


def read_providers(get: Get, apiservices: t.Sequence[ApiService]) -> t.List[Provider]:
    """Give the Services of products that could serve one of these APIs of metrics; none where no such API is there.

    get: asks for a path.
    """
    if not any(each["group"] in _SHARED_GROUPS for each in apiservices):
        return []
    found: t.Dict[t.Tuple[str, str], t.Tuple[Document, t.Sequence[Document]]] = {}
    for label in _LABELS:
        selector = urllib.parse.quote(f"{label} in ({','.join(_NAMES)})", safe="")
        for item in (get(f"/api/v1/services?limit=100&labelSelector={selector}").json() or {}).get("items") or ():
            metadata = item.get("metadata") or {}
            key = (str(metadata.get("namespace")), str(metadata.get("name")))
            found[key] = (metadata, (item.get("spec") or {}).get("ports") or ())
    return [_provider(get, *found[key]) for key in sorted(found)[:_PROVIDERS]]
