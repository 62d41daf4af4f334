# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every node is made from: a file system of Debian 12, and images of Kubernetes. Both are built once and kept."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t
from dataclasses import dataclass
from pathlib import Path

import programs
from keeping import built, named
from releases import Release, release_of

from bed.image import ENVIRONMENT, write_image
from bed.places import REGISTRY
from bed.shell import BedError, run

__all__ = ["Parts", "prepare"]

FROM_DEBIAN = Path(__file__).resolve().parents[2] / "kubernetes" / "from-debian"
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubeadm", "kubectl", "kubelet")
IN_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
METRICS_SERVER = f"{REGISTRY}/metrics-server/metrics-server:testbed"
BASE = (
    *("ca-certificates", "conntrack", "ethtool", "iproute2", "iptables", "openssh-server", "procps", "python3"),
    *("socat", "util-linux"),
)
DAEMONS = ("busybox-static", "containerd", "etcd-server", "haproxy", "runc")

# kubeadm asks crictl which images are there. Debian has no package of it, and ctr knows the answers.
CRICTL = """\
#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case $1 in -r | --runtime-endpoint | -i | --image-endpoint) shift 2 ;; *) shift ;; esac
done
case $1 in inspecti | pull) ctr --namespace k8s.io images list --quiet | grep -qxF "$2" ;; esac
"""


@dataclass(frozen=True)
class Parts:
    """What nodes are made from; ``release`` is that of kubeadm and kubelet, and the tag of all images.

    pause: the name of the image that holds a pod's namespaces; metrics_server: that of metrics-server, if there is one.
    """

    rootfs: Path
    images: Path
    binaries: Path
    release: Release
    pause: str
    metrics_server: str


def _rootfs() -> Path:
    folder = named("rootfs", *BASE, *DAEMONS, CRICTL)
    with built(folder) as building:
        if building is None:
            return folder
        mirror = run(str(FROM_DEBIAN), "--mirror").strip()
        # in a mount namespace of its own: what debootstrap mounts goes with it, however it ends
        apart = ("unshare", "--mount", "--propagation", "private")
        packages = f"--include={','.join(BASE)}"
        run(*apart, "debootstrap", "--variant=minbase", packages, "bookworm", str(building), mirror, seconds=1200)
        for proxy in Path("/etc/apt/apt.conf.d").glob("*proxy*"):
            shutil.copy(proxy, building / "etc/apt/apt.conf.d" / proxy.name)
        policy = building / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")  # no package starts its service
        policy.chmod(0o755)
        install = "apt-get -qq update && apt-get -qq install --yes --no-install-recommends " + " ".join(DAEMONS)
        quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
        run(*apart, "chroot", str(building), *quiet, "sh", "-c", install, seconds=1200)
        (building / "usr/local/bin/crictl").write_text(CRICTL)
        (building / "usr/local/bin/crictl").chmod(0o755)
    return folder


def _libraries(rootfs: Path, program: str) -> list[str]:
    """The shared libraries of a program of the file system, and its loader."""
    said = run("chroot", str(rootfs), "ldd", program, check=False)
    return re.findall(r"(/\S+) \(0x", said)


def _names_of_images(kubeadm: Path, release: Release) -> dict[str, str]:
    """How kubeadm calls the images that it wants, by what is in them."""
    options = (f"--kubernetes-version={release.tag}", f"--image-repository={REGISTRY}")
    said = run(str(kubeadm), "config", "images", "list", *options).split()
    return {name.rpartition("/")[2].partition(":")[0]: name for name in said if name.startswith(f"{REGISTRY}/")}


def _etcd(rootfs: Path, binaries: Path) -> dict[str, Path]:
    """The files of etcd's image. Debian's etcd is too old for what newer releases of kubeadm tell it."""
    own = binaries / "etcd"
    if own.exists():
        return {"/usr/local/bin/etcd": own}
    files = {"/usr/local/bin/etcd": rootfs / "usr/bin/etcd"}
    for library in _libraries(rootfs, "/usr/bin/etcd"):
        files[library] = (rootfs / library.lstrip("/")).resolve()
    return files


def _images(rootfs: Path, binaries: Path, apiserver: Path, names: t.Mapping[str, str]) -> Path:
    """Make the images. apiserver: the kube-apiserver to take."""
    in_pods = {name: binaries / name for name in IN_PODS} | {"kube-apiserver": apiserver}
    optional = (binaries / "etcd", binaries / "metrics-server")
    sources = [*in_pods.values(), *(path for path in optional if path.exists())]
    marks = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in sources]
    folder = named("images", *marks, *ENVIRONMENT, str(rootfs), repr(sorted(names.items())))
    with built(folder) as building:
        if building is None:
            return folder
        busybox = {"/busybox": rootfs / "bin/busybox"}
        # it has to do nothing
        write_image(building / "pause.tar", names["pause"], busybox, entrypoint=["/busybox", "sleep", "2147483647"])
        write_image(building / "etcd.tar", names["etcd"], _etcd(rootfs, binaries))
        if (binaries / "metrics-server").exists():
            write_image(
                building / "metrics-server.tar",
                METRICS_SERVER,
                {"/metrics-server": binaries / "metrics-server"},
                entrypoint=["/metrics-server"],
            )
        for name, program in in_pods.items():
            write_image(building / f"{name}.tar", names[name], {f"/usr/local/bin/{name}": program})
    return folder


def _binaries(release: Release) -> Path:
    given = os.environ.get("TESTBED_BIN")
    binaries = Path(given) if given else programs.prepare(release)
    if missing := [name for name in COMMANDS if not os.access(binaries / name, os.X_OK)]:
        raise BedError(f"{binaries} lacks {', '.join(missing)}: put them there, or unset TESTBED_BIN.")
    return binaries


def prepare(release: Release) -> Parts:
    """Find or build everything. Raises BedError, which says what is missing.

    TESTBED_BIN names a folder with all of Kubernetes' programs, of any release; KUBEBUILDER_ASSETS one with a
    kube-apiserver alone, which then runs under the kubelet that is there.
    """
    try:
        binaries = _binaries(release)
    except subprocess.CalledProcessError as problem:
        raise BedError(f"Kubernetes {release} cannot be built: its builder has said why.") from problem
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    apiserver = Path(assets) / "kube-apiserver" if assets else binaries / "kube-apiserver"
    if not os.access(apiserver, os.X_OK):
        raise BedError(f"KUBEBUILDER_ASSETS is {assets}, but no kube-apiserver is in it: put one there, or unset it.")
    release = release_of(binaries / "kube-controller-manager")
    names = _names_of_images(binaries / "kubeadm", release)
    rootfs = _rootfs()
    return Parts(rootfs, _images(rootfs, binaries, apiserver, names), binaries, release, names["pause"], METRICS_SERVER)
