# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The outer parts of a certificate's DER, for what a library refuses to read or reads too liberally (RFC 5280, 4.1)."""

from __future__ import annotations

import typing as t

from .errors import PkiError

_SEQUENCE = 0x30
_INTEGER = 0x02
_EXPLICIT_0 = 0xA0
_EXPLICIT_3 = 0xA3
# 2.5.29.14, subjectKeyIdentifier, and an arc of 2.5.29 (ITU-T X.509) that is not in use
_KEY_IDENTIFIER = bytes((0x06, 0x03, 0x55, 0x1D, 0x0E))
_NOBODYS = bytes((0x06, 0x03, 0x55, 0x1D, 0x7F))


class _Element(t.NamedTuple):
    """One DER element: its tag, and where it, its content and its end lie in the data."""

    tag: int
    start: int
    content: int
    end: int


class Outline(t.NamedTuple):
    """The parts of a certificate that are read without a library; the byte strings are whole DER elements."""

    serial: int
    issuer: bytes
    subject: bytes
    public_key: bytes


def _element(data: bytes, start: int, limit: int) -> _Element:
    """The DER element that begins at `start`; PkiError if it does not lie within `limit`."""
    if start + 2 > limit:
        raise PkiError("the DER is cut off")
    length = data[start + 1]
    content = start + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or content + size > limit:
            raise PkiError("the DER has a length that is not allowed")
        length = int.from_bytes(data[content : content + size], "big")
        content += size
    if content + length > limit:
        raise PkiError("the DER is cut off")
    return _Element(data[start], start, content, content + length)


def _expect(element: _Element, tag: int) -> _Element:
    if element.tag != tag:
        raise PkiError("the DER is not that of a certificate")
    return element


def _tbs(data: bytes) -> tuple[_Element, _Element, _Element]:
    """(certificate, TBSCertificate, serial number)."""
    certificate = _expect(_element(data, 0, len(data)), _SEQUENCE)
    tbs = _expect(_element(data, certificate.content, certificate.end), _SEQUENCE)
    first = _element(data, tbs.content, tbs.end)
    serial = _element(data, first.end, tbs.end) if first.tag == _EXPLICIT_0 else first
    return certificate, tbs, _expect(serial, _INTEGER)


def outline(data: bytes) -> Outline:
    """Serial number, names and public key of a certificate as they stand in its DER."""
    certificate, tbs, serial = _tbs(data)
    if certificate.end != len(data):
        raise PkiError("there is something behind the DER of the certificate")
    parts: list[bytes] = []
    position = serial.end
    while len(parts) < 5:  # signature, issuer, validity, subject, subjectPublicKeyInfo
        part = _expect(_element(data, position, tbs.end), _SEQUENCE)
        parts.append(data[part.start : part.end])
        position = part.end
    return Outline(
        serial=int.from_bytes(data[serial.content : serial.end], "big", signed=True),
        issuer=parts[1],
        subject=parts[3],
        public_key=parts[4],
    )


def _encode(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def with_serial(data: bytes, number: int) -> bytes:
    """
    The same certificate with another serial number; PkiError if the DER is not that of a certificate.

    Its signature no longer fits: it is good for reading facts, or as a trust anchor, of which nobody checks it.
    """
    certificate, tbs, serial = _tbs(data)
    encoded = _encode(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))
    new_tbs = _encode(_SEQUENCE, data[tbs.content : serial.start] + encoded + data[serial.end : tbs.end])
    return _encode(_SEQUENCE, new_tbs + data[tbs.end : certificate.end])


def _elements(data: bytes, start: int, end: int) -> t.Iterator[_Element]:
    """The elements that lie one after the other between two places."""
    while start < end:
        element = _element(data, start, end)
        yield element
        start = element.end


def without_key_identifier(data: bytes) -> bytes:
    """
    The same certificate without its subject key identifier (RFC 5280, 4.2.1.2): good as a trust anchor only.

    The extension stays in its place under a name that nobody knows, so that no length changes. It is not critical (RFC
    5280 forbids it), so whoever does not know it passes over it. PkiError if the DER is not that of a certificate.
    """
    dummy, tbs, serial = _tbs(data)
    for part in _elements(data, serial.end, tbs.end):
        if part.tag == _EXPLICIT_3:
            for extension in _elements(data, _element(data, part.content, part.end).content, part.end):
                name = _element(data, extension.content, extension.end)
                if data[name.start : name.end] == _KEY_IDENTIFIER:
                    return data[: name.start] + _NOBODYS + data[name.end :]
    return data


__all__ = ("Outline", "outline", "with_serial", "without_key_identifier")
