# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A master that runs on this machine: a manifest with this machine's paths, and the server that it describes."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import time
import typing as t
from pathlib import Path

from cryptography import x509
from kubeadm_pki import Pair, issue, name
from make_masters import Authorities, Master, make_master
from support.apiserver import LOOPBACK, ApiServer, Etcd
from support.manifest import StaticPod
from support.service import Service, free_port

__all__ = ["CONFIG_MAP", "PUBLISHED_CAS", "LiveMaster"]

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
PUBLISHED_CAS = "requestheader-client-ca-file"

CERTIFICATES = "/pki"


class LiveMaster:
    """A kube-apiserver, and the manifest and files that a kubelet would have started it from.

    ``prefix`` is the part of etcd that the masters of one cluster share; ``address`` is a loopback address.
    """

    def __init__(
        self,
        program: str,
        folder: Path,
        *,
        authorities: Authorities,
        etcd: Etcd,
        prefix: str,
        version: str,
        address: str = LOOPBACK,
    ) -> None:
        self.name = folder.name
        self.address = address
        self.folder = folder
        self.authorities = authorities
        self._program = program
        self._etcd = etcd
        self._master: Master = make_master(
            folder, authorities=authorities, certificates_dir=CERTIFICATES, kubernetes_version=version
        )
        self.pki = self._master.certificates
        self.manifest = self._master.manifest
        self.port = free_port()
        # what the manifest of a real master names is on a real master; here it is below the folder
        self.manifest.write_text(self.manifest.read_text().replace(f"{CERTIFICATES}/", f"{self.pki}/"))
        self.manifest.write_text(self.manifest.read_text().replace(f": {CERTIFICATES}\n", f": {self.pki}\n"))
        self.set_flags(
            {
                "advertise-address": address,
                "bind-address": address,
                "secure-port": str(self.port),
                "etcd-servers": etcd.url,
                "etcd-prefix": prefix,
                "etcd-certfile": None,
                "etcd-keyfile": None,
                "endpoint-reconciler-type": "none",
            }
        )
        self.environment: dict[str, str] = {}
        self.server: ApiServer | None = None
        self.kubelet: Service | None = None
        self._starts = 0
        self._started_from = ""

    @property
    def flags(self) -> dict[str, str]:
        """The flags that stand in the manifest."""
        return dict(StaticPod(self.manifest.read_text(), Path("/")).flags)

    def set_flags(self, changes: t.Mapping[str, str | None]) -> None:
        """Write flags into the manifest, or (None) take them out; nothing is restarted."""
        lines = self.manifest.read_text().splitlines()
        first = lines.index("    - kube-apiserver") + 1
        found = {**self.flags, **changes} if first < len(lines) else dict(changes)
        # a quoted scalar of YAML, so that a value may hold anything
        words = [f"    - '--{flag}={value}'" for flag, value in sorted(found.items()) if value is not None]
        rest = [line for line in lines[first:] if not line.startswith(("    - --", "    - '--"))]
        self.manifest.write_text("\n".join([*lines[:first], *words, *rest]) + "\n")

    def sign(
        self, authority: Pair, *, common_name: str = "front-proxy-client", organization: str = "", **how: t.Any
    ) -> None:
        """Put another pair in the place of the proxy client's."""
        pair = issue(authority, name(common_name, organization), **{"client": True, **how})
        pair.write(self.pki, "front-proxy-client")

    def trust(self, *authorities: Pair) -> None:
        """Make these the front-proxy CAs of this master."""
        bundle = self.pki / "front-proxy-ca.crt"
        texts = []
        for authority in authorities:
            authority.write(self.folder / "scratch", "ca")
            texts.append((self.folder / "scratch" / "ca.crt").read_text())
        bundle.write_text("".join(texts))

    @property
    def front_proxy(self) -> Pair:
        """The front-proxy CA that kubeadm made for the cluster."""
        if self.authorities.front_proxy is None:
            raise AssertionError("the cluster was made without an aggregation layer")
        return self.authorities.front_proxy

    @property
    def pair_serial(self) -> int:
        """The serial number of the proxy client's certificate."""
        certificate = (self.pki / "front-proxy-client.crt").read_bytes()
        return x509.load_pem_x509_certificate(certificate).serial_number

    @property
    def administrator(self) -> tuple[Path, Path]:
        """A pair with which the cluster's own CA makes somebody an administrator."""
        folder = self.folder / "administrator"
        if not folder.exists():
            subject = name("kubernetes-admin", "system:masters")
            issue(self.authorities.cluster, subject, client=True).write(folder, "admin")
        return folder / "admin.crt", folder / "admin.key"

    def status_of(self, path: str) -> int:
        """Ask its API as its administrator; gives the status of HTTP."""
        return self._status("GET", path, {}, "")[0]

    def get(self, path: str) -> t.Any:
        """Read an object of the API."""
        status, body = self._status("GET", path, {}, "")
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {body}")
        return json.loads(body)

    def patch(self, path: str, change: t.Mapping[str, t.Any]) -> None:
        """Change an object of the API, as kubectl patch --type=merge does."""
        self._send("PATCH", path, change, "application/merge-patch+json")

    def post(self, path: str, document: t.Mapping[str, t.Any]) -> None:
        """Make an object of the API."""
        self._send("POST", path, document, "application/json")

    def delete(self, path: str) -> None:
        """Delete an object of the API."""
        self._send("DELETE", path, {}, "application/json")

    def forbid_writes(self, resource: str) -> str:
        """Let an admission webhook that nobody answers refuse every write of a resource; gives the webhook's path.

        kube-apiserver's own controllers are refused, too, so that what is published stays as it is.
        """
        webhooks = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": [resource]}
        webhook = {
            "name": "nobody.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "timeoutSeconds": 1,
            "clientConfig": {"url": f"https://{LOOPBACK}:1/"},
            "rules": [rule],
        }
        self.post(webhooks, {"metadata": {"name": f"no-{resource}"}, "webhooks": [webhook]})
        return f"{webhooks}/no-{resource}"

    @property
    def kubeconfig(self) -> Path:
        """A file with which the programs of Kubernetes are its administrator."""
        certificate, key = map(str, self.administrator)
        cluster = {"server": f"https://{self.address}:{self.port}", "certificate-authority": str(self.pki / "ca.crt")}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"user": "admin", "cluster": "here"}}],
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"client-certificate": certificate, "client-key": key}}],
        }
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def register(self, group: str, address: str, port: int, *others: int, version: str = "v1") -> None:
        """Make an extension API server known that listens at an address. others: ports of it of further endpoints."""
        # a new kube-apiserver makes the namespace a moment after it is ready
        self.server.wait_until(lambda: self._status("GET", "/api/v1/namespaces/default", {}, "")[0] == 200)
        metadata = {"name": group.partition(".")[0], "namespace": "default"}
        self.post(
            "/api/v1/namespaces/default/services",
            {"metadata": metadata, "spec": {"ports": [{"port": 443, "targetPort": port}]}},
        )
        ports = (port, *others)
        subsets = [{"addresses": [{"ip": address}], "ports": [{"port": each}]} for each in ports]
        self.post("/api/v1/namespaces/default/endpoints", {"metadata": metadata, "subsets": subsets})
        # newer servers look there, and no controller-manager copies Endpoints into slices here
        slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        if self._status("GET", slices, {}, "")[0] == 200:
            labels = {"kubernetes.io/service-name": metadata["name"]}
            for each in ports:
                own = {"name": f"{metadata['name']}-{each}", "namespace": "default", "labels": labels}
                one = {"addressType": "IPv4", "endpoints": [{"addresses": [address]}], "ports": [{"port": each}]}
                self.post(slices, {"metadata": own, **one})
        self.add_apiservice(group, version)

    def add_apiservice(self, group: str, version: str = "v1") -> None:
        """Register a version of a group, which its Service of the same name in ``default`` is to serve."""
        spec = {
            "group": group,
            "version": version,
            "groupPriorityMinimum": 1000,
            "versionPriority": 15,
            "service": {"namespace": "default", "name": group.partition(".")[0]},
            "insecureSkipTLSVerify": True,
        }
        document = {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "spec": spec}
        self.post(
            "/apis/apiregistration.k8s.io/v1/apiservices", {**document, "metadata": {"name": f"{version}.{group}"}}
        )

    def _send(self, method: str, path: str, document: t.Mapping[str, t.Any], kind: str) -> None:
        status, body = self._status(method, path, document, kind)
        if status not in (200, 201):
            raise AssertionError(f"{method} {path}: {status} {body}")

    def _status(self, method: str, path: str, document: t.Mapping[str, t.Any], kind: str) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(*self.administrator)
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=10, context=context)
        try:
            connection.request(method, path, json.dumps(document), {"Content-Type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @contextlib.contextmanager
    def kept(self) -> t.Iterator[None]:
        """For the block, files, modes and manifest may be changed; the server runs on as it was."""
        paths = [self.manifest, *self.pki.glob("front-proxy-*")]
        before = {path: (path.read_bytes(), path.stat().st_mode) for path in paths}
        yield
        for path, (content, mode) in before.items():
            path.write_bytes(content)
            path.chmod(mode & 0o777)
        if self.server is not None:
            self.publish_only_what_is_held()

    def publish_only_what_is_held(self) -> None:
        """Take out of the ConfigMap what the server has published of other files: it never takes a CA out itself.

        A server that reads files at once may have loaded those of a test, and have yet to load the ones from before.
        """
        bundle = (self.pki / "front-proxy-ca.crt").read_text()

        def settled() -> bool:
            if self.get(CONFIG_MAP)["data"].get(PUBLISHED_CAS) == bundle:
                return True
            self.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: bundle}})
            time.sleep(1)
            return False

        self.server.wait_until(settled)

    def start_kubelet(self, *flags: str) -> None:
        """Let there be a process that is called as a kubelet is, with these flags or those of one that reads the
        manifest's folder. It does nothing: tests start and stop the server.
        """
        program = self.folder / "kubelet"
        if not program.is_symlink():
            program.symlink_to("/bin/sh")
        words = flags or (f"--pod-manifest-path={self.manifest.parent}",)
        self.kubelet = Service(
            "kubelet", [str(program), "-c", "sleep infinity; :", *words], self.folder / "kubelet.log"
        )

    def stop_kubelet(self) -> None:
        if self.kubelet is not None:
            self.kubelet.stop()
            self.kubelet = None

    def start(self) -> None:
        """Run what the manifest says, and wait until it serves."""
        self._starts += 1
        log = self.folder / f"log-{self._starts}"
        text, flags = self.manifest.read_text(), self.flags
        self._started_from = text
        self.server = ApiServer(
            self._program,
            text,
            root=Path("/"),
            etcd=self._etcd,
            log=log,
            flags=flags,
            environment=self.environment,
        )
        self.server.wait_until(self.is_ready)

    @property
    def runs_its_manifest(self) -> bool:
        """Whether the server was started from what the manifest says now."""
        return self.manifest.read_text() == self._started_from

    def is_ready(self) -> bool:
        """Whether it says so to its administrator: it may let nobody else in."""
        try:
            return self._status("GET", "/readyz", {}, "")[0] == 200
        except OSError:
            return False

    def on_a_host_of_its_own(self) -> None:
        """From its next start on it has a host's name of its own, by which kube-apiservers tell each other apart."""
        program = self.folder / "kube-apiserver"
        program.write_text(
            f'#!/bin/sh\nexec unshare --uts sh -c \'hostname {self.name} && exec {self._program} "$@"\' sh "$@"\n'
        )
        program.chmod(0o755)
        self._program = str(program)

    def stop(self) -> None:
        if self.server is not None:
            self.server.stop()
            self.server = None

    @property
    def said(self) -> str:
        """What the server that runs has logged."""
        return self.server.log.read_text(errors="replace") if self.server else ""

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def inventory_line(self) -> str:
        """A line of an inventory: this machine, and where on it the master is."""
        return f'{self.name} front_proxy_manifest="{self.manifest}"'
