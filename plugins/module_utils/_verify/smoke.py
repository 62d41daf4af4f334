# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoke test: whether a call reaches an extension API server through each master, and as whom."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._argv import last_value
from .._contract.smoke import Asked, Begun, Ended, Refusal
from .._contract.survey import ApiService
from .._master.smoke_objects import GROUP_SUFFIX
from .._shown import Shell, commented
from .causes import message_of
from .model import AT_RISK, BROKEN, Finding, Kind, finding
from .proxies import of_smoke
from .published import fix_of_names, name_is_unpublished
from .view import View

__all__ = ["KINDS", "REFUSED", "Smoke", "is_smoke_test", "judge_leftovers", "judge_smoke"]

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
    fix="{fix}",
    cause="Let an admission webhook refuse ConfigMaps, and give the pair another name.",
    source=_SOURCE,
    explains=("allowed-names-differ", "allowed-names-any"),
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
    """What came of the steps on one master.

    begun, asked, ended: None where it had no part in the step; failures: by step, why it failed.
    """

    begun: Begun | None = None
    asked: Asked | None = None
    ended: Ended | None = None
    failures: t.Mapping[str, str] = field(default_factory=dict)

    def problems(self, step: str, where: str) -> list[str]:
        """Say why a step failed; nothing if it did not."""
        return [f"{where}: {self.failures[step]}"] if step in self.failures else []


def is_smoke_test(apiservice: ApiService) -> bool:
    """Whether an APIService belongs to a smoke test of somebody."""
    return apiservice["group"].endswith(GROUP_SUFFIX)


def judge_leftovers(view: View, smokes: t.Iterable[Smoke]) -> t.Iterator[Finding]:
    """Judge the APIServices of smoke tests that no server answers for any more. smokes: what may have removed them."""
    swept = {test for smoke in smokes if smoke.begun for test in smoke.begun["swept"]}
    for each in view.apiservices:
        test = each["group"][: -len(GROUP_SUFFIX)]
        if is_smoke_test(each) and view.through(each["name"])["status"] != 200 and test not in swept:
            verify = Shell(view.command.replace(".configure", ".verify"))
            yield finding(LEFT, (view.cluster, ()), f"{each['name']} does not answer", test=test, verify=verify)


def _address(view: View) -> str:
    """The address that a master tells the others; empty if it leaves that to kube-apiserver."""
    return (last_value(view.running, "advertise-address") or "").strip("[]")


def _refused_through(view: View, live: t.Sequence[View], refused: t.Sequence[Refusal]) -> list[Refusal]:
    """Those whom the server did not let in that are this master, as far as addresses tell."""
    others = {_address(other) for other in live if other is not view} - {_address(view)}
    return [each for each in refused if each["from"] not in others]


def _fix_of_refusal(view: View, views: t.Sequence[View]) -> Shell:
    reader = next((each for each in views if each.layer), None)
    if reader and name_is_unpublished(view, reader):
        return fix_of_names([view], views)
    return Shell(f"run: {view.command}")


def _judge_call(
    view: View, asked: Asked | None, refused: t.Sequence[str], where: t.Mapping[str, str], views: t.Sequence[View]
) -> t.Iterator[Finding]:
    """Judge the call through one master. refused: what the server said of those whom it did not let in."""
    caller = asked["caller"] if asked else None
    if asked is None or caller is None:
        said = " ".join(message_of((asked and (asked["body"] or asked["error"])) or "").split())[:300]
        status = asked and asked["status"]
        evidence = f"through {view.name}: " + (f"HTTP {status}" if status else "no answer")
        evidence += f"; {said}" if said else ""
        if refused:
            yield finding(REFUSED, view.where, evidence, *refused, fix=_fix_of_refusal(view, views), host=where["host"])
            return
        in_between = of_smoke(view, where["address"], said, evidence)
        if in_between:
            yield in_between
            return
        way = Shell(f"let {view.name} connect to {where['address']} (firewall)")
        if not view.routes:
            route = f"run: {view.command} -e front_proxy_aggregator_routing=true"
            note = f"if {view.name} has no kube-proxy, else let it connect to {where['address']} in the firewall"
            way = commented(route, note)
        yield finding(UNREACHED, view.where, evidence, way=way, **where)
        return
    wanted = asked["asked_as"]
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
        asked = smokes[view.name].asked
        caller = asked["caller"] if asked else None
        if caller:
            seen = (caller["user"], ", ".join(caller["groups"]), caller["certificate"])
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
    host = next((view.name for view in live if smokes[view.name].begun), "")
    begun = smokes[host].begun if host else None
    if begun is None:
        why = [text for view in live for text in smokes[view.name].problems("begin", view.name)]
        if not why and blamed:
            return [], ["The smoke test was not run: no master reads the API, which the finding above explains."]
        return [finding(NOT_RUN, (cluster, ()), *(why or ["no master reads the API"]))], []
    ended = smokes[host].ended
    where = {"host": host, "address": f"{begun['address']}:{begun['port']}"}
    findings: list[Finding] = []
    notes = [f"smoke test: what was left of an earlier one was removed ({test})." for test in begun["swept"]]
    for view in live:
        why = smokes[view.name].problems("ask", f"through {view.name}")
        if why:
            findings.append(finding(NOT_RUN, view.where, *why))
            continue
        refused = _refused_through(view, live, ended["refused"] if ended else ())
        said = [f"{each['from']}: {each['why']}" for each in refused]
        found = list(_judge_call(view, smokes[view.name].asked, said, where, views))
        if found and view.name in blamed:
            notes.append(f"The smoke test does not work through {view.name}, which the finding above explains.")
        else:
            findings += found
    left = [*smokes[host].problems("end", f"the end on {host}"), *(ended["left"] if ended else ())]
    if left:
        findings.append(finding(NOT_RUN, (cluster, ()), *left))
    return findings, [*_proof(live, smokes), *notes]
