# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of several processes is the kube-apiserver of a manifest. Pure: process.py looks at the machine.

A machine can run several: of nested clusters, of tests, by hand. None is better than a wrong one, for what is taken
for ours is asked, shown the pair, and judged: a change is undone when it does not run as wanted.
"""

from __future__ import annotations

import re
import typing as t

from .._argv import flag_values, same_value
from .stated import Stated

if t.TYPE_CHECKING:
    from .process import Process

__all__ = ["Candidate", "PodName", "choose", "pod_in_cgroups", "pods_in"]

# What two kube-apiservers do not share by accident. The paths of keys are among them: two masters on one machine have
# their keys in two places.
_IDENTITY = (
    "advertise-address",
    "bind-address",
    "cert-dir",
    "client-ca-file",
    "etcd-cafile",
    "etcd-certfile",
    "etcd-keyfile",
    "etcd-prefix",
    "etcd-servers",
    "external-hostname",
    "secure-port",
    "service-account-issuer",
    "service-account-key-file",
    "service-account-signing-key-file",
    "service-cluster-ip-range",
    "tls-cert-file",
    "tls-private-key-file",
)
# What a server has that does not say (pkg/kubeapiserver/options/serving.go, the flags of staging/src/k8s.io/apiserver/
# pkg/server/options, and pkg/controlplane's DefaultEtcdPathPrefix, which is pkg/master's up to 1.20).
_DEFAULTS = {"bind-address": "0.0.0.0", "etcd-prefix": "/registry", "secure-port": "6443"}  # noqa: S104

# A pod's control group as the systemd driver of the kubelet names it, with _ for -, and as the cgroupfs driver does;
# guaranteed pods have no class (pkg/kubelet/cm, cgroup_manager_linux.go and pod_container_manager_linux.go). What
# stands before is the kubelet's --cgroup-root, or where we look from.
_POD_CGROUP = re.compile(
    r"[/:-]kubepods(?:-burstable|-besteffort)?-pod([0-9A-Za-z_]+)\.slice"
    r"|/kubepods/(?:burstable/|besteffort/)?pod([0-9A-Za-z-]+)"
)


class PodName(t.NamedTuple):
    """Whose logs the kubelet keeps. name: of a static pod it ends with the node's name."""

    namespace: str
    name: str


class Candidate(t.NamedTuple):
    """A process that is called like the server, and what is known of it.

    uid: its real user; pod: the UID of the pod in whose control group it is, None if in none; network: its network
    namespace, None if that cannot be read.
    """

    process: Process
    uid: int
    pod: str | None
    network: str | None


def pod_in_cgroups(text: str) -> str | None:
    """Give the UID of the pod that /proc/PID/cgroup names (cgroups(7), versions 1 and 2), None if it names none.

    Of a pod within a pod, as a kubelet in a container has them, it is the outer one: that is this machine's.
    """
    for line in text.splitlines():
        # what comes first in the path is the outermost
        match = _POD_CGROUP.search(line)
        if match:
            return (match.group(1) or match.group(2)).replace("_", "-")
    return None


def pods_in(folders: t.Iterable[str]) -> dict[str, PodName]:
    """Tell the pods' names by UID, from the names of the folders in /var/log/pods.

    Source: BuildPodLogsDirectory of pkg/kubelet/kuberuntime: NAMESPACE_NAME_UID, none of which can hold a ``_``.
    """
    split = (folder.split("_") for folder in folders)
    return {parts[2]: PodName(parts[0], parts[1]) for parts in split if len(parts) == 3}


def _is_of_manifest(candidate: Candidate, stated: Stated, pods: t.Mapping[str, PodName]) -> bool | None:
    """Tell whether the pod of a process is the manifest's. None: there is no telling."""
    pod = pods.get(candidate.pod) if candidate.pod else None
    if pod is None or not stated.names:
        return None
    if pod.namespace not in stated.namespaces or not any(
        pod.name == name or pod.name.startswith(name + "-") for name in stated.names
    ):
        return False
    # A static pod's UID is a hash, 32 hexadecimal digits (pkg/kubelet/config/common.go, applyDefaults), unless its file
    # states one. Dashes are in the UIDs that an API server gives: that pod is only called much the same.
    if "-" in str(candidate.pod) and candidate.pod not in stated.pod_uids:
        return None
    return True


def _is_same(name: str, said: t.Collection[str], has: t.Collection[str]) -> bool:
    return any(same_value(name, one, other) for one in said for other in has)


def _is_comparable(values: t.Iterable[str]) -> bool:
    """Tell whether values run as they are written, and not with what a variable stands for: $(NAME)."""
    return not any("$" in value for value in values)


def _is_another(running: t.Mapping[str, t.Sequence[str]], stated: Stated) -> bool:
    """Tell whether a command line differs from the manifest's in what no two servers share."""
    for name in _IDENTITY:
        default = [_DEFAULTS[name]] if name in _DEFAULTS else []
        said, has = stated.flags.get(name) or default, running.get(name) or default
        if said and has and _is_comparable(said) and not _is_same(name, said, has):
            return True
    return False


def _shared(running: t.Mapping[str, t.Sequence[str]], stated: Stated) -> tuple[int, int]:
    """Give how many of the manifest's flags a command line has, by name and value, and out of how many."""
    compared = {name: values for name, values in stated.flags.items() if _is_comparable(values)}
    if not compared:
        return sum(name in running for name in stated.flags), len(stated.flags)
    return sum(_is_same(name, values, running.get(name, ())) for name, values in compared.items()), len(compared)


def _likeness(process: Process, stated: Stated) -> tuple[bool, int]:
    """Tell whether a process can be the manifest's by its flags alone, and how many it shares with it.

    More than half are enough, so that it is known again while the manifest is newer than it.
    """
    running = flag_values(process.argv)
    shared, of = _shared(running, stated)
    if not of:
        return True, 0
    return 2 * shared > of and not _is_another(running, stated), shared


def choose(
    candidates: t.Sequence[Candidate],
    stated: Stated,
    *,
    pods: t.Mapping[str, PodName],
    network: str | None,
    owners: t.Container[int],
) -> Process | None:
    """Give the process that a manifest describes; None if there is none.

    pods: see `pods_in`; network: our own network namespace; owners: the users as whom the server may run besides those
    that the manifest states.

    A process in the manifest's pod is the server, whatever its flags: the manifest may be newer than it. Elsewhere it
    must be of a user that may be, in the host's network where the manifest's is, and alike. Of equals it is the newest.
    """
    whose = [(candidate, _is_of_manifest(candidate, stated, pods)) for candidate in candidates]
    # an exec into the container runs in the pod, too: kube-apiserver --version
    ours = [
        (_likeness(candidate.process, stated)[1] > 0, candidate.process.start_ticks, candidate)
        for candidate, known in whose
        if known
    ]
    if ours:
        return max(ours, key=lambda each: each[:2])[2].process
    alike = [
        (shared, candidate.process.start_ticks, candidate)
        for candidate, known in whose
        if known is None
        and (candidate.uid in owners or candidate.uid in stated.users)
        and not (stated.host_network and network and candidate.network and candidate.network != network)
        for fits, shared in [_likeness(candidate.process, stated)]
        if fits
    ]
    if not stated.flags and len(alike) > 1:
        return None  # nothing tells them apart
    return max(alike, key=lambda each: each[:2])[2].process if alike else None
