# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the option ``files`` of the action apiserver: what is wanted, and, apart from that, what is to be written."""

from __future__ import annotations

import re
import typing as t

from .._pki.keys import load_key
from .access import open_to_all
from .change import FileWish
from .errors import PlanError

__all__ = ["read_files"]

_KNOWN = {"path", "content", "src", "made_anew", "mode", "owner", "group"}


def _content(file: t.Mapping[str, t.Any], find: t.Callable[[str], str], checking: bool) -> str | None:
    path = file["path"]
    if (file.get("content") is None) == (file.get("src") is None):
        raise PlanError(f"The file {path} needs either content or src; give one of them.")
    if file.get("content") is not None:
        return str(file["content"])
    if checking and file.get("made_anew"):
        return None  # what is there now is not what the real run will find
    source = find(str(file["src"]))
    try:
        with open(source, encoding="ascii") as stream:
            return stream.read()
    except FileNotFoundError:
        if checking:
            return None  # the real run makes it first
        raise PlanError(f"{source} on the controller, the source of {path}, is not there; make it first.") from None
    except UnicodeDecodeError:
        raise PlanError(
            f"{source} on the controller, the source of {path}, is not PEM; give a certificate or a key."
        ) from None
    except OSError as error:
        raise PlanError(
            f"Cannot read {source} on the controller, the source of {path}: {error.strerror}; mend that and run again."
        ) from None


def _mode(file: t.Mapping[str, t.Any], is_key: bool) -> int | None:
    mode = file.get("mode")
    if mode is None:
        return None
    digits = f"{mode:04o}" if isinstance(mode, int) and not isinstance(mode, bool) else str(mode)
    if not re.fullmatch("0?[0-7]{3}", digits):
        raise PlanError(f"The mode {mode!r} of {file['path']} is not one such as '0644'; write octal digits in quotes.")
    if is_key and open_to_all(int(digits, 8)):
        raise PlanError(f"The mode {digits} would let everybody read the private key {file['path']}; use 0600 or 0640.")
    return int(digits, 8)


def read_files(
    files: t.Sequence[t.Mapping[str, t.Any]], find: t.Callable[[str], str], *, checking: bool
) -> tuple[list[FileWish], dict[str, str]]:
    """Read the wanted files. find: gives the place on the controller of a ``src``; checking: it need not be there yet.

    Returns the wishes, in which there is no private key, and the contents by path. Raises PlanError, PkiError.
    """
    wishes, contents = [], {}
    for file in files:
        path = str(file.get("path") or "")
        unknown = set(file) - _KNOWN
        if not path.startswith("/") or unknown:
            problem = (
                f"the unknown options {', '.join(sorted(unknown))}"
                if unknown
                else f"the path {path!r}, which is not absolute"
            )
            raise PlanError(f"An entry of files has {problem}; it takes {', '.join(sorted(_KNOWN))}.")
        text = _content(file, find, checking)
        is_key = "PRIVATE KEY-----" in text if text is not None else path.endswith(".key")
        wishes.append(
            FileWish(
                path=path,
                text=None if is_key else text,
                mode=_mode(file, is_key),
                is_key=is_key,
                key_of=load_key(text.encode(), where=path).fingerprint if is_key and text is not None else None,
                owner=None if file.get("owner") is None else str(file["owner"]),
                group=None if file.get("group") is None else str(file["group"]),
            )
        )
        if text is not None:
            contents[path] = text
    return wishes, contents
