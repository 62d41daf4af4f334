# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masters before which a proxy or a tunnel stands, and one case for each finding of that kind."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FakeMaster,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.cases import Cases
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Given,
    Layer,
    apiservice,
    service,
)

WAY_CASES = Cases()
case = WAY_CASES.of

PROXY = "http://proxy.example.com:3128"
HERE = "127.0.0.1,localhost,192.0.2.0/24"
RANGE = {"service-cluster-ip-range": "10.96.0.0/12"}
TUNNELLED = {"egress": {"path": "/etc/kubernetes/egress.yaml", "cluster": "tunnel"}}
URL = "https://10.96.7.7:443/apis/wardle.example.com/v1alpha1"
CHECK = f'failing or missing response from {URL}: Get "{URL}": '


def proxied(no_proxy: str = HERE, *, name: str = "m1", routes: bool = False, **more: t.Any) -> FakeMaster:
    environment = {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}
    flags = {**RANGE, "enable-aggregator-routing": "true" if routes else None}
    return kubeadm(name, network={"environment": environment, **more}, flags=flags)


def failing(message: str, body: str = "service unavailable", **of_service: t.Any) -> Extension:
    """One whose check failed so, and which the master itself reaches."""
    failed = apiservice(available="False", reason="FailedDiscoveryCheck", message=message)
    return Extension(503, body, each=failed, service=service(**of_service))


@case("proxy-in-the-way")
def proxy_in_the_way() -> t.Sequence[Given]:
    return (Layer(proxied(), extension=failing(f"{CHECK}EOF")),)


@case("tunnel-without-agents")
def tunnel_without_agents() -> t.Sequence[Given]:
    silent = failing(f"{CHECK}No agent available", address_error="timed out", endpoint_error="timed out")
    return (Layer(kubeadm(network=TUNNELLED, evidence=()), extension=silent, kubernetes_error="timed out"),)


@case("tunnel-not-reached")
def tunnel_not_reached() -> t.Sequence[Given]:
    said = f"{CHECK}dial unix /etc/kubernetes/konnectivity-server.socket: connect: no such file or directory"
    return (Layer(kubeadm(network=TUNNELLED), extension=failing(said)),)
