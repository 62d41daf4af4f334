# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify names the cause and not what follows from it, as it is seen on real servers."""

from __future__ import annotations

import contextlib
import json
import shlex
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import make_authority, name
from support.extension import GROUP, Extension
from support.live import CONFIG_MAP, LiveMaster
from support.service import Service, free_port
from support.verified import PUBLISHED_NAMES, Look, Verified

if t.TYPE_CHECKING:
    from conftest import MakeMaster
    from releases import Release

Program = t.Callable[[str], str]
APISERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def wait_until(
    look: Look, masters: t.Sequence[LiveMaster], right: t.Callable[[Verified], bool], **variables: t.Any
) -> Verified:
    """Look until it is as it must be: kube-apiserver checks an APIService again after a while."""
    deadline = time.monotonic() + 150
    while True:
        verified = look(*masters, **variables)
        if right(verified):
            return verified
        assert time.monotonic() < deadline, verified.output
        time.sleep(1)


def words(verified: Verified) -> str:
    return " ".join(verified.output.split())


def test_a_foreign_ca_beside_a_right_pair(make_master: MakeMaster, look: Look) -> None:
    """One master got the CA of somebody else, and its right pair is not to blame."""
    first = make_master("m1")
    second = make_master("m2", of=first)
    third = make_master("m3", of=first)
    # the first one in the inventory is the one that is wrong
    first.trust(make_authority(name("front-proxy-ca")))
    first.restart()
    seen = look(first, second, third)
    assert seen.ids == ["masters-hold-different-cas"], seen.output
    assert seen.findings[0]["hosts"] == ["m1", "m2", "m3"]
    assert "-e front_proxy_ca_from=m2" in seen.findings[0]["fix"]
    assert "[pair-not-signed-by-ca], which masters-hold-different-cas explains" in words(seen)


@pytest.mark.differs
def test_names_that_are_half_published(make_master: MakeMaster, look: Look, address: str, extension: Extension) -> None:
    """Two masters allow any name, so theirs is published by nobody: that is the cause of what is refused."""
    first = make_master("m1")
    second = make_master("m2", of=first, requestheader_allowed_names=None)
    third = make_master("m3", of=first, requestheader_allowed_names=None)
    for master in (second, third):
        master.sign(master.front_proxy, common_name="kube-apiserver")
        master.restart()
    extension.know(first.pki / "front-proxy-ca.crt")
    extension.allowed = lambda: json.loads(first.get(CONFIG_MAP)["data"][PUBLISHED_NAMES])
    assert extension.allowed() == ["front-proxy-client"]
    first.register(GROUP, address, extension.port)

    def refused(verified: Verified) -> bool:
        return f"v1.{GROUP} does not work through m2" in words(verified)

    seen = wait_until(look, [first, second, third], refused)
    assert seen.ids == ["name-not-published"], seen.output
    (found,) = seen.findings
    assert found["hosts"] == ["m2", "m3"]
    command = shlex.split(found["fix"])
    assert json.loads(command[-1]) == {"front_proxy_allowed_names": ["front-proxy-client", "kube-apiserver"]}
    for other in ("allowed-names-differ", "allowed-names-any"):
        assert f"[{other}], which name-not-published explains" in words(seen)
    # by now each kube-apiserver has had an answer of its own to its own check
    expected = ["smoke-test-refused"] * 2
    smoked = wait_until(look, [first, second, third], lambda seen: seen.ids == expected, front_proxy_smoke=True)
    assert [found["hosts"] for found in smoked.findings] == [["m2"], ["m3"]]
    assert len({found["fix"] for found in smoked.findings}) == 1 and found["fix"] == smoked.findings[0]["fix"]
    # what the fix brings about
    for master in (first, second, third):
        master.set_flags({"requestheader-allowed-names": "front-proxy-client,kube-apiserver"})
        master.restart()
    wait_until(look, [first, second, third], lambda verified: verified.ids == [])
    assert look(first, second, third, front_proxy_smoke=True).ids == []


