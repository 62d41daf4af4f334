# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master notes of a change that is under way, so that a later run can finish it; see `_master/backup.py`."""

from __future__ import annotations

import json
import typing as t

from .order import Goal, goal_reader
from .readers import (
    DIGEST,
    ContractError,
    Reader,
    choice,
    integer,
    listed,
    nullable,
    parse_json,
    path,
    record,
    text,
    truth,
)

__all__ = ["APPLYING", "ROLLING_BACK", "ChangeNote", "Journal", "SavedFile", "read_journal", "write_journal"]

APPLYING, ROLLING_BACK = "applying", "rolling back"
#: What it is called once it has ended; close() of `_master/backup.py` says when which.
_ENDED = ("done", "cut off", "left alone", "rolled back", "rolled back, not serving")

_TEXT = text(2 * 1024 * 1024)


class _AnySaved(t.TypedDict):
    path: str
    existed: bool


class SavedFile(_AnySaved, total=False):
    """A file as it was before the change. Where it did not exist, all but path is missing.

    path: on this machine; copy: its name in the journal's folder; mode: permission bits; secret: a private key;
    checksum: SHA-256, None for a secret.
    """

    copy: str
    mode: int
    uid: int
    gid: int
    secret: bool
    checksum: t.Optional[str]


class ChangeNote(Goal):
    """What is needed to finish a change: the manifest that it leads to, and what the server is to be.

    manifest_text: what the manifest is to say; manifest_new: its SHA-256; old_argv: the command line before.
    """

    manifest_path: str
    manifest_text: str
    manifest_new: str
    old_argv: t.Optional[t.List[str]]


class Journal(ChangeNote):
    """The note, with the old state. state: how far it is; started: ``2026-11-22T02:03:04Z``."""

    state: str
    started: str
    files: t.List[SavedFile]
    manifest: t.Optional[SavedFile]


_any_saved: Reader[_AnySaved] = record(_AnySaved, path=path(), existed=truth)
_existing: Reader[SavedFile] = record(
    SavedFile,
    within=_any_saved,
    copy=text(300, r"[^/\0]+"),
    mode=integer(0, 0o7777),
    uid=integer(0, 2**32 - 1),
    gid=integer(0, 2**32 - 1),
    secret=truth,
    checksum=nullable(text(64, DIGEST)),
)


def _saved(value: t.Any, place: str) -> SavedFile:
    found = _any_saved(value, place)
    return _existing(value, place) if found["existed"] else t.cast(SavedFile, found)


_journal: Reader[Journal] = record(
    Journal,
    within=goal_reader,
    manifest_path=path(),
    manifest_text=_TEXT,
    manifest_new=text(64, DIGEST),
    old_argv=nullable(listed(text(128 * 1024), 2000)),
    state=choice(APPLYING, ROLLING_BACK, *_ENDED),
    started=text(40, "[0-9TZ:-]+"),
    files=listed(_saved, 100),
    manifest=nullable(_saved),
)


def write_journal(journal: Journal) -> bytes:
    """Write a journal as it lies on the disk."""
    return json.dumps(journal, indent=1).encode()


def read_journal(data: bytes) -> t.Optional[Journal]:
    """Read a journal from the disk; None if it is none."""
    try:
        return _journal(parse_json(data.decode("utf-8"), "the journal"), "the journal")
    except (ContractError, UnicodeDecodeError):
        return None
