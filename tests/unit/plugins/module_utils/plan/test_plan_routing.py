# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether routing is switched on: never on one sample, and never through a proxy that does not know the pods."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.flags import Flags, wanted_flags
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.names import ClusterNames
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FakeMaster,
    kubeadm,
    master,
    sentence,
)

ROUTING = "enable-aggregator-routing"
PROXY = {"HTTPS_PROXY": "http://proxy.example.com:3128"}
SERVICES = "127.0.0.1,localhost,192.0.2.0/24,10.96.0.0/12"
RANGE = {"service-cluster-ip-range": "10.96.0.0/12"}
ANSWERS = {"address": "10.96.0.1:443", "error": None}


def decide(given: FakeMaster, routing: str = "auto") -> Flags:
    return wanted_flags(given.read(), Wish(routing=routing), ClusterNames("front-proxy-client"))


def without_routers(**network: t.Any) -> FakeMaster:
    return kubeadm(evidence=(), network=network, flags=RANGE)


def bare(**network: t.Any) -> FakeMaster:
    return master(evidence=(), network=network, flags=RANGE)


def stopped(**network: t.Any) -> FakeMaster:
    return kubeadm(evidence=(), answers=False, network=network, flags=RANGE)


def behind_a_proxy(no_proxy: str, **network: t.Any) -> FakeMaster:
    return without_routers(environment={**PROXY, "NO_PROXY": no_proxy}, **network)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        # nothing to look with, or one sample only, on a master that is configured and works
        (without_routers(traces=False, api=False), "configured and works"),
        (without_routers(service_address=None), "configured and works"),
        (without_routers(traces=False, service_address=None), "configured and works"),
        (without_routers(traces=False, api=False, service_address=None), "configured and works"),
        # what this collection saw before
        (without_routers(left_unset="2026-11-22T02:03:04Z"), "2026-11-22T02:03:04Z"),
        # one that is configured and does not serve just now
        (stopped(traces=False, api=False, service_address=None), "neither iptables-save nor nft"),
        (stopped(traces=False, api=False, service_address=None, pods=["10.244.0.0/16"]), "neither iptables-save nor"),
    ],
)
def test_too_little_was_seen(given: FakeMaster, words: str) -> None:
    flags = decide(given)
    assert ROUTING not in flags.values and words in flags.routing and flags.routing.startswith("left unset: ")
    assert not any(ROUTING in reason for reason in flags.reasons)
    (warning,) = flags.warnings
    sentence(warning, f"--{ROUTING} stays unset", words, "set front_proxy_aggregator_routing to true")
    assert decide(given, "true").values[ROUTING] == "true"


@pytest.mark.parametrize(
    "given",
    [
        without_routers(),
        without_routers(traces=False),
        without_routers(api=False),
        bare(),
        bare(traces=False),
        bare(service_address=None),
        bare(traces=False, service_address=None),
        bare(traces=False, api=False, service_address=None),
        kubeadm(evidence=(), answers=False, network={"service_address": None, "api": False}),
    ],
)
def test_enough_was_seen(given: FakeMaster) -> None:
    flags = decide(given)
    assert flags.values[ROUTING] == "true" and flags.warnings == ()


def test_what_does_not_answer_is_named() -> None:
    assert "the Service kubernetes (10.96.0.1:443) does not answer from here" in decide(without_routers()).routing


@pytest.mark.parametrize(
    ("no_proxy", "network", "words"),
    [
        # the case: Services are covered, and pods are not
        (SERVICES, {}, "covers the Services but not the pods (their network is not known here)"),
        (SERVICES, {"pods": ["10.244.0.0/16"]}, "covers the Services but not the pods (10.244.0.0/16)"),
        (f"{SERVICES},10.244.0.0/17", {"pods": ["10.244.0.0/16"]}, "but not the pods"),
        (f"{SERVICES},10.244.0.0/16", {"pods": ["10.244.0.0/16", "fd00:1::/64"]}, "but not the pods"),
        (f"{SERVICES},10.244.0.0/16", {}, "but not the pods"),
        ("localhost", {"pods": ["10.244.0.0/16"]}, "covers neither the Services nor the pods"),
        ("", {}, "covers neither the Services nor the pods"),
        (".svc,.cluster.local,example.com", {}, "covers neither the Services nor the pods"),
        ("10.96.0.0/13,10.104.0.0/13", {}, "covers the Services but not the pods"),
        ("10.96.0.1", {}, "covers neither"),
    ],
)
def test_a_proxy_before_the_pods(no_proxy: str, network: t.Mapping[str, t.Any], words: str) -> None:
    flags = decide(behind_a_proxy(no_proxy, **network))
    assert ROUTING not in flags.values and flags.routing.startswith("left unset: ") and words in flags.routing
    (warning,) = flags.warnings
    sentence(warning, words, "http://proxy.example.com:3128", "add the pods' network to NO_PROXY")


