# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies between a kube-apiserver and the Services: proxies, a tunnel, and what was tried to find the way there."""

from __future__ import annotations

import typing as t

from .._proxy import HIDDEN, PROXY_VARIABLES
from .readers import Reader, choice, listed, nullable, record, table, text, truth

__all__ = ["DIRECT", "NO_SELECTION", "TUNNEL", "UNKNOWN", "Egress", "Network", "Tried", "network_reader"]

#: How an egress selector lets the server dial what is in the cluster; NO_SELECTION: it says nothing of that.
TUNNEL, DIRECT, NO_SELECTION, UNKNOWN = "tunnel", "direct", "none", "unknown"

_PROXY = rf"{HIDDEN}|[a-z][a-z0-9+.-]{{0,30}}://([A-Za-z0-9._-]{{1,255}}|\[[0-9A-Fa-f:.]{{2,60}}\])(:[0-9]{{1,5}})?"
_NO_PROXY = ("NO_PROXY", "no_proxy")
_CIDR = r"[0-9A-Fa-f:.]{2,60}/[0-9]{1,3}"


class Egress(t.TypedDict):
    """--egress-selector-config-file. path: in the container; cluster: TUNNEL, DIRECT, NO_SELECTION or UNKNOWN."""

    path: str
    cluster: str


class Tried(t.TypedDict):
    """An address of a Service that was tried from the master. error: None if it answers."""

    address: str
    error: t.Optional[str]


class Network(t.TypedDict):
    """What lies between. Nothing runs: environment is empty.

    environment: the proxy variables of the running server, proxies without credentials; egress: None without that flag;
    pods: the networks of pods that are known; traces: whether something could be asked for traces of kube-proxy in the
    kernel; api: whether the API could be asked for it; service_address: the Service kubernetes, None if it was not
    tried; left_unset: when this collection last ended a change, if that left the manifest as it is now and without
    --enable-aggregator-routing.
    """

    environment: t.Dict[str, str]
    egress: t.Optional[Egress]
    pods: t.List[str]
    traces: bool
    api: bool
    service_address: t.Optional[Tried]
    left_unset: t.Optional[str]


def _environment(value: t.Any, place: str) -> t.Dict[str, str]:
    read = table(choice(*PROXY_VARIABLES), text(128 * 1024), len(PROXY_VARIABLES))(value, place)
    proxy = text(400, _PROXY)
    return {
        name: item if name in _NO_PROXY else proxy(item, f"{place}[{name!r}]") if item else ""
        for name, item in read.items()
    }


_egress: Reader[Egress] = record(Egress, path=text(4096), cluster=choice(TUNNEL, DIRECT, NO_SELECTION, UNKNOWN))
_tried: Reader[Tried] = record(Tried, address=text(200), error=nullable(text(2000)))
#: Reads what lies between.
network_reader: Reader[Network] = record(
    Network,
    environment=_environment,
    egress=nullable(_egress),
    pods=listed(text(70, _CIDR), 100),
    traces=truth,
    api=truth,
    service_address=nullable(_tried),
    left_unset=nullable(text(40, r"[0-9TZ:-]+")),
)
