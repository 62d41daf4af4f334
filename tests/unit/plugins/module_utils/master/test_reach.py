# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a master reaches the addresses of Services: what was tried, what the API says, what was there before."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.journal import write_journal
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.network import network_reader
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import (
    network,
    reach,
    routing,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Answer
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.files import checksum
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import Process
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.reach import (
    answering_apiservice,
    nodes_names,
    routers_of_node,
    service_range,
    try_service_address,
)

DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets?limit=200"
EVERYWHERE = [{"operator": "Exists"}]
MASTER = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}


def api(**known: t.Any) -> t.Callable[[str], Answer]:
    """An API with these documents, by path."""

    def get(path: str) -> Answer:
        found = known.get(path)
        return Answer(404, "", None) if found is None else Answer(200, json.dumps(found), None)

    return get


def daemon_set(name: str, container: str = "", **spec: t.Any) -> t.Dict[str, t.Any]:
    containers = [{"name": "config"}, {"name": container or name}]
    return {"metadata": {"name": name}, "spec": {"template": {"spec": {"containers": containers, **spec}}}}


def node(*taints: t.Mapping[str, str], **labels: str) -> t.Dict[str, t.Any]:
    return {"metadata": {"labels": {"kubernetes.io/os": "linux", **labels}}, "spec": {"taints": list(taints)}}


LINUX = {"kubernetes.io/os": "linux"}


@pytest.mark.parametrize(
    ("given", "of", "comes"),
    [
        (daemon_set("kube-proxy", nodeSelector=LINUX, tolerations=EVERYWHERE), node(MASTER), True),
        (daemon_set("kube-proxy", tolerations=EVERYWHERE), node(), True),
        (daemon_set("kube-proxy"), node(), True),
        (daemon_set("cilium", "cilium-agent", tolerations=EVERYWHERE), node(MASTER), True),
        (daemon_set("kube-router", tolerations=[{"key": MASTER["key"], "operator": "Exists"}]), node(MASTER), True),
        (daemon_set("kube-proxy", tolerations=[{"key": MASTER["key"], "effect": "NoSchedule"}]), node(MASTER), True),
        (daemon_set("kube-proxy"), node({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}), True),
        (daemon_set("kube-proxy"), node({"key": "any", "effect": "PreferNoSchedule"}), True),
        # it stays away from this node
        (daemon_set("kube-proxy"), node(MASTER), False),
        (daemon_set("kube-proxy", tolerations=[{"key": MASTER["key"], "value": "x"}]), node(MASTER), False),
        (daemon_set("kube-proxy", tolerations=[{"operator": "Exists", "effect": "NoExecute"}]), node(MASTER), False),
        (daemon_set("kube-proxy", tolerations=[{"key": "other", "operator": "Exists"}]), node(MASTER), False),
        (daemon_set("kube-proxy-windows", "kube-proxy", nodeSelector={"kubernetes.io/os": "windows"}), node(), False),
        (daemon_set("kube-proxy", nodeSelector={"role": "worker"}), node(role="master"), False),
        # it routes nothing
        (daemon_set("kube-proxy-exporter", "exporter"), node(), False),
        (daemon_set("cilium-envoy"), node(), False),
        (daemon_set("coredns"), node(), False),
    ],
)
def test_daemon_sets(given: t.Any, of: t.Any, comes: bool) -> None:
    found = routers_of_node(api(**{DAEMON_SETS: {"items": [given]}, "/api/v1/nodes/m1": of}), ["x", "m1"])
    assert found is not None and bool(found) is comes
    assert not found or f"DaemonSet {given['metadata']['name']}" in found[0]


def test_a_node_whose_name_is_not_known() -> None:
    get = api(**{DAEMON_SETS: {"items": [daemon_set("kube-proxy")]}})
    assert routers_of_node(get, ["m1"])  # a kubelet runs here
    assert routers_of_node(get, []) == []  # none does: no pod comes here
    assert routers_of_node(api(), ["m1"]) is None


def test_names_of_a_node() -> None:
    kubelet = Process(1, ("/usr/bin/kubelet", "--hostname-override=Node.Example.Com"), 1)
    assert nodes_names([kubelet]) == ["node.example.com"]
    assert nodes_names([kubelet._replace(argv=("kubelet",))])[0] == os.uname().nodename.lower()
    assert nodes_names([kubelet._replace(argv=("kube-proxy",))]) == []


def apiservices(*items: t.Tuple[str, t.Optional[t.Mapping[str, str]]]) -> t.Dict[str, t.Any]:
    return {
        "/apis/apiregistration.k8s.io/v1/apiservices": {
            "items": [
                {"metadata": {"name": f"v1.{name}"}, "spec": {"group": name, "version": "v1", "service": service}}
                for name, service in items
            ]
        }
    }


