# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands between masters and extension API servers: proxies and tunnels, and what only looks like them."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.smoke import Smoke
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.smoke_cases import (
    BEGUN,
    ENDED,
    failed,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Layer,
    apiservice,
    ids,
    look,
    service,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.way_cases import (
    CHECK,
    HERE,
    PROXY,
    RANGE,
    TUNNELLED,
    URL,
    failing,
    proxied,
)

ROUTED = CHECK.replace("10.96.7.7:443", "10.244.1.7:8443")


@pytest.mark.parametrize(
    "message",
    [
        "EOF",
        "unexpected EOF",
        "Forbidden",
        "Proxy Authentication Required",
        "Bad Gateway",
        "Gateway Timeout",
        "Gateway Time-out",
        "Service Unavailable",
        "Unauthorized",
        "unknown status code",
        "proxyconnect tcp: dial tcp 192.0.2.9:3128: connect: connection refused",
        "proxyconnect tcp: dial tcp: lookup proxy.example.com: no such host",
        "socks connect tcp 192.0.2.9:1080->10.96.7.7:443: unknown error host unreachable",
        "context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
        "read tcp 192.0.2.11:41234->192.0.2.9:3128: read: connection reset by peer",
    ],
)
def test_what_a_proxy_makes_of_a_check(message: str) -> None:
    (found,) = look(Layer(proxied(), extension=failing(f"{CHECK}{message}"))).findings
    assert found.kind.id == "proxy-in-the-way" and found.severity == "broken"
    assert found.fix.startswith("add 10.96.0.0/12 to NO_PROXY of kube-apiserver on m1")
    assert PROXY in found.title and "does not hold 10.96.7.7:443" in found.evidence[1]


@pytest.mark.parametrize("body", ["Forbidden", "Forbidden\n", "error trying to reach service: Forbidden", "EOF"])
def test_what_a_proxy_makes_of_a_request(body: str) -> None:
    """The check was good, or another master's."""
    given = Extension(503, body, each=apiservice(), service=service())
    assert ids(look(Layer(proxied(), extension=given))) == ["proxy-in-the-way"]


def test_forbidden_is_not_always_a_proxys_word() -> None:
    for status, message in ((403, CHECK), (503, f"failing or missing response from {URL}: bad status from {URL}: 403")):
        given = Extension(status, "no", each=apiservice(available="False", reason="x", message=message))
        assert ids(look(Layer(proxied(f"{HERE},10.96.0.0/12"), extension=given))) == ["extension-forbids"]
    not_found = Extension(404, "Not Found", service=service())
    assert ids(look(Layer(proxied(f"{HERE},10.96.0.0/12"), extension=not_found))) == ["extension-fails"]


@pytest.mark.parametrize(
    ("no_proxy", "routes", "pods", "add"),
    [
        (HERE, False, (), "10.96.0.0/12"),
        (f"{HERE},10.0.0.0/9", True, (), "10.244.1.7"),
        (f"{HERE},10.96.0.0/12", True, ("10.244.0.0/16",), "10.244.0.0/16"),
        (HERE, True, ("10.245.0.0/16", "10.244.0.0/16"), "10.244.0.0/16"),
        ("10.244.1.7:1", True, ("10.244.0.0/16",), "10.244.0.0/16"),
        ("", True, (), "10.244.1.7"),
    ],
)
def test_what_to_add(no_proxy: str, routes: bool, pods: t.Sequence[str], add: str) -> None:
    given = proxied(no_proxy, routes=routes, pods=list(pods))
    extension = failing(f"{ROUTED if routes else CHECK}EOF", endpoints=["10.244.1.7:8443"])
    (found,) = look(Layer(given, extension=extension)).findings
    assert found.kind.id == "proxy-in-the-way" and found.fix.startswith(f"add {add} to NO_PROXY"), found.fix


@pytest.mark.parametrize(
    ("no_proxy", "routes"),
    [
        (f"{HERE},10.96.0.0/12", False),
        ("*", False),
        ("10.96.7.7:443,10.96.0.0/12", False),
        (f"{HERE},10.244.0.0/16", True),
        ("10.244.1.7:8443", True),
    ],
)
def test_a_proxy_that_is_not_asked_is_no_cause(no_proxy: str, routes: bool) -> None:
    extension = failing(f"{ROUTED if routes else CHECK}EOF", endpoints=["10.244.1.7:8443"])
    verdict = look(Layer(proxied(no_proxy, routes=routes), extension=extension))
    assert ids(verdict) == ["extension-silent"]


def test_an_extension_that_is_away_is_not_the_proxys_fault() -> None:
    gone = failing(f"{CHECK}context deadline exceeded", address_error="refused", endpoint_error="refused")
    assert ids(look(Layer(proxied(), extension=gone))) == ["extension-silent"]
    # with routing nobody asks the address of the Service, and who answers there tells nothing
    endpoint = failing(f"{ROUTED}EOF", endpoints=["10.244.1.7:8443"], endpoint_error="refused")
    assert ids(look(Layer(proxied(routes=True), extension=endpoint))) == ["extension-silent"]
    absent = failing("service/api is not present", status=404, endpoints=[])
    assert ids(look(Layer(proxied(), extension=absent))) == ["extension-not-there"]


@pytest.mark.parametrize("message", ["Forbidden", "EOF", "context deadline exceeded"])
def test_one_finding_for_all_masters_and_the_condition_of_one(message: str) -> None:
    """m3 has no proxy, and sees the condition that the others set."""
    extension = failing(f"{CHECK}{message}")
    masters = [Layer(proxied(name=name), extension=extension) for name in ("m1", "m2")]
    verdict = look(*masters, Layer(kubeadm("m3", flags=RANGE), extension=extension))
    (found,) = verdict.findings
    assert found.hosts == ("m1", "m2") and "on m1, m2" in found.fix


def test_the_variable_that_counts_is_named_and_where_it_stands() -> None:
    lower = kubeadm(env={"https_proxy": PROXY, "no_proxy": HERE}, flags=RANGE)
    lower.network = {"environment": {"https_proxy": PROXY, "no_proxy": HERE}}
    (found,) = look(Layer(lower, extension=failing(f"{CHECK}EOF"))).findings
    wanted = (
        "add 10.96.0.0/12 to no_proxy in the env of kube-apiserver in /etc/kubernetes/manifests/kube-apiserver.yaml"
    )
    assert found.fix.startswith(f"{wanted} on m1")


def test_a_risk_where_nothing_was_asked_yet() -> None:
    (found,) = look(Layer(proxied())).findings
    assert found.kind.id == "proxy-in-the-way" and found.severity == "at_risk" and "10.96.0.0/12" in found.fix
    (found,) = look(Layer(proxied(routes=True, pods=["10.244.0.0/16"]))).findings
    assert found.severity == "at_risk" and found.fix.startswith("add 10.244.0.0/16 ")
    for quiet in (
        proxied(f"{HERE},10.96.0.0/12"),
        proxied(routes=True),
        kubeadm(network={"environment": {"HTTP_PROXY": PROXY}}),
        kubeadm(network={"environment": {"HTTPS_PROXY": "", "NO_PROXY": "x"}}),
    ):
        assert ids(look(Layer(quiet))) == []


def test_a_range_that_no_flag_names() -> None:
    """Then the API says where Services are: 10.96.0.1 is one of them."""
    for no_proxy, found in (("10.96.0.0/12", []), ("10.233.0.0/18", ["proxy-in-the-way"])):
        environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
        assert ids(look(Layer(kubeadm(network={"environment": environment})))) == found
    for no_proxy, found in (("10.96.0.0/12", "extension-silent"), (HERE, "proxy-in-the-way")):
        unstated = kubeadm(network={"environment": {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}})
        verdict = look(Layer(unstated, extension=failing(f"{CHECK}EOF")))
        assert ids(verdict) == [found]
    assert verdict.findings[0].fix.startswith("add 10.96.7.7 to NO_PROXY")


def test_the_case_of_pods_that_are_dialled() -> None:
    """As kubespray has it: NO_PROXY holds the Services, and a pod is dialled."""
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": f"{HERE},10.233.0.0/18"}
    flags = {"service-cluster-ip-range": "10.233.0.0/18", "enable-aggregator-routing": "true"}
    master = kubeadm(network={"environment": environment, "pods": ["10.233.64.0/18"]}, flags=flags)
    said = 'Get "https://10.233.123.16:8443/apis/g/v1": EOF'
    extension = failing(said, endpoints=["10.233.123.16:8443"], address="10.233.7.7")
    (found,) = look(Layer(master, extension=extension)).findings
    assert found.kind.id == "proxy-in-the-way" and found.fix.startswith("add 10.233.64.0/18 to NO_PROXY")
    # the message says what was dialled, whatever the flag is by now
    flags["enable-aggregator-routing"] = "false"
    (found,) = look(Layer(kubeadm(network=master.network, flags=flags), extension=extension)).findings
    assert found.kind.id == "proxy-in-the-way" and found.fix.startswith("add 10.233.64.0/18 to NO_PROXY")


def test_a_proxy_that_lets_through_is_no_finding() -> None:
    assert ids(look(Layer(proxied(), extension=Extension()))) == []


def test_a_proxy_whose_address_is_not_told() -> None:
    (found,) = look(Layer(kubeadm(network={"environment": {"HTTPS_PROXY": "hidden"}}, flags=RANGE))).findings
    assert "a proxy (HTTPS_PROXY)" in found.title


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("No agent available", "tunnel-without-agents"),
        ("dial timeout, backstop", "tunnel-without-agents"),
        ("dial timeout, context", "tunnel-without-agents"),
        ("tunnel is closed", "tunnel-without-agents"),
        ("dial closed", "tunnel-without-agents"),
        (
            "proxy error from /x.socket while dialing 10.96.7.7:443, code 500: 500 Internal Server Error",
            "tunnel-without-agents",
        ),
        ("proxy error from 127.0.0.1:8131 while dialing 10.96.7.7:443, code 503: 503", "tunnel-without-agents"),
        ("dial unix /x.socket: connect: connection refused", "tunnel-not-reached"),
        (
            'context deadline exceeded: connection error: desc = "transport: Error while dialing: dial unix /x: '
            'connect: no such file or directory"',
            "tunnel-not-reached",
        ),
        ("reading HTTP response from CONNECT to 10.96.7.7:443 via proxy /x failed: EOF", "tunnel-not-reached"),
        ("dial tcp 127.0.0.1:8131: connect: connection refused", "tunnel-not-reached"),
        ("dial tcp 10.96.7.7:443: connect: connection refused", "extension-silent"),
        ("dial tcp 192.0.2.50:8443: connect: connection refused", "extension-silent"),
        ("proxyconnect tcp: dial tcp 192.0.2.9:3128: connect: connection refused", "proxy-in-the-way"),
        ("context deadline exceeded", "extension-silent"),
        ("x509: certificate signed by unknown authority", "extension-certificate-not-trusted"),
    ],
)
def test_what_a_tunnel_says(message: str, kind: str) -> None:
    """The master itself reaches neither the Service nor its endpoint, and need not."""
    given = failing(f"{CHECK}{message}", address_error="timed out", endpoint_error="timed out")
    tunnelled = Layer(kubeadm(network=TUNNELLED, evidence=()), extension=given, kubernetes_error="timed out")
    verdict = look(tunnelled)
    assert ids(verdict) == [kind]
    if kind == "tunnel-without-agents":
        assert "konnectivity-agent" in verdict.findings[0].fix


