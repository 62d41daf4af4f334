# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration that kubeadm keeps in the cluster, in a version that a newer kubeadm no longer reads."""

from __future__ import annotations

import shlex
import typing as t

from .._shown import Shell
from .model import AT_RISK, WILL_BREAK, Finding, Kind, finding
from .view import View

__all__ = ["KINDS", "judge_kubeadm"]

TOO_OLD = Kind(
    id="kubeadm-config-too-old",
    severity=WILL_BREAK,
    title="kubeadm keeps its configuration as {version}, which kubeadm does not read from {release} on",
    consequence="kubeadm upgrade and join of that release end with 'old API spec'. What runs is not touched.",
    fix="run on {host}: {migrate}  # with kubeadm {readers}",
    cause="Let kubeadm of 1.30 make a cluster, and replace its programs by those of 1.37 without kubeadm upgrade.",
    source="cmd/kubeadm/app/util/config/common.go (validateSupportedVersion); pull request 136016 (1.37)",
    ours=False,
)

KINDS = (TOO_OLD,)

Release = t.Tuple[int, int]

# Of each version: the first and the last minor release of 1 whose kubeadm reads it and writes a newer one.
_MIGRATES: t.Mapping[str, tuple[int, int]] = {
    "v1alpha3": (13, 14),
    "v1beta1": (15, 21),
    "v1beta2": (22, 26),
    "v1beta3": (31, 36),
}
_FILES = "/etc/kubernetes/kubeadm-config"
# One word for a shell on the master, where the redirection is to happen, too.
_MIGRATE = Shell(
    "sh -c "
    + shlex.quote(
        "kubectl --kubeconfig=/etc/kubernetes/admin.conf --namespace=kube-system get configmap kubeadm-config "
        f'--output="jsonpath={{.data.ClusterConfiguration}}" > {_FILES}-old.yaml && '
        f"kubeadm config migrate --old-config={_FILES}-old.yaml --new-config={_FILES}-new.yaml && "
        f"kubeadm init phase upload-config kubeadm --config={_FILES}-new.yaml"
    )
)


def _severity(version: str | None, newest: Release | None, target: Release | None) -> str:
    """How bad it is that the configuration has this version; empty if nothing is wrong.

    On its way up kubeadm upgrade migrates it by itself, so it is told only where that was left out, or who asks for a
    release has it in view.
    """
    if version is None or version not in _MIGRATES:
        return ""
    first, last = ((1, minor) for minor in _MIGRATES[version])
    if newest and newest > last:
        return AT_RISK
    missed = newest is not None and newest >= first
    return WILL_BREAK if missed or (target is not None and target > last) else ""


def judge_kubeadm(cluster: str, views: t.Sequence[View], target: Release | None) -> t.Iterator[Finding]:
    """Judge the ConfigMap kubeadm-config, as the first master that could read it saw it.

    target: the release that one wants to get to.
    """
    reader = next((view for view in views if view.layer and view.layer["kubeadm_config"]), None)
    version = (reader.layer and reader.layer["kubeadm_config"]) if reader else None
    newest = max((view.release for view in views if view.release), default=None)
    severity = _severity(version, newest, target)
    if reader is None or version is None or not severity:
        return
    first, last = _MIGRATES[version]
    release = f"1.{last + 1}"
    evidence = f"kube-system/kubeadm-config: apiVersion: kubeadm.k8s.io/{version}"
    yield finding(
        *(TOO_OLD, (cluster, ()), evidence),
        when=release,
        severity=severity,
        version=version,
        release=release,
        readers=f"1.{first} to 1.{last}",
        host=reader.name,
        migrate=_MIGRATE,
    )
