# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of one cluster: its CA, whether something is to be signed, and what each of its masters needs."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from .._pki.folder import CA_CERTIFICATE, CA_KEY, CLIENT_CERTIFICATE, CLIENT_KEY, PkiFolder
from .._pki.keys import why_unusable
from .._pki.lifetime import RenewBefore, iso
from .authority import CONTROLLER, Authority, Holder, choose, holder_of, refuse_shared
from .change import FILE_FLAGS, decide_change, why_not_reloaded
from .errors import HostError, PlanError, about_host
from .flags import Flags, wanted_flags
from .kubelet import refuse_unread, unread_warning
from .master import Master
from .membership import client_keys, refuse_folder_of_another, refuse_several_clusters, refuse_unknown
from .names import names_for
from .pair import PairVerdict, controller_pair, judge_pairs, needing_pair
from .proof import unproven
from .separate import separated, users_of
from .server_user import can_read, server_user
from .wish import AGGREGATION_FLAGS, Wish

__all__ = ["ClusterPlan", "HostPlan", "UnseenMasters", "decide_cluster"]

_SOON = timedelta(days=365)


class UnseenMasters(PlanError):
    """Masters that were not looked at may hold, or are said to hold, the CA that is needed."""

    def __init__(self, hosts: t.Sequence[str], *, asked_for: bool) -> None:
        self.hosts = tuple(hosts)
        names = ", ".join(self.hosts)
        if asked_for:
            super().__init__(
                f"front_proxy_ca_from is {names}, which could not be looked at; run without --limit, make this master "
                "reachable, or name another one."
            )
            return
        super().__init__(
            f"No front-proxy CA was found, and {names} of this cluster could not be looked at: one of them may hold "
            "the CA, and a second one would split the cluster; run without --limit, make these masters reachable, "
            "take them out of the inventory, or put the CA into the PKI folder of the controller."
        )


@dataclass(frozen=True)
class HostPlan:
    """What one master needs.

    flags: all that are wanted; files: names in the controller's PKI folder, by path in the container; action:
    ``nothing``, ``change`` or ``wait`` (all is in place, but what runs does not show it yet); found, routing: for
    people; reasons, warnings: sentences; pair, ca: what the master has now.
    """

    name: str
    flags: t.Mapping[str, str | None]
    files: t.Mapping[str, str]
    action: str
    found: str
    routing: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    pair: PairVerdict
    ca: Holder


@dataclass(frozen=True)
class ClusterPlan:
    """authority: the CA; adopt: whether the controller takes it from a master; sign: why a pair is needed, or empty;
    made_anew: the files of the controller that this run makes before it copies them; client_cas: by their keys.
    """

    authority: Authority
    common_name: str
    make: bool
    adopt: bool
    sign: str
    made_anew: tuple[str, ...]
    client_cas: tuple[str, ...]
    hosts: tuple[HostPlan, ...]
    warnings: tuple[str, ...]

    @property
    def order(self) -> tuple[str, ...]:
        """The masters that need something, in the order in which they get it: those that do not serve first."""
        return tuple(host.name for host in self.hosts if host.action != "nothing")


def _refuse_no_ca(authority: Authority, masters: t.Sequence[Master], folder: PkiFolder) -> None:
    """Raise PlanError for a signer that is no CA, which may be another file of the server as well."""
    ca, flag = authority.signer, "requestheader-client-ca-file"
    if ca is None or ca.is_ca:
        return
    said = f"The front-proxy CA {ca.subject} ({authority.reason}) is no CA: {ca.not_ca_because}"
    if authority.origin == CONTROLLER:
        raise PlanError(f"{said}; put a CA into {folder.path} on the controller.")
    holder = next(master for master in masters if master.name == authority.origin)
    path = holder.pod.flag(flag) or ""
    others = users_of(holder, path, besides=flag)
    kept = f", where {path}, which is the file of {' and '.join(others)}, too, stays as it is" if others else ""
    raise PlanError(
        f"{said}; make a CA in {folder.path} on the controller, and set front_proxy_ca_from to {CONTROLLER}: all "
        f"masters then get that one and a pair of it{kept}."
    )


def _check_signer(authority: Authority, now: datetime) -> tuple[str, ...]:
    ca = authority.signer
    if ca is None:
        return ()
    unusable = why_unusable(ca.key_type)
    if unusable:
        raise PlanError(
            f"The front-proxy CA {ca.subject} ({authority.reason}) {unusable}; put a CA with an RSA or ECDSA key in "
            "its place."
        )
    if ca.not_after <= now:
        raise PlanError(
            f"The front-proxy CA {ca.subject} ({authority.reason}) expired on {iso(ca.not_after)}, so nothing that it "
            "signed is accepted; move it away on the controller and on every master, and run again: a new one is made "
            "then."
        )
    if ca.not_after - now < _SOON:
        return (f"The front-proxy CA {ca.subject} ends on {iso(ca.not_after)}; plan its rotation.",)
    return ()


