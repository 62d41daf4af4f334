# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs against what is written: a pod that no kubelet runs, a process with other flags or older files."""

from __future__ import annotations

import typing as t

from .._argv import last_value, same_value
from .._manifest.api_objects import api_objects
from .._plan.master import NO_API_OBJECTS_FROM
from .._plan.names import read_list
from .._plan.wish import AGGREGATION_FLAGS, ROUTING_FLAG
from .._shown import Shell, shell_word
from .files import refuses_its_signature
from .kubelet import judge_kubelet
from .model import AT_RISK, BROKEN, WILL_BREAK, Finding, Kind, finding
from .view import CA_FLAG, CERT_FLAG, KEY_FLAG, View, subject_of

__all__ = ["KINDS", "judge_running"]

API_OBJECTS = Kind(
    id="pod-names-api-objects",
    severity=WILL_BREAK,
    title="the static pod of kube-apiserver names objects of the API, and kubelets from 1.34 on run no such pod",
    consequence="A newer kubelet does not start kube-apiserver, and ends one that runs when it finds this manifest.",
    fix="put what these objects hold into files on {host}, mount them as hostPath, and take the names out of {path}; "
    "kube-apiserver then restarts",
    cause="Give kube-apiserver's static pod a serviceAccountName, or a volume of the kind secret.",
    source="pkg/kubelet/config/common.go (static pods may not reference ...), pkg/api/pod/util.go; 1.34",
    explains=("server-not-running", "server-not-answering"),
)

NOT_RUNNING = Kind(
    id="server-not-running",
    severity=BROKEN,
    title="kube-apiserver does not run",
    consequence="Nothing comes through this master.",
    fix="look at the logs of the kubelet and of the container on {host}: {log}",
    cause="Put a flag into the manifest that kube-apiserver does not know.",
    source="the process table of the master",
)
NOT_ANSWERING = Kind(
    id="server-not-answering",
    severity=BROKEN,
    title="kube-apiserver runs and does not answer",
    consequence="Nothing comes through this master.",
    fix="look at the log of the container on {host}: {log}",
    cause="Stop etcd.",
    source="a request to /readyz on the master's own address",
)
OTHER_FLAGS = Kind(
    id="process-not-as-manifest",
    severity=AT_RISK,
    title="kube-apiserver runs with other flags than its manifest has",
    consequence="What works now changes with the next restart, and what was changed has no effect yet.",
    fix="see why the kubelet of {host} does not take the manifest (journalctl -u kubelet), or move the manifest out "
    "of its folder and back after 30 s",
    cause="Edit the manifest while the kubelet is stopped.",
    source="/proc/PID/cmdline against the manifest",
)
STALE = Kind(
    id="files-not-loaded",
    severity=BROKEN,
    title="kube-apiserver works with older front-proxy files than those on the disk",
    consequence="What was renewed has no effect, and what was withdrawn is still trusted.",
    fix="{restart}",
    cause="Replace front-proxy-ca.crt and the pair and look at once (1.20 to 1.22 load them within 60 s); or mount a "
    "single file into the container and replace it on the host.",
    source="staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates; Kubernetes issues 78382 and 120890",
)

KINDS = (API_OBJECTS, NOT_RUNNING, NOT_ANSWERING, OTHER_FLAGS, STALE)

# Here the answer depends on what the server trusts as its own clients' CA, too.
_COMPARED = (*AGGREGATION_FLAGS, ROUTING_FLAG, "client-ca-file")


def _different_flags(view: View) -> list[str]:
    shown = []
    for flag in _COMPARED:
        written, runs = view.flag(flag), last_value(view.running, flag)
        # what a manifest builds from a variable runs with what that stands for
        if written == runs or (written and runs and (same_value(flag, written, runs) or "$(" in written)):
            continue
        shown.append(f"--{flag} is {written!r} in the manifest and {runs!r} in the process".replace("None", "not set"))
    return shown


def _not_seen_in_container(view: View) -> list[str]:
    shown = []
    for flag in (CA_FLAG, CERT_FLAG, KEY_FLAG):
        seen = view.file(flag)
        # what was compared is the same path in both, so it says nothing of a folder that is mounted at another place
        if seen and seen.exists and seen.host == seen.path and seen.facts.get("in_container") is False:
            shown.append(f"the container sees another file at {seen.path} than {seen.host} on the host")
    return shown


