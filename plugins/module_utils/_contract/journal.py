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

__all__ = [
    "APPLYING",
    "ROLLING_BACK",
    "ChangeNote",
    "ClientCa",
    "Journal",
    "NotedProcess",
    "SavedFile",
    "read_journal",
    "write_journal",
]

APPLYING, ROLLING_BACK = "applying", "rolling back"
#: What it is called once it has ended; close() of `_master/backup.py` says when which.
_ENDED = ("done", "cut off", "left alone", "put aside", "rolled back", "rolled back, not serving")

_TEXT = text(2 * 1024 * 1024)
#: One file: inode, size, and when its content was written.
_MARK = r"[0-9]{1,20}:[0-9]{1,20}:-?[0-9]{1,20}"


class _NamedFile(t.TypedDict):
    path: str
    existed: bool


class _AnySaved(_NamedFile, total=False):
    new: str


class SavedFile(_AnySaved, total=False):
    """A file as it was before the change. Where it did not exist, all but path and new is missing.

    path: on this machine; copy: its name in the journal's folder; mode: permission bits; secret: a private key;
    checksum: SHA-256, None for a secret; link: where it led, if it was a symbolic link; new: names the file that takes
    its place, see `files.mark`. link and new are in no journal of release 0.1.
    """

    link: str
    copy: str
    mode: int
    uid: int
    gid: int
    secret: bool
    checksum: t.Optional[str]


class NotedProcess(t.TypedDict):
    """A kube-apiserver; see `_master/process.py`, Process."""

    pid: int
    start_ticks: int


class ClientCa(t.TypedDict):
    """By what a cluster is known again: the file of ``--client-ca-file``, and its SHA-256 when the change began."""

    path: str
    checksum: str


class _NotesSince(Goal, total=False):
    """What the server is to be, and what is in no journal of release 0.1.

    old_process: what ran when the change began; new_process: when going back began; client_ca: as it was at first.
    """

    old_process: t.Optional[NotedProcess]
    new_process: t.Optional[NotedProcess]
    client_ca: t.Optional[ClientCa]


class ChangeNote(_NotesSince):
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


_any_saved: Reader[_AnySaved] = record(_AnySaved, optional=("new",), path=path(), existed=truth, new=text(100, _MARK))
_existing: Reader[SavedFile] = record(
    SavedFile,
    within=_any_saved,
    optional=("link",),
    link=text(4096),
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


_process: Reader[NotedProcess] = record(NotedProcess, pid=integer(1, 2**31), start_ticks=integer(0, 2**63))
_client_ca: Reader[ClientCa] = record(ClientCa, path=path(), checksum=text(64, DIGEST))
_journal: Reader[Journal] = record(
    Journal,
    within=goal_reader,
    optional=_NotesSince.__annotations__,
    old_process=nullable(_process),
    new_process=nullable(_process),
    client_ca=nullable(_client_ca),
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
