# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, for a person: per cluster and master what was found, done, why, and until when certificates live."""

from __future__ import annotations

import typing as t

from .._pki.certificate import read_certificates
from .._pki.errors import PkiError
from .._pki.lifetime import iso

__all__ = ["summarize"]

_NOT_SEEN: t.Mapping[str, t.Any] = {}


def _failure(result: t.Mapping[str, t.Any] | None) -> str:
    if result and (result.get("failed") or result.get("unreachable")):
        return str(result.get("msg") or "it failed without a word")
    return ""


def _not_accepted(proof: t.Mapping[str, t.Any] | None) -> str:
    """Say that the last look at a running server did not show what it should; empty if it did, or nobody looked."""
    if not proof or proof.get("root"):
        return ""
    probe = proof.get("probe") or {}
    if probe.get("accepted"):
        return ""
    answer = f"HTTP {probe['status']}" if probe.get("status") else probe.get("error") or "no answer"
    return f"its running kube-apiserver does not accept the pair ({answer}); look at its log, then run again."


def _end_of_life(plan: t.Mapping[str, t.Any], proof: t.Mapping[str, t.Any] | None) -> str:
    """Say until when CA and pair of a master live: as it was observed last."""
    ends = {"CA": plan.get("ca_not_after"), "pair": plan.get("pair_not_after")}
    for what, flag in (("CA", "requestheader-client-ca-file"), ("pair", "proxy-client-cert-file")):
        facts = ((proof or {}).get("files") or {}).get((plan.get("flags") or {}).get(flag)) or {}
        try:
            ends[what] = iso(read_certificates("".join(facts.get("certificates") or ()), where=flag)[0].not_after)
        except PkiError:
            continue
    return ", ".join(f"{what} until {end[:10]}" for what, end in ends.items() if end)


def _done(
    plan: t.Mapping[str, t.Any],
    applied: t.Mapping[str, t.Any] | None,
    proof: t.Mapping[str, t.Any] | None,
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
    if proof and (proof.get("probe") or {}).get("accepted"):
        what.append("accepts the pair")
    text = ", ".join(what) or "waited until it served as wanted"
    return f"would be done: {text}" if checking else text


def _host_lines(name: str, plan: t.Mapping[str, t.Any], results: t.Mapping[str, t.Any], checking: bool) -> list[str]:
    applied, proof = results.get("applied"), results.get("proof")
    error = str(plan.get("error") or "") or next(
        filter(None, (_failure(results.get(step)) for step in ("recovered", "ca", "client", "applied", "proof"))), ""
    )
    error = error or _not_accepted(proof)
    lines = [f"{name}: {'FAILED' if error else _done(plan, applied, proof, checking)}"]
    if plan.get("found"):
        lines.append(f"    found: {plan['found']}")
    recovered = (results.get("recovered") or {}).get("recovered")
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


def summarize(
    plan: t.Mapping[str, t.Any], results: t.Mapping[str, t.Mapping[str, t.Any]], *, checking: bool
) -> list[str]:
    """Write the summary, a line an entry.

    plan: the result of ``front_proxy_plan``; results: by host ``observed``, ``recovered``, ``ca``, ``client``,
    ``applied`` and ``proof``, each a task's result or None; checking: check mode.
    """
    if not plan.get("hosts"):
        lines = [
            f"{name}: FAILED: {_failure(each.get('observed'))}"
            for name, each in results.items()
            if _failure(each.get("observed"))
        ]
        lines += [f"FAILED: {_failure(plan)}"] if _failure(plan) else []
        return [*lines, "Nothing was changed on any master."]
    lines = []
    for name, cluster in plan["clusters"].items():
        if cluster["error"]:
            lines.append(f"cluster {name}: refused, nothing was changed")
        else:
            ca = (
                f"{cluster['ca']}, {cluster['ca_reason']}, until {cluster['ca_not_after'][:10]}"
                if cluster["ca"]
                else "a new one"
            )
            lines.append(f"cluster {name}: front-proxy CA: {ca}")
        lines += [f"  warning: {warning}" for warning in cluster["warnings"]]
        members = cluster.get("members") or ()
        for host in members:
            lines += [
                f"  {line}" for line in _host_lines(host, plan["hosts"][host], results.get(host, _NOT_SEEN), checking)
            ]
    return lines
