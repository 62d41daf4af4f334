# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master reads of an APIService's makers, of endpoints one by one, and of the cluster around them."""

from __future__ import annotations

import json
import socket
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import ApiService
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import around, claims
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Answer
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.endpoints import endpoints_of
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.login import Login
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.replicas import ask_replicas
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support

APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
SPEC = {"service": {"namespace": "kube-system", "name": "metrics-server"}}


@pytest.mark.parametrize(
    "applied, service",
    [
        ({"spec": SPEC}, "kube-system/metrics-server"),
        ({"spec": {**SPEC, "group": "metrics.k8s.io"}, "kind": "APIService"}, "kube-system/metrics-server"),
        ({"spec": {"service": None}}, None),
        ({"spec": {}}, None),
        ({"spec": None}, None),
        ({"spec": {"service": {"name": "a"}}}, None),
        ([], None),
        ("x", None),
        (None, None),
    ],
)
def test_what_kubectl_was_given(applied: t.Any, service: t.Optional[str]) -> None:
    assert claims.applied_service({"annotations": {APPLIED: json.dumps(applied)}}) == service


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "nul"])
def test_what_kubectl_was_given_may_be_no_json(text: str) -> None:
    assert claims.applied_service({"annotations": {APPLIED: text}}) is None
    assert claims.applied_service({"annotations": None}) is None and claims.applied_service({}) is None


def test_only_marks_are_told() -> None:
    metadata = {
        "labels": {"k8s-app": "metrics-server", "password": "x"},
        "annotations": {"meta.helm.sh/release-name": "m", "other": "y"},
    }
    assert claims.marks_of(metadata) == {"k8s-app": "metrics-server", "meta.helm.sh/release-name": "m"}
    assert claims.marks_of({}) == {} and len(claims.marks_of({"labels": {"app": "x" * 5000}})["app"]) == 500


def entry(manager: str, *, operation: str = "Apply", subresource: str = "", **spec: t.Any) -> t.Dict[str, t.Any]:
    """An entry of managedFields. spec: the fields of the spec that it holds."""
    found = {"manager": manager, "operation": operation, "fieldsV1": {"f:spec": spec}}
    return {**found, "subresource": subresource} if subresource else found


NAMED = {"f:service": {"f:name": {}, "f:namespace": {}}}


@pytest.mark.parametrize(
    "entries, found",
    [
        ([entry("a", **{"f:group": {}, **NAMED})], [("a", True, True)]),
        ([entry("a", **{"f:group": {}}), entry("b", **NAMED)], [("a", True, False), ("b", False, True)]),
        ([entry("a", **{"f:service": {"f:name": {}}})], [("a", False, True)]),
        ([entry("a", **{"f:service": {"f:namespace": {}}})], [("a", False, True)]),
        # a port or a CA is no place
        ([entry("a", **{"f:service": {"f:port": {}}})], []),
        ([entry("cainjector", operation="Update", **{"f:caBundle": {}})], []),
        # nor is the condition, which kube-apiserver writes
        ([entry("kube-apiserver", subresource="status", **{"f:group": {}})], []),
        ([{"manager": "a"}], []),
        ([{"manager": None, "fieldsV1": None}], []),
        ([], []),
    ],
)
def test_who_wrote_it(entries: t.Any, found: t.Any) -> None:
    setters = claims.setters_of({"managedFields": entries})
    assert [(each["manager"], each["group"], each["service"]) for each in setters] == found


def answers(known: t.Mapping[str, t.Any]) -> t.Callable[..., Answer]:
    """A kube-apiserver: by the beginning of a path what it tells."""

    def get(path: str, **_more: t.Any) -> Answer:
        found = next((value for start, value in known.items() if path.startswith(start)), None)
        return Answer(404, "not found", None) if found is None else Answer(200, json.dumps(found), None)

    return get


