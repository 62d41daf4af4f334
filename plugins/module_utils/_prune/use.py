# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one master has of the front proxy, in its files and in its running server: all that must stay published."""

from __future__ import annotations

import ipaddress
import typing as t
from collections import Counter
from dataclasses import dataclass

from .._argv import last_value
from .._contract.survey import Survey
from .._pki.certificate import Certificate
from .._plan.errors import HostError, PlanError, about_host
from .._plan.master import Master
from .._plan.master import Seen as SeenFile
from .._plan.names import read_list
from .._shown import Shell
from .._verify.view import CA_FLAG, CERT_FLAG, KEY_FLAG, View, read_view, subject_of

__all__ = ["RELOAD_SECONDS", "Use", "read_use"]

#: After this time a kube-apiserver has read a file anew, if it ever will: it looks once a minute where it is not told
#: at once (staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates, FileRefreshDuration).
RELOAD_SECONDS = 65
# The kernel tells the start of a process to a second only (proc(5), btime).
_MARGIN = 2.0
# A pair is read again while the server runs from this release on; and by inotify, which sees no link turn, from that.
_RELOADS, _WATCHES = (1, 20), (1, 23)
_NAMES, _CLIENT_CA = "requestheader-allowed-names", "client-ca-file"


@dataclass(frozen=True)
class Use:
    """What a master has, by its files, its manifest's flags and its running ones.

    layered: it has a front-proxy CA at all; pairs: of each the certificate and what is shown with it; names: None if it
    has no list, empty if it allows any; named: how often the running server names a subject (DER) in its handshake;
    explained: how often its files do; accepted: its server accepts its pair; address: which it tells the cluster,
    empty if that is not stated; wait: in how many seconds its server has read its files for sure, and which one is new.
    """

    name: str
    layered: bool
    cas: tuple[Certificate, ...]
    pairs: tuple[tuple[Certificate, ...], ...]
    names: tuple[str, ...] | None
    named: t.Mapping[bytes, int]
    explained: t.Mapping[bytes, int]
    accepted: bool
    address: str
    wait: tuple[int, str]
    master: Master


def _values(view: View, flag: str) -> list[str]:
    """The value of a flag in the manifest, and that of the running server, if it is another one."""
    # what a manifest builds from a variable runs with what that stands for
    written = [value for value in [view.flag(flag)] if value and "$(" not in value]
    running = [value for value in [last_value(view.running, flag)] if value]
    return list(dict.fromkeys([*written, *running]))


def _files(view: View, flag: str) -> list[SeenFile]:
    """The files of a flag, as they were seen. Raises HostError if one is not there, or another one in the container."""
    found = []
    for path in _values(view, flag):
        seen = view.master.seen(path)
        if not seen.exists:
            raise HostError(
                view.name, f"{seen.host} (--{flag}) is not there, so what its kube-apiserver has is not known"
            )
        if seen.host == seen.path and seen.facts.get("in_container") is False:
            raise HostError(
                view.name, f"its kube-apiserver sees another file at {seen.path} than the one that lies there"
            )
        found.append(seen)
    return found


def _certificates(view: View, flag: str) -> list[tuple[Certificate, ...]]:
    """The certificates of the files of a flag. Raises HostError, PkiError."""
    return [seen.certificates() for seen in _files(view, flag)]


def _names(view: View) -> tuple[str, ...]:
    """All names that its flags allow; empty if one of them allows any."""
    written = [value for value in view.master.pod.flags.get(_NAMES, ()) if "$(" not in value]
    running = view.running.get(_NAMES, ())
    lists = [[name for value in values for name in read_list(value) or ()] for values in (written, running) if values]
    return tuple(dict.fromkeys(name for each in lists for name in each)) if lists and all(lists) else ()


def _address(view: View) -> str:
    for flag in ("advertise-address", "bind-address"):
        try:
            found = ipaddress.ip_address((last_value(view.running, flag) or "").strip("[]"))
        except ValueError:
            continue
        if not found.is_unspecified:
            return str(found)
    return ""


def _changed(seen: SeenFile) -> float:
    """When a file was last written, renamed or linked; see stamp() in _master/files.py."""
    return max(int(part) for part in seen.facts["stamp"].split(":")[2:]) / 1e9


def _wait(view: View, files: t.Sequence[SeenFile], started: float) -> tuple[int, str]:
    """In how many seconds the server has read these files for sure. Raises HostError if it may never do so."""
    wait, which = 0, ""
    for seen in files:
        changed = _changed(seen)
        if changed < started - _MARGIN:
            continue
        late = view.release is not None and view.release < _RELOADS and seen.path not in _values(view, CA_FLAG)
        unwatched = not view.before("1.23") and (seen.facts["is_link"] or seen.facts["links"] > 1)
        if late or unwatched:
            why = "this release reads it at its start only" if late else "it is a link, whose change it may not see"
            raise HostError(
                view.name,
                f"{seen.host} is newer than its kube-apiserver, which may still have what was there before ({why}); "
                "restart that kube-apiserver",
            )
        left = changed + RELOAD_SECONDS - view.facts["clock"]
        if left > wait:
            wait, which = int(min(left, RELOAD_SECONDS)) + 1, seen.host
    return wait, which


def _counted(certificates: t.Iterable[Certificate]) -> Counter[bytes]:
    """How often each subject stands in the handshake of a server that has loaded these: once a certificate."""
    return Counter(subject_of(each) for each in {each.fingerprint: each for each in certificates}.values())


def _of(view: View) -> Use:
    process, probe = view.facts["process"], view.probe
    if not view.master.live:
        raise HostError(view.name, f"only files below {view.facts['root']} were looked at, and nothing runs there")
    if process is None or probe is None:
        raise HostError(view.name, "no kube-apiserver runs there, so what it will have when it starts is not known")
    if not probe["answers"] or view.offered is None:
        handshake = view.facts["handshake"]
        why = probe["error"] or (handshake and handshake["error"]) or "it says nothing"
        raise HostError(view.name, f"which CAs its kube-apiserver has loaded cannot be seen ({why})")
    cas = [ca for bundle in _certificates(view, CA_FLAG) for ca in bundle]
    clients = view.bundle(_CLIENT_CA).certificates
    files = [seen for flag in (CA_FLAG, CERT_FLAG, KEY_FLAG) for seen in _files(view, flag)]
    return Use(
        name=view.name,
        layered=bool(cas),
        cas=tuple(cas),
        pairs=tuple(_certificates(view, CERT_FLAG)),
        names=_names(view) if cas else None,
        named=Counter(view.offered),
        explained=_counted([*cas, *clients]),
        accepted=probe["accepted"] is True,
        address=_address(view),
        wait=_wait(view, files, process["started"]),
        master=view.master,
    )


def read_use(name: str, facts: Survey, *, cluster: str, container: str) -> Use:
    """Read what a master has. Raises HostError with a clause where that is not known for sure."""
    with about_host(name):
        view, problem = read_view(name, facts, cluster=cluster, container=container, command=Shell(""))
        if view is None:
            raise PlanError(problem.rstrip("."))
        return _of(view)
