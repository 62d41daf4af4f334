# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the system calls of a change fail, or end the process there, one after the other."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import typing as t
from unittest import mock

__all__ = ["Steps", "die_at", "fail_at", "full_from", "stepping", "steps"]

# What changes a file system, as far as Python code calls it by name.
CALLS = ("open", "write", "replace", "rename", "unlink", "mkdir", "rmdir", "fsync", "fchmod", "fchown", "chmod", "link")

# Those that need room on the disk.
NEEDS_ROOM = ("open", "write", "mkdir")

# All steps with the oldest Python of masters and with that of Debian 12; with the others enough to see that they do
# the same.
STRIDE = 1 if sys.version_info[:2] in ((3, 8), (3, 11)) else 5

Happening = t.Callable[[int, str, t.Tuple[t.Any, ...]], None]


def steps(total: int) -> range:
    """The numbers of the steps at which something is to happen."""
    return range(1, total + 1, STRIDE)


class Steps:
    """Counts the calls and lets something happen before each."""

    def __init__(self, happening: Happening) -> None:
        self.count = 0
        self.happening = happening
        self.names: t.List[str] = []

    def wrap(self, name: str, real: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """Give a function that counts."""

        def step(*arguments: t.Any, **options: t.Any) -> t.Any:
            if name != "open" or (len(arguments) > 1 and arguments[1] & os.O_CREAT):
                self.count += 1
                self.names.append(name)
                self.happening(self.count, name, arguments)
            return real(*arguments, **options)

        return step


class _Stream:
    """A file whose content goes to the disk in two writes that can be counted."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        os.close(self.descriptor)

    def write(self, content: bytes) -> None:
        half = len(content) // 2
        os.write(self.descriptor, content[:half])
        os.write(self.descriptor, content[half:])

    def flush(self) -> None:
        pass


@contextlib.contextmanager
def stepping(happening: Happening) -> t.Iterator[Steps]:
    """Let something happen before every call."""
    steps = Steps(happening)
    real_fdopen = os.fdopen

    def fdopen(descriptor: int, mode: str = "r", *arguments: t.Any, **options: t.Any) -> t.Any:
        return _Stream(descriptor) if mode == "wb" else real_fdopen(descriptor, mode, *arguments, **options)

    with contextlib.ExitStack() as stack:
        for name in CALLS:
            stack.enter_context(mock.patch.object(os, name, steps.wrap(name, getattr(os, name))))
        stack.enter_context(mock.patch.object(os, "fdopen", fdopen))
        yield steps


def die_at(number: int) -> Happening:
    """The process is killed before that call."""

    def happening(count: int, name: str, arguments: t.Tuple[t.Any, ...]) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return happening


def fail_at(number: int, error: int = errno.ENOSPC) -> Happening:
    """That one call fails."""

    def happening(count: int, name: str, arguments: t.Tuple[t.Any, ...]) -> None:
        if count == number:
            raise OSError(error, os.strerror(error), "a file")

    return happening


def full_from(number: int) -> Happening:
    """The disk is full from that call on."""

    def happening(count: int, name: str, arguments: t.Tuple[t.Any, ...]) -> None:
        if count >= number and name in NEEDS_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a file")

    return happening
