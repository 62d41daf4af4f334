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
from .errors import MasterError, explain
from .files import loads_together, regular_file

__all__ = [
    "Staged",
    "check_bundle",
    "check_pair",
    "discard",
    "discard_leftovers",
    "make_folder",
    "put",
    "remove",
    "stage",
    "stage_link",
    "sync_folder",
]


class Staged(t.NamedTuple):
    """A file that lies complete beside its place, under a name that the kubelet does not read."""

    temporary: str
    path: str


def _temporary(path: str) -> str:
    # always the same name, so that the next run finds and replaces what a killed one left
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.front-proxy-new")


def sync_folder(folder: str) -> None:
    """Make renames in a folder last through a power cut."""
    with contextlib.suppress(OSError):  # some file systems cannot; the rename stands all the same
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _keep_label(path: str, temporary: str) -> None:
    # an SELinux label set by hand goes with the file; a new file takes its folder's
    with contextlib.suppress(OSError, AttributeError):
        os.setxattr(temporary, "security.selinux", os.getxattr(path, "security.selinux"))


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


def stage(file: NewFile) -> Staged:
    """Write a file completely, under a dot name in its own folder. Raises MasterError and leaves nothing then.

    The mode is there before the content is, and the content is on the disk before this returns.
    """
    temporary = _temporary(file.path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchown(descriptor, file.uid, file.gid)
            os.fchmod(descriptor, file.mode)
            _keep_label(file.path, temporary)
            stream.write(file.content)
            stream.flush()
            os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise explain("write", file.path, error) from None
    return Staged(temporary, file.path)


def stage_link(source: str, file: NewFile) -> Staged:
    """Stage a file that lies elsewhere on the same file system under a second name: a full disk cannot prevent it.

    The content of ``file`` is not used. Raises MasterError.
    """
    temporary = _temporary(file.path)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        os.chown(source, file.uid, file.gid)
        os.chmod(source, file.mode)
        os.link(source, temporary)
    except OSError as error:
        raise explain("write", file.path, error) from None
    return Staged(temporary, file.path)


def discard(staged: t.Iterable[Staged]) -> None:
    """Remove what was staged and is not needed."""
    for file in staged:
        with contextlib.suppress(OSError):
            os.unlink(file.temporary)


def discard_leftovers(paths: t.Iterable[str]) -> None:
    """Remove what a killed run staged beside these files."""
    discard(Staged(_temporary(path), path) for path in paths)


def put(staged: Staged) -> None:
    """Rename a staged file to its place (rename(2): there is no moment without a whole file). Raises MasterError."""
    try:
        os.replace(staged.temporary, staged.path)
    except OSError as error:
        raise explain("replace", staged.path, error) from None
    sync_folder(os.path.dirname(staged.path))


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
