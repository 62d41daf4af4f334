# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and writing the files of the PKI: nothing is overwritten by accident, nobody ever sees half a file."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import stat
import time
import typing as t

from .access import Access
from .errors import PkiError

# Larger than any bundle that a kube-apiserver was ever seen to load (603 KB): a path to something else is found out.
_LARGEST = 4 * 1024 * 1024
_LOCK_SECONDS = 60.0
_LOCK_FILE = ".front-proxy.lock"
_OPEN_TO_OTHERS = 0o066


def _failure(exc: OSError, *, doing: str, path: str) -> PkiError:
    """An error of the operating system as one sentence."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return PkiError(f"The disk of {path} is full ({os.strerror(exc.errno)}); make room and run again.")
    if exc.errno in (errno.EACCES, errno.EPERM):
        return PkiError(f"No permission to {doing} {path} as user {os.geteuid()}; give it, or run as its owner.")
    return PkiError(f"Cannot {doing} {path}: {os.strerror(exc.errno) if exc.errno else exc}.")


def read_file(path: str, *, private: bool = False) -> bytes | None:
    """
    The content of a file, or None if there is nothing at the path.

    With `private`, PkiError if group or others may read or write it. PkiError too if it is no file, too large or out of
    reach.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        if os.path.islink(path):
            raise PkiError(f"{path} is a symbolic link to nothing; remove it or mend it.") from None
        return None
    except OSError as exc:
        raise _failure(exc, doing="read", path=path) from None
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise PkiError(f"{path} is not a file.")
        if private and facts.st_mode & _OPEN_TO_OTHERS:
            raise PkiError(
                f"The private key {path} is open to group or others (mode {stat.S_IMODE(facts.st_mode):04o}); run "
                f"chmod 0600 {path}, and replace the key if someone may have read it."
            )
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            data = stream.read(_LARGEST + 1)
    except OSError as exc:
        raise _failure(exc, doing="read", path=path) from None
    finally:
        os.close(descriptor)
    if len(data) > _LARGEST:
        raise PkiError(f"{path} is larger than {_LARGEST // 1024 // 1024} MiB; that is no certificate or key.")
    return data


def folder_of(path: str) -> str:
    """The folder that holds a path."""
    return os.path.dirname(os.path.abspath(path))


def check_folder(path: str) -> bool:
    """Whether a folder for private keys exists; PkiError if it is no folder, or open to group or others."""
    try:
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as exc:
        if isinstance(exc, NotADirectoryError) or os.path.islink(path):
            raise PkiError(
                f"{path} cannot be a folder: a part of it is a file or a symbolic link to nothing."
            ) from None
        return False
    except OSError as exc:
        raise _failure(exc, doing="read", path=path) from None
    if not stat.S_ISDIR(facts.st_mode):
        raise PkiError(f"{path} is not a folder.")
    if facts.st_mode & _OPEN_TO_OTHERS:
        raise PkiError(
            f"The folder {path} of private keys is open to group or others (mode {stat.S_IMODE(facts.st_mode):04o}); "
            f"run chmod 0700 {path}."
        )
    return True


def check_parent(path: str) -> None:
    """PkiError if others could put another folder in the place of one in here."""
    try:
        facts = os.stat(path)
    except OSError:
        return  # it is made, for its owner alone
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not facts.st_mode & stat.S_ISVTX:
        mode = f"{stat.S_IMODE(facts.st_mode):04o}"
        raise PkiError(
            f"The folder {path} can be written to by group or others (mode {mode}), who could put a CA of their own in "
            f"there; run chmod go-w {path}."
        )


