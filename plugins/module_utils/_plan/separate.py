# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No file is written that another flag names as well: it gets a place of its own.

On a master whose front-proxy CA is its client CA, a new front-proxy CA in that very file would lock out everybody who
has a client certificate: kube-apiserver loads it again by itself.
"""

from __future__ import annotations

import typing as t
from dataclasses import replace

from .errors import HostError, PlanError
from .flags import FILE_NAMES, Flags
from .master import Master
from .wish import Wish

__all__ = ["separated"]


def _host(master: Master, path: str) -> str | None:
    try:
        return master.seen(path).host
    except PlanError:
        return None  # no file of the host


def _other_flags(master: Master, path: str) -> list[str]:
    """The flags besides those of the front proxy that name this file."""
    wanted = _host(master, path)
    return [
        flag
        for flag, values in master.pod.flags.items()
        if flag not in FILE_NAMES
        and any(value.startswith("/") and _host(master, value) == wanted for value in values if value)
    ]


def separated(
    master: Master, flags: Flags, files: t.Mapping[str, str], wish: Wish
) -> tuple[Flags, dict[str, str], list[str]]:
    """Give flags and files of a master such that no file is written that another flag names, and clauses that say why.

    files: names in the controller's folder by path in the container, in the order of writing, which is kept. Raises
    HostError if the usual place is another flag's as well. Source: kube-apiserver loads client CAs again by itself
    (staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates).
    """
    moved: dict[str, str] = {}
    values, reasons = dict(flags.values), []
    for flag, name in FILE_NAMES.items():
        path = values[flag] or ""
        others = _other_flags(master, path) if path in files else []
        if not others:
            continue
        own = f"{master.folder(wish.certificates_dir)}/{name}"
        if _other_flags(master, own):
            raise HostError(
                master.name,
                f"{own} is the file of --{others[0]}, which must not be overwritten by a file of the front proxy; set "
                "front_proxy_certificates_dir to a folder of the front proxy's own.",
            )
        values[flag] = moved[path] = own
        reasons.append(f"--{flag} gets a file of its own, since {path} is the file of --{others[0]} as well")
    return replace(flags, values=values), {moved.get(path, path): name for path, name in files.items()}, reasons
