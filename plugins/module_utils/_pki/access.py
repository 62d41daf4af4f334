# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use a file: modes, owners and groups as users write them."""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import dataclass

from .errors import PkiError

KEY_MODE = 0o600
CERTIFICATE_MODE = 0o644
FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Access:
    """Who may use a file or a folder: the mode, and the numbers of owner and group, or None for the process's own."""

    mode: int
    owner: int | None = None
    group: int | None = None


def parse_mode(value: str | int | None, *, what: str) -> int | None:
    """
    An octal mode as Ansible users write it: '0640', or the number that YAML makes of 0640. None stays None.

    PkiError if it is not one.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 0o777:
        return value
    if isinstance(value, str) and re.fullmatch(r"(?:0o?)?[0-7]{3}", value):
        return int(value[-3:], 8)
    raise PkiError(f"{what} {value!r} is not an octal mode; write four digits in quotes, such as '0640'.")


def parse_key_mode(value: str | int | None, *, what: str) -> int | None:
    """As parse_mode, for a private key: PkiError if anyone but its owner could use it."""
    mode = parse_mode(value, what=what)
    if mode is not None and mode not in (0o600, 0o400):
        raise PkiError(
            f"{what} {mode:04o} is refused: a private key is for its owner alone, so choose '0600' or '0400'."
        )
    return mode


def parse_owner(name: str | None) -> int | None:
    """The number of a user, given by name or number."""
    if name is None or name == "":
        return None
    try:
        return int(name) if name.isdigit() else pwd.getpwnam(name).pw_uid
    except KeyError:
        raise PkiError(f"The owner {name!r} is not known on this machine.") from None


def parse_group(name: str | None) -> int | None:
    """The number of a group, given by name or number."""
    if name is None or name == "":
        return None
    try:
        return int(name) if name.isdigit() else grp.getgrnam(name).gr_gid
    except KeyError:
        raise PkiError(f"The group {name!r} is not known on this machine.") from None


__all__ = (
    "CERTIFICATE_MODE",
    "FOLDER_MODE",
    "KEY_MODE",
    "Access",
    "parse_group",
    "parse_key_mode",
    "parse_mode",
    "parse_owner",
)
