# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which client CAs a running kube-apiserver names in its TLS handshake: those that it has loaded.

Up to TLS 1.2 a server says that before anything is encrypted. Python's ssl module has no call that tells it, but it
makes a good first message, and the server's answer is read here as RFC 5246 lays it down (sections 6.2.1 and 7.4).

A server that speaks TLS 1.3 only says it encrypted. OpenSSL hands every message that it has decrypted to a callback;
Python keeps that one to itself (SSLContext._msg_callback, since 3.8), and where it goes away one day, nobody knows the
names, as before.
"""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import typing as t
import warnings

from .._contract.survey import Handshake

__all__ = ["offered_client_cas", "names_in_flight"]

_SECONDS = 5
# Far above any handshake; the lists of a few hundred CAs are some ten KiB.
_LIMIT = 4 * 1024 * 1024
_HANDSHAKE, _ALERT = 22, 21  # types of records
_CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 13, 14  # types of handshake messages
_PROTOCOL_VERSION = 70  # an alert: the client offered only versions that the server does not speak (RFC 8446, 6.2)
_CERTIFICATE_AUTHORITIES = 47  # an extension of TLS 1.3 (RFC 8446, 4.2.4)


class _OtherVersion(ConnectionAbortedError):
    """The server speaks none of the versions that were offered."""


def _first_message() -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent that a wrong server must not know
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    outgoing = ssl.MemoryBIO()
    connection = context.wrap_bio(ssl.MemoryBIO(), outgoing)
    try:
        connection.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def _messages(flight: bytes) -> list[tuple[int, bytes]]:
    """Give the whole handshake messages of what a server has sent so far: their types and contents."""
    stream, position = b"", 0
    while position + 5 <= len(flight):
        end = position + 5 + int.from_bytes(flight[position + 3 : position + 5], "big")
        if end > len(flight):
            break
        if flight[position] == _HANDSHAKE:
            stream += flight[position + 5 : end]
        elif flight[position] == _ALERT:
            alert = flight[position + 5 : end]
            kind = _OtherVersion if alert[1:] == bytes((_PROTOCOL_VERSION,)) else ConnectionAbortedError
            raise kind(f"the server ended the handshake (alert {alert.hex()})")
        position = end
    found, position = [], 0
    while position + 4 <= len(stream):
        end = position + 4 + int.from_bytes(stream[position + 1 : position + 4], "big")
        if end > len(stream):
            break
        found.append((stream[position], stream[position + 4 : end]))
        position = end
    return found


def _listed(content: bytes, start: int, end: int) -> list[bytes]:
    """Give the names in this part of a message, each behind its length in two bytes. Raises ValueError."""
    names = []
    while start < end:
        size = int.from_bytes(content[start : start + 2], "big")
        if start + 2 + size > len(content):
            raise ValueError("the list of CAs is cut off")
        names.append(content[start + 2 : start + 2 + size])
        start += 2 + size
    return names


def names_in_request(content: bytes) -> list[bytes]:
    """Give the names (DER) in a CertificateRequest of TLS 1.3 (RFC 8446, 4.3.2). Raises ValueError, IndexError."""
    position = 1 + content[0]  # certificate_request_context<0..2^8-1>
    position += 2  # extensions<2..2^16-1>
    while position + 4 <= len(content):
        kind, size = (int.from_bytes(content[at : at + 2], "big") for at in (position, position + 2))
        if kind == _CERTIFICATE_AUTHORITIES:
            return _listed(content, position + 6, position + 4 + size)
        position += 4 + size
    return []


def names_in_flight(flight: bytes) -> list[bytes] | None:
    """Give the names (DER) in a server's first flight; None if it is not complete, empty if it asks for nobody.

    Raises OSError if the server ends the handshake, and ValueError if it sends nonsense.
    """
    messages = _messages(flight)
    for kind, content in messages:
        if kind == _CERTIFICATE_REQUEST:
            # certificate_types<1..2^8-1>, supported_signature_algorithms<2..2^16-2>, certificate_authorities<0..2^16-1>
            start = 1 + content[0]
            start += 2 + int.from_bytes(content[start : start + 2], "big")
            end = start + 2 + int.from_bytes(content[start : start + 2], "big")
            return _listed(content, start + 2, end)
    return [] if any(kind == _SERVER_HELLO_DONE for kind, dummy in messages) else None


def _ask_in_the_open(address: str, port: int) -> list[bytes]:
    """Up to TLS 1.2. Raises OSError, ValueError, IndexError."""
    flight = b""
    with socket.create_connection((address, port), timeout=_SECONDS) as connection:
        connection.sendall(_first_message())
        while True:
            names = names_in_flight(flight)
            if names is not None:
                return names
            more = connection.recv(65536)
            if not more or len(flight) > _LIMIT:
                raise ConnectionAbortedError("the server said nothing that could be understood")
            flight += more


def _ask_encrypted(address: str, port: int) -> list[bytes]:
    """With TLS 1.3. Raises OSError, ValueError, IndexError."""
    messages: list[bytes] = []

    def note(_connection: t.Any, direction: str, _version: t.Any, content: int, kind: int, data: bytes) -> None:
        if direction == "read" and content == _HANDSHAKE and kind == _CERTIFICATE_REQUEST:
            messages.append(bytes(data))

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent that a wrong server must not know
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not hasattr(context, "_msg_callback"):
        raise ConnectionAbortedError("the server speaks TLS 1.3 only, in which this Python does not tell what it says")
    context._msg_callback = note  # type: ignore[attr-defined]
    connection = socket.create_connection((address, port), timeout=_SECONDS)
    # a server that wants a certificate may end it when it got none; what it said before is there
    with connection, contextlib.suppress(ssl.SSLError, ConnectionError):
        context.wrap_socket(connection).close()
    if not messages:
        return []
    # behind the header of a handshake message: its type, and three bytes of length
    return names_in_request(messages[0][4:])


def offered_client_cas(address: str, port: int) -> Handshake:
    """Ask a server. Gives ``names`` (base64 of DER, in the server's order; None if it did not tell) and ``error``."""
    try:
        try:
            names = _ask_in_the_open(address, port)
        except _OtherVersion:
            names = _ask_encrypted(address, port)
    except (OSError, ValueError, IndexError, OverflowError) as error:
        return {"names": None, "error": f"{type(error).__name__}: {error}"}
    return {"names": [base64.b64encode(name).decode("ascii") for name in names], "error": None}
