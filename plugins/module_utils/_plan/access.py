# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose a file is to be that a master gets, and with which mode: kube-apiserver reads it, and of a key few others."""

from __future__ import annotations

import typing as t

from .._contract.observation import ObservedFile
from .errors import PlanError
from .master import Master, Seen
from .server_user import can_read, server_user

__all__ = ["KEY_MODE", "PUBLIC_MODE", "Access", "access_for", "open_to_all"]

KEY_MODE, PUBLIC_MODE = 0o600, 0o644
_OTHERS, _WRITERS = 0o007, 0o022
_NOBODY = -1


class Access(t.NamedTuple):
    """mode: permission bits; uid, gid: numbers, -1 is that of the process that writes."""

    mode: int
    uid: int
    gid: int


def open_to_all(mode: int) -> bool:
    """Whether others than owner and group can do something with a file."""
    return bool(mode & _OTHERS)


def access_for(seen: Seen, master: Master, *, is_key: bool, mode: int | None, named: bool) -> Access:
    """Decide mode and owners of a file.

    mode: the one that is asked for, None for what is right; named: whether an owner or group is asked for by name, so
    that what is decided here is only what the other one of them is.
    A file that is there keeps its own where kube-apiserver can read it, and where it is not open to those whom it must
    not be open to; a new one is as the server's own key, or else the server's.
    """
    user = server_user(master)
    now = _access_of(seen.facts) if seen.exists else None
    readable = user is None or (seen.exists and can_read(user, seen, master))
    if mode is None and not named and now and readable and not now.mode & (_OTHERS if is_key else _WRITERS):
        return now
    usual = mode if mode is not None else KEY_MODE if is_key else PUBLIC_MODE
    base = now or _own_key(master)
    if named or user is None or (user.reads(usual, base.uid, base.gid) and (not is_key or base.uid in (0, user.uid))):
        return Access(usual, base.uid, base.gid)
    return Access(usual, user.uid, user.gid)


def _access_of(facts: ObservedFile) -> Access:
    return Access(int(facts["mode"], 8), facts["uid"], facts["gid"])


def _own_key(master: Master) -> Access:
    """Mode and owners of the server's own key; nobody's if it does not lie on the host."""
    path = master.pod.flag("tls-private-key-file")
    try:
        seen = master.seen(path) if path else None
    except PlanError:
        seen = None
    return _access_of(seen.facts) if seen and seen.exists else Access(KEY_MODE, _NOBODY, _NOBODY)
