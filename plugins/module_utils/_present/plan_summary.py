# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened, for a person: what failed stands first, hosts with one outcome together, the rest in a line."""

from __future__ import annotations

import typing as t

from .._pki.certificate import read_certificates
from .._pki.errors import PkiError
from .._pki.lifetime import iso
from .._plan.result import Applied, ClusterResult, HostResult, PlanResult, Proof, TaskEnd, TaskResults
from .._shown import printable
from .lines import BAD, CHANGED, GOOD, PLAIN, Line, count

__all__ = ["summarize"]

_NOT_SEEN: TaskResults = {
    "observed": None,
    "recovered": None,
    "ca": None,
    "client": None,
    "applied": None,
    "proof": None,
}
# So many hosts are named one by one.
_NAMED = 12
_TONES = {BAD: 0, CHANGED: 1, PLAIN: 2, GOOD: 3}


class _Outcome(t.NamedTuple):
    """How it ended for a host; those with the same share a paragraph.

    done: in a few words; details: lines below it; ends: until when CA and pair live, as ISO 8601 or nothing.
    """

    tone: str
    done: str
    details: tuple[str, ...] = ()
    ends: tuple[str | None, str | None] = (None, None)
    seconds: float | None = None

    @property
    def kind(self) -> tuple[t.Any, ...]:
        """What is the same for hosts that share a paragraph: all but for how long each was waited for."""
        return self[:4]


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


def _ends_of_life(plan: HostResult, proof: Proof | None) -> tuple[str | None, str | None]:
    """Give until when CA and pair of a master live: as it was observed last."""
    ends = [plan.get("ca_not_after"), plan.get("pair_not_after")]
    for place, flag in enumerate(("requestheader-client-ca-file", "proxy-client-cert-file")):
        path = plan.get("flags", {}).get(flag) or ""
        facts = proof.get("files", {}).get(path) if proof else None
        try:
            certificates = read_certificates("".join(facts.get("certificates", ()) if facts else ()), where=flag)
            ends[place] = iso(certificates[0].not_after)
        except PkiError:
            continue
    return ends[0], ends[1]


def _done(applied: Applied, proof: Proof | None, checking: bool) -> str:
    """Say what was done to a master, or would be; ``{}`` stands for the seconds until it served."""
    what = []
    if applied.get("files"):
        what.append(f"{count(len(applied['files']), 'file')} written")
    if applied.get("manifest_changed"):
        what.append("manifest changed")
    if checking and applied.get("restart"):
        what.append("kube-apiserver restarted")
    if applied.get("restarted"):
        what.append("restarted and serving after {}")
    if applied.get("recovered"):
        what.append(str(applied["recovered"]).rstrip("."))
    probe = proof.get("probe") if proof else None
    if probe and probe["accepted"]:
        what.append("accepts the pair")
    text = ", ".join(what) or "waited until it served as wanted"
    return f"would be done: {text}" if checking else text


def _what_was_there(plan: HostResult) -> list[str]:
    return [f"found: {plan['found']}"] if plan.get("found") else []


def _outcome(
    plan: HostResult, results: TaskResults, cluster: ClusterResult, *, checking: bool, verbose: bool
) -> _Outcome:
    """Tell how it ended for one host. verbose: with what is no news, too."""
    applied, proof = results["applied"], results["proof"]
    steps = (results["recovered"], results["ca"], results["client"], applied, proof)
    error = plan["error"] or next(filter(None, map(_failure, steps)), "") or _not_accepted(proof)
    recovered = results["recovered"].get("recovered") if results["recovered"] else ""
    first = [f"first: {recovered}"] if recovered else []
    warnings = [f"warning: {warning}" for warning in plan.get("warnings") or ()]
    if cluster["error"] and error != cluster["error"]:
        # another one is why, and says so
        return _Outcome(PLAIN, "not begun", tuple(first))
    if error:
        return _Outcome(BAD, "FAILED", (*_what_was_there(plan), *first, *warnings, *error.splitlines()))
    reasons = [f"why: {reason}" for reason in plan["reasons"]]
    if plan.get("routing") and not any("--enable-aggregator-routing" in reason for reason in reasons):
        reasons.append(f"routing: {plan['routing']}")
    if plan["action"] == "nothing":
        known = [*_what_was_there(plan), *reasons] if verbose else []
        tone = CHANGED if first else PLAIN if warnings else GOOD
        return _Outcome(tone, "nothing to do", (*known, *first, *warnings), _ends_of_life(plan, proof))
    if applied is None or applied.get("skipped"):
        return _Outcome(PLAIN, "not begun", (*first, *warnings))
    details = (*_what_was_there(plan), *first, *reasons, *warnings)
    done = _done(applied, proof, checking)
    return _Outcome(CHANGED, done, details, _ends_of_life(plan, proof), applied.get("seconds", 0.0))


def _named(hosts: t.Sequence[str]) -> str:
    return ", ".join(hosts) if len(hosts) <= _NAMED else f"{', '.join(hosts[:_NAMED])} and {len(hosts) - _NAMED} more"