def test_a_tunnel_to_addresses_of_version_6() -> None:
    message = "dial tcp [fd00::7]:443: connect: connection refused"
    for address, kind in (("fd00::7", "extension-silent"), ("fd00::8", "tunnel-not-reached")):
        given = failing(message, address=address, endpoints=["fd00:1::7:8443"], endpoint_error="timed out")
        assert ids(look(Layer(kubeadm(network=TUNNELLED), extension=given))) == [kind]


def test_a_healthy_tunnel_has_no_finding() -> None:
    master = kubeadm(network=TUNNELLED, evidence=())
    for extension in (None, Extension()):
        assert ids(look(Layer(master, extension=extension, kubernetes_error="timed out"))) == []


@pytest.mark.parametrize("cluster", ["direct", "none"])
def test_a_selector_without_a_tunnel_hides_nothing(cluster: str) -> None:
    network = {"egress": {"path": "/x", "cluster": cluster}}
    found = look(Layer(kubeadm(network=network, evidence=()), kubernetes_error="timed out"))
    assert ids(found) == ["no-route-to-services"]


def test_an_answer_through_the_master_shows_a_way_to_services() -> None:
    layer = Layer(kubeadm(evidence=()), extension=Extension(), kubernetes_error="timed out")
    assert ids(look(layer)) == []


