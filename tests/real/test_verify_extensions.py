# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify and extension API servers behind a real kube-apiserver: those that are not there, silent, or wrong."""

from __future__ import annotations

import http.server
import json
import socket
import ssl
import threading
import time
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import issue, make_authority, name
from support.service import free_port
from support.verified import Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

GROUP = "thing.example.com"


@pytest.fixture
def address() -> str:
    """An address of this machine that is no loopback one, which Endpoints may not have."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: which of our addresses leads out of here?
        return str(probe.getsockname()[0])


class Extension:
    """An extension API server that answers as it is told to, and asks every caller for a certificate."""

    def __init__(self, address: str, folder: Path) -> None:
        authority = make_authority(name("extension"))
        issue(authority, name("extension"), hosts=["extension"]).write(folder, "extension")
        self.status = 200
        self.unwell_for = 0  # whose checks it answers with an error, by the serial number of the certificate
        extension = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = self.connection.getpeercert()  # type: ignore[attr-defined]
                # kube-apiserver's own check names its program; what it hands on from us does not
                check = str(self.headers.get("User-Agent")).startswith("Go-http-client")
                unwell = check and found and int(found["serialNumber"], 16) == extension.unwell_for
                status = 500 if unwell else extension.status
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


@pytest.fixture
def extension(address: str, tmp_path: Path) -> t.Iterator[Extension]:
    """A server that works."""
    server = Extension(address, tmp_path)
    yield server
    server.stop()


def test_one_that_is_not_there_and_then_silent(make_master: MakeMaster, look: Look, address: str) -> None:
    master = make_master("absent")
    master.add_apiservice("ghost.example.com")
    (found,) = look(master).findings
    assert found["id"] == "extension-not-there" and not found["front_proxy"], found
    master.delete("/apis/apiregistration.k8s.io/v1/apiservices/v1.ghost.example.com")
    master.register("ghost.example.com", address, free_port())
    (found,) = look(master).findings
    assert found["id"] == "extension-silent" and not found["front_proxy"], found


def wait_for_ids(look: Look, masters: t.Sequence[t.Any], *ids: str) -> None:
    """Look until just this is found: kube-apiserver checks an APIService again after a while."""
    deadline = time.monotonic() + 120
    while True:
        verified = look(*masters)
        if verified.ids == list(ids):
            return
        assert time.monotonic() < deadline, verified.output


def test_one_that_answers_with_errors(make_master: MakeMaster, look: Look, address: str, extension: Extension) -> None:
    master = make_master("failing")
    extension.status = 403
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master], "extension-forbids")
    extension.status = 500
    wait_for_ids(look, [master], "extension-fails")
    extension.status = 200
    wait_for_ids(look, [master])


def test_one_that_answers_and_is_counted_as_unavailable(
    make_master: MakeMaster, look: Look, address: str, extension: Extension
) -> None:
    """All masters write the one condition, and it flaps; each also counts for itself, and that is what is seen."""
    first = make_master("m1")
    second = make_master("m2", of=first)
    second.sign(second.front_proxy)  # a pair of its own, by which the server can tell it
    second.restart()
    extension.know(first.pki / "front-proxy-ca.crt")
    first.register(GROUP, address, extension.port)
    wait_for_ids(look, [first, second])
    extension.unwell_for = second.pair_serial
    deadline = time.monotonic() + 240
    found: list[dict[str, t.Any]] = []
    # whenever the first one has written the condition last, both hand requests on
    while not found:
        assert time.monotonic() < deadline
        found = [each for each in look(first, second).findings if each["id"] == "apiservice-seen-unavailable"]
    assert found[0]["hosts"] == ["m2"] and not found[0]["front_proxy"]
    extension.unwell_for = 0
    wait_for_ids(look, [first, second])
