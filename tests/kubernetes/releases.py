# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The releases of Kubernetes that are tested, and in what they differ for the tests: data, so that no test asks."""

from __future__ import annotations

import re
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

__all__ = ["NEWEST", "OLDEST", "RELEASES", "Release", "named_release", "release_of"]

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Release:
    """A release, such as 1.37.2. What a trait says of others follows from the release in which it came."""

    version: str

    @property
    def tag(self) -> str:
        """As images and kubeadm have it."""
        return f"v{self.version}"

    @property
    def short(self) -> str:
        """Without the patch: 1.37."""
        return ".".join(self.version.split(".")[:2])

    @property
    def minor(self) -> int:
        return int(self.version.split(".")[1])

    def __str__(self) -> str:
        return self.version

    @property
    def kubeadm_api(self) -> str:
        """The newest format of its configuration that this kubeadm reads (cmd/kubeadm/app/apis/kubeadm)."""
        return "v1beta4" if self.minor >= 31 else "v1beta3" if self.minor >= 22 else "v1beta2"

    def socket_address(self, path: str) -> str:
        """How this kubeadm wants the socket of the container runtime; from 1.24 on as an address (PR 107295)."""
        return f"unix://{path}" if self.minor >= 24 else path

    @property
    def kubelet_configuration(self) -> dict[str, t.Any]:
        """What a kubelet of this release needs to be told so that it runs in a node of the testbed.

        Source: staging/src/k8s.io/kubelet/config/v1beta1/types.go; the flags for the runtime went with 1.27 and later.
        """
        found: dict[str, t.Any] = {"failSwapOn": False, "cgroupDriver": "cgroupfs"}
        if self.minor >= 27:
            found["containerRuntimeEndpoint"] = "unix:///run/containerd/containerd.sock"
        if self.minor >= 31:
            found["failCgroupV1"] = False
        return found

    @property
    def kubelet_flags(self) -> tuple[str, ...]:
        """The same, where it is no setting of the file yet."""
        if self.minor >= 27:
            return ()
        return ("--container-runtime=remote", "--container-runtime-endpoint=unix:///run/containerd/containerd.sock")

    @property
    def administrators(self) -> str:
        """The group of the user in kubeadm's admin.conf (PR 121305)."""
        return "kubeadm:cluster-admins" if self.minor >= 29 else "system:masters"

    @property
    def waits_for_the_old_pod(self) -> bool:
        """Whether the kubelet starts the new pod of a file when the old one has ended (PR 104743)."""
        return self.minor >= 23

    @property
    def checks_serving_certificates(self) -> bool:
        """Whether an APIService whose server has a certificate that its caBundle does not know is no longer Available
        (PR 137157)."""
        return self.minor >= 36


def _first(path: Path, pattern: str) -> str:
    """What a file pins: the group of the first match."""
    found = re.search(pattern, path.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise ValueError(f"{path} pins no release of Kubernetes.")
    return found[1]


#: Built from its Go modules.
NEWEST = Release(_first(HERE / "modules" / "kubernetes" / "go.mod", r"^\s+k8s\.io/kubernetes v(\S+)"))
#: Built from the source package of Debian 12.
OLDEST = Release(_first(HERE / "from-debian", r"^version=(\S+)$"))

RELEASES = (NEWEST, OLDEST)


def release_of(program: Path) -> Release:
    """Give the release of a kube-apiserver. Raises OSError, subprocess.CalledProcessError."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return Release(said.stdout.strip().rpartition(" v")[2])  # Kubernetes v1.20.2


def named_release(name: str) -> Release:
    """Give the tested release of that name: newest, oldest, 1.37 or 1.37.2. Raises ValueError."""
    known = {"newest": NEWEST, "oldest": OLDEST}
    for release in RELEASES:
        known.update({release.short: release, release.version: release})
    if name not in known:
        raise ValueError(f"{name} is no release that is tested; choose one of {', '.join(sorted(known))}.")
    return known[name]