def _waited(outcomes: t.Sequence[_Outcome]) -> str:
    """Say for how long hosts were waited for: ``8 s``, or ``8 to 17 s``."""
    seconds = sorted(round(each.seconds or 0) for each in outcomes)
    return f"{seconds[0]} s" if seconds[0] == seconds[-1] else f"{seconds[0]} to {seconds[-1]} s"


def _certificates(ends: t.Iterable[tuple[str | None, str | None]]) -> str:
    """Say until when CAs and pairs live; of several the first that ends."""
    told = []
    for what, found in zip(("CA", "pair"), zip(*ends)):
        days = sorted({end[:10] for end in found if end})
        told += [f"{what} until {days[0]}" if len(days) == 1 else f"the first {what} until {days[0]}"] if days else []
    return ", ".join(told)


def _paragraph(hosts: t.Mapping[str, _Outcome]) -> t.Iterator[Line]:
    """Tell of hosts with the same outcome."""
    outcomes = list(hosts.values())
    done = outcomes[0].done.replace("{}", _waited(outcomes))
    yield Line(f"  {_named(list(hosts))}: {done}", outcomes[0].tone)
    for text in outcomes[0].details:
        yield Line(f"      {text}")
    if certificates := _certificates(each.ends for each in outcomes):
        yield Line(f"      certificates: {certificates}")


def _heading(name: str, cluster: ClusterResult) -> Line:
    if cluster["error"]:
        return Line(f"cluster {name}: refused, nothing was changed", BAD)
    until = (cluster.get("ca_not_after") or "")[:10]
    ca = f"{cluster['ca']}, {cluster['ca_reason']}, until {until}" if cluster.get("ca") else "a new one"
    return Line(f"cluster {name}: front-proxy CA: {ca}")


def _of_cluster(name: str, cluster: ClusterResult, outcomes: t.Mapping[str, _Outcome]) -> t.Iterator[Line]:
    """Tell of those of a cluster of which there is news; those with the same outcome share a paragraph."""
    yield _heading(name, cluster)
    for warning in cluster["warnings"]:
        yield Line(f"  warning: {warning}")
    groups: dict[tuple[t.Any, ...], dict[str, _Outcome]] = {}
    for host, outcome in outcomes.items():
        groups.setdefault(outcome.kind, {})[host] = outcome
    for kind in sorted(groups, key=lambda each: _TONES[each[0]]):
        yield from _paragraph(groups[kind])


def _quiet(hosts: t.Mapping[str, _Outcome], clusters: int) -> Line:
    """Tell of all hosts, of whatever cluster, of which there is no news."""
    where = f" of {count(clusters, 'cluster')}" if clusters > 1 else ""
    names = ", ".join(hosts) if len(hosts) <= _NAMED else f"{count(len(hosts), 'master')}{where}"
    ends = _certificates(each.ends for each in hosts.values())
    return Line(f"{names}: nothing to do{f'; {ends}' if ends else ''}", GOOD)


def _planned(
    plan: PlanResult, results: t.Mapping[str, TaskResults], *, checking: bool, verbose: bool
) -> t.Iterator[Line]:
    news: list[tuple[int, str, dict[str, _Outcome]]] = []
    quiet: dict[str, _Outcome] = {}
    quiet_clusters = 0
    for name, cluster in plan["clusters"].items():
        outcomes = {
            host: _outcome(
                plan["hosts"][host], results.get(host, _NOT_SEEN), cluster, checking=checking, verbose=verbose
            )
            for host in cluster["members"]
        }
        still = {} if verbose else {host: each for host, each in outcomes.items() if each.tone == GOOD}
        told = {host: each for host, each in outcomes.items() if host not in still}
        if told or cluster["error"] or cluster["warnings"]:
            worst = min((_TONES[each.tone] for each in told.values()), default=_TONES[GOOD])
            news.append((_TONES[BAD] if cluster["error"] else worst, name, told))
        quiet.update(still)
        quiet_clusters += bool(still)
    for dummy, name, told in sorted(news, key=lambda each: each[0]):
        yield from _of_cluster(name, plan["clusters"][name], told)
    if quiet:
        yield _quiet(quiet, quiet_clusters)


def _nothing_planned(failure: str, results: t.Mapping[str, TaskResults]) -> t.Iterator[Line]:
    reasons: dict[str, list[str]] = {}
    for name, each in results.items():
        if why := _failure(each["observed"]):
            reasons.setdefault(why, []).append(name)
    for why, names in reasons.items():
        yield Line(f"{_named(names)}: FAILED: {why}", BAD)
    if failure:
        yield Line(f"FAILED: {failure}", BAD)
    yield Line("Nothing was changed on any master.")


def summarize(
    plan: PlanResult | TaskEnd, results: t.Mapping[str, TaskResults], *, checking: bool, verbose: bool = False
) -> list[Line]:
    """Write the summary.

    plan: the result of ``front_proxy_plan``, maybe a failed one; results: by host; checking: check mode; verbose: with
    what was found on hosts of which there is no news, too.
    """
    if plan.get("hosts"):
        lines = _planned(t.cast(PlanResult, plan), results, checking=checking, verbose=verbose)
    else:
        lines = _nothing_planned(_failure(t.cast(TaskEnd, plan)), results)
    return [Line(printable(line.text), line.tone) for line in lines]
