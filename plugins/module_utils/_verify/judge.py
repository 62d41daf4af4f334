# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge clusters by what was observed of their masters."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from .._contract.survey import Survey
from .._plan.errors import HostError, PlanError, about_host
from .._plan.wish import parse_release
from .._shown import Shell, printable, shell_word
from .access import judge_access
from .apiservices import judge_apiservices
from .catalogue import CATALOGUE, NOT_READ, NOT_SEEN, UNCLEAR
from .causes import SILENT_ADDRESS, message_of
from .claims import judge_claims
from .discovery import judge_discovery
from .explained import without_symptoms
from .files import judge_files
from .flags import judge_flags
from .kubeadm import judge_kubeadm
from .model import BROKEN, WILL_BREAK, Finding, finding, rank
from .peers import judge_peers
from .proxies import KINDS as WAY_KINDS
from .proxies import PROXIED
from .published import NAMESPACE_AND_NAME, judge_published, unreadable_in
from .replicas import judge_replicas
from .reuse import judge_reuse
from .running import judge_running
from .smoke import REFUSED, Smoke, judge_leftovers, judge_smoke
from .surroundings import NO_ROUTE, judge_surroundings
from .trust import judge_trust
from .view import View, read_view

__all__ = ["Seen", "Verdict", "judge"]

Release = t.Tuple[int, int]

_ORDER = {kind.id: number for number, kind in enumerate(CATALOGUE)}


@dataclass(frozen=True)
class Seen:
    """What came of looking at a master: facts (of aggregation_layer_info), or why there are none.

    left_out: it is a master of the cluster, and this run was told not to look at it; smoke: None if no smoke test was
    asked for.
    """

    name: str
    cluster: str
    facts: Survey | None
    failure: str = ""
    container: str = "kube-apiserver"
    left_out: bool = False
    smoke: Smoke | None = None


@dataclass(frozen=True)
class Verdict:
    """findings: the worst one first; notes: sentences about what is explained by them, or could not be seen."""

    findings: tuple[Finding, ...]
    notes: tuple[str, ...]
    clusters: t.Mapping[str, tuple[str, ...]]


def _of_master(view: View) -> list[Finding]:
    judges = (judge_flags, judge_files, judge_access, judge_reuse, judge_running, judge_surroundings)
    return [found for judge_one in judges for found in judge_one(view)]


def _could_not_see(view: View) -> t.Iterator[str]:
    handshake = view.facts["handshake"]
    if handshake and handshake["error"]:
        yield f"{view.name}: which CAs are loaded could not be seen in the TLS handshake ({handshake['error']})."
    unreadable = unreadable_in(view)
    if unreadable:
        where = f"Of the front-proxy CAs in {NAMESPACE_AND_NAME} {unreadable} could not be read here"
        yield f"{where}, so what they are is not known."
    if not view.master.live:
        yield f"{view.name}: only files below {view.facts['root']} were looked at; nothing runs there."


def _merged(findings: t.Iterable[Finding]) -> list[Finding]:
    """Put together what several masters have in common, to the letter."""
    merged: dict[t.Any, Finding] = {}
    for each in findings:
        key = (each.cluster, each.kind.id, each.evidence, each.fix, each.severity, each.when)
        earlier = merged.get(key)
        merged[key] = replace(each, hosts=earlier.hosts + each.hosts) if earlier else each
    return list(merged.values())


def _explains(found: Finding) -> bool:
    """Whether a finding says why a call through its masters does not arrive."""
    return found.kind is NO_ROUTE or (found.kind in WAY_KINDS and found.severity == BROKEN)


def _is_feared(found: Finding) -> bool:
    return found.kind is PROXIED and found.severity != BROKEN


def _why_unread(view: View) -> str:
    layer = view.facts["layer"]
    return (layer and layer["error"]) or "no pair to ask with"


def _look(each: Seen, cluster: str, command: Shell) -> tuple[View | None, list[Finding]]:
    """Read what was seen of one master. Nothing of it keeps the others from being judged."""
    if each.facts is None:
        return None, [finding(NOT_SEEN, (cluster, [each.name]), each.failure or "it was not looked at")]
    try:
        with about_host(each.name):
            view, problem = read_view(each.name, each.facts, cluster=cluster, container=each.container, command=command)
            return view, [finding(UNCLEAR, (cluster, [each.name]), problem)] if view is None else []
    except HostError as error:
        return None, [finding(NOT_SEEN, (cluster, [each.name]), str(error))]


def _judge_one(view: View) -> tuple[View | None, list[Finding]]:
    """Judge one master by itself; None if that cannot be done."""
    try:
        with about_host(view.name):
            return view, _of_master(view)
    except HostError as error:
        return None, [finding(NOT_SEEN, view.where, str(error))]


