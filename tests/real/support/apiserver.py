# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real etcd and a real kube-apiserver, on the loopback address and on free ports."""

from __future__ import annotations

import http.client
import itertools
import socket
import ssl
import typing as t
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL
from support.manifest import StaticPod
from support.service import Service, free_port

__all__ = ["LOOPBACK", "ApiServer", "Etcd", "Response"]

LOOPBACK = "127.0.0.1"
TIMEOUT = 10


@dataclass(frozen=True)
class Response:
    """What the server answered."""

    status: int
    body: str


class Etcd(Service):
    """An etcd with one member and its data in ``folder``. Every kube-apiserver on it has a key prefix of its own."""

    def __init__(self, program: str, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.numbers = itertools.count(1)
        peer = f"http://{LOOPBACK}:{free_port()}"
        flags = {
            "data-dir": str(folder / "data"),
            "listen-client-urls": self.url,
            "advertise-client-urls": self.url,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        argv = [program, *(f"--{flag}={value}" for flag, value in flags.items())]
        super().__init__("etcd", argv, folder / "etcd.log")

    def is_healthy(self) -> bool:
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=TIMEOUT)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def prefix(self) -> str:
        """A new key prefix."""
        return f"/cluster-{next(self.numbers)}"


class ApiServer(Service):
    """A kube-apiserver, started with the flags and the files of a sandboxed master's manifest."""

    def __init__(
        self,
        program: str,
        manifest: str,
        *,
        root: Path,
        etcd: Etcd,
        log: Path,
        flags: t.Mapping[str, str | None] | None = None,
        environment: t.Mapping[str, str] | None = None,
    ) -> None:
        """Start it. ``flags`` replaces (or, with None, removes) flags of the manifest."""
        pod = StaticPod(manifest, root)
        given = dict(flags or {})
        self.port = int(given.get("secure-port") or free_port())
        self.authority = pod.file("client-ca-file")
        here = {
            "bind-address": LOOPBACK,
            "secure-port": str(self.port),
            "etcd-servers": etcd.url,
            "etcd-prefix": etcd.prefix(),
            "etcd-cafile": None,
            "etcd-certfile": None,
            "etcd-keyfile": None,
            # Nobody else is in this cluster, and no Service has to lead to this server.
            "endpoint-reconciler-type": "none",
        }
        argv = [program, *pod.argv({**here, **given})]
        super().__init__(f"kube-apiserver of {root.name}", argv, log, environment)

    def is_ready(self) -> bool:
        try:
            return self.request("/readyz").status == 200
        except OSError:
            return False

    def request(
        self,
        path: str,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        headers: t.Mapping[str, str] | None = None,
    ) -> Response:
        """GET ``path``, with a client certificate and its key if they are given."""
        context = ssl.create_default_context(cafile=str(self.authority))
        if certificate:
            context.load_cert_chain(certificate, key)
        connection = http.client.HTTPSConnection(LOOPBACK, self.port, timeout=TIMEOUT, context=context)
        try:
            connection.request("GET", path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Response(answer.status, answer.read().decode())
        finally:
            connection.close()

    def client_ca_names(self) -> list[str]:
        """The common names of the CAs whose client certificates the server accepts, as its TLS handshake lists them."""
        with socket.create_connection((LOOPBACK, self.port), timeout=TIMEOUT) as plain:
            plain.settimeout(None)  # pyOpenSSL wants a blocking socket
            secured = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), plain)
            secured.set_connect_state()
            secured.do_handshake()
            return [str(found.commonName) for found in secured.get_client_ca_list()]
