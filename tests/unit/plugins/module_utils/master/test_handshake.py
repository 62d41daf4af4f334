# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read which CAs a server names, out of its first messages, whatever it sends."""

from __future__ import annotations

import base64
import socket
import threading
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.handshake import (
    names_in_flight,
    names_in_request,
    offered_client_cas,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.support import (
    Generation,
    generation,
)
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL, crypto


def record(content: bytes, kind: int = 22) -> bytes:
    return bytes((kind, 3, 3)) + len(content).to_bytes(2, "big") + content


def message(kind: int, content: bytes = b"") -> bytes:
    return bytes((kind,)) + len(content).to_bytes(3, "big") + content


def request(*names: bytes) -> bytes:
    """A CertificateRequest of TLS 1.2."""
    listed = b"".join(len(name).to_bytes(2, "big") + name for name in names)
    return message(13, b"\x02\x01\x40" + b"\x00\x02\x04\x01" + len(listed).to_bytes(2, "big") + listed)


def test_names_are_found_in_their_order() -> None:
    flight = record(message(2, b"hello") + message(11, b"certificates")) + record(request(b"one", b"two") + message(14))
    assert names_in_flight(flight) == [b"one", b"two"]


def test_a_message_may_come_in_many_records() -> None:
    whole = message(2, b"hello") + request(b"one", b"two") + message(14)
    flight = b"".join(record(whole[start : start + 5]) for start in range(0, len(whole), 5))
    assert names_in_flight(flight) == [b"one", b"two"]
    # before the last byte of the request nothing is known
    assert names_in_flight(flight[:40]) is None


def test_a_server_that_asks_for_nobody_names_nobody() -> None:
    assert names_in_flight(record(message(2, b"hello") + message(14))) == []


def test_an_alert_ends_it() -> None:
    for alert in (b"\x02\x46", b"\x02\x28", b"\x02"):
        with pytest.raises(ConnectionAbortedError, match=rf"alert {alert.hex()}"):
            names_in_flight(record(alert, kind=21))


def extension(kind: int, content: bytes) -> bytes:
    return kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content


def test_names_in_a_request_of_tls_1_3() -> None:
    listed = b"".join(len(name).to_bytes(2, "big") + name for name in (b"one", b"two"))
    extensions = extension(13, b"\x00\x02\x04\x01") + extension(47, len(listed).to_bytes(2, "big") + listed)
    assert names_in_request(b"\x00" + len(extensions).to_bytes(2, "big") + extensions) == [b"one", b"two"]
    assert names_in_request(b"\x02ab" + b"\x00\x00") == []
    with pytest.raises(ValueError, match=r"cut off"):
        names_in_request(b"\x00" + len(extensions).to_bytes(2, "big") + extensions[:-2])


@given(st.binary(max_size=200))
def test_whatever_comes_raises_nothing_unknown(flight: bytes) -> None:
    try:
        names_in_flight(flight)
        names_in_flight(record(message(13, flight)))
        names_in_request(flight)
    except (OSError, ValueError, IndexError):
        pass


def serve(answer: bytes) -> t.Tuple[int, threading.Thread]:
    """A server that says one thing to one client."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            connection, dummy = listener.accept()
            with connection:
                assert connection.recv(65536)[0] == 22
                connection.sendall(answer)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return listener.getsockname()[1], thread


def test_a_server_is_asked() -> None:
    port, thread = serve(record(message(2, b"hello") + request(b"one") + message(14)))
    assert offered_client_cas("127.0.0.1", port) == {"names": ["b25l"], "error": None}
    thread.join()


def speak(version: int, authority: Generation, clients: int) -> int:
    """A server of OpenSSL that speaks TLS from this version on, and wants clients of this CA."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(version)
    own = generation("serving")
    context.use_certificate(crypto.load_certificate(crypto.FILETYPE_PEM, own.certificate))
    context.use_privatekey(crypto.load_privatekey(crypto.FILETYPE_PEM, own.key))
    context.set_verify(clients, lambda *_told: True)
    context.set_client_ca_list([crypto.load_certificate(crypto.FILETYPE_PEM, authority.bundle).get_subject()])
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            for _number in range(2):
                connection = SSL.Connection(context, listener.accept()[0])
                connection.set_accept_state()
                try:
                    connection.do_handshake()
                    connection.recv(1)
                except SSL.Error:
                    continue

    threading.Thread(target=run, daemon=True).start()
    port: int = listener.getsockname()[1]
    return port


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("clients", [SSL.VERIFY_PEER, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT])
def test_a_real_server_is_asked(version: int, clients: int) -> None:
    authority = generation("ours")
    said = offered_client_cas("127.0.0.1", speak(version, authority, clients))
    subject = crypto.load_certificate(crypto.FILETYPE_PEM, authority.bundle).get_subject().der()
    assert said == {"names": [base64.b64encode(subject).decode()], "error": None}


@pytest.mark.parametrize("answer", [b"HTTP/1.0 400 Bad Request\r\n\r\n", b""])
def test_a_server_that_speaks_no_tls_is_an_error(answer: bytes) -> None:
    port, thread = serve(answer)
    found = offered_client_cas("127.0.0.1", port)
    thread.join()
    assert found["names"] is None and found["error"].partition(":")[0] in ("ConnectionAbortedError", "TimeoutError")


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "ConnectionRefusedError" in offered_client_cas("127.0.0.1", port)["error"]