def _handshake(view: View) -> list[str]:
    """Compare the CAs that the server names with those in its two files."""
    bundle = view.file(CA_FLAG)
    clients = view.bundle("client-ca-file").certificates
    if view.offered is None or (bundle and not bundle.exists) or view.bundle(CA_FLAG).problem:
        return []
    if view.flag("client-ca-file") and not clients:
        return []  # what cannot be read here may be what the server names
    cas = [*view.cas, *clients]
    wanted = {subject_of(ca): ca.subject for ca in cas}
    shown = [f"the TLS handshake does not name {name}" for der, name in wanted.items() if der not in view.offered]
    if cas and any(name not in wanted for name in view.offered):
        shown.append("the TLS handshake names a CA that is in neither file")
    return shown


def _refused_though_right(view: View) -> list[str]:
    """A pair that is right by the files, and that the running server refuses: it has loaded another CA."""
    leaf, key, certificate = view.leaf, view.file(KEY_FLAG), view.file(CERT_FLAG)
    # 429 or 503 says that the server is busy, and nothing of the pair
    if not view.probe or view.probe["status"] != 401 or leaf is None or key is None or certificate is None:
        return []
    names = [name for value in view.running.get("requestheader-allowed-names", ()) for name in read_list(value) or ()]
    right = (
        certificate.host in key.facts.get("loads_with", ())
        and any(view.is_signed_by(ca) and ca.not_before <= view.now < ca.not_after for ca in view.cas)
        and leaf.not_before <= view.now < leaf.not_after
        and (leaf.any_usage or leaf.client_auth)
        and (not names or leaf.common_name in names)
        and not refuses_its_signature(view, leaf)
    )
    return ["the pair fits the CA on the disk, and the server refuses it (HTTP 401)"] if right else []


def _older_than_reload(view: View) -> list[str]:
    """Before 1.20 the pair is read once, at the start."""
    process, certificate = view.facts["process"], view.file(CERT_FLAG)
    if not view.release or view.release >= (1, 20) or not certificate or not certificate.exists or not process:
        return []
    # see stamp() in _master/files.py: the third part is when
    written = int(certificate.facts["stamp"].split(":")[2]) / 1e9
    return [f"{certificate.host} was written after the start of the server, which reads it only then"] * (
        written > process["started"]
    )


def _judge_pod(view: View) -> t.Iterator[Finding]:
    """Judge whether a kubelet runs the pod at all."""
    path = view.facts["manifest"]["path"]
    named = api_objects(view.master.pod)
    if named:
        severity = (
            WILL_BREAK if view.master.healthy or view.master.kubelet_is_older_than(NO_API_OBJECTS_FROM) else BROKEN
        )
        evidence = f"{path}: {', '.join(named)}"
        words = {"host": view.name, "path": view.on_disk(path)}
        yield finding(API_OBJECTS, view.where, evidence, when="1.34", severity=severity, **words)


def judge_running(view: View) -> t.Iterator[Finding]:
    """Judge a master's pod, and what runs of it; on an image or a sandbox nothing does."""
    yield from _judge_pod(view)
    if not view.master.live:
        return
    unread = [*judge_kubelet(view)]
    yield from unread
    log = f"/var/log/pods/{view.master.pod.namespace}_{view.master.pod.name}-*/"
    if view.facts["process"] is None:
        if unread:
            return  # that is why
        yield finding(NOT_RUNNING, view.where, "no such process", host=view.name, log=log)
        return
    probe = view.probe
    if not probe or not probe["answers"]:
        evidence = f"{probe['address']}:{probe['port']}: {probe['error']}" if probe else "it was not asked"
        yield finding(NOT_ANSWERING, view.where, evidence, host=view.name, log=log)
        return
    different = _different_flags(view)
    if different and unread:
        return  # nobody has taken them up, and what else differs follows from that
    if different:
        yield finding(OTHER_FLAGS, view.where, *different, host=view.name)
        return
    pinned = _not_seen_in_container(view)
    stale = [*pinned, *_handshake(view), *_refused_though_right(view), *_older_than_reload(view)]
    if stale:
        manifest = view.facts["manifest"]["path"]
        restart = (
            f"restart kube-apiserver on {view.name}: move {shell_word(manifest)} out of its folder, and back after 30 s"
        )
        wait = "wait a minute and look again (1.20 to 1.22 load files every 60 s); else "
        reads_late = view.release is None or (1, 20) <= view.release < (1, 23)
        yield finding(STALE, view.where, *stale, restart=Shell(restart if pinned or not reads_late else wait + restart))
