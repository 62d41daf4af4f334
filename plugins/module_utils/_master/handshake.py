# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which client CAs a running kube-apiserver names in its TLS handshake: those that it has loaded.

Up to TLS 1.2 a server says that before anything is encrypted. Python's ssl module has no call that tells it, but it
makes a good first message, and the server's answer is read here as RFC 5246 lays it down (sections 6.2.1 and 7.4).
"""

from __future__ import annotations

import base64
import socket
import ssl
import warnings

from .._contract.survey import Handshake

__all__ = ["offered_client_cas", "names_in_flight"]

_SECONDS = 5
# Far above any handshake; the lists of a few hundred CAs are some ten KiB.
_LIMIT = 4 * 1024 * 1024
_HANDSHAKE, _ALERT = 22, 21  # types of records
_CERTIFICATE_REQUEST, _SERVER_HELLO_DONE = 13, 14  # types of handshake messages


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
            raise ConnectionAbortedError(
                f"the server ended the handshake (alert {flight[position + 5 : end].hex()}): it may speak TLS 1.3 only"
            )
        position = end
    found, position = [], 0
    while position + 4 <= len(stream):
        end = position + 4 + int.from_bytes(stream[position + 1 : position + 4], "big")
        if end > len(stream):
            break
        found.append((stream[position], stream[position + 4 : end]))
        position = end
    return found


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
            start += 2
            names = []
            while start < end:
                size = int.from_bytes(content[start : start + 2], "big")
                if start + 2 + size > len(content):
                    raise ValueError("the list of CAs is cut off")
                names.append(content[start + 2 : start + 2 + size])
                start += 2 + size
            return names
    return [] if any(kind == _SERVER_HELLO_DONE for kind, dummy in messages) else None


def offered_client_cas(address: str, port: int) -> Handshake:
    """Ask a server. Gives ``names`` (base64 of DER, in the server's order; None if it did not tell) and ``error``."""
    flight = b""
    try:
        with socket.create_connection((address, port), timeout=_SECONDS) as connection:
            connection.sendall(_first_message())
            while True:
                names = names_in_flight(flight)
                if names is not None:
                    return {"names": [base64.b64encode(name).decode("ascii") for name in names], "error": None}
                more = connection.recv(65536)
                if not more or len(flight) > _LIMIT:
                    raise ConnectionAbortedError("the server said nothing that could be understood")
                flight += more
    except (OSError, ValueError, IndexError, OverflowError) as error:
        return {"names": None, "error": f"{type(error).__name__}: {error}"}
