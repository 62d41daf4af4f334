# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom kube-apiserver reads its files, and whether that user can: tried by a process that becomes this user."""

from __future__ import annotations

import contextlib
import os
import typing as t

from .._contract.observation import ObservedUser
from .._contract.order import Reading

__all__ = ["readable_files", "user_of"]

# Capabilities with which modes do not matter (capabilities(7)): CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH.
_OVERRIDES = 1 << 1 | 1 << 2
_ROOT = 0


def user_of(pid: int, *, proc: str = "/proc") -> ObservedUser | None:
    """Tell as whom a process reads files; None if it has ended. Source: proc_pid_status(5)."""
    try:
        with open(os.path.join(proc, str(pid), "status"), encoding="ascii", errors="replace") as stream:
            fields = dict(line.rstrip("\n").partition(":")[::2] for line in stream)
        return {
            # the fourth: of real, effective, saved and file system it is the one that counts for files
            "uid": int(fields["Uid"].split()[3]),
            "gid": int(fields["Gid"].split()[3]),
            "groups": sorted(map(int, fields["Groups"].split())),
            "overrides": bool(int(fields["CapEff"], 16) & _OVERRIDES),
        }
    except (OSError, ValueError, KeyError, IndexError):
        return None


def _become(reader: Reading) -> None:
    os.setgroups(list(reader.groups))
    os.setresgid(reader.gid, reader.gid, reader.gid)
    os.setresuid(reader.uid, reader.uid, reader.uid)


def _can_open(name: str, folder: int) -> bool:
    try:
        # a pipe must not block, and nothing is read
        os.close(os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder))
    except OSError:
        return False
    return True


def _folders(paths: t.Iterable[str], stack: contextlib.ExitStack) -> dict[str, int]:
    """Open the folders of these files. Only they count: a container sees no folder above what is mounted into it."""
    found: dict[str, int] = {}
    for folder in {os.path.dirname(path) for path in paths}:
        with contextlib.suppress(OSError):
            found[folder] = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, found[folder])
    return found


def readable_files(paths: t.Sequence[str], reader: Reading) -> dict[str, bool]:
    """Tell which of these files a user can open for reading; nothing at all if that cannot be tried.

    paths: absolute, on this machine. The kernel decides, by mode, owners and ACL of the file and of its folder. Without
    root's rights, and for root without its capabilities, nothing is tried.
    """
    if os.geteuid() != _ROOT or reader.uid == _ROOT or not paths:
        return {}
    real = {path: os.path.realpath(path) for path in paths}
    with contextlib.ExitStack() as stack:
        folders = _folders(real.values(), stack)
        source, sink = os.pipe()
        stack.callback(os.close, source)
        child = os.fork()
        if child == 0:  # nothing but system calls until its end
            answer = b""
            try:
                _become(reader)
                answer = bytes(
                    _can_open(os.path.basename(path), folders[os.path.dirname(path)])
                    if os.path.dirname(path) in folders
                    else False
                    for path in real.values()
                )
                os.write(sink, answer)
            finally:
                os._exit(0)
        os.close(sink)
        answer = b""
        while len(answer) < len(real):
            part = os.read(source, len(real) - len(answer))
            if not part:
                break
            answer += part
        os.waitpid(child, 0)
    return dict(zip(real, map(bool, answer))) if len(answer) == len(real) else {}
