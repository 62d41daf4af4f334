# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which flags one master's kube-apiserver is to have, and why each that is not right yet changes."""

from __future__ import annotations

import csv
import io
import typing as t
from dataclasses import dataclass

from .errors import PlanError
from .master import Master
from .wish import DEFAULT_COMMON_NAME, ROUTING_FLAG, Wish, check_release

__all__ = ["FILE_NAMES", "Flags", "allowed_names", "common_name_for", "read_list", "wanted_flags", "write_list"]

#: The flags that name a file of the front proxy, and the name of that file where no flag is set yet.
FILE_NAMES = {
    "requestheader-client-ca-file": "front-proxy-ca.crt",
    "proxy-client-cert-file": "front-proxy-client.crt",
    "proxy-client-key-file": "front-proxy-client.key",
}
_NOT_SET = " was not set"


@dataclass(frozen=True)
class Flags:
    """values: every flag that is wanted, with the value that it has or gets; reasons: a sentence for each change."""

    values: t.Mapping[str, str | None]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    routing: str  # what was decided about routing, and on which evidence


def read_list(value: str | None) -> tuple[str, ...] | None:
    """Read a list flag as kube-apiserver does (pflag's StringSlice: one line of CSV); None if it is not set."""
    if value is None:
        return None
    if value == "":
        return ()
    try:
        return tuple(next(csv.reader([value], strict=True), ()))
    except csv.Error:
        return (value,)


def write_list(values: t.Sequence[str]) -> str:
    """Write a list flag so that read_list, and kube-apiserver, gives these values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def allowed_names(master: Master) -> tuple[str, ...] | None:
    """The names that this master's flag allows now; None if it is not set, empty if any name is allowed."""
    names = read_list(master.pod.flag("requestheader-allowed-names"))
    return names if not names else tuple(name for name in names if name.strip()) or None


def common_name_for(masters: t.Sequence[Master], wish: Wish) -> str:
    """The common name of a pair that is signed for these masters: one that needs no flag to change, if there is one."""
    if wish.common_name:
        return wish.common_name
    if wish.allowed_names:
        return wish.allowed_names[0]
    lists = [names for names in map(allowed_names, masters) if names]
    everywhere = [name for name in (DEFAULT_COMMON_NAME, *(lists or [()])[0]) if all(name in names for names in lists)]
    return everywhere[0] if everywhere else DEFAULT_COMMON_NAME


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


def _names(master: Master, wish: Wish, needed: str, reasons: list[str], warnings: list[str]) -> str:
    flag = "requestheader-allowed-names"
    value = master.pod.flag(flag)
    now = read_list(value)
    if wish.allowed_names is not None:
        if now is None or set(now) != set(wish.allowed_names):
            reasons.append(
                f"--{flag} was {'not set' if now is None else value or 'empty'}, and front_proxy_allowed_names says "
                "otherwise"
            )
            return write_list(wish.allowed_names)
        return value or ""
    if now == ():
        warnings.append(
            f"--{flag} is empty, so any certificate of the front-proxy CA makes a front proxy; set "
            "front_proxy_allowed_names to narrow it."
        )
        return ""
    wanted = _with_missing(tuple(name for name in now or () if name.strip()), (needed,), fold=False)
    if now is None:
        reasons.append(f"{flag}{_NOT_SET}")
    elif wanted != now:
        blank = "an empty name, which no certificate has" if any(not name.strip() for name in now) else ""
        lacks = "" if needed in now else f"did not hold {needed}"
        reasons.append(f"--{flag} {' and '.join(part for part in (blank and f'held {blank}', lacks) if part)}")
    else:
        return value or ""
    return write_list(wanted)


def _routing(master: Master, wish: Wish, reasons: list[str]) -> tuple[str | None, str]:
    """Decide --enable-aggregator-routing: the value that it has or gets (None: not set), and the decision in words."""
    now = master.pod.flag(ROUTING_FLAG)
    if wish.routing != "auto":
        is_set = (now or "false").lower() in ("true", "1", "t")
        if is_set == (wish.routing == "true"):
            return now, f"{wish.routing}, as front_proxy_aggregator_routing says"
        reasons.append(f"--{ROUTING_FLAG} is set to {wish.routing}, as front_proxy_aggregator_routing says")
        return wish.routing, f"{wish.routing}, as front_proxy_aggregator_routing says"
    evidence = master.facts["service_routing"]
    if evidence is None:
        return (
            now,
            "left as it is: what runs beside kube-apiserver cannot be seen below a root; set "
            "front_proxy_aggregator_routing",
        )
    if evidence:
        return now, f"left {'as it is' if now else 'unset'}: {'; '.join(evidence)}"
    seen = "no kube-proxy, no trace of its chains and no replacement was seen on this master"
    if (now or "false").lower() in ("true", "1", "t"):
        return now, f"true: {seen}"
    reasons.append(f"--{ROUTING_FLAG} is set to true, since {seen}")
    return "true", f"true: {seen}"


def _together(reasons: t.Sequence[str]) -> tuple[str, ...]:
    """Say in one sentence which flags were not set: on a bare master they are all."""
    bare = [reason[: -len(_NOT_SET)] for reason in reasons if reason.endswith(_NOT_SET)]
    rest = [reason for reason in reasons if not reason.endswith(_NOT_SET)]
    if not bare:
        return tuple(rest)
    return (f"not set before: --{', --'.join(bare)}", *rest)


def wanted_flags(master: Master, wish: Wish, *, common_name: str) -> Flags:
    """Decide the flags of one master.

    common_name: the name that must be allowed. A right value stays as it is written. Raises PlanError.
    """
    check_release(wish.extra_flags, master.release)
    reasons: list[str] = []
    warnings: list[str] = []
    values: dict[str, str | None] = {
        "proxy-client-cert-file": _path(master, "proxy-client-cert-file", wish, reasons),
        "proxy-client-key-file": _path(master, "proxy-client-key-file", wish, reasons),
        "requestheader-allowed-names": _names(master, wish, common_name, reasons, warnings),
        "requestheader-client-ca-file": _path(master, "requestheader-client-ca-file", wish, reasons),
        "requestheader-extra-headers-prefix": _headers(
            master, "requestheader-extra-headers-prefix", wish.extra_headers_prefix, reasons
        ),
        "requestheader-group-headers": _headers(master, "requestheader-group-headers", wish.group_headers, reasons),
        "requestheader-username-headers": _headers(
            master, "requestheader-username-headers", wish.username_headers, reasons
        ),
    }
    routing, decided = _routing(master, wish, reasons)
    if routing is not None:
        values[ROUTING_FLAG] = routing
    for name, value in master.as_written(wish.extra_flags).items():
        if master.pod.flag(name) != value:
            reasons.append(f"--{name} is {'taken out' if value is None else 'set'}, as front_proxy_extra_flags says")
        values[name] = value
    return Flags(values, _together(reasons), tuple(warnings), decided)
