# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way between kube-apiserver and extension API servers: a proxy, or a tunnel that does not work."""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass, replace

from .._contract.survey import Behind
from .._manifest.environment import read_environment
from .._plan.network import pods_of, running_proxying, services_of, tunnel_of
from .._proxy import Proxying
from .._shown import Shell, shell_word
from .model import AT_RISK, BROKEN, Finding, Kind, finding
from .view import View

__all__ = [
    "AGENTS",
    "KINDS",
    "PROXIED",
    "TUNNEL",
    "WAYS",
    "Way",
    "advice",
    "in_the_way",
    "judge_ways",
    "judge_wiring",
    "of_smoke",
]

_HTTP = "staging/src/k8s.io/apimachinery/pkg/util/net/http.go; golang.org/x/net/http/httpproxy"
_EGRESS = "staging/src/k8s.io/apiserver/pkg/server/egressselector; sigs.k8s.io/apiserver-network-proxy"

PROXIED = Kind(
    id="proxy-in-the-way",
    severity=BROKEN,
    title="kube-apiserver asks extension API servers through {proxy}",
    consequence="Requests for extension API servers, and for admission webhooks in the cluster, go to a proxy, which "
    "does not know the cluster's addresses or forbids them.",
    fix="add {add} to {variable} {place}  # kubeadm writes the variables of its own environment there",
    cause="Set HTTPS_PROXY for kube-apiserver, and a NO_PROXY without the Services.",
    source=_HTTP,
)
AGENTS = Kind(
    id="tunnel-without-agents",
    severity=BROKEN,
    title="the tunnel by which kube-apiserver reaches the cluster has no agent that answers (konnectivity)",
    consequence="Requests for extension API servers and admission webhooks fail, and so do kubectl logs and exec. The "
    "front proxy is not at fault.",
    fix="see why no konnectivity-agent is connected to the konnectivity-server of {hosts}: whether the agents' pods "
    "run, and to which address and with which token they connect",
    cause="Stop the konnectivity-agents.",
    source=_EGRESS,
    ours=False,
)
TUNNEL = Kind(
    id="tunnel-not-reached",
    severity=BROKEN,
    title="kube-apiserver does not reach the server of its tunnel to the cluster (konnectivity-server)",
    consequence="Requests for extension API servers and admission webhooks fail, and so do kubectl logs and exec. The "
    "front proxy is not at fault.",
    fix="see on {hosts} whether konnectivity-server runs, and whether it listens at what {path} names",
    cause="Stop konnectivity-server.",
    source=_EGRESS,
    ours=False,
)

KINDS = (PROXIED, TUNNEL, AGENTS)

# What a proxy says when it does not let a connection through: Go tells the words behind the status of CONNECT alone
# (net/http, transport.go, dialConn), where an extension API server would have answered with the status itself.
_REASONS = (
    "Bad Gateway|Bad Request|Forbidden|Found|Gateway Time-?[oO]ut|Internal Server Error|Method Not Allowed|"
    "Moved Permanently|Not Found|Not Implemented|Proxy Authentication Required|Too Many Requests|Unauthorized|"
    "unknown status code"
)
_BY_PROXY = (
    r"proxyconnect |socks connect |Proxy Authentication Required"
    rf"|(?:Get|Post) \"?https?://\S+: (?:{_REASONS}|Service Unavailable)(?=$|[\s;,)])"
    rf"|^(?:[Ee]rror trying to reach service: )?'?(?:{_REASONS})'?\s*$"
)
_BY_AGENTS = (
    r"[Nn]o agents? available|no tunnels? available|proxy error from \S+ while dialing"
    r"|dial timeout, (?:backstop|context)|tunnel (?:is )?closed|dial closed"
)
_BY_TUNNEL = r"dial unix |reading HTTP response from CONNECT to"

#: Messages, by regular expressions, and what they mean; they come before all others, since they hold their words.
WAYS: t.Sequence[tuple[str, Kind]] = ((_BY_AGENTS, AGENTS), (_BY_TUNNEL, TUNNEL), (_BY_PROXY, PROXIED))

_NAMED = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]:[0-9]+|[0-9.]+:[0-9]+)/")
_DIALLED = re.compile(r"dial tcp (\S+?)(?:->(\S+?))?: ")


@dataclass(frozen=True)
class Way:
    """What stands in the way of one APIService, as one master sees it. evidence: sentences; add: to NO_PROXY."""

    kind: Kind
    view: View
    apiservice: str
    evidence: tuple[str, ...]
    add: tuple[str, ...] = ()


