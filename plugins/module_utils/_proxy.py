# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-apiserver reads the proxy variables of its environment, and which addresses it dials through a proxy.

Source: golang.org/x/net/http/httpproxy (FromEnvironment, useProxy), which net/http uses, and NewProxierWithNoProxyCIDR
of k8s.io/apimachinery/pkg/util/net/http.go. ALL_PROXY is read by neither of them.
"""

from __future__ import annotations

import ipaddress
import re
import typing as t
from dataclasses import dataclass

__all__ = ["HIDDEN", "PROXY_VARIABLES", "Proxying", "read_proxying", "without_credentials"]

#: The variables that are looked at; of each two the first one that is not empty counts.
PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
#: In place of a proxy's address that is not plain: what may be a password in it is not told.
HIDDEN = "hidden"

# Up to Go 1.15, by which Kubernetes up to 1.20 was built, HTTP_PROXY counts for https, too (release notes of Go 1.16).
_OWN_VARIABLE_FROM = (1, 21)
_PROXY = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://)?(?:[^/?#@\s]*@)?"
    r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{0,5}))?/?\Z"
)
_NETWORK = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}\Z")
_LEADING_ZEROS = re.compile(r"(?<![0-9A-Fa-f:.])0+(?=[0-9])|(?<=\.)0+(?=[0-9])")

_Address = t.Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
_Network = t.Union[ipaddress.IPv4Network, ipaddress.IPv6Network]


def without_credentials(url: str) -> str:
    """Give a proxy's address as ``scheme://host:port``, as Go reads it; HIDDEN if it is not written so plainly."""
    found = _PROXY.match(url.strip())
    if not found or url == HIDDEN:
        return HIDDEN
    port = found.group("port")
    return f"{(found.group('scheme') or 'http').lower()}://{found.group('host')}{f':{port}' if port else ''}"


def _address(text: str) -> _Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _network(text: str) -> _Network | None:
    """Read a network as net.ParseCIDR does: with a number of bits behind a slash; the rest of it is dropped."""
    if not _NETWORK.match(text):
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _host_and_port(item: str) -> tuple[str, str]:
    """Split as net.SplitHostPort does; the whole item, and no port, where it would fail."""
    if item.startswith("["):
        host, bracket, port = item[1:].partition("]:")
        return (host, port) if bracket and "]" not in port and ":" not in port else (item, "")
    host, colon, port = item.partition(":")
    return (host, port) if colon and ":" not in port else (item, "")


@dataclass(frozen=True)
class Proxying:
    """What counts of an environment for requests to https addresses.

    proxy: ``scheme://host:port``, HIDDEN, or empty for none; variable: the one that names it; no_proxy: the list of
    what is dialled directly; no_proxy_variable: the one that holds it, ``NO_PROXY`` if none does.
    """

    proxy: str = ""
    variable: str = "HTTPS_PROXY"
    no_proxy: str = ""
    no_proxy_variable: str = "NO_PROXY"

    @property
    def shown(self) -> str:
        """The proxy, for people."""
        return f"a proxy ({self.variable})" if self.proxy == HIDDEN else f"the proxy {self.proxy} ({self.variable})"

    def _items(self) -> list[str]:
        items = [item.strip().lower() for item in self.no_proxy.split(",")]
        return [item for item in items if item]

    def _networks(self) -> list[_Network]:
        # the reader of Kubernetes takes leading zeros, which Go's own refuses, but no blank around a network
        written = [*self._items(), *(_LEADING_ZEROS.sub("", item) for item in self.no_proxy.split(","))]
        return [network for network in map(_network, written) if network is not None]

    def is_direct(self, host: str, port: int) -> bool:
        """Whether this address, of an https server, is dialled without a proxy."""
        host = host.strip("[]").lower()
        if not self.proxy or host == "localhost":
            return True
        items = self._items()
        if "*" in items:
            return True
        address = _address(host)
        if address is None:
            return any(_names(item, host, str(port)) for item in items)
        if address.is_loopback or any(address in network for network in self._networks()):
            return True
        listed = [(_address(name), wanted) for name, wanted in map(_host_and_port, items)]
        return any(address == other and wanted in ("", str(port)) for other, wanted in listed)

    def is_direct_network(self, network: str) -> bool:
        """Whether all addresses of a network (``10.96.0.0/12``, or one address) are dialled without a proxy."""
        wanted = _network(network if "/" in network else f"{network}/{128 if ':' in network else 32}")
        if not self.proxy or "*" in self._items():
            return True
        if wanted is None:
            return False
        around = [each for each in self._networks() if each.version == wanted.version]
        if any(each.prefixlen <= wanted.prefixlen and wanted.network_address in each for each in around):
            return True
        within = [each for each in around if wanted.prefixlen < each.prefixlen and each.network_address in wanted]
        collapsed: t.Iterable[t.Any] = ipaddress.collapse_addresses(within)  # type: ignore[type-var]
        covered = sum(each.num_addresses for each in collapsed)
        single = wanted.num_addresses == 1 and self.is_direct(str(wanted.network_address), -1)
        return single or covered == wanted.num_addresses


def _names(item: str, host: str, port: str) -> bool:
    """Whether an item of NO_PROXY names a host: itself, or a domain that it is in."""
    name, wanted = _host_and_port(item)
    if not name or _network(item) is not None or _address(name) is not None or wanted not in ("", port):
        return False
    name = name[1:] if name.startswith("*.") else name
    return host.endswith(name) if name.startswith(".") else host == name or host.endswith(f".{name}")


def read_proxying(environment: t.Mapping[str, str], release: tuple[int, int] | None) -> Proxying:
    """Read what counts. environment: PROXY_VARIABLES of it; release: of the kube-apiserver, None if it is not known."""
    names = ["HTTPS_PROXY", "https_proxy"]
    if release is not None and release < _OWN_VARIABLE_FROM:
        names += ["HTTP_PROXY", "http_proxy"]
    variable = next((name for name in names if environment.get(name)), "")
    listing = next((name for name in ("NO_PROXY", "no_proxy") if environment.get(name)), "NO_PROXY")
    proxy = without_credentials(environment[variable]) if variable else ""
    return Proxying(proxy, variable or "HTTPS_PROXY", environment.get(listing) or "", listing)
