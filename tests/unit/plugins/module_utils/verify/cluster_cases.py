# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each finding of a cluster and its extension API servers, what causes it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.cases import NAMES, Cases
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Given,
    Layer,
    apiservice,
    replica,
    service,
    stuck,
)

CLUSTER_CASES = Cases()
case = CLUSTER_CASES.of


@case("masters-hold-different-cas")
def masters_hold_different_cas() -> t.Sequence[Given]:
    both = [make_ca(), make_ca("other")]
    return Layer(kubeadm("m1"), published=both), Layer(kubeadm("m2", ca="other"), published=both)


@case("bundles-differ")
def bundles_differ() -> t.Sequence[Given]:
    both = [make_ca(), make_ca("next", "next")]
    return Layer(kubeadm("m1"), published=both), Layer(kubeadm("m2").put_ca(*both), published=both)


@case("allowed-names-differ")
def allowed_names_differ() -> t.Sequence[Given]:
    names = ["front-proxy-client", "other"]
    wide = kubeadm("m2", flags={NAMES: ",".join(names)})
    return Layer(kubeadm("m1"), names=names), Layer(wide, names=names)


@case("nothing-published")
def nothing_published() -> t.Sequence[Given]:
    return (Layer(kubeadm(), published=[]),)


@case("ca-not-published")
def ca_not_published() -> t.Sequence[Given]:
    both = [make_ca(), make_ca("new", "new")]
    fake = kubeadm("m1").put_ca(*both[::-1]).put_pair(leaf_of(both[1], "new"))
    return (Layer(fake, published=both[:1]),)


@case("name-not-published")
def name_not_published() -> t.Sequence[Given]:
    fake = kubeadm(flags={NAMES: "front-proxy-client,aggregator"})
    return (Layer(fake.put_pair(make_leaf(common_name="aggregator"))),)


@case("header-not-published")
def header_not_published() -> t.Sequence[Given]:
    return (Layer(kubeadm(), headers={"requestheader-username-headers": "X-User"}),)


@case("ca-still-trusted")
def ca_still_trusted() -> t.Sequence[Given]:
    return (Layer(kubeadm(), published=[make_ca(), make_ca("old", "former")]),)


@case("name-still-allowed")
def name_still_allowed() -> t.Sequence[Given]:
    return (Layer(kubeadm(), names=["front-proxy-client", ""]),)


@case("api-not-readable")
def api_not_readable() -> t.Sequence[Given]:
    return (Layer(kubeadm(), readable=False),)


def extended(**how: t.Any) -> t.Sequence[Given]:
    return (Layer(kubeadm(evidence=how.pop("evidence", ("kube-proxy",))), extension=Extension(**how)),)


@case("extension-refuses-the-pair")
def extension_refuses_the_pair() -> t.Sequence[Given]:
    failed = apiservice(
        available="False",
        reason="FailedDiscoveryCheck",
        message="failing or missing response from https://192.0.2.50:8443/apis/wardle.example.com/v1alpha1: bad status "
        "from https://192.0.2.50:8443/apis/wardle.example.com/v1alpha1: 401",
    )
    return extended(status=503, body="service unavailable", each=failed)


@case("extension-forbids")
def extension_forbids() -> t.Sequence[Given]:
    return extended(status=403, body='{"message":"forbidden: User \\"system:kube-aggregator\\" cannot get path"}')


@case("extension-certificate-not-trusted")
def extension_certificate_not_trusted() -> t.Sequence[Given]:
    return extended(status=503, body="error trying to reach service: x509: certificate signed by unknown authority")


@case("service-address-silent")
def service_address_silent() -> t.Sequence[Given]:
    silent = service(address_error="timeout: timed out")
    failed = apiservice(
        available="False", reason="FailedDiscoveryCheck", message="Get https://10.96.7.7:443: context deadline exceeded"
    )
    return extended(status=503, body="service unavailable", each=failed, service=silent)


@case("extension-silent")
def extension_silent() -> t.Sequence[Given]:
    silent = service(address_error="refused", endpoint_error="refused")
    failed = apiservice(available="False", reason="FailedDiscoveryCheck", message="dial tcp: connection refused")
    return extended(status=503, body="service unavailable", each=failed, service=silent)


@case("extension-not-there")
def extension_not_there() -> t.Sequence[Given]:
    failed = apiservice(available="False", reason="ServiceNotFound", message="service/api is not present")
    return extended(status=503, body="service unavailable", each=failed, service=service(status=404, endpoints=[]))


@case("extension-fails")
def extension_fails() -> t.Sequence[Given]:
    return extended(status=500, body="something else")


@case("address-not-allowed")
def address_not_allowed() -> t.Sequence[Given]:
    failed = apiservice(
        available="False",
        reason="FailedDiscoveryCheck",
        message='failing or missing response from https://192.0.2.50:8443/apis/wardle.example.com/v1alpha1: Get "https:'
        '//192.0.2.50:8443/apis/wardle.example.com/v1alpha1": Address is not allowed',
    )
    return extended(status=503, body="service unavailable", each=failed)


@case("some-endpoints-fail")
def some_endpoints_fail() -> t.Sequence[Given]:
    return extended(service=service(replicas=[replica(1), replica(2, error="TimeoutError: timed out")]))


@case("apiservice-claimed-twice")
def apiservice_claimed_twice() -> t.Sequence[Given]:
    return extended(each=apiservice(applied="monitoring/prometheus-adapter"))


@case("discovery-stale")
def discovery_stale() -> t.Sequence[Given]:
    return (Layer(kubeadm(), extension=Extension(), around={"stale": ["wardle.example.com/v1alpha1"]}),)


@case("namespace-does-not-end")
def namespace_does_not_end() -> t.Sequence[Given]:
    return (Layer(kubeadm(), around={"stuck": [stuck("custom.metrics.k8s.io/v1beta1")]}),)


@case("metrics-v1-not-registered")
def metrics_v1_not_registered() -> t.Sequence[Given]:
    each = apiservice(name="v1beta1.metrics.k8s.io", group="metrics.k8s.io", version="v1beta1")
    through = {each["name"]: {"status": 200, "body": "", "error": None}}
    around = {"apiservices": [each], "through": through, "services": {"wardle/api": service()}}
    return (Layer(kubeadm(release="v1.37.2"), around=around),)


@case("peer-refuses-the-pair")
def peer_refuses_the_pair() -> t.Sequence[Given]:
    """Only one hands requests on, so only its pair must be known to the other one."""
    names = ["front-proxy-client", "other"]
    wide = kubeadm("m2", flags={NAMES: ",".join(names), "peer-ca-file": "/etc/kubernetes/pki/ca.crt"})
    wide.put_pair(make_leaf(common_name="other", owner="client m2"), "client m2")
    return Layer(kubeadm("m1"), names=names), Layer(wide, names=names)


@case("kubeadm-config-too-old")
def kubeadm_config_too_old() -> t.Sequence[Given]:
    return (Layer(kubeadm(release="v1.36.2"), around={"kubeadm_config": "v1beta3"}),)


@case("apiservice-seen-unavailable")
def apiservice_seen_unavailable() -> t.Sequence[Given]:
    return extended(unavailable=True)