def test_endpoints_of_which_only_some_answer(
    make_master: MakeMaster, look: Look, address: str, extension: Extension
) -> None:
    """kube-apiserver's own check is content with one answer of five, and says Available."""
    master = make_master("some")
    silent = free_port()
    master.register(GROUP, address, extension.port, silent)

    def available() -> bool:
        conditions = master.get(f"{APISERVICES}/v1.{GROUP}").get("status", {}).get("conditions", [])
        return [each["status"] for each in conditions] == ["True"]

    assert master.server is not None
    master.server.wait_until(available)
    seen = look(master)
    assert seen.ids == ["some-endpoints-fail"], seen.output
    (evidence,) = seen.findings[0]["evidence"]
    assert f"1 of 2 do not: {address}:{silent} (ConnectionRefusedError" in evidence
    assert not seen.findings[0]["front_proxy"]
    # one that answers with an error is as bad
    other = Extension(address, master.folder)
    other.status = 500
    master.register("half.example.com", address, extension.port, other.port)
    seen = wait_until(look, [master], lambda verified: len(verified.findings) == 2)
    assert seen.ids == ["some-endpoints-fail"] * 2
    assert any(f"{address}:{other.port} (HTTP 500)" in found["evidence"][0] for found in seen.findings)
    other.status = 200
    master.delete(f"{APISERVICES}/v1.{GROUP}")
    wait_until(look, [master], lambda verified: verified.ids == [])
    other.stop()


def kubectl(program: Program, master: LiveMaster, *arguments: str, given: t.Any = None) -> str:
    command = [program("kubectl"), f"--kubeconfig={master.kubeconfig}", *arguments]
    said = subprocess.run(command, capture_output=True, text=True, input=json.dumps(given), check=False)
    assert said.returncode == 0, said.stderr
    return said.stdout


def registration(service: str, **metadata: t.Any) -> dict[str, t.Any]:
    """The APIService of resource metrics as products have it. service: NAMESPACE/NAME."""
    namespace, _slash, own = service.partition("/")
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io", **metadata},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {"namespace": namespace, "name": own},
        },
    }


def claim_of(look: Look, master: LiveMaster) -> tuple[list[str], str]:
    """What is found of it, and the evidence for two claims."""
    seen = look(master)
    claims = [found for found in seen.findings if found["id"] == "apiservice-claimed-twice"]
    return seen.ids, " ".join(sentence for found in claims for sentence in found["evidence"])


def test_an_apiservice_that_two_products_claim(
    make_master: MakeMaster, look: Look, address: str, extension: Extension, program: Program, release: Release
) -> None:
    """Each trace is one that the real API leaves: of kubectl apply, of server-side apply, of helm, of a Service."""
    master = make_master("claimed")
    newest = ["metrics-v1-not-registered"] if release.minor >= 37 else []
    master.register("adapter.example.com", address, extension.port)  # with it comes the Service default/adapter
    master.delete(f"{APISERVICES}/v1.adapter.example.com")

    def apply(document: t.Any, *more: str) -> None:
        kubectl(program, master, "apply", *more, "--filename=-", given=document)

    ours = registration("default/adapter", labels={"app.kubernetes.io/instance": "adapter"})
    apply(ours)
    wait_until(look, [master], lambda verified: verified.ids == newest)
    # kubectl apply of the one, and then somebody else's change
    apply(registration("kube-system/metrics-server"))
    kubectl(
        *(program, master, "patch", "apiservice", "v1beta1.metrics.k8s.io", "--type=merge"),
        '--patch={"spec": {"service": {"namespace": "default", "name": "adapter"}}}',
    )
    wait_until(look, [master], lambda verified: verified.ids == ["apiservice-claimed-twice", *newest])
    assert claim_of(look, master)[1] == "kubectl apply was last given kube-system/metrics-server for it"
    # two that apply on the server's side, the second one by force; 1.20.2 breaks off when an APIService is applied so
    if release.minor > 20:
        master.delete(f"{APISERVICES}/v1beta1.metrics.k8s.io")
        apply(registration("kube-system/metrics-server"), "--server-side", "--field-manager=flux")
        apply(ours, "--server-side", "--field-manager=helm", "--force-conflicts")
        wait_until(look, [master], lambda verified: "apiservice-claimed-twice" in verified.ids)
        assert claim_of(look, master)[1] == "its managedFields: flux applies it, and helm has set where it leads"
    # what is left of the release of another product
    master.delete(f"{APISERVICES}/v1beta1.metrics.k8s.io")
    left = {"meta.helm.sh/release-name": "metrics-server", "meta.helm.sh/release-namespace": "kube-system"}
    own = {"meta.helm.sh/release-name": "adapter", "meta.helm.sh/release-namespace": "monitoring"}
    master.patch("/api/v1/namespaces/default/services/adapter", {"metadata": {"annotations": own}})
    master.post(APISERVICES, registration("default/adapter", annotations=left))
    wait_until(look, [master], lambda verified: "apiservice-claimed-twice" in verified.ids)
    shown = "the helm release of the APIService is kube-system/metrics-server, and that of default/adapter is "
    assert claim_of(look, master)[1] == f"{shown}monitoring/adapter"
    # no trace at all, but metrics-server runs
    master.delete(f"{APISERVICES}/v1beta1.metrics.k8s.io")
    master.post(APISERVICES, registration("default/adapter", annotations=own))
    wait_until(look, [master], lambda verified: verified.ids == newest)
    master.register("metrics-server.example.com", address, extension.port)
    master.delete(f"{APISERVICES}/v1.metrics-server.example.com")
    master.patch(
        "/api/v1/namespaces/default/services/metrics-server", {"metadata": {"labels": {"k8s-app": "metrics-server"}}}
    )
    assert "metrics-server runs behind default/metrics-server" in claim_of(look, master)[1]
    master.delete("/api/v1/namespaces/default/services/metrics-server")
    assert claim_of(look, master) == (newest, "")


