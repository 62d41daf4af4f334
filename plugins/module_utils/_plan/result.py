# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan as plain values, by which the role goes on, and the results of its tasks, as its summary reads them."""

from __future__ import annotations

import typing as t

from .._contract.observation import ObservedFile, Probe

__all__ = ["Applied", "ClusterResult", "CopiedFile", "HostResult", "PlanResult", "Proof", "TaskEnd", "TaskResults"]


class CopiedFile(t.TypedDict):
    """An entry of the option ``files`` of the module ``apiserver``: a file of the controller's PKI folder."""

    path: str
    src: str
    made_anew: bool


class _AnyHost(t.TypedDict):
    action: str
    found: str
    reasons: t.List[str]
    warnings: t.List[str]
    files: t.List[CopiedFile]
    error: str


class HostResult(_AnyHost, total=False):
    """What one master needs; a refused one has no more than an error. The dates are ISO 8601, or None."""

    flags: t.Dict[str, t.Optional[str]]
    routing: str
    pair_not_after: t.Optional[str]
    ca_not_after: t.Optional[str]


class _AnyCluster(t.TypedDict):
    leader: str
    members: t.List[str]
    error: str
    look_at: t.List[str]
    warnings: t.List[str]


class ClusterResult(_AnyCluster, total=False):
    """What a cluster needs; a refused one has an error and its culprit. adopt: PEM, None if nothing is adopted."""

    culprit: str
    folder: str
    make_ca: bool
    adopt: t.Optional[str]
    client_cas: t.List[str]
    sign: str
    common_name: str
    ca: t.Optional[str]
    ca_reason: str
    ca_not_after: t.Optional[str]


class PlanResult(t.TypedDict):
    """The plan for all clusters, the result of the module ``front_proxy_plan``; see `_plan/clusters.py`."""

    hosts: t.Dict[str, HostResult]
    clusters: t.Dict[str, ClusterResult]
    waves: t.List[t.List[str]]
    pending: t.List[t.List[str]]
    settled: bool


class TaskEnd(t.TypedDict, total=False):
    """How a task ended on a host."""

    failed: bool
    unreachable: bool
    skipped: bool
    msg: str


class Applied(TaskEnd, total=False):
    """The result of the module ``apiserver``."""

    files: t.List[str]
    manifest_changed: bool
    restart: str
    restarted: bool
    seconds: float
    recovered: str


class Proof(TaskEnd, total=False):
    """Of an observation, what proves that a change has come to work."""

    root: str
    probe: t.Optional[Probe]
    files: t.Dict[str, ObservedFile]


class TaskResults(t.TypedDict):
    """What the tasks of the role registered for a host; None where one was not run."""

    observed: t.Optional[TaskEnd]
    recovered: t.Optional[Applied]
    ca: t.Optional[TaskEnd]
    client: t.Optional[TaskEnd]
    applied: t.Optional[Applied]
    proof: t.Optional[Proof]
