# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of the ConfigMap extension-apiserver-authentication: what stands in them, and what is left without some.

The controller decides by them, a master changes them; so both read them here. Only the standard library is used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import typing as t

__all__ = ["CA", "NAMES", "Block", "blocks_of", "names_of", "names_text", "without_blocks"]

#: The keys of the ConfigMap that are spoken of here.
CA, NAMES = "requestheader-client-ca-file", "requestheader-allowed-names"

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----[ \t]*\r?\n?", re.DOTALL)
# What Go's json.Marshal writes as an escape, besides what every JSON needs (encoding/json, htmlSafeSet).
_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


class Block(t.NamedTuple):
    """A certificate in a text. start, end: where, with its line break; der: None if it is no base64; fingerprint:
    SHA-256 of the DER, empty without it."""

    start: int
    end: int
    der: t.Optional[bytes]
    fingerprint: str


def _der(body: str) -> t.Optional[bytes]:
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def blocks_of(text: str) -> t.List[Block]:
    """Find the certificates of a text, in order; what stands between them does not count, as for Kubernetes."""
    found = []
    for match in _BLOCK.finditer(text):
        der = _der(match.group(1))
        fingerprint = hashlib.sha256(der).hexdigest() if der else ""
        found.append(Block(match.start(), match.end(), der, fingerprint))
    return found


def without_blocks(text: str, fingerprints: t.Container[str]) -> str:
    """Take the certificates with these fingerprints out of a text; every other character stays as it is."""
    kept, position = [], 0
    for block in blocks_of(text):
        if block.fingerprint and block.fingerprint in fingerprints:
            kept.append(text[position : block.start])
            position = block.end
    return "".join([*kept, text[position:]])


def names_of(value: t.Optional[str]) -> t.Optional[t.List[str]]:
    """Read a list of names; empty if there is none, None if it cannot be read."""
    try:
        found = json.loads(value or "[]")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(name, str) for name in found) else None


def names_text(names: t.Sequence[str]) -> str:
    """Write a list of names as kube-apiserver writes it, so that none of them writes it anew for its looks."""
    return json.dumps(list(names), ensure_ascii=False, separators=(",", ":")).translate(_ESCAPED)
