# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery: what a broken APIService stops, what is registered and cannot be discovered, and what is missing."""

from __future__ import annotations

import re
import typing as t

from .._contract.cluster import Stuck
from .._contract.survey import ApiService
from .model import AT_RISK, BROKEN, UNTIDY, Finding, Kind, finding
from .smoke import is_smoke_test
from .view import View

__all__ = ["KINDS", "held_up_by", "judge_discovery"]

STALE = Kind(
    id="discovery-stale",
    severity=BROKEN,
    title="{apiservice} answers, and kube-apiserver cannot read what it serves",
    consequence="The APIService says Available, and who asks for all APIs is told of stale GroupVersion discovery: "
    "namespaces stay in Terminating, and helm, Argo CD and kubectl api-resources fail or miss some.",
    fix="look at the log of {service} for answers to GET /apis other than 200, 404 and 406; then update it",
    cause="Let an extension API server answer GET /apis with 503, and its own group with 200.",
    source="staging/src/k8s.io/kube-aggregator/pkg/apiserver/handler_discovery.go; Kubernetes issues 119662 and 122333",
    ours=False,
)
STUCK = Kind(
    id="namespace-does-not-end",
    severity=AT_RISK,
    title="the namespace {namespace} stays in Terminating, since not all APIs could be discovered",
    consequence="kube-controller-manager deletes nothing in it before it knows all kinds of objects.",
    fix="look again after a quarter of an hour, since kube-controller-manager tries ever more seldom; then at its log",
    cause="Delete a namespace while an extension API server is away, and look when it is back.",
    source="pkg/controller/namespace/deletion (NamespaceDeletionDiscoveryFailure)",
    ours=False,
)
NO_METRICS_V1 = Kind(
    id="metrics-v1-not-registered",
    severity=UNTIDY,
    title="v1.metrics.k8s.io is not registered, and clients from 1.37 on ask for it first",
    consequence="kubectl top takes v1beta1 then, which works. A client that knows v1 only finds no metrics.",
    fix="update what is behind {service} to a version that registers v1.metrics.k8s.io, when there is one",
    cause="Run a metrics-server that registers v1beta1.metrics.k8s.io alone on 1.37.",
    source="Kubernetes pull requests 139223 and 139726 (1.37), metrics-server issue 1786",
    ours=False,
)

KINDS = (STALE, STUCK, NO_METRICS_V1)

_SHOWN = 5


def _service(each: ApiService) -> str:
    return f"{each['service']['namespace']}/{each['service']['name']}"


def _names(message: str, each: ApiService) -> bool:
    """Whether a message of kube-controller-manager names the group and version of an APIService."""
    wanted = re.escape(f"{each['group']}/{each['version']}")
    return re.search(rf"(?<![\w.-]){wanted}(?![\w.-])", message) is not None


def _stuck(views: t.Iterable[View]) -> list[Stuck]:
    """The namespaces that do not end, as the first master that could read them saw it."""
    return next((view.layer["stuck"] for view in views if view.layer), [])


def _describe(each: Stuck) -> str:
    return f"the namespace {each['namespace']} ends since {each['since']}: {each['message'][:300]}"


def held_up_by(views: t.Sequence[View], each: ApiService) -> list[str]:
    """Tell which namespaces do not end because of an APIService."""
    found = [_describe(stuck) for stuck in _stuck(views) if _names(stuck["message"], each)]
    return found[:_SHOWN] + [f"and {len(found) - _SHOWN} more"] * (len(found) > _SHOWN)


def _stale(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    seen: dict[str, tuple[ApiService, list[str]]] = {}
    for view in views:
        stale = view.layer["stale"] if view.layer else ()
        for each in view.apiservices:
            well = view.through(each["name"])["status"] == 200
            if well and f"{each['group']}/{each['version']}" in stale and not is_smoke_test(each):
                seen.setdefault(each["name"], (each, []))[1].append(view.name)
    for name, (each, hosts) in seen.items():
        shown = f"GET /apis of {', '.join(hosts)} says that {each['group']}/{each['version']} is stale"
        yield finding(
            STALE,
            (cluster, hosts),
            *[shown, f"through {', '.join(hosts)} it answers HTTP 200", *held_up_by(views, each)],
            apiservice=name,
            service=_service(each),
        )


def _ends_late(cluster: str, views: t.Sequence[View], stale: t.Collection[str]) -> t.Iterator[Finding]:
    """Namespaces that no APIService holds up which fails now. stale: the names of those that cannot be discovered."""
    guilty = [
        each
        for view in views
        for each in view.apiservices
        if each["name"] in stale or view.through(each["name"])["status"] != 200
    ]
    for stuck in _stuck(views):
        if not any(_names(stuck["message"], each) for each in guilty):
            yield finding(STUCK, (cluster, ()), _describe(stuck), namespace=stuck["namespace"])


def _metrics(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    new = [view.name for view in views if view.layer and not view.before("1.37")]
    apiservices = {each["name"]: each for view in views for each in view.apiservices}
    old = apiservices.get("v1beta1.metrics.k8s.io")
    if new and old and "v1.metrics.k8s.io" not in apiservices:
        releases = sorted(
            {f"{view.release[0]}.{view.release[1]}" for view in views if view.name in new and view.release}
        )
        shown = f"v1beta1.metrics.k8s.io leads to {_service(old)}; kube-apiserver is {', '.join(releases)}"
        yield finding(NO_METRICS_V1, (cluster, ()), shown, service=_service(old))


def judge_discovery(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    """Judge what can be discovered."""
    stale = list(_stale(cluster, views))
    yield from stale
    yield from _ends_late(cluster, views, {each.fields["apiservice"] for each in stale})
    yield from _metrics(cluster, views)
