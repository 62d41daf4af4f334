# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict readers of plain values: known keys, right types, bounded sizes; everything else is dropped or refused.

A reader takes a value as `json.loads` gives it, and the place where it stands, and returns it with its type. The types
that masters and controller exchange are the other files of this folder; each has its one reader there.
"""

from __future__ import annotations

import json
import math
import re
import typing as t

from .._shown import UserError, printable

__all__ = [
    "DIGEST",
    "LARGEST",
    "NAME",
    "ContractError",
    "Reader",
    "choice",
    "integer",
    "listed",
    "mode",
    "nullable",
    "number",
    "parse_json",
    "path",
    "record",
    "table",
    "text",
    "truth",
]

T = t.TypeVar("T")
K = t.TypeVar("K", bound=str)
#: Takes a value and its place, and gives it with its type. Raises ContractError.
Reader = t.Callable[[t.Any, str], T]

#: The largest answer of a master, in characters: far above what a kube-apiserver and its files come to.
LARGEST = 16 * 1024 * 1024
#: SHA-256 in hexadecimal digits.
DIGEST = r"[0-9a-f]{64}"
#: Names of Kubernetes (RFC 1123 subdomains): APIServices, Services, namespaces.
NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_SURROGATE = re.compile("[\ud800-\udfff]")
_ABSENT: t.Any = object()


class ContractError(UserError):
    """A value is not of the promised shape. The message says where it stands and what is wrong, as a clause."""


def _refuse(place: str, what: str) -> ContractError:
    return ContractError(f"{printable(place, longest=200)} {what}")


def parse_json(document: str, place: str) -> t.Any:
    """Read JSON that is neither larger nor deeper than any honest one. Raises ContractError."""
    if len(document) > LARGEST:
        raise _refuse(place, f"has more than {LARGEST} characters")
    try:
        return json.loads(document)
    except (ValueError, RecursionError):
        raise _refuse(place, "is no JSON that can be read") from None


def text(longest: int, pattern: str = "") -> Reader[str]:
    """Read a text of at most so many characters. pattern: what all of it must match."""
    compiled = re.compile(pattern) if pattern else None

    def read(value: t.Any, place: str) -> str:
        if not isinstance(value, str):
            raise _refuse(place, "is no text")
        if len(value) > longest:
            raise _refuse(place, f"has more than {longest} characters")
        # ansible-core 2.19 and newer mark texts with where they come from; a half of a pair encodes to nothing
        plain = _SURROGATE.sub("\ufffd", "".join((value, "")))
        if compiled is not None and not compiled.fullmatch(plain):
            raise _refuse(place, "is not written as it must be")
        return plain

    return read


def path() -> Reader[str]:
    """Read an absolute path."""
    return text(4096, r"/[^\0]*")


def mode() -> Reader[str]:
    """Read permission bits, as four octal digits."""
    return text(4, "[0-7]{4}")


def choice(*allowed: str) -> Reader[str]:
    """Read one of these words."""
    return text(max(map(len, allowed)), "|".join(map(re.escape, allowed)))


def truth(value: t.Any, place: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise _refuse(place, "is neither true nor false")
    return value


def integer(least: int, most: int) -> Reader[int]:
    """Read a whole number between these two, both included."""

    def read(value: t.Any, place: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refuse(place, "is no whole number")
        if not least <= value <= most:
            raise _refuse(place, f"is not between {least} and {most}")
        return int(value)

    return read


def number(least: float, most: float) -> Reader[float]:
    """Read a number between these two; never "not a number"."""

    def read(value: t.Any, place: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _refuse(place, "is no number")
        if not (math.isfinite(value) if isinstance(value, float) else True) or not least <= value <= most:
            raise _refuse(place, f"is not between {least:g} and {most:g}")
        return float(value)

    return read


def nullable(reader: Reader[T]) -> Reader[t.Optional[T]]:
    """Read null, or what the reader takes."""

    def read(value: t.Any, place: str) -> t.Optional[T]:
        return None if value is None else reader(value, place)

    return read


def listed(reader: Reader[T], most: int) -> Reader[t.List[T]]:
    """Read a list of at most so many items."""

    def read(value: t.Any, place: str) -> t.List[T]:
        if not isinstance(value, (list, tuple)):
            raise _refuse(place, "is no list")
        if len(value) > most:
            raise _refuse(place, f"has more than {most} items")
        return [reader(item, f"{place}[{number}]") for number, item in enumerate(value)]

    return read


def table(key: Reader[str], reader: Reader[T], most: int) -> Reader[t.Dict[str, T]]:
    """Read a mapping of at most so many entries, whose keys are data, such as paths."""

    def read(value: t.Any, place: str) -> t.Dict[str, T]:
        if not isinstance(value, dict):
            raise _refuse(place, "is no mapping")
        if len(value) > most:
            raise _refuse(place, f"has more than {most} entries")
        return {key(name, f"a key of {place}"): reader(item, f"{place}[{name!r}]") for name, item in value.items()}

    return read


def record(
    dummy_shape: t.Type[T],
    *,
    optional: t.Container[str] = (),
    within: t.Optional[Reader[t.Any]] = None,
    **fields: t.Any,
) -> Reader[T]:
    """Read a mapping with known keys: each field with its reader; keys that are not known are dropped.

    dummy_shape: the TypedDict that comes out, whose keys the fields are (a unit test compares them); optional: fields
    that may be missing; within: the reader of a record whose fields this one has as well.
    """

    def read(value: t.Any, place: str) -> T:
        if not isinstance(value, dict):
            raise _refuse(place, "is no mapping")
        found = {} if within is None else within(value, place)
        for name, reader in fields.items():
            item = value.get(name, _ABSENT)
            if item is not _ABSENT:
                found[name] = reader(item, f"{place}.{name}" if place else name)
            elif name not in optional:
                raise _refuse(f"{place}.{name}" if place else name, "is missing")
        return t.cast(T, found)

    return read
