# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""APIServices of which only some endpoints answer, which kube-apiserver's own check does not show."""

from __future__ import annotations

import typing as t

from .._contract.cluster import Replica
from .._plan.network import running_proxying
from .model import BROKEN, Finding, Kind, finding
from .view import View

__all__ = ["KINDS", "judge_replicas"]

SOME = Kind(
    id="some-endpoints-fail",
    severity=BROKEN,
    title="some endpoints of {service} do not answer {apiservice}, and others do",
    consequence="Of the requests for {apiservice} the share of those endpoints fails. The APIService says Available "
    "all the same: kube-apiserver asks five times whom it meets, and one good answer is enough.",
    fix="see why these pods do not answer though they are ready (their logs, an older version, a firewall or a "
    "NetworkPolicy between this master and their nodes); then delete them, so that others take their place",
    cause="Put an address at which nobody listens among the endpoints of an extension API server.",
    source="staging/src/k8s.io/kube-aggregator/pkg/controllers/status/remote (sync: five attempts)",
    ours=False,
    explains=(
        "extension-silent",
        "extension-fails",
        "extension-refuses-the-pair",
        "extension-forbids",
        "service-address-silent",
        "apiservice-seen-unavailable",
        "discovery-stale",
    ),
)

KINDS = (SOME,)


def _answers(replica: Replica) -> bool:
    # kube-apiserver takes the 200s and 300s for well
    return replica["status"] is not None and 200 <= replica["status"] < 400


def _describe(replica: Replica) -> str:
    named = (("pod", replica["pod"]), ("node", replica["node"]))
    where = "".join(f"{what} {name}, " for what, name in named if name)
    said = f"HTTP {replica['status']}" if replica["status"] else replica["error"] or "no answer"
    return f"{replica['address']} ({where}{said})"


def _by_another_way(view: View, replica: Replica) -> bool:
    """Whether kube-apiserver reaches an endpoint by a way that this host does not have: a tunnel, or a proxy."""
    host, dummy, port = replica["address"].rpartition(":")
    direct = not port.isdecimal() or running_proxying(view.master).is_direct(host.strip("[]"), int(port))
    return bool(view.tunnel) or not direct


def judge_replicas(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    """Judge the endpoints of each Service, as the masters see them.

    Where none answers, the finding about the APIService itself says so.
    """
    seen: dict[str, list[tuple[View, str]]] = {}
    apiservices: dict[str, str] = {}
    for view in views:
        if view.layer is None:
            continue
        for each in view.apiservices:
            service = f"{each['service']['namespace']}/{each['service']['name']}"
            apiservices.setdefault(service, each["name"])
        for service, behind in view.layer["services"].items():
            asked = [replica for replica in behind["replicas"] if not _by_another_way(view, replica)]
            bad = [replica for replica in asked if not _answers(replica)]
            if bad and len(bad) < len(asked):
                shown = f"{len(bad)} of {len(asked)} do not: {', '.join(map(_describe, bad))}"
                seen.setdefault(service, []).append((view, f"from {view.name}: {shown}"))
    for service, found in seen.items():
        where = (cluster, [view.name for view, dummy in found])
        evidence = [shown for dummy, shown in found]
        apiservice = apiservices.get(service, service)
        yield finding(SOME, where, *evidence, service=service, apiservice=apiservice)
