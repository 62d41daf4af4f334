# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as YAML or JSON text, in the style of what stands beside them."""

from __future__ import annotations

import json
import re
import typing as t

__all__ = ["Flow", "Quoted", "block_lines", "flow", "scalar"]

# A flag as a plain scalar: the leading dashes keep every reader from seeing a number or a boolean in it. What could end
# the scalar early (": ", " #", and in flow style , [ ] { }) is not in the sets or is excluded below.
_PLAIN_FLAG_BLOCK = re.compile(r"--?[A-Za-z][A-Za-z0-9_./@%+=*~:;,<>()\[\]{}$^&!?|'\"\\ -]*\Z")
_PLAIN_FLAG_FLOW = re.compile(r"--?[A-Za-z][A-Za-z0-9_./@%+=*~;()$^-]*\Z")
# Other strings: only what no reader of YAML 1.1 or 1.2 could take for anything else.
_PLAIN_WORD = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*\Z")
_NOT_STRINGS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"))

_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ufeff]")


class Quoted(str):
    """A string that is written in double quotes, whatever it looks like."""

    @classmethod
    def values(cls, mapping: t.Mapping[str, str]) -> t.Dict[str, t.Any]:
        """Return the same keys with values that are quoted."""
        return {key: cls(value) for key, value in mapping.items()}


class Flow(t.NamedTuple):
    """How collections are written in flow style.

    quoted: keys and values in double quotes, as JSON wants; compact: no space after a comma or colon; indent: None for
    one line, otherwise the white space before the collection's line; unit: one level; eol: the line end.
    """

    quoted: bool
    compact: bool
    indent: t.Optional[str] = None
    unit: str = "  "
    eol: str = "\n"

    @property
    def colon(self) -> str:
        """What stands between key and value."""
        return ":" if self.compact else ": "

    @property
    def comma(self) -> str:
        """What stands between items on one line."""
        return "," if self.compact else ", "


def _plain_is_safe(text: str, in_flow: bool) -> bool:
    if text.startswith("-"):
        if in_flow:
            return bool(_PLAIN_FLAG_FLOW.match(text))
        return (
            bool(_PLAIN_FLAG_BLOCK.match(text))
            and ": " not in text
            and not text.endswith((":", " "))
            and " #" not in text
        )
    return bool(_PLAIN_WORD.match(text)) and text.lower() not in _NOT_STRINGS


def scalar(text: str, style: t.Optional[str], in_flow: bool) -> str:
    """Return a string as a scalar; style is the wanted quote, or None for plain where that is safe."""
    if style == "'" and text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and _plain_is_safe(text, in_flow):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match.group()):04x}", quoted)


def flow(value: t.Any, style: Flow) -> str:
    """Return nested dicts, lists, strings and booleans in flow style."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return scalar(value, '"' if style.quoted or isinstance(value, Quoted) else None, True)
    inner = style if style.indent is None else style._replace(indent=style.indent + style.unit)
    if isinstance(value, dict):
        parts = [flow(key, inner) + style.colon + flow(item, inner) for key, item in value.items()]
        opening, closing = "{", "}"
    else:
        parts = [flow(item, inner) for item in value]
        opening, closing = "[", "]"
    if inner.indent is None:
        return opening + style.comma.join(parts) + closing
    joined = ("," + style.eol + inner.indent).join(parts)
    return f"{opening}{style.eol}{inner.indent}{joined}{style.eol}{style.indent}{closing}"


def block_lines(value: t.Any, pad: int = 1, offset: int = 2) -> t.List[str]:
    """Return nested dicts, lists, strings and booleans as lines of block style, without indentation of the whole.

    pad: spaces after a dash; offset: columns by which a list stands to the right of its key.
    """
    if isinstance(value, dict):
        lines: t.List[str] = []
        for key, item in value.items():
            name = scalar(key, None, False)
            if isinstance(item, (dict, list)):
                lines.append(name + ":")
                shift = " " * (offset if isinstance(item, list) else 2)
                lines.extend(shift + line for line in block_lines(item, pad, offset))
            else:
                lines.append(f"{name}: {block_lines(item)[0]}")
        return lines
    if isinstance(value, list):
        lines = []
        for item in value:
            for number, line in enumerate(block_lines(item, pad, offset)):
                lines.append(("-" + " " * pad if number == 0 else " " * (pad + 1)) + line)
        return lines
    if isinstance(value, bool):
        return ["true" if value else "false"]
    return [scalar(value, '"' if isinstance(value, Quoted) else None, False)]
