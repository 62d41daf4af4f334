# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between a master's kube-apiserver and the Services, as the decisions and the findings ask of it."""

from __future__ import annotations

import ipaddress
import typing as t

from .._argv import flag_values, last_value
from .._contract.network import DIRECT, NO_SELECTION, UNKNOWN
from .._manifest.environment import read_environment
from .._proxy import PROXY_VARIABLES, Proxying, read_proxying
from .master import Master

__all__ = ["manifest_proxying", "pods_of", "running_proxying", "services_of", "tunnel_of", "unread_environment"]

_EGRESS = "egress-selector-config-file"


def _written(master: Master) -> dict[str, str]:
    written = read_environment(master.pod)
    return {name: value for name, value in written.values.items() if name in PROXY_VARIABLES}


def manifest_proxying(master: Master) -> Proxying:
    """Which proxy the server has once it starts anew: what the manifest says, above what it has now."""
    network = master.facts["network"]
    running = network["environment"] if network else {}
    return read_proxying({**running, **_written(master)}, master.release)


def running_proxying(master: Master) -> Proxying:
    """Which proxy the running server has; where none runs, what the manifest says."""
    network = master.facts["network"]
    if master.facts["process"] is None or network is None:
        return read_proxying(_written(master), master.release)
    return read_proxying(network["environment"], master.release)


def unread_environment(master: Master) -> tuple[str, ...]:
    """The proxy variables, or ``envFrom``, that the manifest takes from elsewhere and no running server shows."""
    if master.facts["process"] is not None:
        return ()
    return tuple(name for name in read_environment(master.pod).unread if name in (*PROXY_VARIABLES, "envFrom"))


def tunnel_of(master: Master) -> str:
    """The file that lets the server dial the cluster through a tunnel, or may do so; empty if none does."""
    network = master.facts["network"]
    egress = network["egress"] if network else None
    path = (egress["path"] if egress else "") or master.pod.flags.get(_EGRESS, ("",))[-1]
    kind = egress["cluster"] if egress else UNKNOWN
    return "" if kind in (DIRECT, NO_SELECTION) else path


def _networks(texts: t.Iterable[str]) -> tuple[str, ...]:
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            continue
    return tuple(found)


def services_of(master: Master) -> tuple[str, ...]:
    """The ranges of the Services' addresses, the one that comes first in the cluster first; empty if none is stated."""
    process = master.facts["process"]
    running = last_value(flag_values(process["argv"]), "service-cluster-ip-range") if process else None
    written = last_value(master.pod.flags, "service-cluster-ip-range")
    return _networks((running or written or "").split(","))


def pods_of(master: Master) -> tuple[str, ...]:
    """The networks of pods, as far as they are known."""
    network = master.facts["network"]
    return _networks(network["pods"]) if network else ()
