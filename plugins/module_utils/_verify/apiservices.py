# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APIServices: whether each answers through each master, and why not. The shared condition alone tells too little."""

from __future__ import annotations

import typing as t
from collections import OrderedDict

from .._contract.survey import ApiService, Behind
from .causes import ABSENT, OTHER, SILENT, SILENT_ADDRESS, Cause, decode, message_of
from .causes import KINDS as CAUSE_KINDS
from .discovery import held_up_by
from .model import AT_RISK, Finding, Kind, finding
from .proxies import KINDS as WAY_KINDS
from .proxies import Way, advice, in_the_way, judge_ways
from .published import NAMESPACE_AND_NAME
from .smoke import is_smoke_test
from .view import View

__all__ = ["KINDS", "judge_apiservices"]

FLAPPING = Kind(
    id="apiservice-seen-unavailable",
    severity=AT_RISK,
    title="{apiservice} answers, and kube-apiserver counts it as unavailable",
    consequence="Clients get 503 while it does so. It may have failed a moment ago, or fail now and then.",
    fix="look again after a minute; then look at the log of {service}",
    cause="Look while an extension API server starts.",
    source="aggregator_unavailable_apiservice of each kube-apiserver; the condition is one for all of them",
    ours=False,
)

KINDS = (*CAUSE_KINDS, FLAPPING)


# A Service of which nothing is known.
_UNKNOWN: Behind = {
    "status": None,
    "type": "",
    "address": "",
    "endpoints": [],
    "pods": [],
    "address_error": None,
    "endpoint_error": None,
    "marks": {},
    "replicas": [],
}


class _Seen(t.NamedTuple):
    """An APIService that does not work, as one master sees it."""

    view: View
    each: ApiService
    cause: Cause
    evidence: str
    direct: bool  # the extension API server itself refused; else the condition says so, which any master can have set
    way: Way | None  # what stands between the master and it


def _text(view: View, each: ApiService) -> tuple[int | None, str]:
    answer = view.through(each["name"])
    said = " ".join(message_of(answer["body"] or answer["error"] or "").split())
    condition = f"{each['reason']}: {each['message']}" if each["available"] != "True" else ""
    return answer["status"], f"{said} {condition}".strip()


def _look(view: View, each: ApiService) -> _Seen | None:
    """Judge one APIService at one master; None if it answers there."""
    status, text = _text(view, each)
    if status == 200:
        return None
    services = view.layer["services"] if view.layer else {}
    service = services.get(f"{each['service']['namespace']}/{each['service']['name']}") or _UNKNOWN
    said = f"HTTP {status}" if status else "no answer"
    evidence = f"through {view.name}: {said}; {text[:300] or 'nothing was said'}"
    # 503 without a word says only that kube-apiserver knows it to be away: the condition and the Service tell why
    cause = decode(status, text)
    if service["status"] == 404 or (service["status"] == 200 and not service["endpoints"]):
        if service["type"] != "ExternalName":
            cause = Cause("", ABSENT)
    elif view.tunnel and cause.kind in (SILENT, OTHER):
        evidence += f"; kube-apiserver reaches the cluster as {view.tunnel} says"
    elif cause.kind in (SILENT, OTHER) and not view.routes and service["address_error"]:
        evidence += f"; {service['address']}: {service['address_error']}"
        if service["endpoints"] and not service["endpoint_error"]:
            cause = Cause("", SILENT_ADDRESS)
            evidence += "".join(f"; {sentence}" for sentence in advice(view, service))
    elif cause.kind is OTHER and service["endpoint_error"]:
        cause = Cause("", SILENT)
    pinned = [
        word
        for pod in service["pods"]
        for word in pod["arguments"]
        if word.startswith("--requestheader-client-ca-file")
    ]
    started = f"; it is started with {pinned[0]}" if pinned else ""
    direct = status in (401, 403)
    way = None
    if not direct and cause.kind is not ABSENT:
        way = in_the_way(
            view,
            each["name"],
            service,
            each["service"]["port"],
            kind=cause.kind if cause.kind in WAY_KINDS else None,
            open_cause=cause.kind in (SILENT, OTHER, SILENT_ADDRESS),
            said=(text, f"{each['name']} {evidence}"),
        )
    if way:
        cause = Cause("", way.kind)
    return _Seen(view, each, cause, evidence + started, direct, way)


def _explained(found: OrderedDict[tuple[str, str], list[_Seen]], blocked: t.Container[str]) -> list[str]:
    """Take out what masters see because another one, before which a proxy or a tunnel stands, set the condition.

    blocked: the APIServices that it does not reach. Returns a note for each.
    """
    notes: list[str] = []
    for key, seens in list(found.items()):
        if key[0] in blocked and seens[0].cause.kind in (SILENT, OTHER) and not any(seen.direct for seen in seens):
            names = ", ".join(seen.view.name for seen in seens)
            notes.append(f"{key[0]} does not work through {names}, which the finding above may explain.")
            del found[key]
    return notes


def judge_apiservices(
    cluster: str, views: t.Sequence[View], blamed: t.Collection[str]
) -> tuple[list[Finding], list[str]]:
    """Judge the APIServices of a cluster, as each master sees them.

    blamed: masters whose own front proxy is broken, which explains what is refused through them. Returns the findings
    and, for what is explained so, notes.
    """
    found: OrderedDict[tuple[str, str], list[_Seen]] = OrderedDict()
    flapping: OrderedDict[str, list[tuple[View, ApiService]]] = OrderedDict()
    notes: list[str] = []
    ways: list[Way] = []
    for view in views:
        unavailable = (view.layer and view.layer["unavailable"]) or ()
        for each in view.apiservices:
            if is_smoke_test(each):
                continue
            seen = _look(view, each)
            if seen is None:
                if each["name"] in unavailable:
                    flapping.setdefault(each["name"], []).append((view, each))
            elif seen.way:
                ways.append(seen.way)
            # while the condition is false, every master answers 503 by itself, also one that is right
            elif seen.cause.trust and (view.name in blamed or (blamed and not seen.direct)):
                notes.append(f"{each['name']} does not work through {view.name}, which the finding above explains.")
            else:
                found.setdefault((each["name"], seen.cause.kind.id), []).append(seen)
    notes += _explained(found, {way.apiservice for way in ways})
    findings = judge_ways(cluster, ways)
    for seens in found.values():
        first = seens[0]
        where = (cluster, [seen.view.name for seen in seens])
        service = f"{first.each['service']['namespace']}/{first.each['service']['name']}"
        evidence = [*(seen.evidence for seen in seens), *held_up_by(views, first.each)]
        findings.append(
            finding(
                first.cause.kind,
                where,
                *evidence,
                apiservice=first.each["name"],
                service=service,
                configmap=NAMESPACE_AND_NAME,
                command=first.view.command,
            )
        )
    for name, pairs in flapping.items():
        service = f"{pairs[0][1]['service']['namespace']}/{pairs[0][1]['service']['name']}"
        where = (cluster, [view.name for view, dummy in pairs])
        counted = "aggregator_unavailable_apiservice is 1, and the request through the master gave 200"
        findings.append(finding(FLAPPING, where, counted, apiservice=name, service=service))
    return findings, notes
