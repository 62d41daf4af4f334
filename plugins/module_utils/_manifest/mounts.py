# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container sees of its host: volume mounts and the hostPath volumes behind them."""

from __future__ import annotations

import posixpath
import typing as t
from dataclasses import dataclass

from .nodes import Node
from .reader import Reader

__all__ = ["Mount", "clean_path", "read_mounts"]


@dataclass(frozen=True)
class Mount:
    """One volume mount of the container.

    host_path: the path on the host that mount_path shows (a sub path included), or None if the volume is no hostPath.
    single_file: a file is mounted, not a folder; replacing the file on the host by a rename does not reach the
    container.
    """

    mount_path: str
    host_path: t.Optional[str]
    volume: str
    single_file: bool


def clean_path(path: str) -> str:
    """Return a path without a trailing or doubled slash and without dots."""
    cleaned = posixpath.normpath(path) if path else path
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def read_mounts(
    reader: Reader, spec: Node, node: Node, path: str, flags: t.Mapping[str, t.Tuple[str, ...]]
) -> t.Tuple[Mount, ...]:
    """Return the volume mounts of the container at `node`.

    `path` names the container in refusals; `flags` tell which paths are files.
    """
    volumes: t.Dict[str, t.Optional[Node]] = {}
    for volume in reader.mappings(spec, "volumes", "spec."):
        volumes[reader.string(volume, "name", "spec.volumes[].")] = reader.mapping(
            volume, "hostPath", "spec.volumes[]."
        )
    files = _named_files(flags)
    found = []
    for mount in reader.mappings(node, "volumeMounts", path):
        prefix = path + "volumeMounts[]."
        mount_path = clean_path(reader.string(mount, "mountPath", prefix))
        name = reader.string(mount, "name", prefix)
        sub_path = reader.string(mount, "subPath", prefix)
        expression = reader.string(mount, "subPathExpr", prefix)
        source = volumes.get(name)
        host: t.Optional[str] = None
        kind = ""
        if source is not None:
            host = clean_path(reader.string(source, "path", "spec.volumes[].hostPath."))
            kind = reader.string(source, "type", "spec.volumes[].hostPath.")
            if expression:
                host = None
            elif sub_path:
                host = clean_path(host + "/" + sub_path)
        found.append(
            Mount(
                mount_path=mount_path,
                host_path=host or None,
                volume=name,
                single_file=(kind in ("File", "FileOrCreate") and not sub_path) or mount_path in files,
            )
        )
    return tuple(found)


def _named_files(flags: t.Mapping[str, t.Tuple[str, ...]]) -> t.Set[str]:
    """Return the paths that flags name, unless the flag's name says that it is a folder."""
    return {
        clean_path(value)
        for name, values in flags.items()
        if not name.endswith(("-dir", "-directory"))
        for value in values
        if value.startswith("/")
    }
