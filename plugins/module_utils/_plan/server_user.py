# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As which user the kube-apiserver of a master reads its files, and which files that user can read."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .._contract.observation import ObservedFile
from .._manifest.user import stated_user
from .master import Master, Seen

__all__ = ["ServerUser", "can_read", "server_user"]

_ROOT = 0


@dataclass(frozen=True)
class ServerUser:
    """uid, gid, groups: numbers; overrides: whether modes do not matter to it, as for root with all capabilities."""

    uid: int
    gid: int
    groups: frozenset[int]
    overrides: bool

    def reads(self, mode: int, uid: int, gid: int) -> bool:
        """Whether it can read a file with this mode and these owners (path_resolution(7))."""
        if self.overrides:
            return True
        if uid == self.uid:
            return bool(mode & 0o400)
        if gid == self.gid or gid in self.groups:
            return bool(mode & 0o040)
        return bool(mode & 0o004)

    def reads_file(self, facts: ObservedFile) -> bool:
        """Whether it can read an observed file that exists, as far as mode and owners tell."""
        return self.reads(int(facts["mode"], 8), facts["uid"], facts["gid"])

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"user {self.uid}"


def server_user(master: Master) -> ServerUser | None:
    """Give the user of this master's kube-apiserver from its next start on; None if nothing tells.

    What the manifest says counts; what it leaves open is as in the running container, that is, as in its image.
    """
    stated = stated_user(master.pod)
    process = master.facts["process"]
    running = process["user"] if process else None
    if stated.uid is None and running is None:
        return None
    uid = running["uid"] if stated.uid is None and running else stated.uid or _ROOT
    same = running if running and running["uid"] == uid else None
    gid = stated.gid if stated.gid is not None else same["gid"] if same else _ROOT
    groups: t.Iterable[int] = (*stated.groups, *(same["groups"] if same else ()))
    return ServerUser(uid, gid, frozenset(groups), overrides=uid == _ROOT and stated.overrides)


def can_read(user: ServerUser, seen: Seen, master: Master) -> bool:
    """Whether this user can read a file that exists: as the kernel said on the master, or else as mode and owners tell.

    The kernel knows more, such as ACLs and the folders above; it was asked for the user who runs now.
    """
    process, tried = master.facts["process"], seen.facts.get("readable")
    if process is not None and process["user"]["uid"] == user.uid and tried is not None:
        return tried
    return user.reads_file(seen.facts)
