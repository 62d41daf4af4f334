# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify and what stands between a real kube-apiserver and its extension API servers: a proxy, or a tunnel."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from support.extension import GROUP, Extension
from support.live import LiveMaster
from support.proxy import ConnectProxy
from support.verified import Look, wait_for_ids

if t.TYPE_CHECKING:
    from conftest import MakeMaster

HERE = "127.0.0.1,localhost"
PASSWORD = "hunter2"

SELECTOR = """\
apiVersion: apiserver.k8s.io/v1beta1
kind: EgressSelectorConfiguration
egressSelections:
- connection:
    proxyProtocol: Direct
  name: etcd
- name: cluster
  connection:
    proxyProtocol: HTTPConnect
    transport:
      uds:
        udsName: {socket}
"""


def through(master: LiveMaster, proxy: ConnectProxy, **variables: str) -> None:
    """Start a master anew with a proxy in its environment."""
    given = {name: value.format(port=proxy.port) for name, value in variables.items()}
    master.environment = {"NO_PROXY": HERE, **given}
    master.restart()


@pytest.fixture
def proxy() -> t.Iterator[ConnectProxy]:
    """One that lets all through."""
    with ConnectProxy() as made:
        yield made


@pytest.mark.parametrize(
    "answer", ["403 Forbidden", "", "407 Proxy Authentication Required", "503 Service Unavailable"]
)
def test_a_proxy_that_does_not_know_the_pods(
    answer: str, make_master: MakeMaster, look: Look, address: str, extension: Extension, proxy: ConnectProxy
) -> None:
    master = make_master(f"proxied-{answer[:3] or 'eof'}")
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master])
    proxy.answer = answer
    through(master, proxy, HTTPS_PROXY=f"http://somebody:{PASSWORD}@127.0.0.1:{{port}}")
    wait_for_ids(look, [master], "proxy-in-the-way")
    assert f"{address}:{extension.port}" in proxy.asked
    seen = look(master)
    (found,) = seen.findings
    assert found["severity"] == "broken" and proxy.url in found["title"] and PASSWORD not in seen.output + str(found)
    assert found["fix"].startswith(f"add {address} to NO_PROXY of kube-apiserver on {master.name}"), found
    # what the fix says
    through(master, proxy, HTTPS_PROXY="127.0.0.1:{port}", NO_PROXY=f"{HERE},{address}")
    wait_for_ids(look, [master])


@pytest.mark.parametrize(
    "variables",
    [
        {"HTTPS_PROXY": "http://127.0.0.1:{port}", "no_proxy": "{address}", "NO_PROXY": HERE},
        {"https_proxy": "127.0.0.1:{port}", "NO_PROXY": f"{HERE},{{address}}:1"},
        {"https_proxy": "http://127.0.0.1:{port}/", "NO_PROXY": "", "no_proxy": f"{HERE},.example.com"},
    ],
)
def test_which_variables_count(
    variables: dict[str, str],
    make_master: MakeMaster,
    look: Look,
    address: str,
    extension: Extension,
    proxy: ConnectProxy,
) -> None:
    master = make_master("variables")
    proxy.answer = "403 Forbidden"
    master.environment = {name: value.format(port=proxy.port, address=address) for name, value in variables.items()}
    master.restart()
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master], "proxy-in-the-way")
    right = "no_proxy" if not variables["NO_PROXY"] else "NO_PROXY"
    assert f" to {right} of kube-apiserver" in look(master).findings[0]["fix"]
    assert proxy.asked


@pytest.mark.parametrize(
    "variables",
    [
        {"ALL_PROXY": "http://127.0.0.1:{port}", "all_proxy": "http://127.0.0.1:{port}"},
        {"HTTPS_PROXY": "http://127.0.0.1:{port}", "NO_PROXY": f"{HERE}, {{address}}/24"},
        {"HTTPS_PROXY": "http://127.0.0.1:{port}", "NO_PROXY": "x, * "},
        {"HTTPS_PROXY": "", "https_proxy": ""},
    ],
)
def test_which_variables_do_not(
    variables: dict[str, str],
    make_master: MakeMaster,
    look: Look,
    address: str,
    extension: Extension,
    proxy: ConnectProxy,
) -> None:
    master = make_master("no-variables")
    proxy.answer = "403 Forbidden"
    master.environment = {name: value.format(port=proxy.port, address=address) for name, value in variables.items()}
    master.restart()
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master])
    assert proxy.asked == []


@pytest.mark.differs
def test_the_variable_of_http_counts_up_to_1_20(
    make_master: MakeMaster,
    look: Look,
    address: str,
    extension: Extension,
    proxy: ConnectProxy,
    kubernetes_version: str,
) -> None:
    master = make_master("plain")
    proxy.answer = ""
    through(master, proxy, HTTP_PROXY="http://127.0.0.1:{port}")
    master.register(GROUP, address, extension.port)
    old = kubernetes_version.startswith("1.20.")
    wait_for_ids(look, [master], *["proxy-in-the-way"] * old)
    assert bool(proxy.asked) == old


def test_a_proxy_that_lets_through_is_no_finding(
    make_master: MakeMaster, look: Look, address: str, extension: Extension, proxy: ConnectProxy
) -> None:
    master = make_master("open")
    through(master, proxy, HTTPS_PROXY="http://127.0.0.1:{port}")
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master])
    assert f"{address}:{extension.port}" in proxy.asked
    extension.stop()
    # it is the extension API server that is away, and the proxy says nothing of it
    wait_for_ids(look, [master], "extension-silent")


def test_a_proxy_before_the_addresses_of_services_is_a_risk(make_master: MakeMaster, look: Look) -> None:
    master = make_master("waiting", enable_aggregator_routing="false")
    master.environment = {"HTTPS_PROXY": "http://proxy.example.com:3128", "NO_PROXY": HERE}
    master.restart()
    seen = look(master)
    (found,) = [each for each in seen.findings if each["id"] == "proxy-in-the-way"]
    assert found["severity"] == "at_risk" and "10.96.0.0/12" in found["fix"], seen.output
    master.environment["NO_PROXY"] += ",10.96.0.0/12"
    master.restart()
    assert "proxy-in-the-way" not in look(master).ids


def test_a_tunnel(make_master: MakeMaster, look: Look, address: str, extension: Extension, tmp_path: Path) -> None:
    """No way from here leads to the address of a Service, and none is needed."""
    master = make_master("tunnelled", enable_aggregator_routing=None)
    assert look(master).ids == ["no-route-to-services"]
    selector, socket = tmp_path / "egress.yaml", tmp_path / "konnectivity-server.socket"
    selector.write_text(SELECTOR.format(socket=socket))
    master.set_flags({"egress-selector-config-file": str(selector)})
    with ConnectProxy(str(socket)) as tunnel:
        tunnel.leads_to = (address, extension.port)
        master.restart()
        assert look(master).ids == []
        master.register(GROUP, address, extension.port)
        wait_for_ids(look, [master])
        service = master.get(f"/api/v1/namespaces/default/services/{GROUP.partition('.')[0]}")["spec"]["clusterIP"]
        assert f"{service}:443" in tunnel.asked
        # as konnectivity-server answers without agents (pkg/server/tunnel.go)
        tunnel.answer = "500 Internal Server Error"
        master.restart()
        wait_for_ids(look, [master], "tunnel-without-agents")
        (found,) = look(master).findings
        assert "konnectivity-agent" in found["fix"] and not found["front_proxy"]
    socket.unlink()
    master.restart()
    wait_for_ids(look, [master], "tunnel-not-reached")
