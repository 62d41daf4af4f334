# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of a survey that tell of the cluster around the aggregation layer: who claims what, and what does not end."""

from __future__ import annotations

import typing as t

from .observation import status
from .readers import NAME, Reader, nullable, record, table, text, truth

__all__ = [
    "MARKS",
    "Provider",
    "Replica",
    "Setter",
    "Stuck",
    "marks_reader",
    "provider_reader",
    "replica_reader",
    "setter_reader",
    "stuck_reader",
]

#: Labels and annotations that tell which product, or which deployment of it, an object belongs to.
MARKS = (
    "app",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
    "argocd.argoproj.io/instance",
    "argocd.argoproj.io/tracking-id",
    "helm.toolkit.fluxcd.io/name",
    "helm.toolkit.fluxcd.io/namespace",
    "k8s-app",
    "kustomize.toolkit.fluxcd.io/name",
    "kustomize.toolkit.fluxcd.io/namespace",
    "meta.helm.sh/release-name",
    "meta.helm.sh/release-namespace",
)
# A name of an object, or none.
_NAME = text(253, f"({NAME})?")


class Setter(t.TypedDict):
    """One of those who wrote an APIService, by its managedFields. group, service: whether it still holds that value."""

    manager: str
    operation: str
    group: bool
    service: bool


class Replica(t.TypedDict):
    """An endpoint behind a Service that was asked. status: of HTTP, None if nothing came; error: why not."""

    address: str
    pod: str
    node: str
    status: t.Optional[int]
    error: t.Optional[str]


class Provider(t.TypedDict):
    """A Service of a product that can serve APIs of metrics. ready: whether anybody is behind it."""

    namespace: str
    name: str
    marks: t.Dict[str, str]
    ready: bool


class Stuck(t.TypedDict):
    """A namespace that does not end, since not all APIs could be discovered. since: when it was deleted."""

    namespace: str
    since: str
    message: str


marks_reader: Reader[t.Dict[str, str]] = table(text(100), text(1024), len(MARKS))
setter_reader: Reader[Setter] = record(Setter, manager=text(200), operation=text(50), group=truth, service=truth)
replica_reader: Reader[Replica] = record(
    Replica,
    address=text(100),
    pod=_NAME,
    node=_NAME,
    status=nullable(status),
    error=nullable(text(2000)),
)
provider_reader: Reader[Provider] = record(Provider, namespace=_NAME, name=_NAME, marks=marks_reader, ready=truth)
stuck_reader: Reader[Stuck] = record(Stuck, namespace=_NAME, since=text(50), message=text(2000))