def _split(endpoint: str) -> tuple[str, int]:
    host, dummy, port = endpoint.rpartition(":")
    return host.strip("[]"), int(port) if port.isdecimal() else 0


def _dialled(view: View, service: Behind, port: int, text: str) -> list[tuple[str, int]]:
    """Which addresses kube-apiservers dial for a Service: what a message names, and what this one would dial."""
    endpoints = [_split(endpoint) for endpoint in service["endpoints"]]
    own = [(service["address"], port)] if service["address"] not in ("", "None") else []
    named = [_split(address) for address in _NAMED.findall(text)]
    known = [each for each in named if each in endpoints + own]
    return list(dict.fromkeys([*known, *(endpoints if view.routes else own)]))


def _is_address(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _networks_of(view: View, hosts: t.Iterable[str], proxying: Proxying) -> tuple[str, ...]:
    """What to add to NO_PROXY so that these addresses are dialled directly: the known network of each, or itself."""
    known = (*services_of(view.master), *pods_of(view.master))
    added: dict[str, None] = {}
    for host in hosts:
        if _is_address(host):
            address = ipaddress.ip_address(host)
            around = [each for each in known if address in ipaddress.ip_network(each)]
            added[next((each for each in around if not proxying.is_direct_network(each)), host)] = None
    return tuple(added)


def _proxied(view: View, hosts: t.Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    proxying = running_proxying(view.master)
    return [(host, port) for host, port in hosts if not proxying.is_direct(host, port)]


def _listing(proxying: Proxying) -> str:
    return f"{proxying.no_proxy_variable} is {proxying.no_proxy or 'not set'}"


def _of_tunnel(view: View, kind: Kind | None, service: Behind, port: int, text: str) -> Kind | None:
    if kind in (AGENTS, TUNNEL):
        return kind
    named = _DIALLED.search(text)
    if kind is PROXIED or not tunnel_of(view.master) or not named or not service["address"]:
        return None
    # an agent that reaches nobody names whom it dialled; what else is dialled is the tunnel's own server
    known = [(service["address"], port), *map(_split, service["endpoints"])]
    return None if _split(named.group(2) or named.group(1)) in known else TUNNEL


def in_the_way(
    view: View,
    apiservice: str,
    service: Behind,
    port: int,
    *,
    kind: Kind | None,
    open_cause: bool,
    said: tuple[str, str],
) -> Way | None:
    """Tell what stands between a master and an APIService that does not answer; None if nothing is seen to.

    kind: what the message means; open_cause: whether the message tells no cause of its own; said: what was said through
    the master, and how it is shown.
    """
    text, evidence = said
    tunnel = _of_tunnel(view, kind, service, port, text)
    if tunnel:
        return Way(tunnel, view, apiservice, (evidence,))
    proxying = running_proxying(view.master)
    dialled = _dialled(view, service, port, text)
    through = _proxied(view, dialled)
    if kind is PROXIED and not through:
        # the condition is one for all masters: the proxy may be another one's
        hosts = [host for host, dummy in dialled]
        return Way(PROXIED, view, apiservice, (evidence,), _networks_of(view, hosts, replace(proxying, proxy="x")))
    if not through:
        return None
    # what was tried from here is the address of the Service, and one of its endpoints
    own = (service["address"], port)
    answers = any(not service["address_error" if each == own else "endpoint_error"] for each in through)
    if kind is not PROXIED and not (open_cause and answers):
        return None
    hosts = [host for host, dummy in through]
    shown = ", ".join(f"{host}:{port}" for host, port in through[:5])
    why = f"{view.name} has {proxying.shown}, and {_listing(proxying)}, which does not hold {shown}"
    why += "; without a proxy that answers from here" if answers else ""
    return Way(PROXIED, view, apiservice, (evidence, why), _networks_of(view, hosts, proxying))


def advice(view: View, service: Behind | None = None) -> tuple[str, ...]:
    """Say what must come before --enable-aggregator-routing=true where the pods would be asked through a proxy.

    service: the one whose endpoints would be asked.
    """
    proxying = running_proxying(view.master)
    if not proxying.proxy:
        return ()
    hosts = [_split(endpoint) for endpoint in service["endpoints"]] if service else []
    networks = [network for network in pods_of(view.master) if not proxying.is_direct_network(network)]
    if service and not _proxied(view, hosts):
        return ()
    if not networks and not service and pods_of(view.master):
        return ()
    what = _networks_of(view, [host for host, dummy in hosts], proxying) or tuple(networks)
    added = ", ".join(what) or "the pods' network"
    return (f"{view.name} has {proxying.shown}: add {added} to {proxying.no_proxy_variable} first",)


def _place(views: t.Sequence[View], variable: str) -> Shell:
    """Say where a variable stands."""
    names = ", ".join(view.name for view in views)
    first = views[0]
    if variable in read_environment(first.master.pod).values or not first.facts["process"]:
        return Shell(f"in the env of kube-apiserver in {shell_word(first.facts['manifest']['path'])} on {names}")
    return Shell(f"of kube-apiserver on {names} (its env in {shell_word(first.facts['manifest']['path'])})")


def _finding_of(cluster: str, ways: t.Sequence[Way], severity: str = "") -> Finding:
    first = ways[0]
    views = list({way.view.name: way.view for way in ways}.values())
    proxying = running_proxying(first.view.master)
    evidence = dict.fromkeys(sentence for way in ways for sentence in way.evidence)
    added = sorted({item for way in ways for item in way.add})
    return finding(
        first.kind,
        (cluster, [view.name for view in views]),
        *evidence,
        severity=severity,
        hosts=Shell(", ".join(view.name for view in views)),
        add=Shell(",".join(added) or "the addresses of Services and pods"),
        proxy=proxying.shown if proxying.proxy else "a proxy",
        variable=proxying.no_proxy_variable,
        place=_place(views, proxying.no_proxy_variable),
        path=tunnel_of(first.view.master) or "the --egress-selector-config-file",
    )


def judge_ways(cluster: str, ways: t.Sequence[Way]) -> list[Finding]:
    """Make one finding of what stands in the way of several APIServices, or of several masters, for one cause."""
    groups: dict[tuple[str, str, str], list[Way]] = {}
    owners = [way for way in ways if way.kind is PROXIED and running_proxying(way.view.master).proxy]
    for way in ways:
        proxying = running_proxying(way.view.master)
        if way.kind is PROXIED and owners and not proxying.proxy:
            continue  # it saw the condition that a master with the proxy had set
        groups.setdefault((way.kind.id, proxying.proxy, proxying.no_proxy_variable), []).append(way)
    return [_finding_of(cluster, group) for group in groups.values()]


def _services(view: View) -> tuple[str, ...]:
    """Where Services have their addresses: their range, or else one that the API names; empty if unknown."""
    dialled = view.layer["kubernetes_service"] if view.layer else None
    known = (_split(dialled["address"])[0],) if dialled and _is_address(_split(dialled["address"])[0]) else ()
    return services_of(view.master)[:1] or known


def of_smoke(view: View, address: str, said: str, evidence: str) -> Finding | None:
    """Make a finding of what stands between a master and the smoke test's server; None if nothing is seen to.

    address: of the server, with its port; said: the message that came through the master; evidence: it, as it is shown.
    """
    tunnel = next((kind for pattern, kind in WAYS if kind is not PROXIED and re.search(pattern, said)), None)
    if tunnel:
        return _finding_of(view.cluster, [Way(tunnel, view, "", (evidence,))])
    proxying = running_proxying(view.master)
    if view.routes:
        added = _networks_of(view, [host for host, dummy in _proxied(view, [_split(address)])], proxying)
    else:
        added = tuple(network for network in _services(view) if not proxying.is_direct_network(network))
    if not proxying.proxy or not added:
        return None
    why = f"{view.name} has {proxying.shown}, and {_listing(proxying)}, which does not cover {', '.join(added)}"
    return _finding_of(view.cluster, [Way(PROXIED, view, "", (evidence, why), added)])


def judge_wiring(view: View) -> t.Iterator[Finding]:
    """Judge whether this master would ask extension API servers through a proxy, where there is none yet to tell."""
    proxying = running_proxying(view.master)
    if not proxying.proxy or view.apiservices:
        return
    networks = pods_of(view.master) if view.routes else _services(view)
    uncovered = tuple(network for network in networks if not proxying.is_direct_network(network))
    if uncovered:
        asked = "the endpoints of Services" if view.routes else "the addresses of Services"
        why = f"{asked} are in {', '.join(uncovered)}, and {_listing(proxying)}"
        yield _finding_of(view.cluster, [Way(PROXIED, view, "", (why,), uncovered)], AT_RISK)
