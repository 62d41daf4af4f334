# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown to a person: no control characters, a bounded length, and words that can be pasted into a shell."""

from __future__ import annotations

import re
import shlex
import typing as t

__all__ = ["LONGEST", "Shell", "UserError", "commented", "note_word", "printable", "shell_word"]

#: The longest text that is shown in one piece, in characters.
LONGEST = 4000
# What means nothing to a shell, also behind a "#" in an interactive zsh, where that begins no comment.
_UNSAFE_IN_NOTE = re.compile(r"[^A-Za-z0-9 .,:/@_+-]")


def printable(text: str, *, longest: int = LONGEST) -> str:
    """Give a text as one line without anything that steers a terminal, such as escape sequences or bidi marks.

    Line breaks and tabs become blanks, everything else that ``str.isprintable`` does not take a question mark. What is
    longer than ``longest`` characters is cut off, and ends with three dots then.
    """
    # cut before it is looked through: it may be a thousand times as long
    cut = text[: longest + 1]
    line = " ".join(cut.replace("\t", " ").splitlines())
    line = "".join(character if character.isprintable() else "?" for character in line)
    return line if len(cut) <= longest else f"{line[: longest - 3]}..."


class Shell(str):
    """A piece of a command line that is quoted already, and is pasted as it is."""

    __slots__ = ()


def shell_word(value: str) -> str:
    """Give a value as a word of a command line that is pasted; a Shell is one already."""
    return value if isinstance(value, Shell) else shlex.quote(printable(value))


def note_word(value: str) -> str:
    """Give a value for a note behind ``#``: of letters, digits and a few signs only, others become ``_``."""
    return _UNSAFE_IN_NOTE.sub("_", printable(value))


def commented(command: str, note: str) -> Shell:
    """Give a command with a note behind it. command: quoted already; note: may hold anything."""
    return Shell(f"{command}  # {note_word(note)}")


class UserError(Exception):
    """Something is not as it must be. The message is one sentence for a person: what, where, why, what to do.

    It is cleaned here, since it may hold what a master said. rows: more lines, such as those of a table.
    """

    def __init__(self, message: str, rows: t.Sequence[str] = ()) -> None:
        super().__init__("\n".join(map(printable, (message, *rows))))
