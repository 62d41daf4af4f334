# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the bytes of a manifest to its text."""

from __future__ import annotations

import typing as t

from .errors import DEFAULT_WHERE, ManifestError

__all__ = ["MAX_BYTES", "decode", "shorten"]

#: Largest manifest that is looked at, in bytes. A kubelet reads up to 10 MiB (pkg/kubelet/config/file.go); real ones
#: have 4 KiB.
MAX_BYTES = 1024 * 1024

_OTHER_ENCODINGS: t.Tuple[t.Tuple[bytes, str], ...] = (
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def decode(data: bytes, where: str = DEFAULT_WHERE) -> str:
    """Return the text of a manifest, every character kept (line ends and a byte order mark too).

    Raises ManifestError for what is no text: too large, empty, NUL bytes, not UTF-8.
    """
    if len(data) > MAX_BYTES:
        raise ManifestError(
            f"{where} has {len(data)} bytes, more than the {MAX_BYTES} that are read: this is no pod manifest of an "
            "API server; put the right file there."
        )
    if not data.strip():
        raise ManifestError(f"{where} is empty, so there is no pod in it; put the API server's pod manifest there.")
    for mark, name in _OTHER_ENCODINGS:
        if data.startswith(mark):
            raise ManifestError(f"{where} is written in {name}, but only UTF-8 is handled; save it as UTF-8.")
    if b"\0" in data:
        raise ManifestError(
            f"{where} is no text (there is a NUL byte at offset {data.index(0)}); put the API server's pod manifest "
            "there."
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise ManifestError(
            f"{where} is no UTF-8 text (the byte at offset {exc.start} does not belong there); put the API server's "
            "pod manifest there, saved as UTF-8."
        ) from None


def shorten(item: str, *, longest: int = 40) -> str:
    """Return an item of a command line for a message: of a long one its first characters, and a sign for the rest."""
    return item if len(item) <= longest else item[:longest] + "…"