def _of_cluster(
    cluster: str, seen: t.Sequence[Seen], command: Shell, target: Release | None
) -> tuple[list[Finding], list[str]]:
    findings: list[Finding] = []
    notes: list[str] = []
    read: list[View] = []
    for each in seen:
        if each.left_out:
            notes.append(f"{each.name}: it was left out of this run, so what it trusts is not known.")
            continue
        view, found = _look(each, cluster, command)
        findings += found
        read += [view] if view else []
    names = tuple(sorted({name for view in read for name in view.names}))
    views: list[View] = []
    for each_view in read:
        view, found = _judge_one(replace(each_view, names=names))
        findings += found
        if view is not None:
            views.append(view)
            notes += _could_not_see(view)
    smokes = {each.name: each.smoke for each in seen if each.smoke}
    smoked = any(smoke.begun for smoke in smokes.values())
    findings += judge_trust(cluster, views)
    findings += judge_published(cluster, views, unseen=len(views) < len(seen), smoked=smoked)
    blamed = {host for each in findings if each.severity == BROKEN for host in each.hosts}
    # the ways first: what stands in one explains what the smoke test does not get through
    early, _explained = judge_apiservices(cluster, views, blamed)
    unrouted = {host for each in [*findings, *early] if _explains(each) for host in each.hosts}
    shown, proofs = judge_smoke(cluster, views, smokes, blamed | unrouted)
    # what the smoke test shows to be refused explains the same of other extension API servers
    refused = {host for each in shown if each.kind is REFUSED for host in each.hosts}
    more, explained = judge_apiservices(cluster, views, blamed | refused)
    findings += more
    for judge_more in (judge_peers, judge_replicas, judge_claims, judge_discovery):
        findings += judge_more(cluster, views)
    findings += judge_kubeadm(cluster, views, target)
    findings += [left for view in views for left in judge_leftovers(view, smokes.values())]
    findings += shown
    silent = {host for each in more if each.kind is SILENT_ADDRESS for host in each.hosts}
    findings = [each for each in findings if each.kind is not NO_ROUTE or not silent.issuperset(each.hosts)]
    proxied = {host for each in findings if each.kind is PROXIED and each.severity == BROKEN for host in each.hosts}
    findings = [each for each in findings if not (_is_feared(each) and proxied.issuperset(each.hosts))]
    live = [view for view in views if view.master.live and view.facts["process"]]
    if live and not any(view.layer for view in live):
        why = [f"{view.name}: {message_of(_why_unread(view))}" for view in live]
        if blamed >= {view.name for view in live}:
            unread = f"The API of {cluster} could not be read, so nothing is known of APIServices"
            notes.append(f"{unread} ({'; '.join(why)}).")
        else:
            findings.append(finding(NOT_READ, (cluster, ()), *why))
    kept, symptoms = without_symptoms(_merged(findings))
    return kept, [*proofs, *notes, *explained, *symptoms]


def _judged_alone(
    cluster: str, seen: t.Sequence[Seen], command: Shell, target: Release | None
) -> tuple[list[Finding], list[str]]:
    """Judge a cluster such that nothing which goes wrong there reaches another one."""
    try:
        return _of_cluster(cluster, seen, command, target)
    except Exception as error:
        why = (
            f"what its masters say cannot be judged ({type(error).__name__}: {error}); look at their manifests and "
            "certificates, and if they are right, report this"
        )
        return [finding(NOT_SEEN, (cluster, [each.name for each in seen]), why)], []


def _at_target(found: Finding, target: Release | None) -> Finding | None:
    """What breaks up to the target is broken there; what breaks later does not matter."""
    if target is None or found.severity != WILL_BREAK:
        return found
    release = parse_release(found.when)
    if release is None:
        return found
    return replace(found, severity=BROKEN) if release <= target else None


def judge(seen: t.Sequence[Seen], *, command: Shell, target_release: str = "") -> Verdict:
    """Judge all masters that were looked at, or were to be.

    command: how the configure playbook is called here, for fixes; target_release: see front_proxy_target_release.
    Raises PlanError if that is no release.
    """
    target = parse_release(target_release) if target_release else None
    if target_release and target is None:
        raise PlanError(
            f"front_proxy_target_release is {target_release!r}, which is no release of Kubernetes; write it as 1.36."
        )
    clusters: dict[str, list[Seen]] = {}
    for each in seen:
        clusters.setdefault(each.cluster, []).append(each)
    findings: list[Finding] = []
    notes: list[str] = []
    for cluster, members in clusters.items():
        # what mends one cluster must not change another one
        only = f" --limit {shell_word(','.join(each.name for each in members))}" if len(clusters) > 1 else ""
        found, more = _judged_alone(cluster, members, Shell(f"{command}{only}"), target)
        findings += found
        notes += more
    kept = [each for each in (_at_target(found, target) for found in findings) if each]
    kept.sort(key=lambda each: (rank(each.severity), _ORDER[each.kind.id], each.cluster, each.hosts))
    names = {
        cluster: tuple(each.name for each in members if not each.left_out) for cluster, members in clusters.items()
    }
    return Verdict(tuple(kept), tuple(dict.fromkeys(map(printable, notes))), names)
