# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the published front-proxy CAs and names no master has any more. What is in doubt stays."""

from __future__ import annotations

import ipaddress
import typing as t
from dataclasses import dataclass

from .._contract.prune import Published
from .._pki.certificate import Certificate, from_der, is_signed_by
from .._pki.errors import PkiError
from .._plan.errors import HostError, PlanError
from .._plan.membership import refuse_several_clusters
from .._published import blocks_of, names_of
from .._shown import printable
from .._verify.judge import Seen
from .._verify.view import describe, subject_of
from .use import Use, read_use

__all__ = ["Decision", "decide", "longest_wait", "read_uses"]

NO_MASTER_HAS_IT = "no master has it, in its files or loaded"
NO_MASTER_ALLOWS_IT = "no master allows it"


@dataclass(frozen=True)
class Decision:
    """What is to be taken out; stays: sentences on what might seem to be, and why it is left."""

    cas: tuple[Certificate, ...] = ()
    names: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()

    @property
    def any(self) -> bool:
        """Whether there is something to take out."""
        return bool(self.cas or self.names)

    @property
    def order(self) -> dict[str, list[str]]:
        """What a master is told to take out: CAs by their fingerprints, and names."""
        return {"cas": [ca.fingerprint for ca in self.cas], "names": list(self.names)}


def read_uses(cluster: str, seen: t.Sequence[Seen]) -> list[Use]:
    """Read what all masters of a cluster have. Raises PlanError if one of them is not known in all parts."""
    uses = []
    for each in seen:
        if each.left_out:
            raise PlanError(
                f"{each.name} is left out of this run (--limit, serial, or an earlier failure), and may hold what the "
                "others do not have; run for all masters of the cluster."
            )
        if each.facts is None:
            raise PlanError(
                f"{each.name} could not be looked at ({each.failure.rstrip('.')}), and may hold what the others do not "
                "have; mend that and run again, or, if it is gone for good, take it out of the inventory."
            )
        try:
            uses.append(read_use(each.name, each.facts, cluster=cluster, container=each.container))
        except HostError as error:
            raise PlanError(f"{each.name}: {str(error).rstrip('.')}; mend that and run again.") from None
    refuse_several_clusters([use.master for use in uses])
    return uses


def longest_wait(uses: t.Sequence[Use]) -> tuple[int, str]:
    """In how many seconds all servers have read their files, and which file is the last, as a clause."""
    last = max(uses, key=lambda use: use.wait[0], default=None)
    if last is None or not last.wait[0]:
        return 0, ""
    seconds, path = last.wait
    why = f"{path} on {last.name} is new, and its kube-apiserver may need {seconds} s more to load it"
    return seconds, printable(why)


def _refuse_strangers(uses: t.Sequence[Use], servers: t.Sequence[str]) -> None:
    """Raise PlanError if the cluster has a kube-apiserver that is none of these masters."""
    addresses = set()
    for each in servers:
        try:
            addresses.add(str(ipaddress.ip_address(each)))
        except ValueError:
            continue
    unknown = sorted(addresses - {use.address for use in uses})
    if len(unknown) > sum(not use.address for use in uses):
        raise PlanError(
            f"The cluster has a kube-apiserver at {', '.join(unknown)} that is none of the masters in the inventory, "
            "and it may hold what they do not have; add it to the inventory, or, if it is gone, wait until it is gone "
            "from the endpoints of the Service default/kubernetes, and run again."
        )


def _readable(text: str | None) -> tuple[list[Certificate], int]:
    """The published certificates, each once, and how many cannot be read."""
    found: dict[str, Certificate] = {}
    unreadable = 0
    for block in blocks_of(text or ""):
        try:
            found[block.fingerprint] = from_der(block.der or b"")
        except PkiError:
            unreadable += 1
    return list(found.values()), unreadable


def _why_it_stays(ca: Certificate, uses: t.Sequence[Use]) -> str:
    """Say by what a CA that is in no file of a master is in use all the same, or may be; empty if by nothing."""
    subject = subject_of(ca)
    for use in uses:
        if any(is_signed_by(shown[0], ca, shown[1:]) for shown in use.pairs):
            return f"it signed the pair of {use.name}"
        named, explained = use.named.get(subject, 0), use.explained.get(subject, 0)
        if named > explained:
            return f"the running kube-apiserver of {use.name} names it, or another one of its name that is in no file"
        if named and use.layered and not use.accepted:
            return (
                f"the running kube-apiserver of {use.name} names one of its name and does not accept its own pair, so "
                "which of them it has loaded is not known"
            )
    return ""


def _cas(uses: t.Sequence[Use], text: str | None) -> tuple[list[Certificate], list[str]]:
    published, unreadable = _readable(text)
    held = {ca.key_fingerprint for use in uses for ca in use.cas}
    stays = [f"{unreadable} of the published front-proxy CAs: it cannot be read here"] if unreadable else []
    gone = []
    for ca in published:
        if ca.key_fingerprint in held:
            continue
        why = _why_it_stays(ca, uses)
        if why:
            stays.append(f"{describe(ca)}: {why}")
        else:
            gone.append(ca)
    if gone and not any(ca.key_fingerprint in held for ca in published):
        return [], [*stays, "all published front-proxy CAs: none of them is one that a master has"]
    return gone, stays


def _names(uses: t.Sequence[Use], text: str | None) -> tuple[list[str], list[str]]:
    published = names_of(text)
    if published is None:
        return [], ["all published names: their list cannot be read"]
    lists = [use.names for use in uses if use.names is not None]
    allowed = {name for names in lists for name in names}
    old = [name for name in dict.fromkeys(published) if name not in allowed]
    anybody = [use.name for use in uses if use.names == ()]
    if not old or not lists:
        return [], []
    if anybody:
        return [], [f"all published names: {', '.join(anybody)} allows any name, so there is no list to compare with"]
    used = {shown[0].common_name: use.name for use in uses for shown in use.pairs}
    stays = [f"the name {name!r}: the pair of {used[name]} has it" for name in old if name in used]
    gone = [name for name in old if name not in used]
    if gone and not allowed & set(published):
        return [], [*stays, "all published names: none of them is one that a master allows"]
    return gone, stays


def decide(uses: t.Sequence[Use], published: Published) -> Decision:
    """Decide what no master has any more. Raises PlanError if there is a master that was not looked at."""
    _refuse_strangers(uses, published["servers"])
    if not any(use.layered for use in uses):
        return Decision(stays=("all that is published: no master has a front-proxy CA to compare with",))
    cas, stay = _cas(uses, published["cas"])
    names, stay_too = _names(uses, published["names"])
    return Decision(tuple(cas), tuple(names), (*stay, *stay_too))
