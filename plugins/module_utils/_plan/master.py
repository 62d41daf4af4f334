# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One master, as it was observed, with the questions that the decisions ask of it."""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass
from datetime import datetime

from .._argv import same_value
from .._contract.observation import Observation, ObservedFile, Probe
from .._manifest.api_objects import api_objects
from .._manifest.errors import ManifestError
from .._manifest.pod import StaticPod, defines_same_pod, host_path, read_pod
from .._pki.certificate import Certificate, read_certificates
from .._pki.errors import PkiError
from .errors import PlanError
from .wish import AGGREGATION_FLAGS, ROUTING_FLAG, parse_release

__all__ = ["NO_API_OBJECTS_FROM", "Master", "Seen", "read_master"]

DEFAULT_FOLDER = "/etc/kubernetes/pki"
_NEIGHBOURS = ("client-ca-file", "tls-cert-file", "tls-private-key-file")
#: Kubelets run no static pod that names an object of the API from this release on (pkg/kubelet/config/common.go).
NO_API_OBJECTS_FROM = (1, 34)
# Flags that decisions read: none of them may stand there twice with two values.
_READ = (*_NEIGHBOURS, *AGGREGATION_FLAGS, ROUTING_FLAG)


@dataclass(frozen=True)
class Seen:
    """A file that the server reads. path: as the flag names it, in the container; host: on the host; facts: seen."""

    path: str
    host: str
    mounted: bool
    facts: ObservedFile

    @property
    def exists(self) -> bool:
        """Whether it was there."""
        return bool(self.facts.get("exists"))

    def certificates(self) -> tuple[Certificate, ...]:
        """Its certificates, in order. Raises PkiError if there is none, or one cannot be read."""
        return read_certificates("".join(self.facts.get("certificates") or ()), where=self.host)


@dataclass(frozen=True)
class Master:
    """One observed master. name: in the inventory; facts: the result of ``apiserver_info``; pod: its manifest, read."""

    name: str
    facts: Observation
    pod: StaticPod

    @property
    def live(self) -> bool:
        """Whether it is a running machine, not a sandbox below a root."""
        return not self.facts["root"]

    @property
    def probe(self) -> Probe | None:
        """What the running server answered; None if none runs."""
        return self.facts["probe"]

    @property
    def release(self) -> tuple[int, int] | None:
        """The running server's release, or else the image's."""
        # the registry's host may have dots and a port, too
        name = (self.pod.image or "").partition("@")[0].rpartition("/")[2]
        return parse_release(self.probe and self.probe["version"]) or parse_release(name.partition(":")[2])

    @property
    def made_by_kubeadm(self) -> bool:
        """Whether kubeadm wrote the manifest: it notes there what it needs to know again."""
        return any(name.startswith("kubeadm.kubernetes.io/") for name in self.pod.annotations)

    @property
    def healthy(self) -> bool:
        """Whether its server answers, as far as one can run here."""
        return not self.live or bool(self.probe and self.probe["answers"])

    def kubelet_is_older_than(self, release: tuple[int, int]) -> bool:
        """Whether its kubelet is surely older: a kubelet is never newer than its kube-apiserver."""
        return self.release is not None and self.release < release

    def as_written(self, flags: t.Mapping[str, str | None]) -> dict[str, str | None]:
        """Give these flags in the manifest's own spelling where that means the same: ``True`` for ``true``."""
        values = {}
        for name, wanted in flags.items():
            now = self.pod.flag(name)
            same = now is not None and wanted is not None and same_value(name, now, wanted)
            values[name] = now if same else wanted
        return values

    def folder(self, wanted: str | None) -> str:
        """The folder for files that no flag names yet: the wanted one, or where the other certificates are."""
        if wanted:
            return wanted.rstrip("/")
        for name in _NEIGHBOURS:
            path = self.pod.flag(name)
            if path and path.startswith("/"):
                return posixpath.dirname(path)
        return DEFAULT_FOLDER

    def seen(self, path: str) -> Seen:
        """Find an observed file by its path in the container. Raises PlanError if it could not be observed."""
        try:
            host = host_path(self.pod, path)
        except ManifestError as error:
            raise PlanError(str(error)) from None
        facts = self.facts["files"].get(host or path)
        absent: ObservedFile = {"exists": False, "is_link": False}
        return Seen(path, host or path, host is not None, facts or absent)

    def client_cas(self) -> tuple[Certificate, ...]:
        """The CAs of the cluster's own client certificates; empty if they are not known."""
        path = self.pod.flag("client-ca-file")
        if not path:
            return ()
        try:
            return self.seen(path).certificates()
        except (PlanError, PkiError):
            return ()


def read_master(name: str, facts: Observation, *, container: str, now: datetime, backdate: float) -> Master:
    """Read an observation. Raises PlanError, whose message does not name the host, for all that must not be touched.

    now: the controller's clock, for messages; backdate: how many seconds the clocks may be apart.
    """
    path = facts["manifest"]["path"]
    try:
        pod = read_pod(facts["manifest"]["text"], container=container, where=path)
        for flag in _READ:
            pod.flag(flag)
    except ManifestError as error:
        raise PlanError(str(error)) from None
    for sibling in facts["siblings"]:
        if sibling["text"] and defines_same_pod(sibling["text"], pod):
            other = posixpath.join(posixpath.dirname(path), sibling["name"])
            raise PlanError(
                f"{other} defines the same pod as {path}, and the kubelet runs whichever comes last by name, whatever "
                "its ending: move it out of that folder (removing it stops kube-apiserver for some seconds), then run "
                "again."
            )
    skew = facts["clock_skew"]
    if skew is not None and abs(skew) > backdate:
        ahead = "ahead of" if skew > 0 else "behind"
        raise PlanError(
            f"The clock of this master is {abs(skew):.0f} s {ahead} the controller's ({now:%Y-%m-%d %H:%M:%S} UTC): "
            "certificates would seem not yet valid or expired; set both clocks right (NTP), then run again."
        )
    master = Master(name, facts, pod)
    named = () if master.healthy else api_objects(pod)
    if named and not master.kubelet_is_older_than(NO_API_OBJECTS_FROM):
        raise PlanError(
            f"{path} names objects of the API ({', '.join(named)}), kubelets from 1.34 on run no such static pod, and "
            "no kube-apiserver runs here: put what they hold into files of this host, take the names out, then run "
            "again."
        )
    return master