@pytest.mark.since(37)
def test_metrics_of_a_version_that_is_not_registered(
    make_master: MakeMaster, look: Look, address: str, extension: Extension
) -> None:
    master = make_master("metrics")
    master.register("metrics.k8s.io", address, extension.port, version="v1beta1")
    seen = wait_until(look, [master], lambda verified: verified.ids == ["metrics-v1-not-registered"])
    assert seen.findings[0]["severity"] == "untidy" and not seen.findings[0]["front_proxy"]
    master.add_apiservice("metrics.k8s.io", "v1")
    wait_until(look, [master], lambda verified: verified.ids == [])


@contextlib.contextmanager
def refusing_proxy(said: str) -> t.Iterator[int]:
    """A proxy that answers every request with this status; gives its port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _address = listening.accept()
                    with connection:
                        connection.recv(4096)
                        connection.sendall(f"HTTP/1.1 {said}\r\nContent-Length: 0\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        yield int(listening.getsockname()[1])


def test_an_address_that_is_not_allowed(
    make_master: MakeMaster, look: Look, address: str, extension: Extension, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people meet on EKS: the proxy of the control plane does not know the network of the pods."""
    with refusing_proxy("403 Address is not allowed") as port:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{port}")
        master = make_master("enclosed")
        master.register(GROUP, address, extension.port)
        seen = wait_until(look, [master], lambda verified: "address-not-allowed" in verified.ids)
        found = next(found for found in seen.findings if found["id"] == "address-not-allowed")
        assert "Address is not allowed" in found["evidence"][0], found
        monkeypatch.setenv("NO_PROXY", address)
        master.restart()
        wait_until(look, [master], lambda verified: "address-not-allowed" not in verified.ids)


@contextlib.contextmanager
def controller(program: Program, master: LiveMaster) -> t.Iterator[Service]:
    """The controller that ends namespaces."""
    flags = {
        "kubeconfig": str(master.kubeconfig),
        "controllers": "namespace",
        "leader-elect": "false",
        "secure-port": str(free_port()),
        "bind-address": "127.0.0.1",
        "cert-dir": str(master.folder / "controller"),
    }
    argv = [program("kube-controller-manager"), *(f"--{flag}={value}" for flag, value in flags.items())]
    service = Service("kube-controller-manager", argv, master.folder / "controller.log")
    try:
        yield service
    finally:
        service.stop()


def is_stuck(master: LiveMaster, namespace: str) -> bool:
    conditions = master.get(f"/api/v1/namespaces/{namespace}")["status"].get("conditions", [])
    return any(each["type"] == "NamespaceDeletionDiscoveryFailure" and each["status"] == "True" for each in conditions)


def test_a_namespace_that_a_broken_apiservice_holds_up(
    make_master: MakeMaster, look: Look, program: Program, address: str
) -> None:
    master = make_master("stuck")
    master.post("/api/v1/namespaces", {"metadata": {"name": "old"}})
    master.register("ghost.example.com", address, free_port())
    with controller(program, master) as manager:
        master.delete("/api/v1/namespaces/old")
        manager.wait_until(lambda: is_stuck(master, "old"))
    seen = look(master)
    assert seen.ids == ["extension-silent"], seen.output
    evidence = seen.findings[0]["evidence"]
    assert "the namespace old ends since " in evidence[1] and "ghost.example.com/v1" in evidence[1]
    assert "namespaces stay in Terminating" in seen.findings[0]["consequence"]
    # it is gone, and the controller has not tried again
    master.delete(f"{APISERVICES}/v1.ghost.example.com")
    seen = look(master)
    assert seen.ids == ["namespace-does-not-end"], seen.output
    with controller(program, master) as manager:
        manager.wait_until(lambda: "old" not in [each["metadata"]["name"] for each in namespaces(master)])
    assert look(master).ids == []


def namespaces(master: LiveMaster) -> list[dict[str, t.Any]]:
    return list(master.get("/api/v1/namespaces")["items"])


