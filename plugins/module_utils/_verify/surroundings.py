# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is around a kube-apiserver: other manifests, a change that was cut off, the clock, the way to Services."""

from __future__ import annotations

import posixpath
import typing as t

from .._manifest.pod import defines_same_pod
from .model import AT_RISK, Finding, Kind, finding
from .proxies import advice, judge_wiring
from .view import View

__all__ = ["CLOCK_SECONDS", "KINDS", "NO_ROUTE", "judge_surroundings"]

#: By how many seconds clocks may be apart: the time that a look at a master takes counts, too.
CLOCK_SECONDS = 60

STRAY = Kind(
    id="stray-manifest",
    severity=AT_RISK,
    title="a second file in the manifests folder defines the same pod",
    consequence="The kubelet runs the file that comes last by name, whatever its ending: {last}. Changes of the other "
    "one are without effect.",
    fix="run on {host}: mv -n {path} {away}  # kube-apiserver stops for up to 20 s",
    cause="cp kube-apiserver.yaml kube-apiserver.yaml.bak, in that folder",
    source="pkg/kubelet/config/file.go; Kubernetes issues 55596 and 136962",
)
CUT_OFF = Kind(
    id="change-cut-off",
    severity=AT_RISK,
    title="a change by this collection was cut off and is not finished",
    consequence="The files on this master may be half old and half new.",
    fix="run: {command}",
    cause="Cut the power of the master while it is configured.",
    source="the journal in /etc/kubernetes/front-proxy-backup",
)
CLOCK = Kind(
    id="clock-differs",
    severity=AT_RISK,
    title="the clock of this master is wrong, or that of the controller",
    consequence="Certificates that are made on one seem expired or not yet valid on the other.",
    fix="set both clocks right (NTP)",
    cause="date --set '+1 hour'",
    source="RFC 5280, 4.1.2.5; minikube issue 5139",
)
NO_ROUTE = Kind(
    id="no-route-to-services",
    severity=AT_RISK,
    title="this master cannot reach the addresses of Services, and --enable-aggregator-routing is not set",
    consequence="kube-apiserver asks extension API servers at the address of their Service, and gets no answer "
    "(FailedDiscoveryCheck).",
    fix="run: {command} -e front_proxy_aggregator_routing=true",
    cause="Run a master without kube-proxy and without the flag.",
    source="cmd/kube-apiserver/app/server.go (buildServiceResolver); metrics-server issue 281",
)

KINDS = (STRAY, NO_ROUTE, CUT_OFF, CLOCK)


def judge_surroundings(view: View) -> t.Iterator[Finding]:
    """Judge what is around the kube-apiserver of a master."""
    manifest = view.facts["manifest"]["path"]
    folder = posixpath.dirname(manifest)
    for sibling in view.facts["siblings"]:
        if sibling["text"] and defines_same_pod(sibling["text"], view.master.pod):
            path = posixpath.join(folder, sibling["name"])
            away = posixpath.join(posixpath.dirname(folder), sibling["name"])
            evidence = f"{path} and {manifest} both define {view.master.pod.namespace}/{view.master.pod.name}"
            words = {"path": view.on_disk(path), "away": view.on_disk(away), "last": max(path, manifest)}
            yield finding(STRAY, view.where, evidence, host=view.name, **words)
    if view.facts["pending"]:
        began = view.facts["pending"]["started"]
        yield finding(CUT_OFF, view.where, f"it began at {began}", command=view.command)
    skew = view.facts["clock_skew"]
    if skew is not None and abs(skew) > CLOCK_SECONDS:
        ahead = "ahead of" if skew > 0 else "behind"
        yield finding(CLOCK, view.where, f"{view.name} is {abs(skew):.0f} s {ahead} the controller")
    yield from judge_wiring(view)
    reaches = (
        view.routes or view.tunnel or any(view.through(each["name"])["status"] == 200 for each in view.apiservices)
    )
    dialled = view.layer["kubernetes_service"] if view.layer and not reaches else None
    if dialled and dialled["error"] and not view.facts["service_routing"]:
        silent = f"the Service kubernetes ({dialled['address']}) does not answer from here: {dialled['error']}"
        seen = "no kube-proxy, no trace of it and no replacement was seen"
        yield finding(NO_ROUTE, view.where, silent, seen, *advice(view), command=view.command)
