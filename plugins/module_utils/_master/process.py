# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process table of a master, read from /proc."""

from __future__ import annotations

import os
import typing as t

from .._argv import RENAMED_SERVER, flag_values, last_value, server_index
from .._contract.observation import Mount
from .identify import Candidate, PodName, choose, pod_in_cgroups, pods_in
from .stated import read_stated

__all__ = [
    "Process",
    "endpoint",
    "find_apiserver",
    "is_alive",
    "list_processes",
    "mounts_of",
    "network_of",
    "started_at",
]


class Process(t.NamedTuple):
    """A process: its number, its command line, and its start in clock ticks since boot (proc(5), field 22 of stat).

    The number and the start together name a process for good; the number alone can be given out again.
    """

    pid: int
    argv: tuple[str, ...]
    start_ticks: int

    @property
    def name(self) -> str:
        """The last part of the program's path."""
        return self.argv[0].rsplit("/", 1)[-1] if self.argv else ""


def _start_ticks(pid: int) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            stat = stream.read()
    except OSError:
        return None
    # the second field is the program's name in parentheses and may hold anything
    fields = stat.rpartition(b")")[2].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def list_processes() -> list[Process]:
    """List all processes that have a command line and are not zombies."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as stream:
                raw = stream.read()
        except OSError:
            continue
        if not raw:
            continue
        start = _start_ticks(int(entry))
        if start is not None:
            argv = tuple(os.fsdecode(word) for word in raw.rstrip(b"\0").split(b"\0"))
            found.append(Process(int(entry), argv, start))
    return found


def is_alive(process: Process) -> bool:
    """Tell whether this very process still runs."""
    return _start_ticks(process.pid) == process.start_ticks


def started_at(process: Process) -> float:
    """Give the start of a process in seconds since the epoch."""
    with open("/proc/stat", encoding="ascii") as stream:
        boot = next(int(line.split()[1]) for line in stream if line.startswith("btime "))
    return boot + process.start_ticks / os.sysconf("SC_CLK_TCK")


def _is_apiserver(process: Process, manifest: str) -> bool:
    # a launcher (/go-runner) and a shell wrapper name the server in their words, too, and are not the server
    place = server_index(process.argv[:2])
    if place is None:
        # the manifest must name it: a helper beside the server may be called much the same
        return bool(RENAMED_SERVER.match(process.name)) and process.name in manifest
    return place == 0 or (place == 1 and process.name == "hyperkube")


def _owner_of(folder: str) -> int | None:
    """Give the real user of a process; None if it has ended."""
    try:
        # not the owner of the folder, which is root's for a program that gave rights up (proc(5), dumpable)
        with open(os.path.join(folder, "status"), "rb") as stream:
            line = next((line for line in stream if line.startswith(b"Uid:")), b"")
    except OSError:
        return None
    words = line.split()
    return int(words[1]) if len(words) > 1 else None


def _cgroups_of(folder: str) -> str:
    try:
        with open(os.path.join(folder, "cgroup"), encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def network_of(folder: str) -> str | None:
    """Name the network of a process by its folder in /proc; None if it has ended (network_namespaces(7))."""
    try:
        return os.readlink(os.path.join(folder, "ns", "net"))
    except OSError:
        return None


def _pods(logs: str) -> dict[str, PodName]:
    try:
        return pods_in(os.listdir(logs))
    except OSError:
        return {}


def find_apiserver(
    processes: t.Iterable[Process], manifest: str = "", *, proc: str = "/proc", logs: str = "/var/log/pods"
) -> Process | None:
    """Pick the kube-apiserver that the manifest's text describes; None if it does not run.

    A machine can run several: see `identify.choose`. proc, logs: the folders of the processes, and of the pods' logs.
    """
    candidates = []
    for process in processes:
        if _is_apiserver(process, manifest):
            folder = os.path.join(proc, str(process.pid))
            uid = _owner_of(folder)
            if uid is not None:
                pod = pod_in_cgroups(_cgroups_of(folder))
                candidates.append(Candidate(process, uid, pod, network_of(folder)))
    if not candidates:
        return None
    return choose(
        candidates,
        read_stated(manifest),
        pods=_pods(logs),
        network=network_of(os.path.join(proc, "self")),
        # we are root, but in tests
        owners={0, os.geteuid()},
    )


def endpoint(argv: t.Sequence[str]) -> tuple[str, int]:
    """Give the address and port on which a kube-apiserver with this command line answers on its own machine.

    Defaults: all addresses, 6443 (SecureServingOptions of k8s.io/apiserver; kube-apiserver's default port).
    """
    values = flag_values(argv)
    address = last_value(values, "bind-address") or "0.0.0.0"  # noqa: S104  what the flag means when it is not set
    port = last_value(values, "secure-port") or "6443"
    if address in ("0.0.0.0", "::", "[::]"):  # noqa: S104
        address = "127.0.0.1"
    return address.strip("[]"), int(port) if port.isdecimal() else 6443


def mounts_of(pid: int, paths: t.Iterable[str]) -> list[Mount]:
    """Tell from where the given files of a container are mounted.

    Returns one entry a mount point that holds any of the paths: ``mount_point`` in the container, ``source``
    (the folder within the mounted file system) and ``device``, as in /proc/PID/mountinfo (proc(5)).
    """
    try:
        with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as stream:
            lines = [line.split() for line in stream]
    except OSError:
        return []
    points = {fields[4]: fields for fields in lines if len(fields) > 4}
    found: dict[str, Mount] = {}
    for path in paths:
        holder = max(
            (point for point in points if point == "/" or path == point or path.startswith(point + "/")),
            key=len,
            default=None,
        )
        if holder is not None:
            fields = points[holder]
            found[holder] = {"mount_point": holder, "source": fields[3], "device": fields[2]}
    return [found[point] for point in sorted(found)]
