# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real extension API server: Kubernetes' own sample-apiserver, with the group wardle.example.com.

It runs on this machine, outside of the pod network, with an etcd of its own. Its Service has no selector, but endpoints
by hand. What it may do stands in its own documentation: system:auth-delegator,
extension-apiserver-authentication-reader, and to read what admission needs.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import time
import typing as t
from pathlib import Path

from bed.shell import BedError, run
from bed.testbed import Testbed
from support.service import Service, ServiceError, free_port

from watch.client import Client
from watch.master import wait_for
from watch.registration import registration

__all__ = ["GROUP", "SampleApiServer"]

GROUP = "wardle.example.com"
NAMESPACE = "wardle"
TOKEN = "apiserver-token"
READER = "extension-apiserver-authentication-reader"
START_SECONDS = 120
# A controller manager ends when its kube-apiserver restarts, and the kubelet waits longer each time before it starts
# another one; until one leads, no token is made and no binding is there.
CONTROLLERS = 300
FLUNDERS = f"/apis/{GROUP}/v1alpha1/namespaces/default/flunders"


def _objects(address: str, port: int, authority: bytes) -> list[dict[str, t.Any]]:
    """What the cluster has to know of it."""
    account = {"kind": "ServiceAccount", "name": "apiserver", "namespace": NAMESPACE}
    rbac = "rbac.authorization.k8s.io"

    def binding(kind: str, name: str, role_kind: str, role: str, namespace: str | None = None) -> dict[str, t.Any]:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        reference = {"apiGroup": rbac, "kind": role_kind, "name": role}
        return {
            "apiVersion": f"{rbac}/v1",
            "kind": kind,
            "metadata": metadata,
            "roleRef": reference,
            "subjects": [account],
        }

    readable = ["get", "list", "watch"]
    rules = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": readable},
        {
            "apiGroups": ["admissionregistration.k8s.io"],
            # of webhooks and policies: newer releases have more kinds of them
            "resources": ["*"],
            "verbs": readable,
        },
        {
            "apiGroups": ["flowcontrol.apiserver.k8s.io"],
            "resources": ["flowschemas", "prioritylevelconfigurations"],
            "verbs": readable,
        },
    ]
    known = {"caBundle": base64.b64encode(authority).decode()}
    *place, api_service = registration(GROUP, "v1alpha1", namespace=NAMESPACE, address=address, port=port, trust=known)
    return [
        *place,
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "apiserver", "namespace": NAMESPACE}},
        # from 1.24 on, a service account has a token only on request
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {
                "name": TOKEN,
                "namespace": NAMESPACE,
                "annotations": {"kubernetes.io/service-account.name": "apiserver"},
            },
        },
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": "wardle"}, "rules": rules},
        binding("ClusterRoleBinding", "wardle", "ClusterRole", "wardle"),
        binding("ClusterRoleBinding", "wardle:system:auth-delegator", "ClusterRole", "system:auth-delegator"),
        binding("RoleBinding", "wardle-auth-reader", "Role", READER, "kube-system"),
        # last: from then on, the cluster's own clients wait for its answers
        api_service,
    ]