def _refuse_replacing(folder: PkiFolder, authority: Authority) -> None:
    if (
        folder.ca
        and authority.signer
        and authority.signer.key_fingerprint not in {ca.key_fingerprint for ca in folder.ca}
    ):
        raise PlanError(
            f"front_proxy_ca_from asks for {authority.reason.partition(',')[0]}, but {folder.path} on the controller "
            f"holds another CA ({folder.ca[0].subject}), which is never replaced; move that folder away first, or set "
            f"front_proxy_ca_from to {CONTROLLER}."
        )


def _found(master: Master, holder: Holder, verdict: PairVerdict) -> str:
    flags = sum(master.pod.flag(name) is not None for name in AGGREGATION_FLAGS)
    ca = holder.bundle[0].subject if holder.bundle else ("an unreadable CA file" if holder.problem else "no CA")
    pair = "no pair" if verdict.certificate is None else f"a pair for {verdict.certificate.common_name}"
    release = ".".join(map(str, master.release)) if master.release else "unknown release"
    state = "" if master.healthy else ", not answering"
    return f"{flags} of {len(AGGREGATION_FLAGS)} flags, {ca}, {pair}, release {release}{state}"


def _unreadable(master: Master, flags: Flags, files: t.Collection[str]) -> t.Iterator[str]:
    """Warn of files that stay as they are, and that the server cannot read at its next start."""
    user = server_user(master)
    for flag in FILE_FLAGS:
        seen = master.seen(flags.values[flag] or "")
        if user and seen.exists and flag not in files and not can_read(user, seen, master):
            yield (
                f"kube-apiserver of {master.name} runs as {user}, who cannot read {seen.host} (mode "
                f"{seen.facts['mode']}, {seen.facts['owner']}:{seen.facts['group']}), so it will not start again; "
                "chown it to that user."
            )


def _links(master: Master, flags: Flags, files: t.Collection[str]) -> t.Iterator[str]:
    """Warn of links that become files: what set them may do so again."""
    for flag in FILE_FLAGS:
        seen = master.seen(flags.values[flag] or "")
        if flag in files and seen.facts["is_link"]:
            identity = master.facts["identities"].get(seen.host)
            target = f" to {identity['real']}" if identity else ""
            yield (
                f"{seen.host} of {master.name} is a link{target}, and becomes a file of its own, so that what it leads "
                "to stays as it is; see that nothing sets this link again."
            )


def _plan_host(
    master: Master,
    flags: Flags,
    files: t.Mapping[str, str],
    file_reasons: t.Sequence[str],
    holder: Holder,
    verdict: PairVerdict,
    container: str,
) -> HostPlan:
    change = decide_change(master, flags.values, (), container=container)
    reasons = [*file_reasons, *flags.reasons, *change.reasons]
    action = "change" if files or change.text is not None else "nothing"
    pending = master.facts["pending"]
    if pending:
        action = "change"
        reasons.insert(0, f"a change that began at {pending['started']} was cut off and is finished first")
    if action == "nothing":
        gap = unproven(master, flags.values)
        if gap:
            action = "wait"
            reasons.append(gap)
    if action != "nothing":
        paths = [flags.values[flag] or "" for flag in files]
        refuse_unread(master, flags.values, changes=bool(change.text or why_not_reloaded(paths, master)))
    return HostPlan(
        name=master.name,
        flags=flags.values,
        files={flags.values[flag] or "": name for flag, name in files.items()},
        action=action,
        found=_found(master, holder, verdict),
        routing=flags.routing,
        reasons=tuple(reasons),
        warnings=(
            *flags.warnings,
            *_unreadable(master, flags, files),
            *_links(master, flags, files),
            *unread_warning(master),
        ),
        pair=verdict,
        ca=holder,
    )


def _refuse_making(holders: t.Iterable[Holder], unseen: t.Sequence[str], doubt: str) -> None:
    """No CA is known: refuse to make one where a master may hold one that could not be seen or read."""
    for holder in holders:
        if holder.problem:
            raise HostError(
                holder.name,
                f"{holder.problem.rstrip('.')}, and no other master has a front-proxy CA: this may be what is left of "
                "it, so none is made; put the right certificate there, or move that file away, then run again.",
            )
    if unseen:
        raise UnseenMasters(unseen, asked_for=False)
    if doubt:
        raise PlanError(doubt)


def _shared(master: Master, flags: Flags, authority: Authority, holder: Holder, wish: Wish, now: datetime) -> list[str]:
    """Refuse or warn of a front-proxy CA that is the client CA, among all that this master trusts afterwards."""
    kept = holder.bundle if authority.trusted_by(holder, now) else ()
    names = flags.values["requestheader-allowed-names"]
    warning = refuse_shared([*authority.bundle, *kept], master, names=names, wish=wish)
    return [f"{master.name}: {warning}"] if warning else []


def _why_not_trusted(authority: Authority, holder: Holder) -> str:
    if holder.problem:
        return holder.problem.rstrip(".")
    if not holder.bundle:
        return "it had none"
    if authority.signer and authority.signer.key_fingerprint in holder.keys:
        return "the certificate that its file held for this CA has expired"
    return "its file held another"


