# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose the ordered files are to be: names are looked up on the master, where their numbers are known."""

from __future__ import annotations

import grp
import os
import pwd
import typing as t

from .._contract.order import NewFile, Order
from .errors import MasterError

__all__ = ["with_numbers"]


def _number(kind: str, name: str | None, number: int, look_up: t.Callable[[str], int]) -> int:
    if os.geteuid() != 0:
        return -1  # a sandbox of a user without rights: all files are that user's own
    if name is None:
        return number
    if name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        raise MasterError(f"There is no {kind} {name} on this master; make it first, or give another {kind}.") from None


def _owned(file: NewFile) -> NewFile:
    return file._replace(
        uid=_number("user", file.owner, file.uid, lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number("group", file.group, file.gid, lambda name: grp.getgrnam(name).gr_gid),
    )


def with_numbers(order: Order) -> Order:
    """Give an order in which the owners of all files are numbers. Raises MasterError for one that is not known."""
    return order._replace(files=tuple(map(_owned, order.files)))
