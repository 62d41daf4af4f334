# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``order`` of the module apiserver, and how it becomes a change on this machine."""

from __future__ import annotations

import grp
import json
import os
import pwd
import typing as t

from .change import Order, OrderedFile
from .errors import MasterError
from .places import Places

__all__ = ["read_order"]


def _number(kind: str, name: str | None, number: int | None, look_up: t.Callable[[str], int]) -> int:
    if os.geteuid() != 0:
        return -1  # a sandbox of a user without rights: all files are that user's own
    if name is None:
        return -1 if number is None else number
    if name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        raise MasterError(f"There is no {kind} {name} on this master; make it first, or give another {kind}.") from None


def _file(file: t.Mapping[str, t.Any]) -> OrderedFile:
    return OrderedFile(
        path=file["path"],
        content=file["content"].encode(),
        mode=int(file["mode"], 8),
        uid=_number("user", file["owner"], file["uid"], lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number("group", file["group"], file["gid"], lambda name: grp.getgrnam(name).gr_gid),
        seen=file["seen"],
    )


def read_order(text: str, places: Places) -> Order:
    """Turn the module's option into an order.

    text: JSON, as build_order of _plan/order.py makes it. It is one text, and not options within an option, because
    Ansible writes options to the system's log, and hides a nested secret there only if it is one line.
    Raises MasterError for an unknown owner or group.
    """
    order = json.loads(text)
    order["files"] = tuple(_file(file) for file in order["files"])
    if not places.live:
        order["wait"] = 0.0
    return Order(**order)
