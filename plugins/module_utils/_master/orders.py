# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``order`` of the module apiserver: its shape, and how it becomes a change on this machine."""

from __future__ import annotations

import base64
import grp
import os
import pwd
import typing as t

from .change import Order, OrderedFile
from .errors import MasterError
from .places import Places

__all__ = ["ORDER_SPEC", "read_order"]

ORDER_SPEC: dict[str, t.Any] = {
    "type": "dict",
    "options": {
        "manifest": {"type": "str", "required": True},
        "manifest_seen": {"type": "str", "required": True},
        "manifest_text": {"type": "str"},
        "files": {
            "type": "list",
            "elements": "dict",
            "required": True,
            "options": {
                "path": {"type": "str", "required": True},
                "content": {"type": "str", "required": True, "no_log": True},
                "mode": {"type": "str", "required": True},
                "uid": {"type": "int"},
                "gid": {"type": "int"},
                "owner": {"type": "str"},
                "group": {"type": "str"},
                "seen": {"type": "str"},
            },
        },
        "bundle": {"type": "str"},
        "certificate": {"type": "str"},
        "key": {"type": "str", "no_log": False},
        "flags": {"type": "dict", "required": True},
        "user_header": {"type": "str", "required": True},
        "pod": {"type": "str", "required": True},
        "container": {"type": "str", "required": True},
        "wait": {"type": "float", "required": True},
        "lock_timeout": {"type": "float", "required": True},
    },
}


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


_ENCODED = "base64:"


def _content(text: str) -> bytes:
    # In base64 it is a word without a line end. Ansible writes the options of a module to the system's log, and takes
    # a secret out of a nested option only where it stands there letter by letter: not with its line ends as \n.
    if text.startswith(_ENCODED):
        return base64.b64decode(text[len(_ENCODED) :])
    return text.encode()


def _file(file: t.Mapping[str, t.Any]) -> OrderedFile:
    return OrderedFile(
        path=file["path"],
        content=_content(file["content"]),
        mode=int(file["mode"], 8),
        uid=_number("user", file["owner"], file["uid"], lambda name: pwd.getpwnam(name).pw_uid),
        gid=_number("group", file["group"], file["gid"], lambda name: grp.getgrnam(name).gr_gid),
        seen=file["seen"],
    )


def read_order(order: t.Mapping[str, t.Any], places: Places) -> Order:
    """Turn the module's option into an order. Raises MasterError for an unknown owner or group."""
    rest = {name: value for name, value in order.items() if name != "files"}
    if not places.live:
        rest["wait"] = 0.0
    return Order(files=tuple(_file(file) for file in order["files"]), **rest)
