# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes that people meet: endpoints that fail, two products for one API, discovery, peers, kubeadm's configuration."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.causes import decode
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Verdict
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FakeMaster,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Facts,
    Layer,
    apiservice,
    ids,
    look,
    replica,
    service,
    stuck,
)

REFUSED = {"error": "ConnectionRefusedError: [Errno 111] Connection refused"}
AWAY = apiservice(available="False", reason="FailedDiscoveryCheck", message="dial tcp: connection refused")


@pytest.mark.parametrize(
    "replicas, expected",
    [
        ([], []),
        ([{}], []),
        ([{}, {}], []),
        ([{"status": 301}, {"status": 204}], []),
        ([{}, REFUSED], ["1 of 2"]),
        ([REFUSED, {}, {}], ["1 of 3"]),
        ([REFUSED, REFUSED, {}], ["2 of 3"]),
        ([{}, {"status": 401}], ["1 of 2"]),
        ([{}, {"status": 500}], ["1 of 2"]),
        ([{}, {"status": 404}], ["1 of 2"]),
        # none answers, though kube-apiserver is let through: by a way that this host does not have
        ([REFUSED], []),
        ([REFUSED, REFUSED], []),
    ],
)
def test_endpoints_of_which_only_some_answer(replicas: t.Sequence[Facts], expected: t.Sequence[str]) -> None:
    behind = service(replicas=[replica(number, **each) for number, each in enumerate(replicas, start=1)])
    found = look(Layer(kubeadm(), extension=Extension(service=behind))).findings
    assert [each.kind.id for each in found] == ["some-endpoints-fail"] * len(expected)
    assert all(text in each.evidence[0] for each, text in zip(found, expected))


def test_an_endpoint_that_fails_is_named_with_its_pod_and_node() -> None:
    behind = service(replicas=[replica(1), replica(2, **REFUSED), replica(3, status=500)])
    (found,) = look(Layer(kubeadm(), extension=Extension(service=behind))).findings
    assert "192.0.2.2:8443 (pod api-2, node w2, ConnectionRefusedError" in found.evidence[0]
    assert "192.0.2.3:8443 (pod api-3, node w3, HTTP 500)" in found.evidence[0]


@pytest.mark.parametrize("status, each", [(503, AWAY), (503, apiservice()), (401, apiservice()), (500, apiservice())])
def test_endpoints_that_fail_explain_that_the_apiservice_does(status: int, each: Facts) -> None:
    behind = service(replicas=[replica(1), replica(2, **REFUSED)])
    verdict = look(Layer(kubeadm(), extension=Extension(status=status, each=each, service=behind)))
    assert ids(verdict) == ["some-endpoints-fail"] and "which some-endpoints-fail explains" in verdict.notes[0]


def test_endpoints_that_fail_explain_no_other_service() -> None:
    other = apiservice(name="v1.other.example.com", group="other.example.com", version="v1")
    other["service"] = {"namespace": "other", "name": "api", "port": 443}
    around = {
        "apiservices": [apiservice(), other],
        "through": {
            each["name"]: {"status": status, "body": "", "error": None}
            for each, status in ((apiservice(), 200), (other, 500))
        },
        "services": {
            "wardle/api": service(replicas=[replica(1), replica(2, **REFUSED)]),
            "other/api": service(replicas=[replica(3, **REFUSED)]),
        },
    }
    assert ids(look(Layer(kubeadm(), around=around))) == ["some-endpoints-fail", "extension-fails"]


def test_what_one_master_does_not_reach_is_told_of_that_one() -> None:
    well, ill = (
        service(replicas=[replica(1), replica(2)]),
        service(replicas=[replica(1), replica(2, error="TimeoutError: timed out")]),
    )
    one, two = (Layer(kubeadm(name), extension=Extension(service=each)) for name, each in (("m1", well), ("m2", ill)))
    (found,) = look(one, two).findings
    assert found.hosts == ("m2",)


