# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at files on a master, without ever giving away a private key."""

from __future__ import annotations

import contextlib
import grp
import hashlib
import os
import pwd
import re
import ssl
import stat
import typing as t

from .._contract.observation import ObservedFile

__all__ = [
    "LIMIT",
    "accept_weak_keys",
    "checksum",
    "describe_file",
    "load_pair_of_files",
    "loads_together",
    "mark",
    "read_regular",
    "regular_file",
    "stamp",
]

# The kubelet reads no manifest above 10 MiB (pkg/kubelet/config/file.go); all that is looked at here is far smaller.
LIMIT = 10 * 1024 * 1024

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def checksum(data: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def stamp(status: os.stat_result) -> str:
    """Name one state of a file: it changes with every write, rename and mode change."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}"


def mark(status: os.stat_result) -> str:
    """Name a file with its content: unlike `stamp`, it stays when the file is renamed."""
    return f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def read_regular(path: str) -> bytes:
    """Read a regular file. Raises OSError; a pipe or device in its place is one, too, and never blocks."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        # before fdopen, which refuses a folder and then leaves the descriptor open
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(0, "it is not a regular file", path)
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(LIMIT + 1)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def regular_file(path: str) -> t.Iterator[str]:
    """Give a name by which a library may open a file that it wants to open itself. Raises OSError as `read_regular`.

    What is behind a path may change until it is opened, and a pipe would block; the name stays with this one file.
    """
    # O_PATH: what is no regular file is not even opened, as a device may act on that, and a pipe wake its writer
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is not a regular file", path)
        if status.st_size > LIMIT:
            raise OSError(0, f"it is larger than {LIMIT} bytes", path)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _name_of_user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _name_of_group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def accept_weak_keys(context: ssl.SSLContext) -> None:
    """Load what kube-apiserver loads: it knows no security level, by which OpenSSL refuses an RSA key of 1024 bits."""
    with contextlib.suppress(ssl.SSLError):  # OpenSSL 1.0.2 has no levels
        context.set_ciphers("DEFAULT:@SECLEVEL=0")


def load_pair_of_files(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Have a context show a certificate. Raises OSError or ValueError if the files do not load as a pair."""
    with regular_file(certificate) as certificate_name, regular_file(key) as key_name:
        # the password: an encrypted key must fail here, not ask on a terminal
        context.load_cert_chain(certificate_name, key_name, password=lambda: b"")


def loads_together(certificate: str, key: str) -> bool:
    """Tell whether a certificate's file and a key's file load as one pair, as a TLS client loads them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    accept_weak_keys(context)
    try:
        load_pair_of_files(context, certificate, key)
    except (OSError, ValueError):  # ssl.SSLError is an OSError
        return False
    return True


def describe_file(path: str) -> ObservedFile:
    """Describe one file of a master. Of a private key nothing at all is told but its owner and mode.

    What needs other files or a process, ``in_container``, ``readable`` and ``loads_with``, is left empty.
    """
    try:
        status = os.stat(path)
    except OSError:
        return {"exists": False, "is_link": os.path.islink(path)}
    found: ObservedFile = {
        "exists": True,
        "stamp": stamp(status),
        "readable": None,
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
        "owner": _name_of_user(status.st_uid),
        "group": _name_of_group(status.st_gid),
        "links": status.st_nlink,
        "is_link": os.path.islink(path),
        "kind": "other",
        "certificates": [],
        "checksum": None,
        "in_container": None,
        "loads_with": [],
    }
    try:
        data = read_regular(path)
    except OSError:
        found["kind"] = "unreadable"
        return found
    text = data.decode("utf-8", "replace")
    # a certificate and its key may lie in one file
    found["certificates"] = [block + "\n" for block in _CERTIFICATE.findall(text)]
    if "PRIVATE KEY-----" in text:
        found["kind"] = "private_key"
        return found
    if found["certificates"]:
        found["kind"] = "certificates"
    found["checksum"] = checksum(data)
    return found