@pytest.mark.since(27)
def test_an_api_that_answers_and_cannot_be_discovered(
    make_master: MakeMaster, look: Look, address: str, extension: Extension, program: Program
) -> None:
    master = make_master("stale")
    master.post("/api/v1/namespaces", {"metadata": {"name": "old"}})
    extension.by_path["/apis"] = 503
    master.register(GROUP, address, extension.port)
    seen = wait_until(look, [master], lambda verified: verified.ids == ["discovery-stale"])
    assert f"{GROUP}/v1 is stale" in seen.findings[0]["evidence"][0]
    with controller(program, master) as manager:
        master.delete("/api/v1/namespaces/old")
        manager.wait_until(lambda: is_stuck(master, "old"))
        seen = look(master)
        assert seen.ids == ["discovery-stale"], seen.output
        evidence = seen.findings[0]["evidence"][-1]
        assert "the namespace old ends since" in evidence and f"stale GroupVersion discovery: {GROUP}/v1" in evidence
        extension.by_path.clear()
        wait_until(look, [master], lambda verified: verified.ids == [])


@pytest.mark.since(36)
def test_peers_that_refuse_each_others_pairs(make_master: MakeMaster, look: Look) -> None:
    """A request that another master has to serve is handed on with this one's pair, and refused there."""
    first = make_master("m1", requestheader_allowed_names="front-proxy-client,kube-apiserver")
    first.sign(first.front_proxy, common_name="kube-apiserver")
    second = make_master("m2", of=first)
    for master in (first, second):
        peer = {"peer-ca-file": str(master.pki / "ca.crt"), "peer-advertise-ip": master.address}
        master.set_flags({**peer, "peer-advertise-port": str(master.port)})
        master.on_a_host_of_its_own()
    first.set_flags({"runtime-config": "batch/v1=false"})
    first.restart()
    second.restart()
    jobs = "/apis/batch/v1/namespaces/default/jobs"
    assert second.status_of(jobs) == 200
    assert first.server is not None
    first.server.wait_until(lambda: "discovery request failed with status: 401" in first.said)
    assert first.status_of(jobs) == 404
    seen = look(first, second)
    assert seen.ids == ["peer-refuses-the-pair"], seen.output
    assert seen.findings[0]["hosts"] == ["m1"]
    assert "m2 allows front-proxy-client, and the pair of m1 is CN=kube-apiserver" in seen.findings[0]["evidence"][0]
    second.set_flags({"requestheader-allowed-names": "front-proxy-client,kube-apiserver"})
    # as configure does, one after the other: a server gives up asking a peer after a while
    second.restart()
    first.restart()
    assert look(first, second).ids == []
    first.server.wait_until(lambda: first.status_of(jobs) == 200)


CLUSTER_CONFIGURATION = """\
apiServer:
  timeoutForControlPlane: 4m0s
apiVersion: kubeadm.k8s.io/{version}
certificatesDir: /etc/kubernetes/pki
clusterName: kubernetes
kind: ClusterConfiguration
kubernetesVersion: v1.30.0
"""


def test_a_configuration_that_kubeadm_no_longer_reads(
    make_master: MakeMaster, look: Look, release: Release, kubeadm: str, tmp_path: Path
) -> None:
    master = make_master("configured")
    metadata = {"name": "kubeadm-config", "namespace": "kube-system"}
    old = "v1beta3" if release.minor >= 37 else "v1beta2"
    maps = "/api/v1/namespaces/kube-system/configmaps"
    master.post(
        maps, {"metadata": metadata, "data": {"ClusterConfiguration": CLUSTER_CONFIGURATION.format(version=old)}}
    )
    if release.minor < 22:
        # its own version: kubeadm upgrade migrates it on the way
        assert look(master).ids == []
        assert look(master, front_proxy_target_release="1.26").ids == []
        seen = look(master, front_proxy_target_release="1.27")
        assert [(found["id"], found["severity"]) for found in seen.findings] == [("kubeadm-config-too-old", "broken")]
        return
    seen = look(master)
    assert [(found["id"], found["severity"]) for found in seen.findings] == [("kubeadm-config-too-old", "at_risk")]
    assert "kubeadm config migrate" in seen.findings[0]["fix"]
    (tmp_path / "old.yaml").write_text(master.get(f"{maps}/kubeadm-config")["data"]["ClusterConfiguration"])
    said = subprocess.run(
        [kubeadm, "config", "validate", f"--config={tmp_path}/old.yaml"], capture_output=True, text=True, check=False
    )
    assert said.returncode != 0 and "old API spec" in said.stderr
    master.patch(
        f"{maps}/kubeadm-config",
        {"data": {"ClusterConfiguration": CLUSTER_CONFIGURATION.format(version=release.kubeadm_api)}},
    )
    assert look(master).ids == []
