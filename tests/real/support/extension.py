# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An extension API server that answers as a test tells it to."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
import typing as t
from pathlib import Path

from kubeadm_pki import issue, make_authority, name

__all__ = ["GROUP", "Extension"]

GROUP = "thing.example.com"


class Extension:
    """An extension API server that answers as it is told to, and asks every caller for a certificate."""

    def __init__(self, address: str, folder: Path) -> None:
        authority = make_authority(name("extension"))
        issue(authority, name("extension"), hosts=["extension"]).write(folder, "extension")
        self.status = 200
        self.by_path: dict[str, int] = {}  # where it answers otherwise
        # the names of front proxies that it lets in, asked for each request; None for anybody
        self.allowed: t.Callable[[], t.Sequence[str]] | None = None
        self.unwell_for = 0  # whose checks it answers with an error, by the serial number of the certificate
        extension = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.connection.getpeercert()  # type: ignore[attr-defined]
                # kube-apiserver's own check names its program; what it hands on from us does not
                check = str(self.headers.get("User-Agent")).startswith("Go-http-client")
                unwell = check and found and int(found["serialNumber"], 16) == extension.unwell_for
                status = 500 if unwell else extension.by_path.get(self.path, extension.status)
                subject = [item for part in (found or {}).get("subject", ()) for item in part]
                if extension.allowed and dict(subject).get("commonName") not in extension.allowed():
                    status = 401
                group = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1", "resources": []}
                failure = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "no", "code": status}
                body = json.dumps(group if status == 200 else failure).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_what: object) -> None:
                """Say nothing."""

        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "extension.crt", folder / "extension.key")
        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.port = int(self.server.server_address[1])
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def know(self, bundle: Path) -> None:
        """Ask callers for a certificate that one of these CAs signed, so that it is seen whose it is."""
        self.context.load_verify_locations(cafile=str(bundle))
        self.context.verify_mode = ssl.CERT_OPTIONAL

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