class SampleApiServer:
    """The server with what it needs; a context manager: at the end its processes are gone."""

    def __init__(self, bed: Testbed, folder: Path) -> None:
        self._bed = bed
        self._folder = folder
        self.port = free_port()
        self.audit = folder / "audit.log"
        self._services: list[Service] = []
        self._argv: list[str] = []

    def __enter__(self) -> SampleApiServer:
        program = self._bed.parts.binaries / "sample-apiserver"
        if not program.exists():
            raise BedError(f"There is no sample-apiserver in {program.parent}.")
        address = self._bed.names.gateway
        authority = self._certificates(address)
        objects = _objects(address, self.port, authority)
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        self._bed.kubectl("apply", "--filename=-", given=json.dumps(listed))
        wait_for(self._may_read, "the service account may read what it needs at its start", seconds=CONTROLLERS)
        etcd = self._start_etcd()
        kubeconfig = str(self._kubeconfig())
        policy = self._folder / "policy.json"
        policy.write_text(
            json.dumps({"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]})
        )
        flags = {
            "etcd-servers": etcd,
            "secure-port": str(self.port),
            "bind-address": address,
            "tls-cert-file": str(self._folder / "server.crt"),
            "tls-private-key-file": str(self._folder / "server.key"),
            "kubeconfig": kubeconfig,
            "authentication-kubeconfig": kubeconfig,
            "authorization-kubeconfig": kubeconfig,
            "audit-policy-file": str(policy),
            "audit-log-path": str(self.audit),
        }
        self._argv = [str(program), *(f"--{name}={value}" for name, value in flags.items())]
        self._serve()
        return self

    def _serve(self, *flags: str) -> None:
        """Start it, and again where it ends at once, as a kubelet would.

        It wants to read what it needs in ten seconds. On a busy machine that can be too little, and a kube-apiserver
        that is restarted takes longer.
        """
        why, deadline = "", time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            service = Service("sample-apiserver", [*self._argv, *flags], self._folder / "sample-apiserver.log")
            try:
                service.wait_until(self._listens)
            except ServiceError as error:
                service.stop()
                why = str(error)
                time.sleep(2)
                continue
            self._services.append(service)
            return
        raise BedError(why)

    def _listens(self) -> bool:
        try:
            with socket.create_connection((self._bed.names.gateway, self.port), timeout=2):
                return True
        except OSError:
            return False

    def restart(self, *flags: str) -> None:
        """Start it again with more flags."""
        self._services.pop().stop()
        self._serve(*flags)

    def __exit__(self, *_exc: object) -> None:
        for service in reversed(self._services):
            service.stop()

    @property
    def log(self) -> str:
        return self._services[-1].tail()

    def _certificates(self, address: str) -> bytes:
        """A CA and a server certificate for the Service's name; openssl is what its users would take."""
        folder = self._folder
        names = f"subjectAltName=DNS:api.{NAMESPACE}.svc,IP:{address}"
        new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        run(*new, "-subj", "/CN=wardle-ca", "-keyout", f"{folder}/ca.key", "-out", f"{folder}/ca.crt")
        signed = ("-CA", f"{folder}/ca.crt", "-CAkey", f"{folder}/ca.key")
        leaf = ("-addext", names, "-addext", "basicConstraints=critical,CA:FALSE")
        run(
            *(*new, "-subj", f"/CN=api.{NAMESPACE}.svc", *leaf, *signed),
            *("-keyout", f"{folder}/server.key", "-out", f"{folder}/server.crt"),
        )
        return (folder / "ca.crt").read_bytes()

    def _may_read(self) -> bool:
        """Whether kube-apiserver knows the bindings already: the server ends where it may not read at its start."""
        account = f"--as=system:serviceaccount:{NAMESPACE}:apiserver"
        what = ("get", "configmaps/extension-apiserver-authentication", "--namespace=kube-system")
        return self._bed.kubectl("auth", "can-i", *what, account, check=False).strip() == "yes"

    def _start_etcd(self) -> str:
        port, peer = free_port(), free_port()
        url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
        own = self._bed.parts.binaries / "etcd"
        program = str(own) if own.exists() else shutil.which("etcd")
        if program is None:
            raise BedError("etcd is not installed: on Debian, apt-get install etcd-server.")
        argv = [
            program,
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={url}",
            f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer_url}",
            f"--initial-advertise-peer-urls={peer_url}",
            f"--initial-cluster=default={peer_url}",
        ]
        self._services.append(Service("etcd", argv, self._folder / "etcd.log"))
        return url

    def _kubeconfig(self) -> Path:
        """Of the service account, whose token the cluster makes."""
        bed = self._bed
        secret = (f"--namespace={NAMESPACE}", "get", "secret", TOKEN, "--output=jsonpath={.data.token}")
        wait_for(lambda: bed.kubectl(*secret), "the service account has a token", seconds=CONTROLLERS)
        token = base64.b64decode(bed.kubectl(*secret)).decode()
        authority = base64.b64encode(bed.nodes[0].path("/etc/kubernetes/pki/ca.crt").read_bytes()).decode()
        server = f"https://{bed.nodes[0].address}:6443"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": server, "certificate-authority-data": authority}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = self._folder / "kubeconfig.json"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def answers_through(self, client: Client, address: str) -> bool:
        """Whether this master's kube-apiserver hands a request on to it, and its answer back."""
        try:
            answer = client.get(address, FLUNDERS)
        except OSError:
            return False
        return answer.status == 200 and answer.json["kind"] == "FlunderList"

    def callers(self) -> list[tuple[str, tuple[str, ...]]]:
        """Who asked for flunders, as its audit log has it: user and groups."""
        lines = [json.loads(line) for line in self.audit.read_text(encoding="utf-8").splitlines()]
        return [
            (line["user"]["username"], tuple(line["user"].get("groups", ())))
            for line in lines
            if line["requestURI"].startswith(FLUNDERS) and line["stage"] == "ResponseComplete"
        ]
