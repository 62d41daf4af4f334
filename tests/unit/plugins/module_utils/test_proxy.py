# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-apiserver reads the proxy variables: what Go's own tests of httpproxy try, and more."""

from __future__ import annotations

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._proxy import (
    HIDDEN,
    read_proxying,
    without_credentials,
)

RELEASE = (1, 30)


def is_direct(no_proxy: str, host: str, port: int = 443) -> bool:
    environment = {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": no_proxy}
    return read_proxying(environment, RELEASE).is_direct(host, port)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "direct"),
    [
        ("", "10.96.0.1", 443, False),
        ("*", "10.96.0.1", 443, True),
        ("x, * ", "10.96.0.1", 443, True),
        ("*.1", "10.96.0.1", 443, False),
        # loopback, whatever stands there
        ("", "127.0.0.1", 443, True),
        ("", "127.9.9.9", 443, True),
        ("", "::1", 443, True),
        ("", "localhost", 443, True),
        # addresses
        ("10.96.0.1", "10.96.0.1", 443, True),
        ("10.96.0.1", "10.96.0.10", 443, False),
        ("10.96.0.", "10.96.0.1", 443, False),
        ("10.96.0.1:443", "10.96.0.1", 443, True),
        ("10.96.0.1:8443", "10.96.0.1", 443, False),
        ("[fd00::1]:443", "fd00::1", 443, True),
        ("[fd00::1]:1", "fd00::1", 443, False),
        ("fd00::1", "[fd00::1]", 443, True),
        ("FD00:0::1", "fd00::1", 443, True),
        ("[fd00::1]", "fd00::1", 443, False),
        # networks
        ("10.96.0.0/12", "10.111.255.255", 443, True),
        ("10.96.0.0/12", "10.112.0.0", 443, False),
        ("10.97.3.4/12", "10.96.0.1", 443, True),
        (" 10.96.0.0/12 ,x", "10.96.0.1", 443, True),
        ("010.096.0.0/12", "10.96.0.1", 443, True),
        (" 010.096.0.0/12", "10.96.0.1", 443, False),
        ("10.96.0.0/255.240.0.0", "10.96.0.1", 443, False),
        ("10.96.0.0/12:443", "10.96.0.1", 443, False),
        ("10.96.0.0/33", "10.96.0.1", 443, False),
        ("10.96.0.0-10.111.0.0", "10.96.0.1", 443, False),
        ("10.96.0.0/12;10.244.0.0/16", "10.96.0.1", 443, False),
        ("10.96.0.0/12 10.244.0.0/16", "10.96.0.1", 443, False),
        ("10.*", "10.96.0.1", 443, False),
        ("0.0.0.0/0", "fd00::1", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        # names, which only an ExternalName has
        ("example.com", "example.com", 443, True),
        ("example.com", "api.example.com", 443, True),
        ("example.com", "badexample.com", 443, False),
        (".example.com", "api.example.com", 443, True),
        (".example.com", "example.com", 443, False),
        ("*.example.com", "api.example.com", 443, True),
        ("*.example.com", "example.com", 443, False),
        ("Example.COM:443", "EXAMPLE.com", 443, True),
        ("example.com:1", "example.com", 443, False),
        (".svc,.cluster.local", "10.96.0.1", 443, False),
        ("svc", "api.default.svc", 443, True),
        (",,:1,", "api.default.svc", 443, False),
    ],
)
def test_what_is_dialled_without_a_proxy(no_proxy: str, host: str, port: int, direct: bool) -> None:
    assert is_direct(no_proxy, host, port) is direct


@pytest.mark.parametrize(
    ("no_proxy", "network", "direct"),
    [
        ("10.96.0.0/12", "10.96.0.0/12", True),
        ("10.0.0.0/8", "10.96.0.0/12", True),
        ("10.96.0.0/13,10.104.0.0/13", "10.96.0.0/12", True),
        ("10.96.0.0/13,10.104.0.0/14", "10.96.0.0/12", False),
        ("10.96.0.0/13,10.96.0.0/13", "10.96.0.0/12", False),
        ("10.96.0.1", "10.96.0.0/12", False),
        ("10.96.0.1", "10.96.0.1", True),
        ("10.96.0.1/32", "10.96.0.1/32", True),
        ("*", "10.96.0.0/12", True),
        ("", "10.96.0.0/12", False),
        ("::/0", "10.96.0.0/12", False),
        ("fd00::/8", "fd00:10:96::/112", True),
        ("10.0.0.0/8", "no network", False),
    ],
)
def test_networks_that_are_dialled_without_a_proxy(no_proxy: str, network: str, direct: bool) -> None:
    proxying = read_proxying({"https_proxy": "proxy", "no_proxy": no_proxy}, RELEASE)
    assert proxying.is_direct_network(network) is direct
    assert read_proxying({}, RELEASE).is_direct_network(network)


