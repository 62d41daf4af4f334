# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of the house: a room imports from those below it, and from none above."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

ROOMS = Path(__file__).resolve().parents[4] / "plugins" / "module_utils"

#: For each room those that it may import from, besides itself. Files beside the rooms may import one another.
BELOW: t.Dict[str, t.Set[str]] = {
    "": set(),
    "_contract": {""},
    "_manifest": {""},
    "_pki": {""},
    "_master": {"", "_contract", "_manifest"},
    "_observed": {"", "_contract", "_manifest", "_pki"},
    "_plan": {"", "_contract", "_manifest", "_pki", "_observed"},
    "_verify": {"", "_contract", "_manifest", "_pki", "_observed"},
    "_prune": {"", "_contract", "_manifest", "_pki", "_observed", "_plan", "_verify"},
    "_present": {"", "_contract", "_pki", "_observed", "_plan", "_verify"},
}
IMPORT = re.compile(r"^ *from (\.+)([\w.]*) import", re.MULTILINE)


def room_of(path: Path) -> str:
    parts = path.relative_to(ROOMS).parts
    return parts[0] if len(parts) > 1 else ""


def imported(path: Path) -> t.Iterator[str]:
    """The rooms from which a file imports, its own among them."""
    for dots, name in IMPORT.findall(path.read_text(encoding="utf-8")):
        first = name.split(".")[0]
        inside = len(dots) == 1
        yield room_of(path) if inside and room_of(path) else first if first in BELOW else ""


def test_every_room_has_its_place() -> None:
    assert {room_of(path) for path in ROOMS.rglob("*.py")} == set(BELOW)


@pytest.mark.parametrize("room", sorted(BELOW))
def test_a_room_imports_from_those_below(room: str) -> None:
    found = {
        f"{path.relative_to(ROOMS)} from {other or 'beside the rooms'}"
        for path in ROOMS.rglob("*.py")
        if room_of(path) == room
        for other in imported(path)
        if other not in {room, *BELOW[room]}
    }
    assert not found
