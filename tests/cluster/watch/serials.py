# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An extension API server that answers with the serial number of the certificate with which it is asked.

So whoever asks a kube-apiserver for it learns which certificate that one presents at this moment: each answer ends its
connection, so that none is older than the request.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import http.server
import json
import socket
import ssl
import threading
import typing as t
from pathlib import Path

from bed.shell import run
from bed.testbed import Testbed

from watch.client import Client
from watch.master import Master, wait_for
from watch.registration import registration

__all__ = ["presented", "serial_server"]

_GROUP = "serials.example.com"
_NAMESPACE = "serials"
_VERSION = f"{_GROUP}/v1"
_PATH = f"/apis/{_VERSION}"


class _Handler(http.server.BaseHTTPRequestHandler):
    connection: ssl.SSLSocket

    def do_GET(self) -> None:
        certificate = self.connection.getpeercert()
        serial = certificate["serialNumber"] if certificate else ""
        said = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _VERSION, "resources": []}
        body = json.dumps({**said, "serial": serial}).encode()
        self.send_response(200 if self.path.startswith(_PATH) else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_what: object) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        super().__init__((address, 0), _Handler)
        self._context = context

    def get_request(self) -> tuple[socket.socket, t.Any]:
        connection, peer = super().get_request()
        # the handshake is left to the thread that answers
        return self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), peer

    def handle_error(self, *_what: object) -> None:
        """A client that hangs up is no error."""


class Masters(t.Protocol):
    """Masters of one cluster. folder: for files of the server."""

    bed: Testbed
    folder: Path
    client: Client
    masters: list[Master]


def presented(client: Client, master: Master) -> int | None:
    """The serial number with which this master's kube-apiserver asks an extension API server; None for no answer."""
    try:
        answer = client.get(master.address, _PATH)
        return int(answer.json["serial"], 16)
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None


@contextlib.contextmanager
def serial_server(masters: Masters) -> t.Iterator[None]:
    """Run the server for the block, for masters that are configured, until all of them reach it."""
    key, certificate = masters.folder / "server.key", masters.folder / "server.crt"
    _make_certificate(key, certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(cadata=masters.masters[0].read("front-proxy-ca.crt").decode())
    # what asks whether it is there may have no certificate
    context.verify_mode = ssl.CERT_OPTIONAL
    address = masters.bed.names.gateway
    server = _Server(address, context)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        # it is the client's certificate that matters here
        known = {"insecureSkipTLSVerify": True}
        objects = registration(
            _GROUP, "v1", namespace=_NAMESPACE, address=address, port=server.server_port, trust=known
        )
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        masters.bed.kubectl("apply", "--filename=-", given=json.dumps(listed))
        for master in masters.masters:
            wait_for(functools.partial(presented, masters.client, master), f"{master.name} reaches the API server")
        yield
    finally:
        # first the APIService: while it leads nowhere, no namespace of the cluster can be deleted
        masters.bed.kubectl("delete", "apiservice", f"v1.{_GROUP}", "--ignore-not-found", check=False)
        server.shutdown()
        thread.join()
        server.server_close()


def _make_certificate(key: Path, certificate: Path) -> None:
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    name = f"api.{_NAMESPACE}.svc"
    kept = ("-keyout", str(key), "-out", str(certificate))
    run(*new, "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", *kept)
