# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One node: a master with its own namespaces, file system, control group, sshd, containerd and kubelet."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import subprocess
import time
from pathlib import Path

from bed import cgroups
from bed.parts import Parts
from bed.places import Names
from bed.shell import BedError, run, succeeds

__all__ = ["Node", "clear", "unmount_below"]

INIT = Path(__file__).resolve().parent / "init"
STATE = ("containerd", "kubelet", "etcd")  # folders of /var/lib that must not lie on an overlay
# the shell is in the group before it becomes what starts the node
ENTER = 'while [ "$1" != -- ]; do echo $$ > "$1"; shift; done; shift; exec "$@"'


class Node:
    """A master, called m1, m2, …; ``boot`` starts it, ``power_off`` is what it says, and ``boot`` starts it again."""

    def __init__(self, names: Names, number: int, parts: Parts, public_key: Path) -> None:
        self.number = number
        self.name = f"m{number}"
        self.address = names.address(number)
        self.folder = names.folder / self.name
        self.root = self.folder / "root"
        self._names = names
        self._parts = parts
        self._public_key = public_key
        self._process: subprocess.Popen[bytes] | None = None
        self._pid = 0

    @property
    def group(self) -> str:
        """The control group of all that runs in it."""
        return self._names.node(self.number)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def path(self, path: str) -> Path:
        """Where this machine sees a file of the node. What is mounted in the node later is not seen from here."""
        return self.root / path.lstrip("/")

    def run(self, *command: str, seconds: float = 300, check: bool = True, given: str | None = None) -> str:
        """Run a command in the node and return what it printed. Raises BedError if it fails."""
        return run(*self.inside(*command), seconds=seconds, check=check, given=given)

    def succeeds(self, *command: str) -> bool:
        return succeeds(*self.inside(*command))

    def inside(self, *command: str) -> tuple[str, ...]:
        """The words that run a command in the node."""
        if not self.is_running:
            raise BedError(f"{self.name} is switched off.")
        return ("nsenter", "--target", str(self._pid), "--all", "--root", "--wd", *command)

    def start(self) -> None:
        """Begin to boot. To be called in the main thread: the kernel ends the node with the thread that started it."""
        self._mount()
        self._connect()
        group = self.group
        procs = [str(tree / group / "cgroup.procs") for tree in cgroups.make(group)]
        apart = ("unshare", "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child")
        with open(self.folder / "init.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *("sh", "-c", ENTER, "enter", *procs, "--", "setpriv", "--pdeathsig", "KILL", "--"),
                    *("ip", "netns", "exec", group, *apart, str(INIT), self.name, str(self.root)),
                    *(self._parts.pause, *self._parts.release.kubelet_flags),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_booted(self, seconds: float = 60) -> None:
        """Wait until sshd and containerd answer, and load the images. Raises BedError."""
        deadline = time.monotonic() + seconds
        outer = self._process.pid if self._process else 0
        while True:
            with contextlib.suppress(OSError, ValueError):
                # unshare has one child: pid 1 of the node
                self._pid = int(Path(f"/proc/{outer}/task/{outer}/children").read_text(encoding="ascii"))
                cgroups.leave(outer)
                if self.succeeds("ctr", "version") and self.succeeds("pgrep", "-x", "sshd"):
                    break
            if time.monotonic() > deadline or not self.is_running:
                log = (self.folder / "init.log").read_text(errors="replace")[-2000:]
                raise BedError(f"{self.name} does not boot; the end of its log:\n{log}")
            time.sleep(0.1)
        there = self.run("ctr", "--namespace", "k8s.io", "images", "list", "--quiet").split()
        if not there:
            for archive in sorted(self._parts.images.glob("*.tar")):
                self.run("ctr", "--namespace", "k8s.io", "images", "import", f"/opt/images/{archive.name}")

    def boot(self) -> None:
        """Start, and wait until it is there."""
        self.start()
        self.wait_until_booted()

    def power_off(self) -> None:
        """End everything on the node at once, as a power cut does: no connection is closed. Its files stay."""
        run("ip", "link", "delete", self._names.node(self.number), check=False)
        if self._process is not None:
            if self._pid:
                # pid 1 takes all of its namespace with it
                subprocess.run(["kill", "-KILL", str(self._pid)], capture_output=True, check=False)
            self._process.kill()
            self._process.wait()
            self._process, self._pid = None, 0
        clear(self._names, self.number)

    def _mount(self) -> None:
        for name in ("upper", "work", "root", *STATE):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self._parts.rootfs},upperdir={self.folder}/upper,workdir={self.folder}/work"
        run("mount", "-t", "overlay", "overlay", "-o", layers, str(self.root))
        for name in STATE:
            self.path(f"/var/lib/{name}").mkdir(exist_ok=True)
            run("mount", "--bind", str(self.folder / name), str(self.path(f"/var/lib/{name}")))
            run("mount", "--make-shared", str(self.path(f"/var/lib/{name}")))
        for place, source in (("/opt/bin", self._parts.binaries), ("/opt/images", self._parts.images)):
            self.path(place).mkdir(parents=True, exist_ok=True)
            run("mount", "--bind", "-o", "ro", str(source), str(self.path(place)))
        self.path("/etc/kubernetes/manifests").mkdir(parents=True, exist_ok=True)
        for name in ("kubeadm", "kubelet", "kubectl"):
            link = self.path(f"/usr/local/bin/{name}")
            if not link.is_symlink():
                link.symlink_to(f"/opt/bin/{name}")
        keys = self.path("/root/.ssh")
        keys.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(self._public_key, keys / "authorized_keys")
        (keys / "authorized_keys").chmod(0o600)
        self.path("/etc/hostname").write_text(f"{self.name}\n")
        self.path("/etc/hosts").write_text(f"127.0.0.1 localhost\n{self.address} {self.name}\n")
        if not self.path("/etc/machine-id").exists() or not self.path("/etc/machine-id").read_text().strip():
            self.path("/etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")

    def _connect(self) -> None:
        space = self._names.node(self.number)
        run("ip", "netns", "add", space)
        run("ip", "link", "add", space, "type", "veth", "peer", "name", "eth0", "netns", space)
        run("ip", "link", "set", space, "master", self._names.bridge, "up")
        run("ip", "-n", space, "link", "set", "lo", "up")
        run("ip", "-n", space, "address", "add", f"{self.address}/24", "dev", "eth0")
        run("ip", "-n", space, "link", "set", "eth0", "up")
        run("ip", "-n", space, "route", "add", "default", "via", self._names.gateway)


def unmount_below(folder: Path) -> None:
    """Unmount everything at and below a folder, the inner ones first."""
    text = Path("/proc/self/mounts").read_text(encoding="utf-8")
    points = [line.split()[1] for line in text.splitlines()]
    for point in sorted((p for p in points if p == str(folder) or p.startswith(f"{folder}/")), reverse=True):
        run("umount", "--lazy", point, check=False)


def clear(names: Names, number: int) -> None:
    """Remove a node's link, network namespace, mounts and control group. Its processes must have been killed."""
    space = names.node(number)
    # the link first: a dying connection can keep the namespace, and so the link, for minutes
    run("ip", "link", "delete", space, check=False)
    run("ip", "netns", "delete", space, check=False)
    unmount_below(names.folder / f"m{number}")
    cgroups.remove(space)
