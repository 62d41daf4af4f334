# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoke test: whether a call reaches an extension API server through each master, and as whom."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._argv import last_value
from .._master.smoke_objects import GROUP_SUFFIX
from .causes import message_of
from .model import AT_RISK, BROKEN, Finding, Kind, finding
from .view import View

__all__ = ["KINDS", "Smoke", "is_smoke_test", "judge_leftovers", "judge_smoke"]

_SOURCE = "a throw-away extension API server on {host}"

NOT_RUN = Kind(
    id="smoke-test-not-run",
    severity=AT_RISK,
    title="the smoke test could not be run",
    consequence="Nothing is shown: neither that calls reach an extension API server nor that they do not.",
    fix="mend what is said here, and run again",
    cause="Let an admission webhook refuse Services in kube-system.",
    source="front_proxy_smoke",
)
REFUSED = Kind(
    id="smoke-test-refused",
    severity=BROKEN,
    title="an extension API server refuses the certificate that kube-apiserver shows",
    consequence="Requests for extension API servers fail through this master (401, or 503).",
    fix="run: {command}",
    cause="Let an admission webhook refuse ConfigMaps, and give the pair another name.",
    source=_SOURCE,
)
UNREACHED = Kind(
    id="smoke-test-not-reached",
    severity=BROKEN,
    title="kube-apiserver does not reach a server at {address} on the master {host}",
    consequence="Extension API servers whose endpoints are masters' addresses (hostNetwork) may be out of reach, too.",
    fix="{way}",
    cause="Forbid connections between the masters in their firewall.",
    source=_SOURCE,
)
CHANGED = Kind(
    id="smoke-test-other-caller",
    severity=BROKEN,
    title="extension API servers take callers for somebody else",
    consequence="They decide about the wrong user, or about nobody.",
    fix="run: {command}",
    cause="Let an admission webhook refuse ConfigMaps, and set other --requestheader-username-headers.",
    source=_SOURCE,
)
LEFT = Kind(
    id="smoke-test-left-over",
    severity=AT_RISK,
    title="the smoke test {test} was killed, and its APIService is still there",
    consequence="It leads nowhere, and while it does, namespaces stay in Terminating.",
    fix="run: {verify} -e front_proxy_smoke=true  # a new test removes what is left of old ones",
    cause="Kill the server of a smoke test with SIGKILL.",
    source="the APIServices whose group ends with .smoke-test.kubeops",
)

KINDS = (REFUSED, UNREACHED, CHANGED, NOT_RUN, LEFT)


@dataclass(frozen=True)
class Smoke:
    """What came of the steps on one master: results of the module front_proxy_smoke, empty where it had no part."""

    begun: t.Mapping[str, t.Any] = field(default_factory=dict)
    asked: t.Mapping[str, t.Any] = field(default_factory=dict)
    ended: t.Mapping[str, t.Any] = field(default_factory=dict)


def is_smoke_test(apiservice: t.Mapping[str, t.Any]) -> bool:
    """Whether an APIService belongs to a smoke test of somebody."""
    return str(apiservice["group"]).endswith(GROUP_SUFFIX)


def judge_leftovers(view: View, smokes: t.Iterable[Smoke]) -> t.Iterator[Finding]:
    """Judge the APIServices of smoke tests that no server answers for any more. smokes: what may have removed them."""
    swept = {test for smoke in smokes for test in smoke.begun.get("swept") or ()}
    for each in view.layer.get("apiservices") or ():
        answer = view.layer["through"].get(each["name"]) or {}
        test = str(each["group"])[: -len(GROUP_SUFFIX)]
        if is_smoke_test(each) and answer.get("status") != 200 and test not in swept:
            verify = view.command.replace(".configure", ".verify")
            yield finding(LEFT, (view.cluster, ()), f"{each['name']} does not answer", test=test, verify=verify)


def _problems(step: str, result: t.Mapping[str, t.Any]) -> list[str]:
    failed = result.get("failed") or result.get("unreachable")
    return [f"{step}: {str(result.get('msg') or 'no reason given').strip()}"] if failed else []


def _address(view: View) -> str:
    """The address that a master tells the others; empty if it leaves that to kube-apiserver."""
    return (last_value(view.running, "advertise-address") or "").strip("[]")


