# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between this master's kube-apiserver and the Services, and the evidence that it reaches them."""

from __future__ import annotations

import os
import typing as t

from .._argv import flag_values, last_value
from .._contract.journal import read_journal
from .._contract.network import Network
from .._contract.observation import Manifest, Probe
from .api import Answer, Api
from .files import read_regular
from .login import AGGREGATOR, login_as, pair_of
from .places import Places
from .process import Process
from .proxies import egress_of, pod_networks, proxy_environment
from .reach import answering_apiservice, nodes_names, routers_of_node, try_service_address
from .routing import can_see_traces
from .stated import read_stated

__all__ = ["look_around", "routes_itself"]

_ROUTING = "enable-aggregator-routing"
_TRUE = ("true", "1", "t")
_SECONDS = 5.0
# Of a list of DaemonSets or APIServices there is no honest one that is larger.
_LIMIT = 8 * 1024 * 1024


def routes_itself(argv: t.Sequence[str]) -> bool:
    """Whether a server with this command line asks endpoints, and needs no address of a Service."""
    return (last_value(flag_values(argv), _ROUTING) or "false").lower() in _TRUE


def _left_unset(manifest: Manifest, places: Places) -> str | None:
    """Tell when this collection last ended a change, if that left the manifest so, and without the routing flag."""
    try:
        names = sorted((name for name in os.listdir(places.backups) if name[:1].isdigit()), reverse=True)
        journal = read_journal(read_regular(os.path.join(places.backups, names[0], "journal.json"))) if names else None
    except OSError:
        return None
    if journal is None or journal["state"] != "done" or _ROUTING in read_stated(manifest["text"]).flags:
        return None
    return journal["started"] if journal["manifest_new"] == manifest["checksum"] else None


def _ask(process: Process, probe: Probe, processes: t.Sequence[Process]) -> tuple[bool, list[str]]:
    """Ask the API for evidence: whether it could be asked, and what it said."""
    login = login_as(AGGREGATOR, pair_of(process.argv, process.pid), None)
    if login is None or not probe["accepted"]:
        return False, []
    try:
        api = Api(probe["address"], probe["port"], login, seconds=_SECONDS)
    except (OSError, ValueError):
        return False, []
    try:

        def get(path: str) -> Answer:
            return api.get(path, limit=_LIMIT)

        routers = routers_of_node(get, nodes_names(processes))
        if routers:
            return True, routers
        name = answering_apiservice(get)
        return routers is not None, [f"{name} answers through this master at the address of its Service"] * bool(name)
    except (AttributeError, TypeError, ValueError, KeyError):
        return False, []  # an answer that has not the shape of the API's
    finally:
        api.close()


def look_around(
    evidence: list[str],
    manifest: Manifest,
    processes: t.Sequence[Process],
    process: Process | None,
    probe: Probe | None,
    places: Places,
) -> tuple[list[str], Network]:
    """Look for the way to the Services of a live master. evidence: what the machine itself shows that it has one, so
    that nothing more is asked for it; probe: what its server answered.

    Returns the evidence that this master reaches their addresses, a sentence each, and what else there is to know.
    """
    argv = process.argv if process else ()
    network: Network = {
        "environment": proxy_environment(process.pid) if process else {},
        "egress": egress_of(argv, f"/proc/{process.pid}/root") if process else None,
        "pods": pod_networks(processes),
        "traces": can_see_traces(),
        "api": False,
        "service_address": None,
        "left_unset": _left_unset(manifest, places),
    }
    if evidence or process is None or probe is None or not probe["answers"] or routes_itself(argv):
        return evidence, network
    tried = network["service_address"] = try_service_address(argv)
    if tried and tried["error"] is None:
        return [f"the Service kubernetes ({tried['address']}) answers from here"], network
    network["api"], said = _ask(process, probe, processes)
    return said, network
