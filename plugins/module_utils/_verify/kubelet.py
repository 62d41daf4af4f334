# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a kubelet runs what lies in the manifest's folder."""

from __future__ import annotations

import posixpath
import typing as t

from .._contract.observation import ObservedKubelet
from .._plan.kubelet import unread
from .._shown import Shell, shell_word
from .model import AT_RISK, BROKEN, Finding, Kind, finding
from .view import View

__all__ = ["KINDS", "judge_kubelet"]

NO_KUBELET = Kind(
    id="kubelet-not-running",
    severity=AT_RISK,
    title="no kubelet runs on this master",
    consequence="kube-apiserver is not started again when it ends, and a change of its manifest has no effect.",
    fix="run on {host}: systemctl start kubelet  # why it ended is in journalctl -u kubelet",
    cause="systemctl stop kubelet",
    source="the process table of the master; cmd/kubelet",
)
OTHER_FOLDER = Kind(
    id="kubelet-reads-another-folder",
    severity=AT_RISK,
    title="the kubelet does not run what lies in the folder of this manifest",
    consequence="Changes of {path} are without effect, and what is said here of it may not be what runs.",
    fix="decide which manifest is the right one: set front_proxy_manifest of {host} to the one that its kubelet runs, "
    "or {remedy}",
    cause="Set staticPodPath in the kubelet's configuration to another folder, or front_proxy_manifest to a copy.",
    source="cmd/kubelet/app/server.go (--pod-manifest-path, --config, --config-dir); pkg/kubelet/config/file.go",
)

KINDS = (NO_KUBELET, OTHER_FOLDER)


def _remedy(path: str, kubelet: ObservedKubelet) -> str:
    if kubelet["folder"]:
        return f"put {shell_word(path)} into {shell_word(kubelet['folder'])}"
    folder, where = shell_word(posixpath.dirname(path)), shell_word(kubelet["told_by"])
    return f"set staticPodPath to {folder} (now: {where}) and restart the kubelet"


def judge_kubelet(view: View) -> t.Iterator[Finding]:
    """Judge whether a kubelet runs the manifest. Where none does, and no server runs either, this is why."""
    found = unread(view.master)
    if found is None:
        return
    runs = view.facts["process"] is not None
    evidence = [found.why] if runs else [found.why, "kube-apiserver does not run"]
    severity = AT_RISK if runs else BROKEN
    if found.kubelet is None:
        yield finding(NO_KUBELET, view.where, *evidence, severity=severity, host=view.name)
        return
    path = view.facts["manifest"]["path"]
    words = {"path": path, "host": view.name, "remedy": Shell(_remedy(path, found.kubelet))}
    yield finding(OTHER_FOLDER, view.where, *evidence, severity=severity, **words)