def _refused_through(
    view: View, live: t.Sequence[View], refused: t.Sequence[t.Mapping[str, str]]
) -> list[t.Mapping[str, str]]:
    """Those whom the server did not let in that are this master, as far as addresses tell."""
    others = {_address(other) for other in live if other is not view} - {_address(view)}
    return [each for each in refused if each["from"] not in others]


def _judge_call(
    view: View, asked: t.Mapping[str, t.Any], refused: t.Sequence[str], where: t.Mapping[str, str]
) -> t.Iterator[Finding]:
    """Judge the call through one master. refused: what the server said of those whom it did not let in."""
    caller = asked.get("caller")
    if caller is None:
        said = " ".join(message_of(str(asked.get("body") or asked.get("error") or "")).split())[:300]
        evidence = f"through {view.name}: " + (f"HTTP {asked['status']}" if asked.get("status") else "no answer")
        evidence += f"; {said}" if said else ""
        if refused:
            yield finding(REFUSED, view.where, evidence, *refused, command=view.command, host=where["host"])
            return
        way = f"let {view.name} connect to {where['address']} (firewall)"
        if not view.routes:
            route = f"run: {view.command} -e front_proxy_aggregator_routing=true"
            way = f"{route}  # if {view.name} has no kube-proxy; else {way}"
        yield finding(UNREACHED, view.where, evidence, way=way, **where)
        return
    wanted = asked.get("asked_as")
    if not caller["user"] or (wanted and caller["user"] != wanted):
        seen = f"called as {wanted or 'the user of the kubeconfig'}, seen as {caller['user'] or 'nobody'}"
        yield finding(CHANGED, view.where, seen, command=view.command, host=where["host"])
    elif wanted and "system:authenticated" not in caller["groups"]:
        seen = f"the groups of {wanted} arrive as {', '.join(caller['groups']) or 'none'}"
        yield finding(CHANGED, view.where, seen, command=view.command, host=where["host"])


def _proof(views: t.Sequence[View], smokes: t.Mapping[str, Smoke]) -> t.Iterator[str]:
    """Say for people what was shown."""
    shown: dict[tuple[str, str, str], list[str]] = {}
    for view in views:
        caller = smokes[view.name].asked.get("caller")
        if caller:
            seen = (str(caller["user"]), ", ".join(caller["groups"]), str(caller["certificate"]))
            shown.setdefault(seen, []).append(view.name)
    for (user, groups, certificate), names in shown.items():
        yield (
            f"smoke test: through {', '.join(names)} an extension API server saw the certificate CN={certificate}, the "
            f"user {user} and the groups {groups or 'none'}."
        )


def judge_smoke(
    cluster: str, views: t.Sequence[View], smokes: t.Mapping[str, Smoke], blamed: t.Collection[str]
) -> tuple[list[Finding], list[str]]:
    """Judge the smoke test of a cluster. smokes: by the names of all masters that were to take part.

    blamed: masters whose own front proxy is broken, which explains what is refused through them. Returns the findings
    and, for what was shown or is explained so, notes.
    """
    live = [view for view in views if view.master.live and view.name in smokes]
    if not live:
        return [], []
    host = next((view.name for view in live if smokes[view.name].begun.get("group")), "")
    if not host:
        why = [text for view in live for text in _problems(view.name, smokes[view.name].begun)]
        if not why and blamed:
            return [], ["The smoke test was not run: no master reads the API, which the finding above explains."]
        return [finding(NOT_RUN, (cluster, ()), *(why or ["no master reads the API"]))], []
    begun, ended = smokes[host].begun, smokes[host].ended
    where = {"host": host, "address": f"{begun['address']}:{begun['port']}"}
    findings: list[Finding] = []
    notes = [f"smoke test: what was left of an earlier one was removed ({test})." for test in begun.get("swept") or ()]
    for view in live:
        asked = smokes[view.name].asked
        why = _problems(f"through {view.name}", asked)
        if why:
            findings.append(finding(NOT_RUN, view.where, *why))
            continue
        refused = _refused_through(view, live, ended.get("refused") or ())
        found = list(_judge_call(view, asked, [f"{each['from']}: {each['why']}" for each in refused], where))
        if found and view.name in blamed:
            notes.append(f"The smoke test does not work through {view.name}, which the finding above explains.")
        else:
            findings += found
    left = [*_problems(f"the end on {host}", ended), *(ended.get("left") or ())]
    if left:
        findings.append(finding(NOT_RUN, (cluster, ()), *left))
    return findings, [*_proof(live, smokes), *notes]
