# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of finding there is, causes before what follows from them."""

from __future__ import annotations

import typing as t

from . import (
    access,
    apiservices,
    claims,
    discovery,
    files,
    flags,
    kubeadm,
    kubelet,
    peers,
    published,
    replicas,
    reuse,
    running,
    smoke,
    surroundings,
    trust,
)
from .model import AT_RISK, BROKEN, Kind

__all__ = ["CATALOGUE", "NOT_READ", "NOT_SEEN", "SUBJECTS", "UNCLEAR"]

NOT_SEEN = Kind(
    id="master-not-seen",
    severity=BROKEN,
    title="this master could not be looked at",
    consequence="Nothing is known of it, and what it trusts may differ from what the others do.",
    fix="mend what is said here, and run again",
    cause="Switch a master off.",
    source="Ansible",
)
UNCLEAR = Kind(
    id="manifest-unclear",
    severity=BROKEN,
    title="the manifest of kube-apiserver is not one that can be understood",
    consequence="The kubelet may not run it, or run something else than it seems to say.",
    fix="mend what is said here, and run again",
    cause="Write metadata.uid into the manifest, or break its YAML.",
    source="pkg/kubelet/config/file.go",
)
NOT_READ = Kind(
    id="api-not-readable",
    severity=AT_RISK,
    title="the API could not be read through any master",
    consequence="What is published, and which APIServices work, is not known.",
    fix="mend the other findings first; or give a kubeconfig: -e front_proxy_kubeconfig=/path/on/the/controller",
    cause="Give a kubeconfig whose user may read nothing.",
    source="the front-proxy pair is what the API is read with",
)

#: The kinds by subject, in the order in which they are reported among their like, and documented.
SUBJECTS: t.Mapping[str, tuple[Kind, ...]] = {
    "Masters": (NOT_SEEN, UNCLEAR),
    "Trust across the masters": (*trust.KINDS, *peers.KINDS),
    "Flags": flags.KINDS,
    "Files and certificates": (*files.KINDS, *access.KINDS),
    "One CA for several purposes": reuse.KINDS,
    "Process and files": (*kubelet.KINDS, *running.KINDS),
    "Around kube-apiserver": surroundings.KINDS,
    "What the cluster publishes": published.KINDS,
    "Reading the API": (NOT_READ,),
    "APIServices": (*replicas.KINDS, *apiservices.KINDS, *claims.KINDS),
    "Discovery": discovery.KINDS,
    "kubeadm": kubeadm.KINDS,
    "The smoke test": smoke.KINDS,
}
CATALOGUE = tuple(kind for kinds in SUBJECTS.values() for kind in kinds)
