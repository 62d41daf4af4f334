# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away extension API server: it says who called it, and refuses whom a real one refuses.

A caller must show a certificate of one of the CAs that the cluster publishes for it, with one of the published names,
as staging/src/k8s.io/apiserver/pkg/authentication/request/x509/verify_options.go and headerrequest ask for it. What it
answers is the discovery of an API group without resources, and in it the caller.
"""

from __future__ import annotations

import http.server
import json
import socket
import socketserver
import ssl
import threading
import typing as t

from .._contract.smoke import Caller, Refusal
from .api import PARTIAL_CHAIN, load_pair
from .errors import MasterError
from .files import accept_weak_keys

__all__ = ["Published", "SmokeServer"]

_SECONDS = 5.0
_REMEMBERED = 50


class Published(t.NamedTuple):
    """What the ConfigMap extension-apiserver-authentication tells extension API servers."""

    ca: str
    names: tuple[str, ...]
    user_headers: tuple[str, ...]
    group_headers: tuple[str, ...]

    @classmethod
    def of(cls, data: t.Mapping[str, t.Any]) -> Published:
        """Read its data. Raises MasterError."""
        try:
            lists = [
                tuple(str(item) for item in json.loads(data.get(f"requestheader-{name}") or "[]"))
                for name in ("allowed-names", "username-headers", "group-headers")
            ]
        except (ValueError, TypeError, RecursionError):
            raise MasterError(
                "The ConfigMap extension-apiserver-authentication holds a list that is no JSON, so no extension API "
                "server can read it; delete the ConfigMap, and kube-apiserver writes it anew."
            ) from None
        return cls(str(data.get("requestheader-client-ca-file") or ""), *lists)


def _context(certificate: str, key: str, published: Published) -> ssl.SSLContext:
    """What the server shows, and whom it accepts. Raises MasterError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    accept_weak_keys(context)
    load_pair(context, certificate, key)
    context.verify_mode = ssl.CERT_OPTIONAL  # one without a certificate is told so
    context.verify_flags |= PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=published.ca)
    except (ssl.SSLError, ValueError):
        raise MasterError(
            "The cluster publishes no front-proxy CA that can be read in the ConfigMap "
            "extension-apiserver-authentication; mend the other findings first."
        ) from None
    return context


class SmokeServer(http.server.ThreadingHTTPServer):
    """The server. It runs in threads of its own from `start` to `stop`."""

    daemon_threads = True

    def __init__(self, address: str, group: str, certificate: str, key: str, published: Published) -> None:
        """Take a free port of the address. certificate, key: PEM. Raises MasterError or OSError."""
        context = _context(certificate, key, published)
        if ":" in address:
            self.address_family = socket.AF_INET6
        super().__init__((address, 0), _Handler)
        self.group = group
        self.published = published
        self._context = context
        self._refused: dict[tuple[str, str], None] = {}
        self._served = 0

    def server_bind(self) -> None:
        """Take the address, without asking for its name as http.server does: that may take long, and is of no use."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def start(self) -> None:
        """Serve from now on."""
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> tuple[int, list[Refusal]]:
        """Serve no longer. Gives how many calls were served, and who was not let in, each once."""
        self.shutdown()
        self.server_close()
        return self._served, [{"from": peer, "why": why} for peer, why in self._refused]

    def get_request(self) -> tuple[socket.socket, t.Any]:
        """Accept a connection; the handshake is left to the thread that answers."""
        connection, peer = super().get_request()
        connection.settimeout(_SECONDS)
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, request: t.Any, client_address: t.Any) -> None:
        """Say nothing: a connection that breaks is the caller's to tell of."""

    def refuse(self, peer: str, why: str) -> None:
        """Remember who was not let in."""
        if len(self._refused) < _REMEMBERED:
            self._refused[peer, why] = None

    def serve(self) -> None:
        """Count a call that was answered."""
        self._served += 1


def _common_name(certificate: t.Mapping[str, t.Any]) -> str:
    names = [value for part in certificate.get("subject", ()) for name, value in part if name == "commonName"]
    return str(names[0]) if names else ""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: SmokeServer
    connection: ssl.SSLSocket
    protocol_version = "HTTP/1.1"
    timeout = _SECONDS

    def handle(self) -> None:
        peer = str(self.client_address[0])
        try:
            self.connection.do_handshake()
        except ssl.SSLCertVerificationError as error:
            self.server.refuse(peer, f"the certificate that is shown is not accepted: {error.verify_message}")
            return
        except (OSError, ValueError) as error:
            # a look at the port, or one who does not trust this server
            self.server.refuse(peer, f"no TLS handshake: {getattr(error, 'reason', None) or type(error).__name__}")
            return
        super().handle()

    def do_GET(self) -> None:
        """Answer the discovery of the group."""
        peer, published = str(self.client_address[0]), self.server.published
        certificate = self.connection.getpeercert()
        if not certificate:
            self.server.refuse(peer, "no certificate is shown")
            self._answer(401, _status(401, "no certificate is shown"))
            return
        name = _common_name(certificate)
        if published.names and name not in published.names:
            why = f"the name {name!r} of the certificate is none of those that are published"
            self.server.refuse(peer, why)
            self._answer(401, _status(401, why))
            return
        if self.path.rstrip("/") != f"/apis/{self.server.group}/v1":
            self._answer(404, _status(404, "there is nothing else here"))
            return
        self.server.serve()
        caller: Caller = {
            "user": next(filter(None, (self.headers.get(header) for header in published.user_headers)), ""),
            "groups": [
                value for header in published.group_headers for value in self.headers.get_all(header) or () if value
            ],
            "certificate": name,
            "serial": str(certificate.get("serialNumber") or ""),
        }
        discovery = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{self.server.group}/v1"}
        self._answer(200, {**discovery, "resources": [], "caller": caller})

    def _answer(self, status: int, document: t.Mapping[str, t.Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        # so that every call shows the certificate that is in use at its moment
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *what: object) -> None:
        """Say nothing."""


def _status(code: int, message: str) -> dict[str, t.Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