def check_writable(folder: str) -> None:
    """PkiError if a file could not be made in a folder, or the folder itself not where it does not exist yet."""
    nearest = os.path.abspath(folder)
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.path.isdir(nearest):
        raise PkiError(f"{folder} cannot be a folder: {nearest} is not one.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PkiError(f"No permission to write in {nearest} as user {os.geteuid()}; give it, or run as its owner.")


def _make_folders(path: str, access: Access) -> list[str]:
    """Makes a folder and what is missing above it; the new ones, the outermost first."""
    missing: list[str] = []
    current = os.path.abspath(path)
    while not os.path.lexists(current):
        missing.append(current)
        current = os.path.dirname(current)
    made: list[str] = []
    for folder in reversed(missing):
        try:
            os.mkdir(folder, 0o700)
            made.append(folder)
            _give(folder, access)
        except FileExistsError:  # another run made it meanwhile
            continue
        except OSError as exc:
            _remove_folders(made)
            raise _failure(exc, doing="make the folder", path=folder) from None
    return made


def _remove_folders(folders: t.Sequence[str]) -> None:
    for folder in reversed(folders):
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _give(target: int | str, access: Access) -> None:
    """Owner and group, then the mode (a change of owner may clear bits of it)."""
    if access.owner is not None or access.group is not None:
        os.chown(target, -1 if access.owner is None else access.owner, -1 if access.group is None else access.group)
    os.chmod(target, access.mode)


def _try_lock(descriptor: int, folder: str) -> None:
    """Waits for the lock; PkiError after a minute. Lets through an OSError of a file system that cannot lock."""
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise PkiError(
                    f"Another run has been working in {folder} for more than {_LOCK_SECONDS:.0f} seconds; wait for it "
                    "and run again."
                ) from None
            time.sleep(0.05)


def _lock(folder: str) -> int:
    """
    A descriptor that holds the folder's lock; closing it gives the lock back.

    A folder on NFS cannot be locked itself (EBADF, flock(2)), so there a file in it is.
    """
    descriptor = -1
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            _try_lock(descriptor, folder)
        except OSError:
            os.close(descriptor)
            descriptor = -1
            descriptor = os.open(os.path.join(folder, _LOCK_FILE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            _try_lock(descriptor, folder)
    except OSError as exc:
        if descriptor >= 0:
            os.close(descriptor)
        raise _failure(exc, doing="lock the folder", path=folder) from None
    except BaseException:
        if descriptor >= 0:
            os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def working_in(folders: t.Iterable[str], *, access: Access) -> t.Iterator[None]:
    """
    Makes the folders that are missing and locks them all; one run at a time works inside.

    If the work fails, the folders that were made for it are removed again, unless something lies in them.
    """
    ordered = sorted({os.path.realpath(folder) for folder in folders})
    made: list[str] = []
    descriptors: list[int] = []
    try:
        for folder in ordered:
            made += _make_folders(folder, access)
        # Always in the same order, so that two runs cannot wait for each other.
        descriptors += [_lock(folder) for folder in ordered]
        yield
    except BaseException:
        _remove_folders(made)
        raise
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _temporary_name(path: str) -> str:
    return os.path.join(folder_of(path), f".{os.path.basename(path)}.{secrets.token_hex(8)}.tmp")


def _sweep(path: str) -> None:
    """Removes the temporaries of this file that a killed run left behind; the caller holds the folder's lock."""
    pattern = re.compile(r"\." + re.escape(os.path.basename(path)) + r"\.[0-9a-f]{16}\.tmp")
    for name in os.listdir(folder_of(path)):
        if pattern.fullmatch(name):
            os.unlink(os.path.join(folder_of(path), name))


def _write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _write_temporary(path: str, content: bytes, access: Access) -> str:
    """A finished file beside `path`: mode before content, and on the disk."""
    temporary = _temporary_name(path)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        try:
            _give(descriptor, access)
            _write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except BaseException:
        os.unlink(temporary)
        raise
    return temporary


def _sync_folder(path: str) -> None:
    descriptor = os.open(folder_of(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_new(path: str, content: bytes, *, access: Access) -> None:
    """Makes a file that is not there yet; PkiError if something is, which stays. The caller holds the lock."""
    try:
        _sweep(path)
        temporary = _write_temporary(path, content, access)
        try:
            _link_new(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        _sync_folder(path)
    except FileExistsError:
        raise PkiError(f"{path} appeared meanwhile and is not overwritten; run again.") from None
    except OSError as exc:
        raise _failure(exc, doing="write", path=path) from None


def _link_new(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError as exc:
        if exc.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        # A file system without hard links: the lock keeps other runs out between the look and the rename.
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(temporary, path)
    else:
        os.unlink(temporary)


def replace(path: str, content: bytes, *, access: Access) -> None:
    """
    Puts a file in place of what is there, in one step. The caller holds the lock.

    A symbolic link stays, and its target is replaced.
    """
    target = os.path.realpath(path)
    try:
        _sweep(target)
        temporary = _write_temporary(target, content, access)
        try:
            os.rename(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
        _sync_folder(target)
    except OSError as exc:
        raise _failure(exc, doing="write", path=path) from None


def settle_access(path: str, *, mode: int | None, owner: int | None, group: int | None, check: bool) -> bool:
    """Gives a kept file the mode, owner and group that are asked for (None: as it is); whether that is a change."""
    try:
        facts = os.stat(path)
        wanted = Access(
            mode=stat.S_IMODE(facts.st_mode) if mode is None else mode,
            owner=None if owner in (None, facts.st_uid) else owner,
            group=None if group in (None, facts.st_gid) else group,
        )
        if wanted == Access(mode=stat.S_IMODE(facts.st_mode)):
            return False
        if not check:
            _give(path, wanted)
    except OSError as exc:
        raise _failure(exc, doing="set the access of", path=path) from None
    return True


__all__ = (
    "check_folder",
    "check_writable",
    "folder_of",
    "read_file",
    "replace",
    "settle_access",
    "working_in",
    "write_new",
)
