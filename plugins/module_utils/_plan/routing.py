# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether kube-apiserver is to ask endpoints in place of the addresses of Services (--enable-aggregator-routing)."""

from __future__ import annotations

from dataclasses import dataclass

from .._contract.network import Network
from .._proxy import Proxying
from .master import Master
from .network import manifest_proxying, pods_of, services_of, tunnel_of, unread_environment
from .wish import AGGREGATION_FLAGS, ROUTING_FLAG, Wish

__all__ = ["Routing", "decide_routing"]

_VARIABLE = "front_proxy_aggregator_routing"
_SEEN = "no kube-proxy, no trace of its chains and no replacement was seen on this master"


@dataclass(frozen=True)
class Routing:
    """value: that the flag has or gets, None for not set; said: the decision in words; reason: why the flag changes,
    or empty; warning: what a person must know or decide, or empty."""

    value: str | None
    said: str
    reason: str = ""
    warning: str = ""


def _is_true(value: str | None) -> bool:
    return (value or "false").lower() in ("true", "1", "t")


def _pods(master: Master) -> str:
    networks = pods_of(master)
    return f"the pods ({', '.join(networks)})" if networks else "the pods (their network is not known here)"


def _goes_through_proxy(master: Master, proxying: Proxying) -> str:
    """Say that a dial to pods goes through a proxy, and what to add; empty if it does not.

    Where the network of pods is not known, nobody can tell that it does not.
    """
    networks = pods_of(master)
    if not proxying.proxy or (networks and all(map(proxying.is_direct_network, networks))):
        return ""
    if "*" in proxying.no_proxy.split(","):
        return ""
    services = services_of(master)[:1]
    which = "does not cover"
    if services:
        covered = proxying.is_direct_network(services[0])
        which = "covers the Services but not" if covered else "covers neither the Services nor"
    return (
        f"kube-apiserver has {proxying.shown}, and {proxying.no_proxy_variable} {which} {_pods(master)}, so that with "
        f"--{ROUTING_FLAG} it would ask extension API servers through the proxy"
    )


def _asked_for(master: Master, wish: Wish, now: str | None) -> Routing:
    said = f"{wish.routing}, as {_VARIABLE} says"
    wanted = wish.routing == "true"
    proxied = _goes_through_proxy(master, manifest_proxying(master)) if wanted else ""
    warning = f"{proxied}; add the pods' network to NO_PROXY there." if proxied and pods_of(master) else ""
    if _is_true(now) == wanted:
        return Routing(now, said, warning=warning)
    return Routing(wish.routing, said, f"--{ROUTING_FLAG} is set to {said}", warning)


def _doubt(master: Master, network: Network | None) -> str:
    """Say why one look is not enough to restart this master for the flag; empty if it is."""
    if network is None:
        return ""
    if network["left_unset"]:
        return (
            f"this collection left the flag unset on {network['left_unset']}, when it saw what routes Services, and "
            "nothing has changed in the manifest since"
        )
    if not all(master.pod.flags.get(name) for name in AGGREGATION_FLAGS):
        return ""  # it is configured for the first time, and restarts anyway
    tried = network["service_address"]
    silent = tried is not None and tried["error"] is not None
    looked = network["traces"] or network["api"]
    if master.probe and master.probe["accepted"] and not (silent and looked):
        return "this master is configured and works, and too little could be looked at to restart it"
    if not looked and not silent:
        return "neither iptables-save nor nft is here to look for its traces, and the API could not be asked"
    return ""


def _seen(network: Network | None) -> str:
    tried = network["service_address"] if network else None
    if tried is None or tried["error"] is None:
        return _SEEN
    return f"{_SEEN}, and the Service kubernetes ({tried['address']}) does not answer from here"


def _left(now: str | None, why: str, warning: str = "") -> Routing:
    return Routing(now, f"left {'as it is' if now else 'unset'}: {why}", warning=warning)


def decide_routing(master: Master, wish: Wish) -> Routing:
    """Decide about the flag for one master."""
    now = master.pod.flag(ROUTING_FLAG)
    if wish.routing != "auto":
        return _asked_for(master, wish, now)
    evidence, network = master.facts["service_routing"], master.facts["network"]
    if evidence is None:
        what = "what runs beside kube-apiserver cannot be seen below a root"
        return Routing(now, f"left as it is: {what}; set {_VARIABLE}")
    if evidence:
        return _left(now, "; ".join(evidence))
    if _is_true(now):
        return Routing(now, f"true: {_SEEN}")
    tunnel = tunnel_of(master)
    if tunnel:
        return _left(now, f"kube-apiserver reaches the cluster as {tunnel} says, and its agents reach Services")
    unsure = _doubt(master, network)
    if unsure:
        what = f"--{ROUTING_FLAG} stays {now or 'unset'}: {_SEEN}, but {unsure}"
        return _left(now, unsure, f"{what}; set {_VARIABLE} to true if this master has no kube-proxy.")
    unread = unread_environment(master)
    if unread:
        why = f"{' and '.join(unread)} of the manifest may name a proxy, and no kube-apiserver runs that shows it"
        return _left(now, why, f"--{ROUTING_FLAG} stays {now or 'unset'}: {why}; set {_VARIABLE}.")
    proxied = _goes_through_proxy(master, manifest_proxying(master))
    if proxied:
        what = f"--{ROUTING_FLAG} stays {now or 'unset'} though {_SEEN}: {proxied}"
        return _left(now, proxied, f"{what}; add the pods' network to NO_PROXY, then set {_VARIABLE} to true.")
    seen = _seen(network)
    return Routing("true", f"true: {seen}", f"--{ROUTING_FLAG} is set to true, since {seen}")