METRICS = {"namespace": "kube-system", "name": "metrics"}
SERVICE = "/api/v1/namespaces/kube-system/services/metrics"


@pytest.mark.parametrize(
    ("spec", "answers", "found"),
    [
        ({"clusterIP": "10.96.1.1", "type": "ClusterIP"}, True, "v1.metrics"),
        ({"clusterIP": "10.96.1.1"}, True, "v1.metrics"),
        ({"clusterIP": "10.96.1.1"}, False, None),
        ({"type": "ExternalName"}, True, None),
        ({"clusterIP": "None"}, True, None),
        ({"clusterIP": ""}, True, None),
        (None, True, None),
    ],
)
def test_an_apiservice_that_answers(spec: t.Any, answers: bool, found: t.Optional[str]) -> None:
    known: t.Dict[str, t.Any] = apiservices(("local", None), ("metrics", METRICS))
    if spec is not None:
        known[SERVICE] = {"spec": spec}
    if answers:
        known["/apis/metrics/v1"] = {}
    assert answering_apiservice(api(**known)) == found
    assert answering_apiservice(api()) is None


@pytest.mark.parametrize(
    ("argv", "wanted", "address"),
    [
        (["--service-cluster-ip-range=10.96.0.0/12"], "10.96.0.0/12", "10.96.0.1:443"),
        (["--service-cluster-ip-range=10.233.0.0/18,fd00::/112"], "10.233.0.0/18", "10.233.0.1:443"),
        (["--service-cluster-ip-range", "fd00:10:96::/112"], "fd00:10:96::/112", "[fd00:10:96::1]:443"),
        ([], "10.0.0.0/24", "10.0.0.1:443"),
    ],
)
def test_the_first_address(argv: t.Sequence[str], wanted: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: t.List[str] = []
    monkeypatch.setattr(reach, "dial", lambda host, dummy: tried.append(host) or "refused")
    assert service_range(argv) == wanted
    assert try_service_address(argv) == {"address": address, "error": "refused"}
    assert len(tried) == 3 and len(set(tried)) == 1
    assert try_service_address(["--service-cluster-ip-range=odd"]) is None


def test_a_master_that_is_away_is_not_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["timed out", None])
    monkeypatch.setattr(reach, "dial", lambda *dummy: next(answers))
    monkeypatch.setattr(reach, "offered_client_cas", lambda *dummy: {"names": ["x"], "error": None})
    found = try_service_address([])
    assert found is not None and found["error"] is None
    monkeypatch.setattr(reach, "dial", lambda *dummy: None)
    monkeypatch.setattr(reach, "offered_client_cas", lambda *dummy: {"names": [], "error": None})
    found = try_service_address([])
    assert found is not None and "no kube-apiserver" in str(found["error"])


class TestLookAround:
    """What is asked for, and what is not."""

    PROBE: t.ClassVar[t.Any] = {"address": "127.0.0.1", "port": 6443, "accepted": True, "answers": True}
    MANIFEST: t.ClassVar[t.Any] = {"text": "x", "checksum": checksum(b"x")}

    @pytest.fixture(autouse=True)
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> t.List[str]:
        asked: t.List[str] = []
        said = {"tried": {"address": "10.96.0.1:443", "error": "refused"}, "api": (True, [])}
        self.said: t.Dict[str, t.Any] = said
        monkeypatch.setattr(network, "try_service_address", lambda dummy: asked.append("address") or said["tried"])
        monkeypatch.setattr(network, "_ask", lambda *dummy: asked.append("api") or said["api"])
        monkeypatch.setattr(network, "can_see_traces", lambda: False)
        return asked

    def look(self, *flags: str, evidence: t.Sequence[str] = (), **probe: t.Any) -> t.Any:
        server = Process(2**22 + 1, ("kube-apiserver", *flags), 1)
        found = network.look_around(
            list(evidence), self.MANIFEST, [server], server, {**self.PROBE, **probe}, Places("/nowhere")
        )
        network_reader(json.loads(json.dumps(found[1])), "network")
        return found

    def test_nothing_is_asked_where_it_is_known(self, asked: t.List[str]) -> None:
        assert self.look(evidence=["kube-proxy runs"])[0] == ["kube-proxy runs"]
        assert self.look("--enable-aggregator-routing=true")[0] == []
        assert self.look(answers=False)[0] == []
        assert network.look_around([], self.MANIFEST, [], None, None, Places("/nowhere"))[0] == []
        assert asked == []

    def test_an_address_that_answers_is_enough(self, asked: t.List[str]) -> None:
        self.said["tried"] = {"address": "10.96.0.1:443", "error": None}
        evidence, found = self.look()
        assert evidence == ["the Service kubernetes (10.96.0.1:443) answers from here"]
        assert asked == ["address"] and not found["api"]

    def test_the_api_is_asked_last(self, asked: t.List[str]) -> None:
        self.said["api"] = (True, ["the DaemonSet kube-proxy"])
        evidence, found = self.look("--enable-aggregator-routing=false")
        assert evidence == ["the DaemonSet kube-proxy"] and asked == ["address", "api"]
        assert found["api"] and found["service_address"]["error"] == "refused" and not found["traces"]


