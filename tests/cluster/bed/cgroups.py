# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control groups of a node, in the old layout (a tree for each controller) and in the unified one."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

__all__ = ["is_unified", "leave", "make", "remove", "trees"]

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "systemd")


def is_unified() -> bool:
    """Say whether this machine has one tree for all controllers, as Debian 12 has by itself."""
    return (ROOT / "cgroup.controllers").exists()


def trees() -> list[Path]:
    """The trees in which a node gets a group."""
    if is_unified():
        return [ROOT]
    return [ROOT / name for name in CONTROLLERS if (ROOT / name).is_dir()]


def make(group: str) -> list[Path]:
    """Make the group in every tree, ready to take processes; returns the trees."""
    for tree in trees():
        if is_unified():
            wanted = (tree / "cgroup.controllers").read_text(encoding="ascii").split()
            (tree / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in wanted), encoding="ascii")
        folder = tree / group
        folder.mkdir(exist_ok=True)
        if tree.name == "cpuset":
            # a group without processors takes no process
            for name in ("cpuset.cpus", "cpuset.mems"):
                (folder / name).write_text((tree / name).read_text(encoding="ascii"), encoding="ascii")
    return trees()


def leave(pid: int) -> None:
    """Take a process out of its group where there is one tree: there, a group with processes hands nothing down."""
    if is_unified():
        (ROOT / "cgroup.procs").write_text(str(pid), encoding="ascii")


def remove(group: str, *, seconds: float = 10) -> None:
    """Remove the group with all below it; the processes in it must have been killed, and get some time to end."""
    deadline = time.monotonic() + seconds
    for tree in trees():
        while (tree / group).exists():
            for folder, _subfolders, _files in os.walk(tree / group, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
            if time.monotonic() > deadline:
                break
            if (tree / group).exists():
                time.sleep(0.1)
