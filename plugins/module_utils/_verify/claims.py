# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APIServices that two products claim: each deployment takes it back from the other one."""

from __future__ import annotations

import typing as t

from .._contract.cluster import Provider
from .._contract.survey import ApiService, Behind
from .model import AT_RISK, Finding, Kind, finding
from .view import View

__all__ = ["KINDS", "judge_claims"]

CLAIMED = Kind(
    id="apiservice-claimed-twice",
    severity=AT_RISK,
    title="{apiservice} leads to {service}, and {other} claims it, too",
    consequence="A cluster has one APIService of this name. Who deploys last has it, the clients of the other one get "
    "answers of a stranger (kubectl top, HorizontalPodAutoscaler), and who is removed first may take it along.",
    fix="decide who is to serve {apiservice}; then deploy the other one without this APIService (helm: see its "
    "values), or remove it, since it takes the APIService back at its next deployment",
    cause="Deploy metrics-server and prometheus-adapter, or KEDA and another adapter for external metrics.",
    source="prometheus-adapter issue 561, kube-prometheus issue 926, KEDA issues 470 and 2093",
    ours=False,
)

KINDS = (CLAIMED,)

# By which labels and annotations the deployments of an APIService and of its Service are compared: what deploys the
# one deploys the other. Not the product's name: KEDA's chart gives its APIService another one than its Service.
_DEPLOYMENTS: t.Mapping[str, tuple[str, ...]] = {
    "the helm release": ("meta.helm.sh/release-namespace", "meta.helm.sh/release-name"),
    "the instance": ("app.kubernetes.io/instance",),
    "the Argo CD application": ("argocd.argoproj.io/instance",),
    "the Flux kustomization": ("kustomize.toolkit.fluxcd.io/namespace", "kustomize.toolkit.fluxcd.io/name"),
    "the Flux release": ("helm.toolkit.fluxcd.io/namespace", "helm.toolkit.fluxcd.io/name"),
    "the addon": ("k8s-app",),
}
# Products that register an API wherever they are deployed as usual, by what their Services are called in a label:
# metrics-server and KEDA serve nothing else, and prometheus-adapter has rules for custom metrics by default.
_CERTAIN: t.Mapping[str, tuple[str, ...]] = {
    "metrics.k8s.io": ("metrics-server",),
    "custom.metrics.k8s.io": ("prometheus-adapter", "custom-metrics-stackdriver-adapter"),
    "external.metrics.k8s.io": (
        "keda-operator-metrics-apiserver",
        "keda-metrics-apiserver",
        "custom-metrics-stackdriver-adapter",
        "k8s-cloudwatch-adapter",
    ),
}
_LABELS = ("app.kubernetes.io/name", "k8s-app", "app")


class _Claim(t.NamedTuple):
    other: str
    evidence: str


def _by_apply(each: ApiService, service: str) -> t.Iterator[_Claim]:
    """What kubectl apply was last given leads elsewhere: it was changed since, and the next apply changes it back."""
    if each["applied"] and each["applied"] != service:
        yield _Claim(each["applied"], f"kubectl apply was last given {each['applied']} for it")


def _by_server(each: ApiService) -> t.Iterator[_Claim]:
    """Who applies all of it (server-side) and no longer holds where it leads: another one has taken that by force."""
    leads = [setter["manager"] for setter in each["setters"] if setter["service"]]
    for setter in each["setters"]:
        if setter["group"] and not setter["service"] and setter["operation"] == "Apply" and leads:
            shown = f"{setter['manager']} applies it, and {', '.join(leads)} has set where it leads"
            yield _Claim(setter["manager"], f"its managedFields: {shown}")


def _by_deployment(each: ApiService, service: str, behind: Behind | None) -> t.Iterator[_Claim]:
    """What deployed the APIService is not what deployed the Service."""
    if behind is None or behind["status"] != 200:
        return
    for what, keys in _DEPLOYMENTS.items():
        own, its = (
            "/".join(marks.get(key, "") for key in keys).strip("/") for marks in (each["marks"], behind["marks"])
        )
        if own and its and own != its:
            yield _Claim(f"{what} {own}", f"{what} of the APIService is {own}, and that of {service} is {its}")


def _by_provider(each: ApiService, service: str, providers: t.Sequence[Provider]) -> t.Iterator[_Claim]:
    """A product that always registers this API runs here, and it is not where it leads."""
    for provider in providers:
        name = f"{provider['namespace']}/{provider['name']}"
        product = next(
            (
                provider["marks"][label]
                for label in _LABELS
                if provider["marks"].get(label) in _CERTAIN.get(each["group"], ())
            ),
            "",
        )
        if product and name != service and provider["ready"]:
            yield _Claim(name, f"{product} runs behind {name}, and registers {each['group']} wherever it is deployed")


def _of_same_product(provider: Provider, behind: Behind | None) -> bool:
    """Whether a Service is another one of the product that serves the API: a second port, or an upgrade."""
    shared = [label for label in _LABELS if provider["marks"].get(label)]
    return bool(behind and any(behind["marks"].get(label) == provider["marks"][label] for label in shared))


def judge_claims(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    """Judge by the first master that could read the APIServices: they are the same for all."""
    reader = next((view for view in views if view.layer and view.layer["apiservices"] is not None), None)
    if reader is None or reader.layer is None:
        return
    layer = reader.layer
    for each in reader.apiservices:
        service = f"{each['service']['namespace']}/{each['service']['name']}"
        behind = layer["services"].get(service)
        providers = [provider for provider in layer["providers"] if not _of_same_product(provider, behind)]
        claims = [
            *_by_apply(each, service),
            *_by_server(each),
            *_by_deployment(each, service, behind),
            *_by_provider(each, service, providers),
        ]
        if claims:
            evidence = [claim.evidence for claim in claims]
            yield finding(
                CLAIMED, (cluster, ()), *evidence, apiservice=each["name"], service=service, other=claims[0].other
            )
