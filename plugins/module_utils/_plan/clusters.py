# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of all clusters of a play: who belongs together, who was seen, what is refused, and in which waves to go."""

from __future__ import annotations

import itertools
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._contract.observation import Observation
from .._pki.certificate import bundle_text
from .._pki.errors import PkiError
from .._pki.folder import PkiFolder
from .._pki.lifetime import (
    BACKDATE,
    DEFAULT_CA_VALIDITY,
    DEFAULT_CLIENT_VALIDITY,
    RenewBefore,
    iso,
    parse_duration,
)
from .._shown import printable
from .cluster import ClusterPlan, HostPlan, UnseenMasters, decide_cluster
from .errors import HostError, PlanError, about_host
from .master import Master, read_master
from .membership import is_of_another_cluster
from .result import ClusterResult, HostResult, PlanResult
from .wish import Wish

__all__ = ["SHORTEST_WAIT", "ClusterSettings", "Report", "plan_clusters"]

# In seconds: a healthy kube-apiserver takes six to eight on an empty cluster, and the old state must not come back for
# mere impatience.
SHORTEST_WAIT = 30

# What the role's default is: for hosts of which nothing tells it.
DEFAULT_CLUSTER = "kubernetes"


@dataclass(frozen=True)
class ClusterSettings:
    """What holds for a whole cluster. folder: its PKI folder on the controller; container: the server's in its pod;
    validity, ca_validity: of what is signed, for a refusal before anything is made.
    """

    folder: str
    renew_before: str
    container: str
    validity: str = DEFAULT_CLIENT_VALIDITY
    ca_validity: str = DEFAULT_CA_VALIDITY
    wait_timeout: int = 300

    def renewal(self) -> RenewBefore:
        """Read when to renew. Raises PlanError, PkiError if one of the times is none, or they contradict each other."""
        if self.wait_timeout < SHORTEST_WAIT:
            raise PlanError(
                f"front_proxy_wait_timeout is {self.wait_timeout}, and a kube-apiserver that is well can take longer "
                f"than that to start; use {SHORTEST_WAIT} or more."
            )
        parse_duration(self.ca_validity, what="front_proxy_ca_validity")
        renew_before = RenewBefore.parse(self.renew_before, what="front_proxy_renew_before")
        renew_before.check_fits(parse_duration(self.validity, what="front_proxy_validity"))
        return renew_before


@dataclass(frozen=True)
class Report:
    """What is known of one master. cluster: empty if nothing tells; targeted: it is to be brought to the wanted state
    in this run; facts: its observation, None if there is none; failure: why not, empty if it was just not looked at;
    wish, settings: None without facts.
    """

    name: str
    cluster: str
    targeted: bool
    facts: Observation | None
    failure: str
    wish: Wish | None
    settings: ClusterSettings | None


def _read(name: str, facts: Observation, settings: ClusterSettings, now: datetime) -> Master:
    with about_host(name):
        return read_master(name, facts, container=settings.container, now=now, backdate=BACKDATE.total_seconds())


def _refuse_differing_settings(reports: t.Sequence[Report]) -> None:
    """Raise PlanError if hosts of one cluster say different things about what can only be one."""
    first = reports[0]
    for report in reports[1:]:
        for variable, one, other in (
            (
                "front_proxy_pki_dir",
                first.settings and first.settings.folder,
                report.settings and report.settings.folder,
            ),
            ("front_proxy_ca_from", first.wish and first.wish.ca_from, report.wish and report.wish.ca_from),
            ("front_proxy_common_name", first.wish and first.wish.common_name, report.wish and report.wish.common_name),
        ):
            if one != other:
                raise PlanError(
                    f"{variable} is {one or 'not set'} for {first.name} and {other or 'not set'} for {report.name}, "
                    "and a cluster can have one only; set it for the whole group, or give the hosts of each cluster a "
                    "front_proxy_cluster of their own."
                )


def _decide(
    reports: t.Sequence[Report], read_folder: t.Callable[[str], PkiFolder], now: datetime, doubt: str
) -> tuple[ClusterPlan, ClusterSettings]:
    targeted = [report for report in reports if report.targeted]
    for report in targeted:
        if report.facts is None:
            raise HostError(report.name, report.failure)
    settings = targeted[0].settings
    if settings is None:
        raise PlanError(
            f"The observation of {targeted[0].name} carries no settings; observe it with the role's own task."
        )
    _refuse_differing_settings(targeted)
    masters = [_read(report.name, report.facts, settings, now) for report in targeted if report.facts is not None]
    others = [
        master
        for report in reports
        if not report.targeted and report.facts is not None
        for master in [_read(report.name, report.facts, settings, now)]
        if report.cluster or not is_of_another_cluster(master, masters)
    ]
    try:
        plan = decide_cluster(
            masters,
            others=others,
            unseen=[report.name for report in reports if report.facts is None],
            doubt=doubt,
            folder=read_folder(settings.folder),
            wishes={report.name: report.wish for report in targeted if report.wish},
            renew_before=settings.renewal(),
            container=settings.container,
            now=now,
        )
    except PkiError as error:
        raise PlanError(str(error)) from None
    return plan, settings


def _decide_alone(
    reports: t.Sequence[Report], read_folder: t.Callable[[str], PkiFolder], now: datetime, doubt: str
) -> tuple[ClusterPlan, ClusterSettings]:
    """Decide for a cluster such that nothing which goes wrong there reaches another one. Raises PlanError."""
    try:
        return _decide(reports, read_folder, now, doubt)
    except PlanError:
        raise
    except Exception as error:
        raise PlanError(
            f"What the masters of this cluster say cannot be decided about ({type(error).__name__}: {error}); look at "
            "their manifests and certificates, and if they are right, report this."
        ) from None