@pytest.mark.parametrize(
    ("environment", "release", "proxy", "variable", "listing"),
    [
        ({}, RELEASE, "", "HTTPS_PROXY", "NO_PROXY"),
        ({"HTTPS_PROXY": "a:1", "https_proxy": "b:1"}, RELEASE, "http://a:1", "HTTPS_PROXY", "NO_PROXY"),
        ({"HTTPS_PROXY": "", "https_proxy": "b:1"}, RELEASE, "http://b:1", "https_proxy", "NO_PROXY"),
        ({"https_proxy": "b", "no_proxy": "x"}, RELEASE, "http://b", "https_proxy", "no_proxy"),
        ({"https_proxy": "b", "no_proxy": "x", "NO_PROXY": "y"}, RELEASE, "http://b", "https_proxy", "NO_PROXY"),
        ({"https_proxy": "b", "no_proxy": "x", "NO_PROXY": ""}, RELEASE, "http://b", "https_proxy", "no_proxy"),
        ({"HTTP_PROXY": "a:1"}, RELEASE, "", "HTTPS_PROXY", "NO_PROXY"),
        ({"HTTP_PROXY": "a:1"}, (1, 21), "", "HTTPS_PROXY", "NO_PROXY"),
        ({"HTTP_PROXY": "a:1"}, (1, 20), "http://a:1", "HTTP_PROXY", "NO_PROXY"),
        ({"http_proxy": "a:1"}, (1, 16), "http://a:1", "http_proxy", "NO_PROXY"),
        ({"HTTP_PROXY": "a:1", "https_proxy": "b:1"}, (1, 20), "http://b:1", "https_proxy", "NO_PROXY"),
        ({"HTTP_PROXY": "a:1"}, None, "", "HTTPS_PROXY", "NO_PROXY"),
        ({"ALL_PROXY": "a:1", "all_proxy": "a:1"}, (1, 20), "", "HTTPS_PROXY", "NO_PROXY"),
    ],
)
def test_which_variable_counts(
    environment: dict[str, str], release: tuple[int, int] | None, proxy: str, variable: str, listing: str
) -> None:
    found = read_proxying(environment, release)
    assert (found.proxy, found.variable, found.no_proxy_variable) == (proxy, variable, listing)
    assert found.is_direct("10.96.0.1", 443) is (proxy == "")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("proxy", "http://proxy"),
        ("proxy:3128", "http://proxy:3128"),
        ("http://proxy:3128/", "http://proxy:3128"),
        ("HTTPS://proxy", "https://proxy"),
        ("socks5://10.0.0.1:1080", "socks5://10.0.0.1:1080"),
        ("http://[fd00::1]:3128", "http://[fd00::1]:3128"),
        ("http://user:secret@proxy:3128", "http://proxy:3128"),
        ("user:secret@proxy:3128", "http://proxy:3128"),
        ("http://secret@proxy", "http://proxy"),
        ("http://user:secret%2F@proxy:1", "http://proxy:1"),
        # what may be a password is not told
        ("http://user:secret/@proxy:3128", HIDDEN),
        ("http://user:sec@secret@proxy:3128", HIDDEN),
        ("http://user:secret#@proxy", HIDDEN),
        ("http://proxy/?token=secret", HIDDEN),
        ("http://proxy:secret", HIDDEN),
        ("secret secret", HIDDEN),
    ],
)
def test_no_credentials_are_told(url: str, told: str) -> None:
    assert without_credentials(url) == told and "secret" not in told
    assert not read_proxying({"HTTPS_PROXY": url}, RELEASE).is_direct("10.96.0.1", 443)
    assert "secret" not in read_proxying({"HTTPS_PROXY": url}, RELEASE).shown
