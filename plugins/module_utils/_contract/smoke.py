# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master tells of a step of the smoke test: the results of the module ``front_proxy_smoke``."""

from __future__ import annotations

import typing as t

from .observation import status
from .readers import Reader, integer, listed, nullable, record, text

__all__ = ["Asked", "Begun", "Caller", "Ended", "Refusal", "read_asked", "read_begun", "read_ended"]

_ADDRESS = text(64, r"[0-9A-Fa-f:.%]+")
_TEST = text(64, "[0-9a-f]+")
_TEXT = text(2000)


class Begun(t.TypedDict):
    """The server runs. swept: the ids of earlier tests of which something was left, and was removed."""

    address: str
    port: int
    swept: t.List[str]


class Caller(t.TypedDict):
    """Whom the server saw. certificate: its common name."""

    user: str
    groups: t.List[str]
    certificate: str
    serial: str


class Asked(t.TypedDict):
    """What came of the call. asked_as: as whom, None for the user of the credentials; caller: None if not reached."""

    asked_as: t.Optional[str]
    status: t.Optional[int]
    error: t.Optional[str]
    body: str
    caller: t.Optional[Caller]


#: Who was not let in.
Refusal = t.TypedDict("Refusal", {"from": str, "why": str})


class Ended(t.TypedDict):
    """The server ended. served: how many calls; left: sentences about objects that could not be removed."""

    served: int
    refused: t.List[Refusal]
    left: t.List[str]


_begun: Reader[Begun] = record(Begun, address=_ADDRESS, port=integer(1, 65535), swept=listed(_TEST, 1000))
_caller: Reader[Caller] = record(Caller, user=_TEXT, groups=listed(_TEXT, 1000), certificate=_TEXT, serial=text(100))
_asked: Reader[Asked] = record(
    Asked,
    asked_as=nullable(_TEXT),
    status=nullable(status),
    error=nullable(_TEXT),
    body=_TEXT,
    caller=nullable(_caller),
)
_refused: t.Dict[str, t.Any] = {"from": text(100), "why": _TEXT}
_refusal: Reader[Refusal] = record(Refusal, **_refused)
_ended: Reader[Ended] = record(Ended, served=integer(0, 2**31), refused=listed(_refusal, 100), left=listed(_TEXT, 100))


def read_begun(value: t.Any) -> Begun:
    """Read the result of the step ``begin``. Raises ContractError."""
    return _begun(value, "")


def read_asked(value: t.Any) -> Asked:
    """Read the result of the step ``ask``. Raises ContractError."""
    return _asked(value, "")


def read_ended(value: t.Any) -> Ended:
    """Read the result of the step ``end``. Raises ContractError."""
    return _ended(value, "")
