# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what steers the connections of a kube-apiserver: proxy variables, an egress selector, the networks of pods."""

from __future__ import annotations

import os
import re
import typing as t

from .._argv import flag_values, last_value
from .._contract.network import DIRECT, NO_SELECTION, TUNNEL, UNKNOWN, Egress
from .._proxy import PROXY_VARIABLES, without_credentials
from .files import read_regular
from .process import Process, network_of

__all__ = ["egress_of", "pod_networks", "proxy_environment", "selected_for_cluster"]

# Programs that are told the pods' networks by --cluster-cidr.
_KNOW_PODS = ("kube-controller-manager", "kube-proxy", "hyperkube")
_CIDR = re.compile(r"[0-9A-Fa-f:.]{2,60}/[0-9]{1,3}\Z")
_COMMENT = re.compile(r"(?:^|\s)#.*$", re.MULTILINE)
# In a list of egress selections each has exactly one of both, in any order, in YAML or JSON.
_SELECTION = re.compile(r"""(?<![\w./-])["']?(name|proxyProtocol)["']?[ \t]*:\s*["']?([A-Za-z][A-Za-z-]*)(?![\w-])""")
_SELECTIONS = re.compile(r"""(?<!\w)["']?egressSelections["']?[ \t]*:""")


def proxy_environment(pid: int, *, proc: str = "/proc") -> dict[str, str]:
    """Give the proxy variables with which a process was started, and none of its others; no credentials.

    Empty if the process has ended. proc: the folder of the processes.
    """
    try:
        with open(os.path.join(proc, str(pid), "environ"), "rb") as stream:
            raw = stream.read()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for entry in raw.split(b"\0"):
        name, equals, value = os.fsdecode(entry).partition("=")
        # of a name that is there twice the first one counts (os.Getenv: syscall.copyenv keeps the first)
        if equals and name in PROXY_VARIABLES and name not in found:
            found[name] = _told(name, value)
    return found


def _told(name: str, value: str) -> str:
    if name.lower() == "no_proxy":
        # an address with an "@" is none that Go could match, and may be a proxy's in the wrong place
        return ",".join(item for item in value.split(",") if "@" not in item)
    return without_credentials(value) if value else ""


def selected_for_cluster(text: str) -> str:
    """Tell how an egress selector's configuration lets the server dial the cluster: TUNNEL, DIRECT or NO_SELECTION.

    Source: staging/src/k8s.io/apiserver/pkg/server/egressselector. UNKNOWN if the text is no such configuration.
    """
    text = _COMMENT.sub("", text)
    start = _SELECTIONS.search(text)
    if not start:
        return NO_SELECTION if "EgressSelectorConfiguration" in text else UNKNOWN
    items: list[dict[str, str]] = [{}]
    for key, value in _SELECTION.findall(text[start.end() :]):
        if key in items[-1]:
            items.append({})
        items[-1][key] = value.lower()
    for item in items:
        if item.get("name") == "cluster":
            return DIRECT if item.get("proxyProtocol") == "direct" else TUNNEL
    return NO_SELECTION


def egress_of(argv: t.Sequence[str], inside: str) -> Egress | None:
    """Read the file of --egress-selector-config-file. inside: the root folder of the container, as seen from here."""
    path = last_value(flag_values(argv), "egress-selector-config-file")
    if not path:
        return None
    try:
        text = read_regular(inside + path).decode("utf-8", "replace")
    except (OSError, ValueError):
        return {"path": path, "cluster": UNKNOWN}
    return {"path": path, "cluster": selected_for_cluster(text)}


def pod_networks(processes: t.Iterable[Process], *, proc: str = "/proc") -> list[str]:
    """List the networks of pods, as the command lines of the cluster's other programs on this master name them.

    proc: the folder of the processes. What has a network of its own is of another cluster, which is nested here.
    """
    found: list[str] = []
    here = network_of(os.path.join(proc, "self"))
    for process in processes:
        if process.name in _KNOW_PODS and network_of(os.path.join(proc, str(process.pid))) in (here, None):
            value = last_value(flag_values(process.argv), "cluster-cidr") or ""
            found += [part for part in value.split(",") if _CIDR.match(part) and part not in found]
    return found[:20]
