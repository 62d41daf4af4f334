# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubelets run here, and whether one of them runs what lies in the manifest's folder. Reads only.

Sources: cmd/kubelet/app/server.go (a flag wins over the files; the drop-ins of --config-dir are merged in the order of
their names, the last one wins), pkg/kubelet/kubeletconfig/configfiles (a path in the file of --config is relative to
its folder), pkg/kubelet/config/file_linux.go (the folder is watched by inotify).
"""

from __future__ import annotations

import os
import re
import time
import typing as t

from .._argv import flag_values, last_value
from .._contract.observation import ObservedKubelet
from .files import read_regular
from .process import Process, list_processes, network_of

__all__ = ["drop_ins", "observe_kubelets"]

# Programs that can hold a kubelet within them, and take its settings from elsewhere than from their command line.
_HOLDERS = frozenset(("hyperkube", "k3s", "kubelite", "openshift", "rke2"))
_KEY = re.compile(r"(?:^[ \t]*[\"']?|[{,][ \t]*[\"'])staticPodPath[\"']?[ \t]*:([^\n]*)", re.MULTILINE)
# proc(5), /proc/PID/fdinfo: numbers of the kernel, in hexadecimal
_WATCH = re.compile(r"^inotify wd:[0-9a-f]+ ino:([0-9a-f]+) sdev:([0-9a-f]+)\b", re.MULTILINE)
_DROP_INS = 1000
# A kubelet that is just being restarted is looked for again.
_LOOKS, _PAUSE = 4, 0.8


class _Told(t.NamedTuple):
    """Where static pods are read. folder: empty if nowhere, None if that cannot be known; by: what tells it."""

    folder: str | None
    by: str


def _is_kubelet(process: Process) -> bool:
    return process.name == "kubelet" or (process.name == "hyperkube" and process.argv[1:2] == ("kubelet",))


def _is_holder(process: Process) -> bool:
    # k3s writes all its words into the first one: /usr/local/bin/k3s server
    return process.name.partition(" ")[0] in _HOLDERS


def _setting(text: str) -> str | None:
    """Give staticPodPath of a kubelet's configuration, YAML or JSON; None if it is not set, empty if it is nothing."""
    found = _KEY.findall(text)
    if not found:
        return None
    value = found[-1].strip()
    if value[:1] in ("'", '"'):
        return str(value[1:].partition(value[0])[0])
    value = re.split(r"\s#|[,}\]]", f" {value}", maxsplit=1)[0].strip()
    return "" if value in ("null", "Null", "NULL", "~") else value


def drop_ins(folder: str) -> list[str]:
    """List the files ``*.conf`` of a folder and those below it, in the order in which the kubelet reads them.

    Raises OSError.
    """
    found: list[str] = []
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_dir(follow_symlinks=False):
            found += drop_ins(entry.path)
        elif os.path.splitext(entry.name)[1] == ".conf":
            found.append(entry.path)
    return found[:_DROP_INS]


def _read(path: str) -> str:
    return read_regular(path).decode("utf-8", "replace")


def _told(argv: t.Sequence[str], cwd: str, root: str) -> _Told:
    """Tell where a kubelet with this command line reads static pods. cwd, root: its folder, and its file system."""
    values = flag_values(argv)
    given = last_value(values, "pod-manifest-path")
    if given is not None:
        return _Told(given and os.path.join(cwd, given), "--pod-manifest-path")
    if "dynamic-config-dir" in values:  # up to 1.23 the API could tell it
        return _Told(None, "--dynamic-config-dir")
    told = _Told("", "its command line")
    config, folder = last_value(values, "config"), last_value(values, "config-dir")
    try:
        if config:
            config = os.path.join(cwd, config)
            value = _setting(_read(root + config))
            told = _Told(value and os.path.join(os.path.dirname(config), value), config)
        for path in drop_ins(root + os.path.join(cwd, folder)) if folder else ():
            value = _setting(_read(path))
            if value is not None:
                told = _Told(value and os.path.join(cwd, value), path[len(root) :])
    except OSError:
        return _Told(None, config or "")
    return told._replace(folder=told.folder or "")


def _is_same(path: str, others: t.Iterable[os.stat_result]) -> bool | None:
    """Tell whether a path is one of these files or folders; None if that cannot be seen."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    return any(os.path.samestat(found, other) for other in others)


def _watches(folder: str, wanted: t.Sequence[os.stat_result]) -> bool:
    """Tell whether a process (its folder in /proc) watches one of these files or folders by inotify."""
    numbers = {(each.st_ino, os.major(each.st_dev) << 20 | os.minor(each.st_dev)) for each in wanted}
    try:
        for name in os.listdir(os.path.join(folder, "fd")):
            if os.readlink(os.path.join(folder, "fd", name)) != "anon_inode:inotify":
                continue
            with open(os.path.join(folder, "fdinfo", name), encoding="ascii", errors="replace") as stream:
                seen = _WATCH.findall(stream.read())
            if any((int(inode, 16), int(device, 16)) in numbers for inode, device in seen):
                return True
    except OSError:
        return False  # it has ended, or has just closed this one
    return False


def _describe(process: Process, wanted: t.Sequence[os.stat_result], proc: str) -> ObservedKubelet:
    folder, root = os.path.join(proc, str(process.pid)), os.path.join(proc, str(process.pid), "root")
    told = _Told(None, "")
    if _is_kubelet(process):
        try:
            cwd = os.readlink(os.path.join(folder, "cwd"))
        except OSError:
            cwd = "/"
        told = _told(process.argv, cwd, root)
    reads: bool | None = True
    if not _watches(folder, wanted):
        reads = _is_same(root + told.folder, wanted) if told.folder else None if told.folder is None else False
    return {
        "pid": process.pid,
        "program": process.name[:100],
        "folder": told.folder,
        "told_by": told.by,
        "reads": reads,
    }


def _look(processes: t.Sequence[Process], wanted: t.Sequence[os.stat_result], proc: str) -> list[ObservedKubelet]:
    network = network_of(os.path.join(proc, "self"))
    here = [
        process
        for process in processes
        if (_is_kubelet(process) or _is_holder(process))
        # not that of a nested cluster, which has a network of its own
        and network_of(os.path.join(proc, str(process.pid))) in (network, None)
    ]
    kubelets = [process for process in here if _is_kubelet(process)] or here
    if not kubelets:
        # whatever it is called: who runs static pods watches their folder
        kubelets = [each for each in processes if _watches(os.path.join(proc, str(each.pid)), wanted)]
    return [_describe(process, wanted, proc) for process in kubelets[:20]]


def observe_kubelets(
    manifest: str,
    processes: t.Sequence[Process],
    *,
    proc: str = "/proc",
    again: t.Callable[[], t.Sequence[Process]] = list_processes,
) -> list[ObservedKubelet]:
    """Tell which kubelets run, and whether they read the manifest; empty if none does.

    manifest: its path on this machine; processes: what runs; proc: the folder that tells of it; again: lists what runs.
    """
    try:
        wanted = [os.stat(manifest), os.stat(os.path.dirname(manifest))]
    except OSError:
        wanted = []
    found = _look(processes, wanted, proc)
    for dummy in range(_LOOKS - 1):
        if found:
            break
        time.sleep(_PAUSE)
        found = _look(again(), wanted, proc)
    return found
