# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real high-availability kubeadm cluster on one Linux machine; no container engine is needed.

Every master has its own namespaces, root file system, control groups, sshd, containerd and kubelet. A bed has a slot
of this machine, so that several do not collide; whoever has the slot's lock may clear away what a killed run left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from keeping import HOME, built
from releases import NEWEST, Release

from bed import kept, kubeadm
from bed.node import Node, clear, unmount_below
from bed.parts import Parts, prepare
from bed.places import Names
from bed.shell import BedError, run, succeeds

__all__ = ["Testbed"]

SLOTS = 16
MOST_NODES = 9


def _try_lock(path: Path) -> t.IO[str] | None:
    """Lock a file until it is closed; None if somebody has locked it."""
    file = path.open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


class Testbed:
    """A bed with nodes; use it as a context manager: at the end nothing of it is left."""

    __test__ = False  # pytest: not a class of tests

    def __init__(self, release: Release = NEWEST) -> None:
        self._release = release
        self.nodes: list[Node] = []
        self._parts: Parts | None = None
        self._lock: t.IO[str] | None = None
        self._names: Names | None = None

    def __enter__(self) -> Testbed:
        if os.geteuid() != 0:
            raise BedError("A cluster needs root: it makes namespaces, mounts and control groups.")
        self._parts = prepare(self._release)
        self._take_slot()
        try:
            run("ip", "link", "add", self.names.bridge, "type", "bridge")
            run("ip", "address", "add", f"{self.names.gateway}/24", "dev", self.names.bridge)
            run("ip", "link", "set", self.names.bridge, "up")
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "testbed", "-f", str(self.key))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        for node in self.nodes:
            node.power_off()
        self._clear(self.names)
        if self._lock:
            self._lock.close()

    @property
    def names(self) -> Names:
        if self._names is None:
            raise BedError("The bed has no slot yet.")
        return self._names

    @property
    def parts(self) -> Parts:
        if self._parts is None:
            raise BedError("The bed has no parts yet.")
        return self._parts

    @property
    def key(self) -> Path:
        """The private key with which root logs in on every node."""
        return self.names.folder / "id"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's, for the first master."""
        return self.nodes[0].path("/etc/kubernetes/admin.conf")

    def add_node(self) -> Node:
        """Boot one more node, which is no member of the cluster yet."""
        node = self._new_node()
        node.boot()
        return node

    def up(self, masters: int = 3) -> None:
        """Boot nodes and make a cluster of them.

        What kubeadm made is kept, and the next bed in this slot begins with it.
        """
        nodes = [self._new_node() for _number in range(masters)]
        folder = kept.place(self.names, self.parts, masters)
        with built(folder) as building:
            if building is not None:
                self._boot(nodes)
                first, *others = nodes
                kubeadm.init(first, self.parts.release)
                for node in others:
                    kubeadm.join(node, first, self.parts.release)
                for node in nodes:
                    node.power_off()
                    kept.keep(node.folder, building / node.name)
                (building / "made").touch()
            for node in nodes:
                kept.take((building or folder) / node.name, node.folder)
        self._boot(nodes)

    @staticmethod
    def _boot(nodes: t.Sequence[Node]) -> None:
        for node in nodes:
            node.start()
        with ThreadPoolExecutor() as pool:
            list(pool.map(Node.wait_until_booted, nodes))

    def kubectl(self, *arguments: str, node: Node | None = None, given: str | None = None, check: bool = True) -> str:
        """Run kubectl as the cluster's administrator, by way of this node's own kube-apiserver."""
        server = f"https://{(node or self.nodes[0]).address}:{kubeadm.PORT}"
        program = str(self.parts.binaries / "kubectl")
        cache = f"--cache-dir={self.names.folder / 'kubectl'}"
        return run(
            *(program, f"--kubeconfig={self.kubeconfig}", f"--server={server}", "--request-timeout=30s", cache),
            *arguments,
            given=given,
            check=check,
        )

    def inventory(self) -> str:
        """The text of an inventory with the nodes in the group masters, for ansible-playbook over ssh."""
        hosts = "".join(f"{node.name} ansible_host={node.address}\n" for node in self.nodes)
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        # a node without power closes no connection: without this, ssh waits a quarter of an hour for its words
        options += " -o ServerAliveInterval=5 -o ServerAliveCountMax=3"
        return (
            f"[masters]\n{hosts}\n[masters:vars]\nansible_user=root\nansible_python_interpreter=/usr/bin/python3\n"
            f"ansible_ssh_private_key_file={self.key}\nansible_ssh_common_args={options}\n"
        )

    def _new_node(self) -> Node:
        if len(self.nodes) >= MOST_NODES:
            raise BedError(f"A bed has at most {MOST_NODES} nodes.")
        node = Node(self.names, len(self.nodes) + 1, self.parts, self.key.with_suffix(".pub"))
        self.nodes.append(node)
        return node

    def _take_slot(self) -> None:
        """Take a free slot; what killed runs left in free slots is removed."""
        (HOME / "beds").mkdir(parents=True, exist_ok=True)
        for slot in range(SLOTS):
            names = Names(slot)
            lock = _try_lock(names.lock)
            if lock is None:
                continue
            self._clear(names)
            if self._names is None:
                self._names, self._lock = names, lock
            else:
                lock.close()
        if self._names is None:
            raise BedError(f"All {SLOTS} slots for a cluster are taken on this machine.")
        self.names.folder.mkdir(mode=0o700)

    @staticmethod
    def _clear(names: Names) -> None:
        """Remove all that a bed in this slot made. Its processes are dead: they end with the run that started them.

        The bed may have been one of another cache, so that its folder is not here.
        """
        spaces = {line.split()[0] for line in run("ip", "netns").splitlines() if line.strip()}
        numbers = range(1, MOST_NODES + 1)
        left = [n for n in numbers if (names.folder / f"m{n}").exists() or names.node(n) in spaces]
        if not left and not names.folder.exists() and not succeeds("ip", "link", "show", names.bridge):
            return
        for number in left:
            clear(names, number)
        run("ip", "link", "delete", names.bridge, check=False)
        unmount_below(names.folder)
        shutil.rmtree(names.folder, ignore_errors=True)