def test_products_are_looked_for_where_there_are_apis_of_metrics() -> None:
    service = {
        "metadata": {"namespace": "kube-system", "name": "metrics-server", "labels": {"k8s-app": "metrics-server"}},
        "spec": {"ports": [{"port": 443, "name": "https"}]},
    }
    slices = {"endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 4443, "name": "https"}]}
    paths = {
        "/api/v1/services?limit=100&labelSelector=k8s-app": {"items": [service]},
        "/apis/discovery.k8s.io/v1/namespaces/kube-system": {"items": [slices]},
    }
    metrics: t.Any = {"group": "metrics.k8s.io"}
    (found,) = claims.read_providers(answers(paths), [metrics])
    assert (found["namespace"], found["name"], found["ready"]) == ("kube-system", "metrics-server", True)
    other: t.Any = {"group": "wardle.example.com"}
    assert claims.read_providers(answers(paths), [other]) == []
    # nobody behind it
    del paths["/apis/discovery.k8s.io/v1/namespaces/kube-system"]
    assert not claims.read_providers(answers(paths), [metrics])[0]["ready"]


@pytest.mark.parametrize(
    "document, name, found",
    [
        ({"endpoints": [{"addresses": ["192.0.2.1", "192.0.2.9"]}], "ports": [{"port": 1}]}, "", [("192.0.2.1", 1)]),
        ({"endpoints": [{"addresses": ["192.0.2.1"]}], "ports": [{"port": 1, "name": "a"}]}, "", []),
        (
            {
                "endpoints": [{"addresses": ["192.0.2.1"]}],
                "ports": [{"port": 1, "name": "a"}, {"port": 2, "name": "b"}],
            },
            "b",
            [("192.0.2.1", 2)],
        ),
        ({"endpoints": [{"addresses": ["a"], "conditions": {"ready": False}}], "ports": [{"port": 1}]}, "", []),
        ({"endpoints": [{"addresses": ["a"], "conditions": {"ready": None}}], "ports": [{"port": 1}]}, "", [("a", 1)]),
        ({"endpoints": [{"addresses": []}], "ports": [{"port": 1}]}, "", []),
        ({"endpoints": [{"addresses": ["a"]}], "ports": [{"name": "", "port": None}]}, "", []),
        ({"endpoints": None, "ports": None}, "", []),
        ({"subsets": [{"addresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}]}, "", [("192.0.2.1", 1)]),
        ({"subsets": [{"notReadyAddresses": [{"ip": "192.0.2.1"}], "ports": [{"port": 1}]}]}, "", []),
        ({}, "", []),
    ],
)
def test_endpoints_of_one_port(document: t.Any, name: str, found: t.Any) -> None:
    assert [(each.address, each.port) for each in endpoints_of(document, name)] == found


def test_an_endpoint_tells_its_pod_and_node() -> None:
    target = {"kind": "Pod", "name": "api-0"}
    slice_ = {
        "endpoints": [{"addresses": ["192.0.2.1"], "nodeName": "w1", "targetRef": target}],
        "ports": [{"port": 1}],
    }
    (found,) = endpoints_of(slice_, "")
    assert (found.pod, found.node) == ("api-0", "w1")
    slice_["endpoints"][0]["targetRef"] = {"kind": "Node", "name": "w1"}
    assert endpoints_of(slice_, "")[0].pod == ""


EACH = t.cast(
    ApiService, {"group": "a.b", "version": "v1", "service": {"namespace": "ext", "name": "api", "port": 443}}
)
PORTS = {"ports": [{"port": 443, "targetPort": 1}]}


def test_each_endpoint_is_asked_as_kube_apiserver_asks(tmp_path: t.Any) -> None:
    made = support.generation("new")
    server = machine.Server(made)
    for end, content in (("crt", made.certificate), ("key", made.key)):
        (tmp_path / f"pair.{end}").write_bytes(content)
    login = Login("x", str(tmp_path / "pair.crt"), str(tmp_path / "pair.key"), headers={"X-Remote-User": "x"})
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # and nobody listens
        ports = (server.port, held.getsockname()[1])
        slices = [{"endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": port}]} for port in ports]
        well, ill = ask_replicas(PORTS, slices, EACH, login)
    server.close()
    assert server.asked == [("/apis/a.b/v1", "x")]
    assert well["status"] == 200 and well["error"] is None
    assert ill["status"] is None and "ConnectionRefusedError" in str(ill["error"])


def test_nobody_elses_credentials_are_shown_to_endpoints() -> None:
    slices = [{"endpoints": [{"addresses": ["127.0.0.1"]}], "ports": [{"port": 1}]}]
    assert ask_replicas(PORTS, slices, EACH, None) == []
    # the Service has no such port
    assert ask_replicas({"ports": []}, slices, EACH, Login("x")) == []
    gone = Login("x", "/none/crt", "/none/key")
    (found,) = ask_replicas(PORTS, slices, EACH, gone)
    assert found["error"] == "the pair does not load (FileNotFoundError)" and found["status"] is None
    many = [{"endpoints": [{"addresses": [f"127.0.0.{number}"]} for number in range(1, 99)], "ports": [{"port": 1}]}]
    assert len(ask_replicas(PORTS, many, EACH, gone)) == 16


@pytest.mark.parametrize(
    "text, version",
    [
        ("apiServer: {}\napiVersion: kubeadm.k8s.io/v1beta3\nkind: ClusterConfiguration\n", "v1beta3"),
        ("apiVersion: kubeadm.k8s.io/v1beta4\n", "v1beta4"),
        ("apiVersion: 'kubeadm.k8s.io/v1beta2'\n", "v1beta2"),
        ('apiVersion: "kubeadm.k8s.io/v1alpha3"  \n', "v1alpha3"),
        ("apiVersion:   kubeadm.k8s.io/v1\r\n", "v1"),
        ('{\n"apiVersion": "kubeadm.k8s.io/v1beta3",\n"kind": "x"}', "v1beta3"),
        # of something within it
        ("scheduler:\n  apiVersion: kubeadm.k8s.io/v1beta1\n", None),
        ("apiVersion: other.k8s.io/v1beta3\n", None),
        ("apiVersion: kubeadm.k8s.io/V1; reboot\n", None),
        ("", None),
        (None, None),
    ],
)
def test_the_version_of_kubeadms_configuration(text: t.Optional[str], version: t.Optional[str]) -> None:
    path = "/api/v1/namespaces/kube-system/configmaps/kubeadm-config"
    data = {} if text is None else {"ClusterConfiguration": text}
    assert around.read_kubeadm_config(answers({path: {"data": data}})) == version


def test_a_cluster_without_kubeadm() -> None:
    assert around.read_kubeadm_config(answers({})) is None


def test_namespaces_that_do_not_end() -> None:
    def namespace(name: str, kind: str, status: str) -> t.Dict[str, t.Any]:
        condition = {"type": kind, "status": status, "message": "Discovery failed"}
        return {
            "metadata": {"name": name, "deletionTimestamp": "2026-01-02T03:04:05Z"},
            "status": {"phase": "Terminating", "conditions": [condition]},
        }

    items = [
        namespace("a", "NamespaceDeletionDiscoveryFailure", "True"),
        namespace("b", "NamespaceDeletionDiscoveryFailure", "False"),
        namespace("c", "NamespaceContentRemaining", "True"),
        {"metadata": {"name": "d"}},
    ]
    found = around.read_stuck(
        answers({"/api/v1/namespaces?fieldSelector=status.phase%3DTerminating": {"items": items}})
    )
    assert found == [{"namespace": "a", "since": "2026-01-02T03:04:05Z", "message": "Discovery failed"}]
    assert around.read_stuck(answers({})) == []


def test_apis_that_could_not_be_discovered() -> None:
    asked: t.List[str] = []
    versions = [{"version": "v1", "freshness": "Stale"}, {"version": "v1beta1", "freshness": "Current"}]
    groups = [
        {"metadata": {"name": "a.b"}, "versions": versions},
        {"metadata": {"name": "x y"}, "versions": versions},
        {"metadata": None, "versions": None},
    ]

    def get(_path: str, accept: str) -> Answer:
        asked.append(accept)
        return Answer(200, json.dumps({"items": groups}), None)

    assert around.read_stale(get) == ["a.b/v1"] and "as=APIGroupDiscoveryList" in asked[0]
    # a server before 1.26 tells something else
    assert around.read_stale(answers({"/apis": {"kind": "APIGroupList", "groups": []}})) == []
