# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every node is made from: a file system of Debian 12, and images of Kubernetes. Both are built once and kept."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from bed.cache import built, named
from bed.image import write_image
from bed.places import REGISTRY
from bed.shell import BedError, run

__all__ = ["Parts", "prepare"]

PREPARE = Path(__file__).resolve().parents[2] / "real" / "prepare"
COMMANDS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubeadm", "kubectl", "kubelet")
IN_PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
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


# Before a kube-apiserver of another release than kubeadm's: the one flag of kubeadm 1.20 that 1.24 no longer knows.
WRAPPER = """\
#!/busybox sh
for word; do
  shift
  [ "$word" = --insecure-port=0 ] || set -- "$@" "$word"
done
exec /opt/kube-apiserver "$@"
"""


@dataclass(frozen=True)
class Parts:
    """What nodes are made from; ``release`` is that of kubeadm, and the tag of all images."""

    rootfs: Path
    images: Path
    binaries: Path
    release: str


def _rootfs() -> Path:
    folder = named("rootfs", *BASE, *DAEMONS, CRICTL)
    with built(folder) as building:
        if building is None:
            return folder
        mirror = run(str(PREPARE), "--mirror").strip()
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


def _images(rootfs: Path, binaries: Path, newer: Path | None, release: str) -> Path:
    """Make the images. newer: a kube-apiserver to take instead."""
    programs = [binaries / name for name in IN_PODS] + ([newer] if newer else [])
    marks = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in programs]
    folder = named("images", *marks, str(rootfs), release, WRAPPER)
    with built(folder) as building:
        if building is None:
            return folder
        busybox = {"/busybox": rootfs / "bin/busybox"}
        # containerd's name for the container that holds a pod's namespaces; it has to do nothing
        write_image(
            building / "pause.tar", f"{REGISTRY}/pause:3.2", busybox, entrypoint=["/busybox", "sleep", "2147483647"]
        )
        etcd = {"/usr/local/bin/etcd": rootfs / "usr/bin/etcd"}
        for library in _libraries(rootfs, "/usr/bin/etcd"):
            etcd[library] = (rootfs / library.lstrip("/")).resolve()
        write_image(building / "etcd.tar", f"{REGISTRY}/etcd:3.4.13-0", etcd)
        for name in IN_PODS:
            files = {f"/usr/local/bin/{name}": binaries / name}
            if newer and name == "kube-apiserver":
                wrapper = building / "wrapper"
                wrapper.write_text(WRAPPER, encoding="ascii")
                files = {f"/usr/local/bin/{name}": wrapper, "/opt/kube-apiserver": newer, **busybox}
            write_image(building / f"{name}.tar", f"{REGISTRY}/{name}:{release}", files)
    return folder


def _release(program: Path) -> str:
    """The release of a kubeadm, such as v1.20.2."""
    return run(str(program), "version", "--output=short").strip()


def prepare() -> Parts:
    """Find or build everything. Raises BedError, which says what is missing.

    TESTBED_BIN names a folder with all of Kubernetes' programs, of another release; KUBEBUILDER_ASSETS one with a
    kube-apiserver alone, which then runs under the kubelet that is there.
    """
    given, assets = os.environ.get("TESTBED_BIN"), os.environ.get("KUBEBUILDER_ASSETS")
    if given:
        binaries = Path(given)
    else:
        # with KUBEBUILDER_ASSETS it would name those; the programs around kube-apiserver are needed here too
        run("env", "--unset=KUBEBUILDER_ASSETS", str(PREPARE), seconds=1800)
        binaries = Path(run("env", "--unset=KUBEBUILDER_ASSETS", str(PREPARE), "--where").strip())
    if missing := [name for name in COMMANDS if not os.access(binaries / name, os.X_OK)]:
        raise BedError(f"{binaries} lacks {', '.join(missing)}: put them there, or unset TESTBED_BIN.")
    newer = Path(assets) / "kube-apiserver" if assets else None
    if newer and not os.access(newer, os.X_OK):
        raise BedError(f"KUBEBUILDER_ASSETS is {assets}, but no kube-apiserver is in it: put one there, or unset it.")
    release = _release(binaries / "kubeadm")
    rootfs = _rootfs()
    return Parts(rootfs, _images(rootfs, binaries, newer, release), binaries, release)