def test_behind_a_tunnel_this_host_tells_nothing_of_pods() -> None:
    behind = service(replicas=[replica(1), replica(2, **REFUSED)])
    fake = kubeadm(flags={"egress-selector-config-file": "/etc/kubernetes/konnectivity.yaml"})
    assert "some-endpoints-fail" not in ids(look(Layer(fake, extension=Extension(service=behind))))


@pytest.mark.parametrize(
    "no_proxy, found", [("", False), ("192.0.2.0/24", True), ("192.0.2.1,192.0.2.2", True), ("192.0.2.1", False)]
)
def test_behind_a_proxy_this_host_tells_nothing_of_pods(no_proxy: str, found: bool) -> None:
    behind = service(replicas=[replica(1), replica(2, **REFUSED)])
    environment = {"HTTPS_PROXY": "http://192.0.2.99:3128", "NO_PROXY": no_proxy}
    fake = kubeadm(network={"environment": environment})
    assert ("some-endpoints-fail" in ids(look(Layer(fake, extension=Extension(service=behind))))) == found


HELM = {"meta.helm.sh/release-name": "a", "meta.helm.sh/release-namespace": "monitoring"}
FLUX = {"kustomize.toolkit.fluxcd.io/name": "a", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
BOTH = {"manager": "helm", "operation": "Apply", "group": True, "service": True}
LOST = {"manager": "flux", "operation": "Apply", "group": True, "service": False}
TOOK = {"manager": "kubectl", "operation": "Apply", "group": False, "service": True}


def claimed(each: Facts, behind: Facts, providers: t.Sequence[Facts] = ()) -> Verdict:
    extension = Extension(each=apiservice(**each), service=service(**behind))
    return look(Layer(kubeadm(), extension=extension, around={"providers": list(providers)}))


@pytest.mark.parametrize(
    "each, behind, evidence",
    [
        ({"applied": "kube-system/metrics-server"}, {}, "kubectl apply was last given kube-system/metrics-server"),
        ({"applied": "wardle/other"}, {}, "kubectl apply was last given wardle/other"),
        ({"setters": [LOST, TOOK]}, {}, "flux applies it, and kubectl has set where it leads"),
        ({"setters": [LOST, BOTH]}, {}, "flux applies it, and helm has set where it leads"),
        ({"marks": HELM}, {"marks": {**HELM, "meta.helm.sh/release-name": "b"}}, "is monitoring/a, and that of"),
        ({"marks": HELM}, {"marks": {**HELM, "meta.helm.sh/release-namespace": "b"}}, "and that of wardle/api is b/a"),
        ({"marks": FLUX}, {"marks": {**FLUX, "kustomize.toolkit.fluxcd.io/name": "b"}}, "the Flux kustomization"),
        (
            {"marks": {"app.kubernetes.io/instance": "keda"}},
            {"marks": {"app.kubernetes.io/instance": "datadog"}},
            "the instance of the APIService is keda",
        ),
        ({"marks": {"k8s-app": "metrics-server"}}, {"marks": {"k8s-app": "adapter"}}, "the addon of the APIService"),
        (
            {"marks": {"argocd.argoproj.io/instance": "a"}},
            {"marks": {"argocd.argoproj.io/instance": "b"}},
            "the Argo CD application of the APIService is a",
        ),
        ({"applied": "a/b", "setters": [LOST, TOOK]}, {}, "kubectl apply was last given a/b"),
    ],
)
def test_two_that_claim_an_apiservice(each: Facts, behind: Facts, evidence: str) -> None:
    (found,) = claimed(each, behind).findings
    assert found.kind.id == "apiservice-claimed-twice" and evidence in found.evidence[0]
    assert found.hosts == () and found.fix.startswith("decide who is to serve ")


@pytest.mark.parametrize(
    "each, behind",
    [
        ({"applied": "wardle/api"}, {}),
        ({"setters": [BOTH]}, {}),
        # two who say the same
        ({"setters": [BOTH, {**BOTH, "manager": "flux"}]}, {}),
        # who made it with create, and who changed it by hand: no claim of two that deploy
        ({"setters": [{**LOST, "operation": "Update"}, {**TOOK, "operation": "Update"}]}, {}),
        ({"setters": [LOST]}, {}),
        ({"marks": HELM}, {"marks": HELM}),
        ({"marks": HELM}, {}),
        ({}, {"marks": HELM}),
        # KEDA's chart
        (
            {"marks": {**HELM, "app.kubernetes.io/name": "v1beta1.external.metrics.k8s.io"}},
            {"marks": {**HELM, "app.kubernetes.io/name": "keda-operator-metrics-apiserver"}},
        ),
        ({"marks": {"app.kubernetes.io/managed-by": "Helm"}}, {"marks": {"app.kubernetes.io/managed-by": "x"}}),
        # what is said of a Service that could not be read
        ({"marks": HELM}, {"status": 403, "marks": {**HELM, "meta.helm.sh/release-name": "b"}}),
    ],
)
def test_what_is_no_claim_of_two(each: Facts, behind: Facts) -> None:
    assert ids(claimed(each, behind)) == []


def provider(name: str, *, label: str = "app.kubernetes.io/name", ready: bool = True) -> Facts:
    return {"namespace": "other", "name": name, "marks": {label: name}, "ready": ready}


def metrics(group: str) -> Facts:
    return {"group": f"{group}metrics.k8s.io", "version": "v1beta1"}


KEDA = "keda-operator-metrics-apiserver"


@pytest.mark.parametrize(
    "group, product, given, found",
    [
        ("", "prometheus-adapter", provider("metrics-server"), True),
        ("", "prometheus-adapter", provider("metrics-server", label="k8s-app"), True),
        ("external.", "datadog", provider(KEDA), True),
        ("external.", "datadog", provider(KEDA, label="app"), True),
        ("external.", "datadog", provider("custom-metrics-stackdriver-adapter", label="k8s-app"), True),
        ("custom.", "custom-metrics-stackdriver-adapter", provider("prometheus-adapter"), True),
        # nobody is behind it
        ("", "prometheus-adapter", provider("metrics-server", ready=False), False),
        # it serves other metrics
        ("", "metrics-server", provider("prometheus-adapter"), False),
        ("custom.", "prometheus-adapter", provider("metrics-server"), False),
        ("custom.", "prometheus-adapter", provider(KEDA), False),
        ("external.", KEDA, provider("prometheus-adapter"), False),
        # another Service of the same product
        ("", "metrics-server", provider("metrics-server"), False),
        ("external.", KEDA, provider(KEDA), False),
    ],
)
def test_another_product_that_runs(group: str, product: str, given: Facts, found: bool) -> None:
    marks = {next(iter(given["marks"])): product}
    assert ids(claimed(metrics(group), {"marks": marks}, [given])) == ["apiservice-claimed-twice"] * found


@pytest.mark.parametrize(
    "text",
    [
        'failing or missing response from https://192.0.2.1:6443/apis/a/v1: Get "https://192.0.2.1:6443": Address is '
        "not allowed",
        "error trying to reach service: Address is not allowed",
        "address is not allowed",
        "Address not allowed",
        "address not allowed",
    ],
)
def test_an_address_that_is_not_allowed(text: str) -> None:
    for status in (503, 500, None):
        assert decode(status, text).kind.id == "address-not-allowed"


@pytest.mark.parametrize(
    "text", ["Forbidden", "the user is not allowed", "dial tcp 192.0.2.1:443: i/o timeout", "not allowed", ""]
)
def test_what_says_something_else(text: str) -> None:
    assert decode(503, text).kind.id != "address-not-allowed"


OWN, OTHER = "wardle.example.com/v1alpha1", "custom.metrics.k8s.io/v1beta1"


@pytest.mark.parametrize(
    "status, stale, ending, expected, told",
    [
        (200, [], [], [], False),
        (500, [], [OWN], ["extension-fails"], True),
        (500, [], [OWN, OTHER], ["extension-fails"], True),
        (500, [], [OTHER], ["extension-fails", "namespace-does-not-end"], False),
        # one that is named like it
        (500, [], ["wardle.example.com/v1alpha11"], ["extension-fails", "namespace-does-not-end"], False),
        (500, [], ["my.wardle.example.com/v1alpha1"], ["extension-fails", "namespace-does-not-end"], False),
        (200, [], [OWN], ["namespace-does-not-end"], False),
        (200, [], [OTHER], ["namespace-does-not-end"], False),
        (200, [OWN], [], ["discovery-stale"], False),
        (200, [OWN], [OWN], ["discovery-stale"], True),
        (200, [OTHER], [], [], False),
        # where it does not answer, that is the finding
        (500, [OWN], [], ["extension-fails"], False),
    ],
)
def test_what_cannot_be_discovered(
    status: int, stale: t.Sequence[str], ending: t.Sequence[str], expected: t.Sequence[str], told: bool
) -> None:
    around = {"stale": list(stale), "stuck": [stuck(*ending)] if ending else []}
    verdict = look(Layer(kubeadm(), extension=Extension(status=status), around=around))
    assert ids(verdict) == expected
    said = [each for found in verdict.findings[:1] for each in found.evidence if "the namespace old ends since" in each]
    assert bool(said and expected[0] != "namespace-does-not-end") == told


def test_many_namespaces_are_not_all_told() -> None:
    around = {"stuck": [stuck(OWN, namespace=f"n{number}") for number in range(9)]}
    (found,) = look(Layer(kubeadm(), extension=Extension(status=500), around=around)).findings
    assert found.evidence[-1] == "and 4 more" and "n4" in found.evidence[-2]


def registered(*names: str, release: str = "v1.37.2") -> Layer:
    apiservices = []
    for name in names:
        version, dummy, group = name.partition(".")
        apiservices.append(apiservice(name=name, group=group, version=version))
    through = {name: {"status": 200, "body": "", "error": None} for name in names}
    around = {"apiservices": apiservices, "through": through, "services": {"wardle/api": service()}}
    return Layer(kubeadm(release=release), around=around)


OLD, NEW = "v1beta1.metrics.k8s.io", "v1.metrics.k8s.io"


@pytest.mark.parametrize(
    "names, release, found",
    [
        ((OLD,), "v1.37.0", True),
        ((OLD,), "v1.37.2", True),
        ((OLD,), "v1.38.1", True),
        ((OLD, "v1beta1.custom.metrics.k8s.io"), "v1.37.2", True),
        ((OLD, "v1.custom.metrics.k8s.io"), "v1.37.2", True),
        ((OLD, NEW), "v1.37.2", False),
        ((NEW,), "v1.37.2", False),
        ((OLD,), "v1.36.9", False),
        ((OLD,), "v1.20.2", False),
        ((), "v1.37.2", False),
        (("v1beta1.custom.metrics.k8s.io",), "v1.37.2", False),
    ],
)
def test_metrics_of_a_version_that_is_not_registered(names: t.Sequence[str], release: str, found: bool) -> None:
    assert ids(look(registered(*names, release=release))) == ["metrics-v1-not-registered"] * found


def peer(name: str, common_name: str, allowed: t.Optional[str], *, asks: bool) -> FakeMaster:
    flags = {"requestheader-allowed-names": allowed, "peer-ca-file": "/etc/kubernetes/pki/ca.crt" if asks else None}
    fake = kubeadm(name, flags=flags)
    return fake.put_pair(make_leaf(common_name=common_name, owner=f"client {name}"), f"client {name}")


@pytest.mark.parametrize(
    "masters, hosts",
    [
        ([("a", "a", True), ("a", "a", True)], ()),
        ([("a", "a,b", True), ("b", "a,b", True)], ()),
        ([("a", "a", True), ("b", "b", True)], ("m1", "m2")),
        ([("a", "a", True), ("b", "b", False)], ("m1",)),
        ([("a", "a", False), ("b", "b", True)], ("m2",)),
        ([("a", "a", False), ("b", "b", False)], ()),
        ([("a", "a", True), ("b", None, True)], ("m2",)),
        ([("a", None, True), ("b", None, True)], ()),
        ([("a", "a", True), ("a", "a", True), ("b", "a,b", True)], ("m3",)),
        ([("a", "a", True), ("a", "b,a", True), ("b", "a,b", True)], ("m3",)),
        # its own master refuses it
        ([("b", "a", True), ("a", "a", True)], ()),
    ],
)
def test_peers_that_refuse_each_others_pairs(
    masters: t.Sequence[t.Tuple[str, t.Optional[str], bool]], hosts: t.Sequence[str]
) -> None:
    layers = [
        Layer(peer(f"m{number}", name, allowed, asks=asks), names=["a", "b"])
        for number, (name, allowed, asks) in enumerate(masters, start=1)
    ]
    verdict = look(*layers)
    found = [each for each in verdict.findings if each.kind.id == "peer-refuses-the-pair"]
    assert [each.hosts for each in found] == [tuple(hosts)] * bool(hosts)
    if found:
        assert '["a", "b"]' in found[0].fix
        assert "allowed-names-differ" not in ids(verdict)


def test_different_cas_explain_peers_that_refuse_each_other() -> None:
    both = [make_ca(), make_ca("other")]
    flags = {"peer-ca-file": "/etc/kubernetes/pki/ca.crt"}
    one, two = kubeadm("m1", flags=flags), kubeadm("m2", ca="other", flags=flags)
    verdict = look(Layer(one, published=both), Layer(two, published=both))
    assert ids(verdict) == ["masters-hold-different-cas"]
    assert "[peer-refuses-the-pair], which masters-hold-different-cas explains" in verdict.notes[0]


@pytest.mark.parametrize(
    "version, release, target, expected",
    [
        # kubeadm upgrade migrates it on the way
        ("v1beta2", "v1.20.2", "", None),
        ("v1beta2", "v1.20.2", "1.26", None),
        ("v1beta2", "v1.20.2", "1.27", "broken"),
        ("v1beta2", "v1.20.2", "1.37", "broken"),
        ("v1beta3", "v1.30.1", "", None),
        ("v1beta3", "v1.30.1", "1.36", None),
        ("v1beta3", "v1.30.1", "1.37", "broken"),
        # it was not asked to: the programs were replaced by hand
        ("v1beta3", "v1.31.0", "", "will_break"),
        ("v1beta3", "v1.36.2", "", "will_break"),
        ("v1beta3", "v1.36.2", "1.36", None),
        ("v1beta3", "v1.36.2", "1.37", "broken"),
        ("v1beta2", "v1.24.0", "", "will_break"),
        # it cannot any more
        ("v1beta3", "v1.37.2", "", "at_risk"),
        ("v1beta2", "v1.30.0", "", "at_risk"),
        ("v1beta1", "v1.37.2", "", "at_risk"),
        # right, or nobody knows
        ("v1beta4", "v1.37.2", "", None),
        ("v1beta4", "v1.36.2", "1.38", None),
        ("v1", "v1.37.2", "", None),
        (None, "v1.37.2", "1.38", None),
    ],
)
def test_a_configuration_that_kubeadm_no_longer_reads(
    version: t.Optional[str], release: str, target: str, expected: t.Optional[str]
) -> None:
    verdict = look(Layer(kubeadm(release=release), around={"kubeadm_config": version}), target_release=target)
    assert [(found.kind.id, found.severity) for found in verdict.findings] == [
        ("kubeadm-config-too-old", expected)
    ] * bool(expected)


def test_the_fix_names_who_can_migrate_it() -> None:
    layer = Layer(kubeadm(release="v1.36.2"), around={"kubeadm_config": "v1beta3"})
    (found,) = look(layer).findings
    assert found.when == "1.37" and found.fix.endswith("  # with kubeadm 1.31 to 1.36")
    assert "kubeadm config migrate --old-config=" in found.fix and "upload-config kubeadm" in found.fix
