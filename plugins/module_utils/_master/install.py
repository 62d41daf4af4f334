# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put files in place so that each is whole at any moment: stage them all beside their places, check, then rename."""

from __future__ import annotations

import contextlib
import os
import ssl
import typing as t

from .._contract.order import NewFile
from .attributes import carry
from .errors import MasterError, explain
from .files import loads_together, regular_file

__all__ = [
    "Staged",
    "check_bundle",
    "check_pair",
    "discard",
    "discard_kept",
    "discard_leftovers",
    "keep",
    "kept_beside",
    "make_folder",
    "put",
    "put_all",
    "remove",
    "rename",
    "stage",
    "stage_link",
    "stage_symlink",
    "sync_folder",
]

# The endings of names beside a file: what is to take its place, and what it was. The kubelet reads no file whose name
# begins with a dot (pkg/kubelet/config/file.go), and kube-apiserver none that no flag names.
_NEW, _OLD = "front-proxy-new", "front-proxy-old"


class Staged(t.NamedTuple):
    """A file that lies complete beside its place, under a name that the kubelet does not read."""

    temporary: str
    path: str


def _beside(path: str, ending: str = _NEW) -> str:
    # always the same name, so that the next run finds and replaces what a killed one left
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.{ending}")


def sync_folder(folder: str) -> None:
    """Make renames in a folder last through a power cut."""
    with contextlib.suppress(OSError):  # some file systems cannot; the rename stands all the same
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_folder(folder: str, mode: int) -> None:
    """Make a folder and those above it, all with this mode whatever the umask is. Raises MasterError."""
    missing = []
    folder = os.path.abspath(folder)
    while not os.path.isdir(folder):
        missing.append(folder)
        folder = os.path.dirname(folder)
    for path in reversed(missing):
        try:
            os.mkdir(path, 0o700)
            os.chmod(path, mode)
        except FileExistsError as error:
            if not os.path.isdir(path):  # else another run was faster
                raise explain("make the folder", path, error) from None
        except OSError as error:
            raise explain("make the folder", path, error) from None


def _keeps_group(file: NewFile) -> bool:
    try:
        return file.gid in (-1, os.stat(file.path).st_gid)
    except OSError:
        return False


def _write_beside(file: NewFile, temporary: str) -> Staged:
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(descriptor, file.uid, file.gid)
            carry(file.path, descriptor, file.mode, same_group=_keeps_group(file))
            os.fchmod(descriptor, file.mode)
            stream.write(file.content)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise explain("write", file.path, error) from None
    return Staged(temporary, file.path)


def stage(file: NewFile) -> Staged:
    """Write a file completely, under a dot name in its own folder. Raises MasterError and leaves nothing then.

    The mode is there before the content is, and the content is on the disk before this returns. What the file that it
    replaces has of extended attributes and as access control list, it has, too; see `attributes.carry`.
    """
    return _write_beside(file, _beside(file.path))


def keep(path: str, content: bytes, status: os.stat_result) -> None:
    """Keep a file as it is under a dot name beside it: to put it back needs no room then. Raises MasterError.

    content, status: of the file, as they were just read. It is a copy, and no second name of the file itself, since
    kube-apiserver misses what is done to a file that has two names.
    """
    uid, gid = (status.st_uid, status.st_gid) if os.geteuid() == 0 else (-1, -1)
    _write_beside(NewFile(path, content, status.st_mode & 0o7777, uid, gid), kept_beside(path))


def kept_beside(path: str) -> str:
    """Give the name under which `keep` keeps a file."""
    return _beside(path, _OLD)


def stage_link(source: str, file: NewFile) -> Staged:
    """Stage a file that lies elsewhere on the same file system under a second name: a full disk cannot prevent it.

    The content of ``file`` is not used. Raises MasterError.
    """
    temporary = _beside(file.path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.chown(source, file.uid, file.gid)
        os.chmod(source, file.mode)
        os.link(source, temporary)
    except OSError as error:
        raise explain("write", file.path, error) from None
    return Staged(temporary, file.path)


def stage_symlink(path: str, target: str) -> Staged:
    """Stage a symbolic link. Raises MasterError."""
    temporary = _beside(path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.symlink(target, temporary)
    except OSError as error:
        raise explain("write", path, error) from None
    return Staged(temporary, path)


def discard(staged: t.Iterable[Staged]) -> None:
    """Remove what was staged and is not needed."""
    for file in staged:
        with contextlib.suppress(OSError):
            os.unlink(file.temporary)


def discard_leftovers(paths: t.Iterable[str]) -> None:
    """Remove what a killed run staged beside these files."""
    discard(Staged(_beside(path), path) for path in paths)


def discard_kept(paths: t.Iterable[str]) -> None:
    """Remove what was kept beside these files, or empty it at least: a key may be among it."""
    for path in paths:
        kept = kept_beside(path)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(kept)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(os.open(kept, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC))


def rename(staged: Staged) -> None:
    """Rename a staged file to its place (rename(2): there is no moment without a whole file). Raises MasterError.

    Who calls it makes it last, see `put_all`.
    """
    try:
        os.replace(staged.temporary, staged.path)
    except OSError as error:
        raise explain("replace", staged.path, error) from None


def put_all(staged: t.Sequence[Staged]) -> None:
    """Rename staged files to their places, one right after the other, and only then make it last. Raises MasterError.

    A sync in between would have the disk hold some of the new files with some of the old ones for as long as it takes,
    and a power cut in that time would leave a certificate with the key of another one.
    """
    for file in staged:
        rename(file)
    for folder in dict.fromkeys(os.path.dirname(file.path) for file in staged):
        sync_folder(folder)


def put(staged: Staged) -> None:
    """Put one staged file to its place. Raises MasterError."""
    put_all([staged])


def remove(path: str) -> None:
    """Remove a file if it is there. Raises MasterError."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain("remove", path, error) from None
    sync_folder(os.path.dirname(path))


def check_pair(certificate: str, key: str, *, shown: str) -> None:
    """Raise MasterError if a certificate and a key do not load as a pair. shown: how to name them to a person."""
    if not loads_together(certificate, key):
        raise MasterError(
            f"{shown} do not load as one pair, so kube-apiserver would not start with them; nothing was changed: "
            "look at the files that were given."
        )


def check_bundle(bundle: str, *, shown: str) -> None:
    """Raise MasterError if a CA bundle does not load."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        with regular_file(bundle) as name:
            context.load_verify_locations(name)
        if not context.cert_store_stats()["x509"]:
            raise ValueError("only revocation lists")
    except (OSError, ValueError):
        raise MasterError(
            f"{shown} does not load as a CA bundle, so kube-apiserver would not start with it; nothing was changed: "
            "look at the file that was given."
        ) from None
