# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of a command line that kube-apiserver reads otherwise than they seem: the rules of github.com/spf13/pflag."""

from __future__ import annotations

import re
import typing as t

from .._argv import BOOLEAN_FLAGS, normalize
from .text import shorten
from .value_flags import VALUE_FLAGS

__all__ = ["misread"]

_LONGEST = 60  # of an item that is shown
# a flag inside of another item: two of them in one line, or a line that lost its end
_SECOND = re.compile(r"\s--[A-Za-z][\w-]*(=|\s|$)")
# what must be the path of a file
_FILES = re.compile(r"(requestheader-client-ca-file|client-ca-file|proxy-client-(cert|key)-file|tls-[a-z-]+-file)\Z")


def misread(items: t.Sequence[str], *, start: int) -> t.Optional[str]:
    """Say what kube-apiserver makes of the first item that cannot mean what it seems to; None if there is none.

    items: command and args; start: the place of the first item that belongs to the server. The answer is a clause that
    says what to do, without a full stop.
    """
    index = start
    while index < len(items) and items[index] != "--":
        item = items[index]
        if not item.startswith("-") or item == "-":
            index += 1
            continue
        name, equals, value = item.partition("=")
        known = normalize(name)
        said = _of_name(item, name, known) or _of_value(known, value)
        if said:
            return said
        index += 1
        if not equals and name.startswith("--") and known in VALUE_FLAGS:
            following = items[index] if index < len(items) else None
            said = _of_next(name, following)
            if said:
                return said
            index += 1
    return None


def _short(item: str) -> str:
    return shorten(item, longest=_LONGEST)


def _of_name(item: str, name: str, known: str) -> t.Optional[str]:
    if not name.startswith("--") and len(name) > 2 and (known in VALUE_FLAGS or known in BOOLEAN_FLAGS):
        return f"{_short(item)} begins with one dash, so it is read as the letters of several flags; write --{known}"
    if re.search(r"\s", name):
        words = name.split()
        return (
            f"{_short(item)} is one item, and {_short(name)} is no flag; write {words[0]}=VALUE, or two items"
            if len(words) > 1
            else f"{_short(item)} has a blank in the name of the flag; take it out"
        )
    return None


def _of_value(known: str, value: str) -> t.Optional[str]:
    if known not in VALUE_FLAGS:
        return None
    second = _SECOND.search(value)
    if second:
        return (
            f"the value of --{known} holds a second flag ({_short(second.group().strip())}), which is read as part of "
            "that value; write them as two items"
        )
    if known.startswith("requestheader-") and any(part.startswith("--") for part in value.split(",")):
        return f"the value of --{known} is a flag ({_short(value)}); give it a value, or remove it"
    if _FILES.match(known) and value != value.strip():
        return f"the value of --{known} begins or ends with a blank, which is read as part of the path; take it out"
    if _FILES.match(known) and value[:1] in ("'", '"'):
        return f"the value of --{known} is in quotes, which are read as part of the path; take them out"
    return None


def _of_next(name: str, following: t.Optional[str]) -> t.Optional[str]:
    if following is None:
        return f"{name} is the last item and has no value, so kube-apiserver does not start; give it one, or remove it"
    if following.startswith("--"):
        return (
            f"{name} has no value, so kube-apiserver takes the next item ({_short(following)}) for it; give it one, or "
            "remove it"
        )
    if following.startswith("="):
        return (
            f"{name} and {_short(following)} are two items, so the value begins with =; write {name}{_short(following)}"
        )
    return _of_value(normalize(name), following)
