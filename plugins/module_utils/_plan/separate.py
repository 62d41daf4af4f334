# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No file is written that another flag names as well, or the kubelet: it gets a place of its own.

On a master whose front-proxy CA is its client CA, a new front-proxy CA in that very file would lock out everybody who
has a client certificate: kube-apiserver loads it again by itself. Files are compared, not their names: a folder may be
a link to another one, and one file may have two names.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .errors import HostError, PlanError
from .flags import FILE_NAMES, Flags
from .master import Master
from .wish import Wish

__all__ = ["separated", "users_of"]

_KUBELET = "the clientCAFile of the kubelet"


def _names_of(master: Master, path: str) -> set[str]:
    """All by which a file is known: its path on the host, where that leads, and the file itself. Empty for none."""
    try:
        host = master.seen(path).host
    except PlanError:
        return set()  # no file of the host
    return _names_on_host(master, host)


def _names_on_host(master: Master, host: str) -> set[str]:
    identity = master.facts["identities"].get(host)
    if identity is None:
        folder, slash, name = host.rpartition("/")
        above = master.facts["identities"].get(folder)
        return {host, f"{above['real']}{slash}{name}"} if above else {host}
    return {host, identity["real"], *([identity["file"]] if identity["file"] else [])}


def users_of(master: Master, path: str, *, besides: str) -> list[str]:
    """Name who else uses a file: flags, each as ``--flag``, but the one named `besides`; and the kubelet."""
    wanted = _names_of(master, path)
    found = [
        f"--{flag}"
        for flag, values in master.pod.flags.items()
        if flag != besides and any(value.startswith("/") and _names_of(master, value) & wanted for value in values)
    ]
    kubelet = master.facts["kubelet_client_ca"]
    return found + [_KUBELET] * bool(kubelet and _names_on_host(master, kubelet) & wanted)


def separated(master: Master, flags: Flags, files: t.Mapping[str, str], wish: Wish) -> tuple[Flags, list[str]]:
    """Give flags of a master such that no file is written that somebody else uses, and clauses that say why.

    files: names in the controller's folder, by the flag whose file gets it. Raises HostError if the usual place is
    somebody else's as well. Source: kube-apiserver loads client CAs again by itself
    (staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates).
    """
    values, reasons = dict(flags.values), []
    for flag, name in FILE_NAMES.items():
        path = values[flag] or ""
        others = users_of(master, path, besides=flag) if flag in files else []
        if not others:
            continue
        own = f"{master.folder(wish.certificates_dir)}/{name}"
        taken = users_of(master, own, besides=flag)
        if taken:
            raise HostError(
                master.name,
                f"{own} is the file of {taken[0]}, which must not be overwritten by a file of the front proxy; set "
                "front_proxy_certificates_dir to a folder of the front proxy's own.",
            )
        values[flag] = own
        reasons.append(f"--{flag} gets a file of its own, since {path} is the file of {others[0]} as well")
    return replace(flags, values=values), reasons