def test_a_proxy_and_services_whose_range_no_flag_names() -> None:
    environment = {**PROXY, "NO_PROXY": "127.0.0.1,localhost,10.233.0.0/18"}
    flags = decide(kubeadm(evidence=(), env=environment))
    assert ROUTING not in flags.values and "NO_PROXY does not cover the pods" in flags.routing


@pytest.mark.parametrize(
    ("no_proxy", "network"),
    [
        (f"{SERVICES},10.244.0.0/16", {"pods": ["10.244.0.0/16"]}),
        ("10.0.0.0/8", {"pods": ["10.244.0.0/16"]}),
        ("10.244.0.0/17,10.244.128.0/17", {"pods": ["10.244.0.0/16"]}),
        ("*", {}),
        ("localhost,*", {}),
    ],
)
def test_a_proxy_that_is_not_before_the_pods(no_proxy: str, network: t.Mapping[str, t.Any]) -> None:
    flags = decide(behind_a_proxy(no_proxy, **network))
    assert flags.values[ROUTING] == "true" and flags.warnings == ()


def test_variables_that_name_no_proxy_for_this() -> None:
    for environment in ({"HTTP_PROXY": "http://proxy:1"}, {"HTTPS_PROXY": ""}, {"NO_PROXY": "x"}):
        assert decide(without_routers(environment=environment)).values[ROUTING] == "true"
    old = kubeadm(evidence=(), release="v1.20.2", network={"environment": {"HTTP_PROXY": "http://proxy:1"}})
    assert ROUTING not in decide(old).values


def test_the_manifest_says_what_comes() -> None:
    """What stands there counts above what the running server has."""
    written = kubeadm(evidence=(), env={**PROXY, "NO_PROXY": SERVICES}, flags=RANGE)
    assert ROUTING not in decide(written).values
    cleared = kubeadm(evidence=(), env={"HTTPS_PROXY": ""}, network={"environment": PROXY})
    assert decide(cleared).values[ROUTING] == "true"
    secret = kubeadm(evidence=(), env={"HTTPS_PROXY": "http://me:hunter2@proxy:1"})
    assert "hunter2" not in str(decide(secret)) and "http://proxy:1" in decide(secret).routing


def test_variables_that_cannot_be_read() -> None:
    stopped = kubeadm(evidence=(), running=False, flags=RANGE)
    stopped.text = stopped.text.replace("    image:", "    envFrom:\n    - configMapRef: {name: proxies}\n    image:")
    flags = decide(stopped)
    assert ROUTING not in flags.values
    sentence(flags.warnings[0], "envFrom of the manifest may name a proxy", "set front_proxy_aggregator_routing")


def test_routing_that_is_asked_for_is_warned_of() -> None:
    flags = decide(behind_a_proxy(SERVICES, pods=["10.244.0.0/16"]), "true")
    assert flags.values[ROUTING] == "true"
    sentence(flags.warnings[0], "10.244.0.0/16", "add the pods' network to NO_PROXY")
    assert decide(behind_a_proxy(f"{SERVICES},10.244.0.0/16", pods=["10.244.0.0/16"]), "true").warnings == ()


@pytest.mark.parametrize(
    ("egress", "value"),
    [
        ({"path": "/etc/egress.yaml", "cluster": "tunnel"}, None),
        ({"path": "/etc/egress.yaml", "cluster": "unknown"}, None),
        ({"path": "/etc/egress.yaml", "cluster": "direct"}, "true"),
        ({"path": "/etc/egress.yaml", "cluster": "none"}, "true"),
        (None, "true"),
    ],
)
def test_a_tunnel_needs_no_routing(egress: t.Optional[t.Mapping[str, str]], value: t.Optional[str]) -> None:
    flags = decide(without_routers(egress=egress))
    assert flags.values.get(ROUTING) == value
    assert ("/etc/egress.yaml" in flags.routing) is (value is None)


def test_a_tunnel_of_the_manifest() -> None:
    flags = decide(kubeadm(evidence=(), flags={"egress-selector-config-file": "/etc/egress.yaml"}))
    assert ROUTING not in flags.values and "/etc/egress.yaml" in flags.routing


@pytest.mark.parametrize("routing", ["true", "True", "1"])
def test_what_is_true_stays(routing: str) -> None:
    for network in ({"environment": PROXY}, {"traces": False, "api": False}, {"left_unset": "2026-11-22T02:03:04Z"}):
        found = decide(kubeadm(evidence=(), network=network, flags={ROUTING: routing}))
        assert found.values[ROUTING] == routing and found.reasons == ()


def test_what_answers_is_evidence() -> None:
    said = "the Service kubernetes (10.96.0.1:443) answers from here"
    found = decide(kubeadm(evidence=(said,), network={"service_address": ANSWERS}))
    assert ROUTING not in found.values and found.routing == f"left unset: {said}"


def test_below_a_root_nothing_is_known() -> None:
    assert "cannot be seen below a root" in decide(support.kubeadm(root="/sandbox")).routing