def test_what_must_come_before_routing() -> None:
    """The fix of no-route-to-services would lead into the proxy."""
    layer = Layer(proxied(f"{HERE},10.96.0.0/12", pods=["10.244.0.0/16"]), kubernetes_error="timed out")
    layer.fake.evidence = ()
    (found,) = look(layer).findings
    assert found.kind.id == "no-route-to-services" and "add 10.244.0.0/16 to NO_PROXY first" in found.evidence[-1]


def test_a_smoke_test_that_a_proxy_swallows() -> None:
    """The fix is no firewall, and what was feared has come."""
    smoke = Smoke(BEGUN, failed("Forbidden"), ENDED)
    for layer, add in (
        (Layer(proxied()), "10.96.0.0/12"),
        (Layer(proxied("localhost", routes=True)), "192.0.2.1"),
    ):
        (found,) = look(replace(layer.seen(), smoke=smoke)).findings
        assert (found.kind.id, found.severity) == ("proxy-in-the-way", "broken")
        assert found.fix.startswith(f"add {add} to NO_PROXY")
    covered = look(replace(Layer(proxied(f"{HERE},10.96.0.0/12")).seen(), smoke=smoke))
    assert ids(covered) == ["smoke-test-not-reached"]
    silent = Smoke(BEGUN, failed(f"{CHECK}No agent available"), ENDED)
    tunnelled = look(replace(Layer(kubeadm(network=TUNNELLED, evidence=())).seen(), smoke=silent))
    assert ids(tunnelled) == ["tunnel-without-agents"]
