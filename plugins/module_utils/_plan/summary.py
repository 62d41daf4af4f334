# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, for a person: per cluster and master what was found, done, why, and until when certificates live."""

from __future__ import annotations

import typing as t

from .._pki.certificate import read_certificates
from .._pki.errors import PkiError
from .._pki.lifetime import iso
from .._shown import printable
from .result import Applied, HostResult, PlanResult, Proof, TaskEnd, TaskResults

__all__ = ["summarize"]

_NOT_SEEN: TaskResults = {
    "observed": None,
    "recovered": None,
    "ca": None,
    "client": None,
    "applied": None,
    "proof": None,
}


def _failure(result: TaskEnd | None) -> str:
    if result and (result.get("failed") or result.get("unreachable")):
        return str(result.get("msg") or "it failed without a word")
    return ""


def _not_accepted(proof: Proof | None) -> str:
    """Say that the last look at a running server did not show what it should; empty if it did, or nobody looked."""
    if not proof or proof.get("root"):
        return ""
    probe = proof.get("probe")
    if probe and probe["accepted"]:
        return ""
    status, error = (probe["status"], probe["error"]) if probe else (None, None)
    answer = f"HTTP {status}" if status else error or "no answer"
    return f"its running kube-apiserver does not accept the pair ({answer}); look at its log, then run again."


def _end_of_life(plan: HostResult, proof: Proof | None) -> str:
    """Say until when CA and pair of a master live: as it was observed last."""
    ends = {"CA": plan.get("ca_not_after"), "pair": plan.get("pair_not_after")}
    for what, flag in (("CA", "requestheader-client-ca-file"), ("pair", "proxy-client-cert-file")):
        path = plan.get("flags", {}).get(flag) or ""
        facts = proof.get("files", {}).get(path) if proof else None
        try:
            ends[what] = iso(
                read_certificates("".join(facts.get("certificates", ()) if facts else ()), where=flag)[0].not_after
            )
        except PkiError:
            continue
    return ", ".join(f"{what} until {end[:10]}" for what, end in ends.items() if end)


def _done(
    plan: HostResult,
    applied: Applied | None,
    proof: Proof | None,
    checking: bool,
) -> str:
    if plan["action"] == "nothing":
        return "nothing to do"
    if applied is not None and applied.get("skipped"):
        applied = None
    if applied is None:
        return "not begun"
    what = []
    if applied.get("files"):
        what.append(f"{len(applied['files'])} file{'s' if len(applied['files']) > 1 else ''} written")
    if applied.get("manifest_changed"):
        what.append("manifest changed")
    if checking and applied.get("restart"):
        what.append("kube-apiserver restarted")
    if applied.get("restarted"):
        what.append(f"restarted and serving after {applied.get('seconds', 0):.0f} s")
    if applied.get("recovered"):
        what.append(str(applied["recovered"]).rstrip("."))
    probe = proof.get("probe") if proof else None
    if probe and probe["accepted"]:
        what.append("accepts the pair")
    text = ", ".join(what) or "waited until it served as wanted"
    return f"would be done: {text}" if checking else text


def _host_lines(name: str, plan: HostResult, results: TaskResults, checking: bool) -> list[str]:
    applied, proof = results["applied"], results["proof"]
    steps = (results["recovered"], results["ca"], results["client"], applied, proof)
    error = plan["error"] or next(filter(None, map(_failure, steps)), "")
    error = error or _not_accepted(proof)
    lines = [f"{name}: {'FAILED' if error else _done(plan, applied, proof, checking)}"]
    if plan.get("found"):
        lines.append(f"    found: {plan['found']}")
    recovered = results["recovered"].get("recovered") if results["recovered"] else ""
    if recovered:
        lines.append(f"    first: {recovered}")
    if plan["action"] not in ("nothing", "refused"):
        lines += [f"    why: {reason}" for reason in plan["reasons"]]
    if plan.get("routing") and not any("--enable-aggregator-routing" in reason for reason in plan["reasons"]):
        lines.append(f"    routing: {plan['routing']}")
    lines += [f"    warning: {warning}" for warning in plan.get("warnings") or ()]
    lines += [f"    {line}" for line in error.splitlines()]
    ends = "" if error else _end_of_life(plan, proof)
    return [*lines, f"    certificates: {ends}"] if ends else lines


def _nothing_planned(failure: str, results: t.Mapping[str, TaskResults]) -> list[str]:
    lines = [
        f"{name}: FAILED: {_failure(each['observed'])}" for name, each in results.items() if _failure(each["observed"])
    ]
    lines += [f"FAILED: {failure}"] if failure else []
    return [*lines, "Nothing was changed on any master."]


def summarize(plan: PlanResult | TaskEnd, results: t.Mapping[str, TaskResults], *, checking: bool) -> list[str]:
    """Write the summary, a line an entry.

    plan: the result of ``front_proxy_plan``, maybe a failed one; results: by host; checking: check mode.
    """
    if not plan.get("hosts"):
        lines = _nothing_planned(_failure(t.cast(TaskEnd, plan)), results)
    else:
        lines = _planned(t.cast(PlanResult, plan), results, checking)
    return [printable(line) for line in lines]


def _planned(plan: PlanResult, results: t.Mapping[str, TaskResults], checking: bool) -> list[str]:
    lines = []
    for name, cluster in plan["clusters"].items():
        if cluster["error"]:
            lines.append(f"cluster {name}: refused, nothing was changed")
        else:
            until = (cluster.get("ca_not_after") or "")[:10]
            ca = f"{cluster['ca']}, {cluster['ca_reason']}, until {until}" if cluster.get("ca") else "a new one"
            lines.append(f"cluster {name}: front-proxy CA: {ca}")
        lines += [f"  warning: {warning}" for warning in cluster["warnings"]]
        for host in cluster["members"]:
            lines += [
                f"  {line}" for line in _host_lines(host, plan["hosts"][host], results.get(host, _NOT_SEEN), checking)
            ]
    return lines