def _files_for(
    authority: Authority,
    holder: Holder,
    new_pair_because: str,
    now: datetime,
) -> tuple[dict[str, str], list[str]]:
    """Give what must be copied from the controller's folder to a master, by the flag whose file it becomes, in the
    order of writing; and why.
    """
    files: dict[str, str] = {}
    reasons = []
    if not authority.trusted_by(holder, now):
        files["requestheader-client-ca-file"] = CA_CERTIFICATE
        reasons.append(f"it gets the front-proxy CA, because {_why_not_trusted(authority, holder)}")
    if new_pair_because:
        files["proxy-client-key-file"] = CLIENT_KEY
        files["proxy-client-cert-file"] = CLIENT_CERTIFICATE
        reasons.append(f"it gets a proxy-client pair, because {new_pair_because}")
    return files, reasons


def decide_cluster(
    masters: t.Sequence[Master],
    *,
    others: t.Sequence[Master],
    unseen: t.Sequence[str],
    folder: PkiFolder,
    wishes: t.Mapping[str, Wish],
    renew_before: RenewBefore,
    container: str,
    now: datetime,
    doubt: str = "",
) -> ClusterPlan:
    """Decide for one cluster. Raises PlanError (UnseenMasters if a look at more masters could help).

    masters: those to be brought to the wanted state, at least one; others: masters of the cluster that were only
    looked at; unseen: those that were not; folder: the controller's; wishes: by master; doubt: see plan_clusters.
    """
    wish = wishes[masters[0].name]
    for name, each in wishes.items():
        with about_host(name):
            each.check()
    refuse_several_clusters([*masters, *others])
    refuse_folder_of_another(folder, masters)
    if folder.ca_key_matches is False:
        raise PlanError(
            f"{folder.path}/{CA_KEY} is not the key of the CA in {folder.path}/{CA_CERTIFICATE}, so nothing could be "
            "signed with it; put the right key there, or take this one away."
        )
    names = names_for(masters, others, wish, all_seen=not unseen, now=now)
    flags: dict[str, Flags] = {}
    holders: dict[str, Holder] = {}
    for master in [*masters, *others]:
        with about_host(master.name):
            flags[master.name] = wanted_flags(master, wishes.get(master.name, wish), names)
            bundle = master.seen(flags[master.name].values["requestheader-client-ca-file"] or "")
            holders[master.name] = holder_of(master, bundle)
    if wish.ca_from and wish.ca_from in unseen:
        raise UnseenMasters([wish.ca_from], asked_for=True)
    authority = choose(folder, list(holders.values()), wish)
    if authority.origin is None:
        _refuse_making(holders.values(), unseen, doubt)
    _refuse_replacing(folder, authority)
    _refuse_no_ca(authority, [*masters, *others], folder)
    warnings = [*_check_signer(authority, now)]
    for master in masters:
        with about_host(master.name):
            name = master.name
            warnings += _shared(master, flags[name], authority, holders[name], wishes[name], now)
    verdicts = judge_pairs(masters, flags, authority, renew_before, now)
    # the module front_proxy_client, too, takes only what the first one signed
    ours = controller_pair(
        folder, cas=authority.bundle[:1], allowed_names=(names.common_name,), renew_before=renew_before, now=now
    )
    needing, more = needing_pair(masters, verdicts, authority, folder, ours)
    if needing and not names.signs:
        names = replace(names, signs=True)
        for master in masters:
            flags[master.name] = wanted_flags(master, wishes.get(master.name, wish), names)
    reasons = {name: verdicts[name].reason for name in needing}
    because = {name: reason.text for name, reason in reasons.items() if reason}
    hosts = []
    for master in masters:
        verdict, holder = verdicts[master.name], holders[master.name]
        files, why = _files_for(authority, holder, because.get(master.name, ""), now)
        with about_host(master.name):
            given, more_why = separated(master, flags[master.name], files, wishes[master.name])
            hosts.append(_plan_host(master, given, files, [*why, *more_why], holder, verdict, container))
    refuse_unknown([host.name for host in hosts if host.files], masters, others, folder, wishes)
    healthy = {master.name: master.healthy for master in masters}
    make = authority.origin is None
    adopt = not make and authority.origin != CONTROLLER and not folder.ca and any(host.files for host in hosts)
    new_ca = (CA_CERTIFICATE,) if make or adopt else ()
    new_pair = (CLIENT_KEY, CLIENT_CERTIFICATE) if because and ours.reason is not None else ()
    return ClusterPlan(
        authority=authority,
        common_name=names.common_name,
        make=make,
        adopt=adopt,
        sign=next(iter(because.values()), ""),
        made_anew=(*new_ca, *new_pair),
        # where no client CA is seen on any of them, what was known stays
        client_cas=tuple(sorted(set().union(*map(client_keys, masters)) or folder.client_cas)),
        hosts=tuple(sorted(hosts, key=lambda host: healthy[host.name])),
        warnings=(*warnings, *more),
    )
