# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of front proxies: which ones pairs in use have, which one a new pair gets, and what each list must allow.

kube-apiserver publishes the union of all lists and never takes a name out (pkg/controlplane/controller/
clusterauthenticationtrust, combineUniqueStringSlices), and no list at all allows any name. So the first list that a
cluster gets refuses every pair whose name it does not hold, on whichever master that pair is.
"""

from __future__ import annotations

import csv
import io
import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta

from .._manifest.errors import ManifestError
from .._pki.certificate import Certificate
from .._pki.client import judge_certificate
from .._pki.errors import PkiError
from .._pki.lifetime import RenewBefore
from .._shown import printable
from .errors import HostError, PlanError
from .master import Master, Seen
from .wish import DEFAULT_COMMON_NAME, Wish

__all__ = [
    "NAMES_FLAG",
    "ClusterNames",
    "NameChoice",
    "allowed_names",
    "choose_names",
    "names_for",
    "read_list",
    "write_list",
]

NAMES_FLAG = "requestheader-allowed-names"
# A name that is carried from a certificate of one master into the manifests of all: nothing that a manifest, a shell or
# a list of names could read as something else. X.520 allows 64 characters (ub-common-name).
_CARRIED = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:@/+-]{0,63}")
_NEVER_DUE = RenewBefore(text="never", duration=timedelta(0))


@dataclass(frozen=True)
class ClusterNames:
    """What holds for a whole cluster.

    common_name: of a pair that is signed; in_use: the names of pairs that work; listed: those that some list holds
    now, so that they are published; signs: whether a pair may be signed; may_narrow: whether a master without a list
    may get one, since no pair can have another name.
    """

    common_name: str
    in_use: tuple[str, ...] = ()
    listed: frozenset[str] = frozenset()
    signs: bool = False
    may_narrow: bool = True

    @property
    def needed(self) -> tuple[str, ...]:
        """What every list must hold."""
        own = (self.common_name,) if self.signs or not self.in_use else ()
        return tuple(dict.fromkeys((*own, *self.in_use)))


@dataclass(frozen=True)
class NameChoice:
    """value: of the flag, None for not set; pairs: the names that a pair may have, none for any; reasons, warnings."""

    value: str | None
    pairs: tuple[str, ...]
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


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
    names = read_list(master.pod.flag(NAMES_FLAG))
    return names if not names else tuple(name for name in names if name.strip()) or None


def _seen(master: Master, flag: str) -> Seen | None:
    try:
        path = master.pod.flag(flag)
        seen = master.seen(path) if path else None
    except (ManifestError, PlanError):
        return None  # refused where it is decided about
    return seen if seen and seen.exists else None


def _name_in_use(master: Master, now: datetime) -> str | None:
    """The name of a master's pair if it works there today, maybe empty; None if it does not."""
    flags = ("requestheader-client-ca-file", "proxy-client-cert-file", "proxy-client-key-file")
    bundle, certificate, key = (_seen(master, flag) for flag in flags)
    if not bundle or not certificate or not key or certificate.host not in (key.facts.get("loads_with") or ()):
        return None
    try:
        cas: tuple[Certificate, ...] = bundle.certificates()
        leaf, *through = certificate.certificates()
    except PkiError:
        return None
    reason = judge_certificate(
        leaf,
        cas=cas,
        allowed_names=allowed_names(master) or (),
        renew_before=_NEVER_DUE,
        now=now,
        through=through,
    )
    return leaf.common_name or "" if reason is None or reason.works else None


def _common_name(masters: t.Sequence[Master], wish: Wish, in_use: t.Sequence[str]) -> str:
    """The name of a pair that is signed: one that needs no flag to change, if there is one."""
    if wish.common_name:
        return wish.common_name
    if wish.allowed_names:
        return wish.allowed_names[0]
    lists = [names for names in map(allowed_names, masters) if names]
    candidates = (DEFAULT_COMMON_NAME, *(lists or [()])[0]) if lists or not in_use else (DEFAULT_COMMON_NAME, *in_use)
    for name in candidates:
        if all(name in names for names in lists) and (lists or not in_use or name in in_use):
            return name
    return DEFAULT_COMMON_NAME


def names_for(
    masters: t.Sequence[Master], others: t.Sequence[Master], wish: Wish, *, all_seen: bool, now: datetime
) -> ClusterNames:
    """Find the names of a cluster.

    masters: those that get something; others: those that were only looked at; all_seen: whether these are all. Raises
    PlanError if a flag stands there twice, HostError if the first list would shut a pair out.
    """
    found = {master.name: _name_in_use(master, now) for master in [*masters, *others]}
    in_use = sorted({name for name in found.values() if name and _CARRIED.fullmatch(name)})
    listed = frozenset(name for master in [*masters, *others] for name in allowed_names(master) or ())
    not_carried = {host: name for host, name in found.items() if name is not None and name not in in_use}
    for host, name in not_carried.items():
        if wish.allowed_names and not listed and name not in wish.allowed_names:
            raise HostError(
                host,
                f"front_proxy_allowed_names would be the first list of this cluster, and the pair of {host} works with "
                f"the name {printable(name)!r}, which no list can carry: give {host} a pair with another name first.",
            )
    return ClusterNames(
        common_name=_common_name(masters, wish, in_use),
        in_use=tuple(in_use),
        listed=listed,
        may_narrow=all(name is None for name in found.values()) or (all_seen and not not_carried),
    )


def _asked_for(value: str | None, asked: tuple[str, ...], names: ClusterNames) -> NameChoice:
    """Take the list that is asked for, and with it what no list holds yet: those pairs work until they are replaced."""
    now = read_list(value)
    staying = tuple(name for name in names.in_use if name not in asked and name not in names.listed) if asked else ()
    wanted = (*asked, *staying)
    stays = (
        f"{', '.join(staying)} stays in --{NAMES_FLAG} for now, since a pair of this cluster still has that name; run "
        "again when all masters have a new pair, and it goes."
    )
    warnings = (stays,) if staying else ()
    if now is not None and set(now) == set(wanted):
        return NameChoice(value or "", asked, (), warnings)
    was = "not set" if now is None else value or "empty"
    reason = f"--{NAMES_FLAG} was {was}, and front_proxy_allowed_names says otherwise"
    return NameChoice(write_list(wanted), asked, (reason,), warnings)


def _any_name(value: str | None) -> NameChoice:
    state = "not set" if value is None else "empty"
    return NameChoice(
        value,
        (),
        (),
        (
            f"--{NAMES_FLAG} is {state}, so any certificate of the front-proxy CA makes a front proxy; set "
            "front_proxy_allowed_names to narrow it.",
        ),
    )


def choose_names(value: str | None, wish: Wish, names: ClusterNames) -> NameChoice:
    """Decide the list of one master. value: of its flag, None if it is not set."""
    now = read_list(value)
    if wish.allowed_names is not None:
        return _asked_for(value, wish.allowed_names, names)
    if now == () or (now is None and not names.may_narrow):
        return _any_name(value)
    present = tuple(name for name in now or () if name.strip())
    missing = tuple(name for name in names.needed if name not in present)
    wanted = present + missing
    if now is None:
        return NameChoice(write_list(wanted), wanted, (f"{NAMES_FLAG} was not set",))
    if wanted == now:
        return NameChoice(value, wanted)
    blank = "held an empty name, which no certificate has" if present != now else ""
    lacks = f"did not hold {', '.join(missing)}" if missing else ""
    reason = f"--{NAMES_FLAG} {' and '.join(part for part in (blank, lacks) if part)}"
    return NameChoice(write_list(wanted), wanted, (reason,))
