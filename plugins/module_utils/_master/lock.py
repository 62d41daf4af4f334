# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run at a time changes a master."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
import typing as t

from .errors import MasterError, explain
from .places import Places

__all__ = ["exclusive", "wait_until_free"]

_PAUSE = 0.25


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
    return text or "unknown"


def _busy(path: str, holder: str, seconds: float) -> MasterError:
    return MasterError(
        f"Another run has been changing this master ({path} is locked by {holder}) for the {seconds:.0f} s that were "
        "waited; let it end, then run again."
    )


def _acquire(descriptor: int, operation: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            return True
        except OSError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_PAUSE)


def wait_until_free(places: Places, seconds: float) -> None:
    """Wait until no run changes this master. Writes nothing. Raises MasterError after that many seconds."""
    try:
        descriptor = os.open(places.lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return  # nobody has ever changed anything here
    try:
        if not _acquire(descriptor, fcntl.LOCK_SH, seconds):
            raise _busy(places.lock, _holder(descriptor), seconds)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def exclusive(places: Places, seconds: float) -> t.Iterator[None]:
    """Hold the lock of this master; its folder must be there. Raises MasterError if it is not had in time.

    The kernel gives the lock back when the holder ends, however it ends.
    """
    try:
        descriptor = os.open(places.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise explain("lock", places.lock, error) from None
    try:
        if not _acquire(descriptor, fcntl.LOCK_EX, seconds):
            raise _busy(places.lock, _holder(descriptor), seconds)
        with contextlib.suppress(OSError):  # a full disk must not stop the way back
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor,
                f"process {os.getpid()} since {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}\n".encode(),
                0,
            )
        yield
    finally:
        os.close(descriptor)