def test_what_this_collection_left(tmp_path: Path) -> None:
    places = Places(str(tmp_path))
    text = "apiVersion: v1\n"

    def left(text: str, state: str = "done", new: t.Optional[str] = None, name: str = "20261122T020304Z") -> t.Any:
        folder = Path(places.backups) / name
        folder.mkdir(parents=True, exist_ok=True)
        journal: t.Any = {
            "bundle": None,
            "certificate": None,
            "key": None,
            "flags": {},
            "user_header": "X-Remote-User",
            "group_header": "X-Remote-Group",
            "pod": "kube-apiserver",
            "container": "kube-apiserver",
            "wait": 1.0,
            "manifest_path": "/x",
            "manifest_text": "x",
            "manifest_new": new or checksum(text.encode()),
            "old_argv": None,
            "state": state,
            "started": "2026-11-22T02:03:04Z",
            "files": [],
            "manifest": None,
        }
        (folder / "journal.json").write_bytes(write_journal(journal))
        manifest: t.Any = {"text": text, "checksum": checksum(text.encode())}
        return network._left_unset(manifest, places)

    manifest: t.Any = {"text": text, "checksum": checksum(text.encode())}
    assert network._left_unset(manifest, places) is None
    assert left(text) == "2026-11-22T02:03:04Z"
    assert left(text, new=checksum(b"other")) is None
    assert left(text, state="rolled back") is None
    assert left(f"{text}- --enable-aggregator-routing=true\n") is None
    assert left(text) == "2026-11-22T02:03:04Z"
    # only the last change counts
    assert left(text, new=checksum(b"other"), name="20261123T020304Z") is None
    (Path(places.backups) / "20261123T020304Z" / "journal.json").write_text("odd")
    assert network._left_unset(manifest, places) is None


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("kube-system_kube-proxy-x7k2p_2f1c", True),
        ("kube-system_kube-proxy-m1_2f1c", True),
        ("kube-system_cilium-abcde_2f1c", True),
        ("kube-system_kube-router-abcde_2f1c", True),
        ("kube-system_cilium-operator-abc-de_2f1c", False),
        ("kube-system_cilium-envoy-abcde_2f1c", False),
        ("kube-system_kube-apiserver-m1_2f1c", False),
        ("default_kube-proxy-abcde_2f1c", False),
        ("odd", False),
    ],
)
def test_pods_whose_logs_are_here(name: str, found: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kube-proxy that starts anew does not run for a while."""
    monkeypatch.setattr(routing, "_POD_LOGS", str(tmp_path))
    monkeypatch.setattr(routing, "_INTERFACES", {})
    monkeypatch.setattr(routing, "_FOLDERS", str(tmp_path / "none"))
    assert routing.service_routing_evidence([]) == [] and not routing.can_see_traces()
    (tmp_path / name).mkdir()
    assert bool(routing.service_routing_evidence([])) is found


@pytest.mark.parametrize(
    "change",
    [
        {"environment": {"PASSWORD": "x"}},
        {"environment": {"HTTPS_PROXY": "http://user:secret@proxy"}},
        {"environment": {"http_proxy": "secret"}},
        {"environment": {"NO_PROXY": "x" * 200_000}},
        {"egress": {"path": "/x", "cluster": "odd"}},
        {"pods": ["10.244.0.0/16; id"]},
        {"traces": 1},
        {"left_unset": "yesterday"},
        {"service_address": {"address": "x" * 300, "error": None}},
        {"api": None},
    ],
)
def test_nothing_odd_comes_over_the_border(change: t.Mapping[str, t.Any]) -> None:
    good = {
        "environment": {"HTTPS_PROXY": "http://proxy:3128", "https_proxy": "hidden", "HTTP_PROXY": "", "NO_PROXY": "x"},
        "egress": None,
        "pods": ["10.244.0.0/16"],
        "traces": True,
        "api": False,
        "service_address": None,
        "left_unset": None,
    }
    assert network_reader(good, "network") == good
    with pytest.raises(ContractError):
        network_reader({**good, **change}, "network")
