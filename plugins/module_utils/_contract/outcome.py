# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master tells of a change: the result of the module ``apiserver``. `_master/change.py` makes it."""

from __future__ import annotations

import typing as t

from .observation import Probe, read_probe
from .readers import Reader, choice, listed, nullable, number, path, record, text, truth

__all__ = ["Outcome", "Recovered", "Told", "read_outcome", "read_recovered"]

_SENTENCES = text(8000)


class _Failure(t.TypedDict, total=False):
    failed: bool
    msg: str


class Told(_Failure, total=False):
    """What is told of a change beside what was changed; all of it may be missing.

    failed, msg: it did not come to serve, and why; seconds: until it served; last_words: the last lines of its log;
    backup: the folder with what was replaced.
    """

    seconds: float
    probe: t.Optional[Probe]
    last_words: t.List[str]
    backup: str


class Outcome(Told):
    """What came of a change. files: the paths that were written; manifest: whether it was, too."""

    changed: bool
    files: t.List[str]
    manifest: bool
    restarted: bool
    rolled_back: bool


class Recovered(_Failure):
    """What came of a change that had been cut off before. recovered: how it ended; msg says it in sentences."""

    changed: bool
    recovered: str


#: Reads the result of a change. Raises ContractError.
_outcome: Reader[Outcome] = record(
    Outcome,
    optional=Told.__annotations__,
    failed=truth,
    msg=_SENTENCES,
    changed=truth,
    files=listed(path(), 100),
    manifest=truth,
    restarted=truth,
    rolled_back=truth,
    seconds=number(0, 1e6),
    probe=nullable(read_probe),
    last_words=listed(text(1000), 50),
    backup=path(),
)
_recovered: Reader[Recovered] = record(
    Recovered,
    optional=("failed",),
    failed=truth,
    msg=_SENTENCES,
    changed=truth,
    recovered=choice("finished", "rolled back", "ended"),
)


def read_outcome(value: t.Any) -> Outcome:
    """Read the result of a change. Raises ContractError."""
    return _outcome(value, "")


def read_recovered(value: t.Any) -> Recovered:
    """Read what came of a change that had been cut off. Raises ContractError."""
    return _recovered(value, "")
