# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the static pod manifest and its folder. Nothing here understands YAML: that is the controller's part."""

from __future__ import annotations

import os
import re
import stat
import typing as t

from .._argv import flag_values
from .._contract.observation import Manifest, Sibling
from .errors import MasterError, explain
from .files import LIMIT, checksum, read_regular
from .places import Places

__all__ = ["candidate_files", "describe_manifest", "every_path", "list_siblings", "wanted_files"]

# Above this a file is no kube-apiserver manifest, whatever it holds: those have a few KiB.
_READABLE = 1024 * 1024

# The flags whose files matter to the decision.
_FILE_FLAGS = (
    "client-ca-file",
    "requestheader-client-ca-file",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "tls-cert-file",
    "tls-private-key-file",
)
_FLAG_IN_TEXT = re.compile(
    r"--(" + "|".join(name.replace("-", "[-_]") for name in _FILE_FLAGS) + r")"
    r"(?:=|[\s\"',\]-]+)[\"']?(/[^\s\"',\]}\0]+)"
)
_PATH_IN_TEXT = re.compile(r"(?<![\w.:/])(/[^\s\"',\]}:\0]*)")
_MOUNT_IN_TEXT = re.compile(r"\bmountPath[\"']?:\s*[\"']?(/[^\s\"',\]}:\0]+)")
# Far more than any manifest needs; with more, looking would take minutes.
_CANDIDATES = 50000
# Where the controller puts files if the manifest names no folder of certificates at all: kubeadm's.
_DEFAULT_FOLDER = "/etc/kubernetes/pki"
_OUR_NAMES = ("front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key")


def describe_manifest(path: str, places: Places) -> Manifest:
    """Give the manifest's ``text``, ``checksum`` (SHA-256), ``mode``, ``uid``, ``gid``.

    Raises MasterError if it is not there, is no regular file, is not UTF-8, is too large or cannot be read.
    """
    real = places.real(path)
    if os.path.islink(real):
        raise MasterError(
            f"{path} is a symbolic link to {os.readlink(real)}: the kubelet sees changes behind a link late, and a "
            "safe write would replace the link; put the file itself there, or name it in front_proxy_manifest."
        )
    try:
        status = os.stat(real)
        if not stat.S_ISREG(status.st_mode):
            raise MasterError(f"{path} is not a regular file; name the static pod manifest of kube-apiserver.")
        data = read_regular(real)
    except FileNotFoundError:
        raise MasterError(
            f"There is no manifest at {path}: this host runs no kube-apiserver as a static pod there; "
            "take it out of the group of masters, or name the right path in front_proxy_manifest."
        ) from None
    except OSError as error:
        raise explain("read", path, error) from None
    if len(data) > _READABLE:
        raise MasterError(
            f"{path} is larger than {_READABLE // 1024} KiB: that is no kube-apiserver manifest; put the right file "
            "there."
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MasterError(
            f"{path} is not UTF-8 text (byte {error.start}): it is damaged or another kind of file; put the right "
            "manifest there."
        ) from None
    return {
        "path": path,
        "text": text,
        "checksum": checksum(data),
        "mode": f"{stat.S_IMODE(status.st_mode):04o}",
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def list_siblings(path: str, places: Places) -> list[Sibling]:
    """List what else the kubelet reads in the manifest's folder: every file whose name begins with no dot.

    Source: pkg/kubelet/config/file.go (the pattern ``[^.]*``, any ending, symbolic links to files followed).
    Each has ``name``, ``size`` and ``text``: the text only where it speaks of the same pod, so that the controller
    can tell whether it defines it; None elsewhere. Raises MasterError.
    """
    folder, name = os.path.split(places.real(path))
    siblings: list[Sibling] = []
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        raise explain("list", os.path.dirname(path), error) from None
    for entry in entries:
        if entry.name.startswith(".") or entry.name == name:
            continue
        try:
            status = entry.stat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > LIMIT:
                continue
            text = read_regular(entry.path).decode("utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        speaks = "kube-apiserver" in text and len(text) <= _READABLE
        siblings.append({"name": entry.name, "size": status.st_size, "text": text if speaks else None})
    return siblings


def wanted_files(text: str, argv: t.Sequence[str], extra_folder: str | None) -> set[str]:
    """Give the paths of the files that matter, as flags name them, and as they are called where no flag does."""
    in_flags = {match.group(2) for match in _FLAG_IN_TEXT.finditer(text)}
    running = flag_values(argv)
    in_flags |= {path for name in _FILE_FLAGS for path in running.get(name, ()) if path.startswith("/")}
    folders = {os.path.dirname(path) for path in in_flags} | ({extra_folder} if extra_folder else set())
    folders = folders or {_DEFAULT_FOLDER}
    return in_flags | {os.path.join(folder, name) for folder in folders for name in _OUR_NAMES}


def every_path(text: str, argv: t.Sequence[str], looked_at: t.Sequence[str]) -> list[str]:
    """Give the paths that are looked at, and then all others that the manifest or the running server names.

    A path in a flag is one in the container; on the host it can be below every folder that the text names.
    """
    named = {path.rstrip("/") for path in _PATH_IN_TEXT.findall(text)}
    running = {value for values in flag_values(argv).values() for value in values if value.startswith("/")}
    try:
        candidates = candidate_files(text, named | running)
    except MasterError:
        candidates = sorted(named | running)
    seen = set(looked_at)
    return [*looked_at, *(path for path in candidates if path and path not in seen)]


def _folders_above(path: str) -> set[str]:
    parts = path.split("/")
    return {"/".join(parts[:count]) for count in range(2, len(parts))}


def candidate_files(text: str, wanted: t.Iterable[str]) -> list[str]:
    """Give every path on the host at which one of the wanted files may lie, judged from the manifest's text alone.

    A path in a flag is one in the container; a volume may take it from another folder of the host. So each
    such path is tried below every folder that the text names, and the controller, which can read the manifest,
    picks the right one from what was seen. Raises MasterError if the text names folders without end.
    """
    found = set(wanted)
    named = {path.rstrip("/") for path in _PATH_IN_TEXT.findall(text)}
    tried = 0
    mounted = {path.rstrip("/") for path in _MOUNT_IN_TEXT.findall(text)}
    for path in sorted(found):
        if path in mounted:  # this file alone, and on the host its name can be another
            found |= named - {""}
        for mount in _folders_above(path) & named:
            tried += len(named)
            if tried > _CANDIDATES:
                raise MasterError(
                    f"The manifest names {len(named)} folders, and a file of a flag may lie in any of them: that is no "
                    "kube-apiserver manifest; put the right one there."
                )
            found |= {folder + path[len(mount) :] for folder in named if folder != mount}
    return sorted(found)
