# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which flags one master's kube-apiserver is to have, and why each that is not right yet changes."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .errors import PlanError
from .master import Master
from .names import NAMES_FLAG, ClusterNames, choose_names, read_list, write_list
from .routing import decide_routing
from .wish import ROUTING_FLAG, Wish, check_release

__all__ = ["FILE_NAMES", "Flags", "wanted_flags"]

#: The flags that name a file of the front proxy, and the name of that file where no flag is set yet.
FILE_NAMES = {
    "requestheader-client-ca-file": "front-proxy-ca.crt",
    "proxy-client-cert-file": "front-proxy-client.crt",
    "proxy-client-key-file": "front-proxy-client.key",
}
_NOT_SET = " was not set"


@dataclass(frozen=True)
class Flags:
    """values: every flag that is wanted, with the value that it has or gets; reasons: a sentence for each change;
    pair_names: those that a pair may have, none for any.
    """

    values: t.Mapping[str, str | None]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    routing: str  # what was decided about routing, and on which evidence
    pair_names: tuple[str, ...] = ()


def _path(master: Master, flag: str, wish: Wish, reasons: list[str]) -> str:
    now = master.pod.flag(flag)
    if now:
        if not now.startswith("/") or "$(" in now:
            raise PlanError(
                f"--{flag} is {now!r}, which is no absolute path, so its file cannot be found; correct it in the "
                "manifest."
            )
        return now
    path = f"{master.folder(wish.certificates_dir)}/{FILE_NAMES[flag]}"
    reasons.append(f"{flag}{_NOT_SET}")
    return path


def _with_missing(now: tuple[str, ...], needed: t.Sequence[str], *, fold: bool) -> tuple[str, ...]:
    """Append what is missing. fold: names are compared without regard to case, as those of headers are."""

    def form(text: str) -> str:
        return text.lower() if fold else text

    have = {form(value) for value in now}
    return now + tuple(value for value in needed if form(value) not in have)


def _headers(master: Master, flag: str, needed: t.Sequence[str], reasons: list[str]) -> str:
    now = read_list(master.pod.flag(flag))
    present = tuple(value for value in now or () if value.strip())
    wanted = _with_missing(present, needed, fold=True)
    if now is None:
        reasons.append(f"{flag}{_NOT_SET}")
    elif wanted != now:
        added = [value for value in wanted if value not in now]
        reasons.append(f"--{flag} did not hold {', '.join(added)}" if added else f"--{flag} held an empty name")
    else:
        return master.pod.flag(flag) or ""
    return write_list(wanted)


def _together(reasons: t.Sequence[str]) -> tuple[str, ...]:
    """Say in one sentence which flags were not set: on a bare master they are all."""
    bare = [reason[: -len(_NOT_SET)] for reason in reasons if reason.endswith(_NOT_SET)]
    rest = [reason for reason in reasons if not reason.endswith(_NOT_SET)]
    if not bare:
        return tuple(rest)
    return (f"not set before: --{', --'.join(bare)}", *rest)


def wanted_flags(master: Master, wish: Wish, names: ClusterNames) -> Flags:
    """Decide the flags of one master of a cluster. A right value stays as it is written. Raises PlanError."""
    check_release(wish.extra_flags, master.release)
    chosen = choose_names(master.pod.flag(NAMES_FLAG), wish, names)
    reasons: list[str] = []
    values: dict[str, str | None] = {
        "proxy-client-cert-file": _path(master, "proxy-client-cert-file", wish, reasons),
        "proxy-client-key-file": _path(master, "proxy-client-key-file", wish, reasons),
        NAMES_FLAG: chosen.value,
        "requestheader-client-ca-file": _path(master, "requestheader-client-ca-file", wish, reasons),
        "requestheader-extra-headers-prefix": _headers(
            master, "requestheader-extra-headers-prefix", wish.extra_headers_prefix, reasons
        ),
        "requestheader-group-headers": _headers(master, "requestheader-group-headers", wish.group_headers, reasons),
        "requestheader-username-headers": _headers(
            master, "requestheader-username-headers", wish.username_headers, reasons
        ),
    }
    reasons += chosen.reasons
    routing = decide_routing(master, wish)
    if routing.value is not None:
        values[ROUTING_FLAG] = routing.value
    reasons += [routing.reason] * bool(routing.reason)
    warnings = [*chosen.warnings, *[routing.warning] * bool(routing.warning)]
    for name, value in master.as_written(wish.extra_flags).items():
        if master.pod.flag(name) != value:
            reasons.append(f"--{name} is {'taken out' if value is None else 'set'}, as front_proxy_extra_flags says")
        values[name] = value
    return Flags(values, _together(reasons), tuple(warnings), routing.said, chosen.pairs)