def _host_result(host: HostPlan, folder: str, made_anew: t.Container[str]) -> HostResult:
    leaf, ca = host.pair.certificate, host.ca.bundle[0] if host.ca.bundle else None
    return {
        "action": host.action,
        "flags": dict(host.flags),
        "files": [
            {"path": path, "src": f"{folder}/{name}", "made_anew": name in made_anew}
            for path, name in host.files.items()
        ],
        "found": printable(host.found),
        "routing": printable(host.routing),
        "reasons": [printable(reason) for reason in host.reasons],
        "warnings": [printable(warning) for warning in host.warnings],
        "pair_not_after": iso(leaf.not_after) if leaf else None,
        "ca_not_after": iso(ca.not_after) if ca else None,
        "error": "",
    }


def _refused(reports: t.Sequence[Report], culprit: str, message: str) -> dict[str, HostResult]:
    """Give every targeted host of a cluster an error: the culprit its own, the others why they are not begun."""
    short = message.splitlines()[0]
    if short.endswith(":"):  # a table follows, which its own host shows
        short = f"{short[:-1]}."
    hosts: dict[str, HostResult] = {}
    for report in reports:
        if report.targeted:
            own = report.name == culprit
            error = message if own else f"Not begun, because {culprit} of the same cluster is refused: {short}"
            hosts[report.name] = {
                "action": "refused",
                "error": error,
                "found": "",
                "reasons": [],
                "warnings": [],
                "files": [],
            }
    return hosts


def _targeted(reports: t.Sequence[Report]) -> list[str]:
    return [report.name for report in reports if report.targeted]


def _refused_cluster(
    reports: t.Sequence[Report], leader: str, culprit: str, message: str, look_at: t.Sequence[str]
) -> ClusterResult:
    return {
        "leader": leader,
        "members": _targeted(reports),
        "error": message,
        "culprit": culprit,
        "look_at": list(look_at),
        "warnings": [],
    }


def _cluster_result(plan: ClusterPlan, settings: ClusterSettings, leader: str, members: list[str]) -> ClusterResult:
    signer = plan.authority.signer
    return {
        "leader": leader,
        "members": members,
        "folder": settings.folder,
        "make_ca": plan.make,
        "adopt": bundle_text(plan.authority.bundle) if plan.adopt else None,
        "client_cas": list(plan.client_cas),
        "sign": plan.sign,
        "common_name": plan.common_name,
        "ca": printable(signer.subject, longest=300) if signer else None,
        "ca_reason": printable(plan.authority.reason),
        "ca_not_after": iso(signer.not_after) if signer else None,
        "look_at": [],
        "error": "",
        "warnings": [printable(warning) for warning in plan.warnings],
    }


def _in_waves(orders: t.Sequence[t.Sequence[str]]) -> list[list[str]]:
    """Give the first hosts of all clusters, then the second ones, and so on. orders: the hosts of each cluster."""
    return [[host for host in wave if host is not None] for wave in itertools.zip_longest(*orders)]


def plan_clusters(
    reports: t.Sequence[Report], *, read_folder: t.Callable[[str], PkiFolder], now: datetime, doubt: str = ""
) -> PlanResult:
    """Plan all clusters. read_folder: looks at a PKI folder of the controller, may raise PkiError; doubt: why the
    masters that were named may not be all, so that no CA must be made; empty if they are.

    Returns the plan by host and by cluster, ``waves`` (lists of hosts, at most one of a cluster in each), ``pending``
    (hosts with a change that was cut off, in such waves, too) and ``settled`` (nothing is to be done, and nothing is
    refused). An error of one cluster leaves the others alone.
    """
    names = dict.fromkeys(report.cluster for report in reports if report.targeted and report.cluster)
    if not names and any(report.targeted for report in reports):
        names = {DEFAULT_CLUSTER: None}
    hosts: dict[str, HostResult] = {}
    clusters: dict[str, ClusterResult] = {}
    orders: list[tuple[str, ...]] = []
    for name in names:
        # a host that does not say which cluster it belongs to may be of any
        members = [report for report in reports if report.cluster in (name, "")]
        leader = next(report.name for report in members if report.targeted)
        try:
            plan, settings = _decide_alone(members, read_folder, now, doubt)
        except PlanError as error:
            culprit = error.host if isinstance(error, HostError) else leader
            look_at = error.hosts if isinstance(error, UnseenMasters) else ()
            hosts.update(_refused(members, culprit, str(error)))
            clusters[name] = _refused_cluster(members, leader, culprit, str(error), look_at)
        else:
            hosts.update({host.name: _host_result(host, settings.folder, plan.made_anew) for host in plan.hosts})
            clusters[name] = _cluster_result(plan, settings, leader, _targeted(members))
            orders.append(plan.order)
    cut_off = [report for report in reports if report.targeted and report.facts and report.facts["pending"]]
    # one that does not say which cluster it belongs to may be of any, so it comes alone
    of_each = [[report.name for report in cut_off if report.cluster == name] for name in names]
    alone = [[report.name] for report in cut_off if report.cluster not in names]
    return {
        "hosts": hosts,
        "clusters": clusters,
        "waves": _in_waves(orders),
        "pending": [*_in_waves(of_each), *alone],
        "settled": all(host["action"] == "nothing" for host in hosts.values()),
    }
