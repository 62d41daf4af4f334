# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read from a static pod manifest how its kube-apiserver is started, and with which files of a sandboxed master."""

from __future__ import annotations

import typing as t
from pathlib import Path, PurePosixPath

import yaml

__all__ = ["ManifestError", "StaticPod"]


class ManifestError(Exception):
    """The manifest has no kube-apiserver that could be started."""


class StaticPod:
    """The container ``kube-apiserver`` of a manifest, on the master whose file system is ``root``.

    The kubelet is not here, so this class does what the kubelet and the container would do: a path in a flag is the
    container's, and leads to a file of the host only where a hostPath volume is mounted.
    """

    def __init__(self, text: str, root: Path) -> None:
        spec = yaml.safe_load(text)["spec"]
        self.root = root
        containers = [found for found in spec["containers"] if found["name"] == "kube-apiserver"]
        if len(containers) != 1:
            raise ManifestError(f"the manifest has {len(containers)} containers named kube-apiserver, not one")
        self.container: dict[str, t.Any] = containers[0]
        hosts = {found["name"]: found["hostPath"]["path"] for found in spec.get("volumes", []) if "hostPath" in found}
        self.mounts = {
            PurePosixPath(mount["mountPath"]): PurePosixPath(hosts[mount["name"]])
            for mount in self.container.get("volumeMounts", [])
            if mount["name"] in hosts
        }

    @property
    def flags(self) -> list[tuple[str, str]]:
        """The flags and their values as the container gets them, also those that are given twice."""
        words = [*self.container.get("command", []), *self.container.get("args", [])]
        if not words or PurePosixPath(words[0]).name != "kube-apiserver":
            raise ManifestError(f"the container does not start kube-apiserver, but {words[:1]}")
        found: list[tuple[str, str]] = []
        for word in words[1:]:
            flag, equals, value = word.partition("=")
            if flag.startswith("--"):
                found.append((flag[2:], value if equals else "true"))
            elif found:  # --flag value
                found[-1] = (found[-1][0], word)
            else:
                raise ManifestError(f"{word!r} is not a flag")
        return found

    def file(self, flag: str) -> Path:
        """The file on this machine that a flag names. Raises ManifestError if the flag is not there."""
        values = [value for name, value in self.flags if name == flag]
        if not values:
            raise ManifestError(f"the manifest has no flag --{flag}")
        return self.host_path(values[-1])

    def host_path(self, path: str) -> Path:
        """Where a path of the container is on this machine. Raises ManifestError if nothing is mounted there."""
        wanted = PurePosixPath(path)
        for folder in (wanted, *wanted.parents):
            if folder in self.mounts:
                return self.root / (self.mounts[folder] / wanted.relative_to(folder)).relative_to("/")
        raise ManifestError(f"{path} is in no hostPath volume that is mounted into the container")

    def argv(self, overrides: t.Mapping[str, str | None]) -> list[str]:
        """The flags as words, with ``overrides`` (None: without this flag) and with this machine's paths."""
        kept = [(flag, self.local(value)) for flag, value in self.flags if flag not in overrides]
        set_here = [(flag, value) for flag, value in overrides.items() if value is not None]
        return [f"--{flag}={value}" for flag, value in kept + set_here]

    def local(self, value: str) -> str:
        return str(self.host_path(value)) if value.startswith("/") else value
