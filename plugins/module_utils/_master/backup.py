# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is needed to go back: a copy of all that a change replaces, and a journal of the change."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
import typing as t

from .._contract.journal import APPLYING, ROLLING_BACK, ChangeNote, Journal, SavedFile, read_journal, write_journal
from .._contract.order import NewFile
from .errors import MasterError, explain
from .files import LIMIT, checksum, read_regular
from .install import Staged, discard, make_folder, put, remove, stage, stage_link, sync_folder
from .places import Places

__all__ = ["KEPT", "Backup", "discard_scratch", "prepare", "put_aside_unreadable", "read_pending"]

# How many ended changes stay in the backup folder, to be looked at or put back by hand.
KEPT = 5


class Backup:
    """The folder ``pending``: it exists exactly while a change is under way, and then holds all of the old state.

    ``journal.json`` tells what lies in it. A copy of a private key lies there only as long as the change lasts.
    """

    def __init__(self, places: Places, journal: Journal) -> None:
        self._places = places
        self.journal = journal

    @classmethod
    def begin(cls, places: Places, *, files: t.Sequence[str], manifest: str | None, note: ChangeNote) -> Backup:
        """Copy the named files (paths on this machine) as they are now, and the manifest's, and note the change.

        Raises MasterError (disk full, no right); then nothing but an unfinished copy was made, and that is removed.
        """
        scratch = _scratch(places)
        discard_scratch(places)
        entries = []
        try:
            os.mkdir(scratch, 0o700)
            for number, path in enumerate([*files, *([manifest] if manifest else [])]):
                name = f"{number}-{os.path.basename(path)}"  # two folders can hold files of one name
                entries.append(cls._copy(path, os.path.join(scratch, name), name))
            journal: Journal = {
                **note,  # type: ignore[typeddict-item]
                "state": APPLYING,
                "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "files": [entry for entry in entries if entry["path"] != manifest],
                "manifest": next((entry for entry in entries if entry["path"] == manifest), None),
            }
            backup = cls(places, journal)
            backup._write_journal(scratch)
            os.rename(scratch, places.pending)
            sync_folder(places.backups)
        except OSError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise explain("save the old state in", places.backups, error) from None
        except MasterError:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return backup

    @staticmethod
    def _copy(path: str, target: str, name: str) -> SavedFile:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            return {"path": path, "existed": False}
        content = read_regular(path)
        if len(content) > LIMIT:
            raise OSError(0, f"{path} is larger than {LIMIT // 1024**2} MiB", path)
        put(stage(NewFile(target, content, 0o600)))
        secret = b"PRIVATE KEY-----" in content
        return {
            "path": path,
            "existed": True,
            "copy": name,
            "mode": status.st_mode & 0o7777,
            "uid": status.st_uid,
            "gid": status.st_gid,
            "secret": secret,
            "checksum": None if secret else checksum(content),
        }

    def _write_journal(self, folder: str) -> None:
        data = write_journal(self.journal)
        put(stage(NewFile(os.path.join(folder, "journal.json"), data, 0o600)))

    @property
    def rolling_back(self) -> bool:
        """Whether going back had begun."""
        return self.journal["state"] == ROLLING_BACK

    @property
    def ended(self) -> bool:
        """Whether the change had ended, and only putting its notes away was cut off: copied keys go then only."""
        return self.journal["state"] not in (APPLYING, ROLLING_BACK) or any(
            entry.get("secret") and not os.path.exists(os.path.join(self._places.pending, entry["copy"]))
            for entry in self.journal["files"]
        )

    def note_rolling_back(self) -> None:
        """Note that going back has begun, so that a run that is cut off there is finished in the same direction."""
        self.journal["state"] = ROLLING_BACK
        with contextlib.suppress(MasterError):  # a full disk must not stop the way back
            self._write_journal(self._places.pending)

    def restore(self, entries: t.Sequence[SavedFile]) -> None:
        """Put these things back as they were; none, if there is no room for one of them. Raises MasterError."""
        staged: list[Staged] = []
        try:
            for entry in entries:
                if entry["existed"]:
                    staged.append(self._stage_old(entry))
        except MasterError:
            discard(staged)
            raise
        for file in staged:
            put(file)
        for entry in entries:
            if not entry["existed"]:
                remove(entry["path"])

    def _stage_old(self, entry: SavedFile) -> Staged:
        path = entry["path"]
        saved = os.path.join(self._places.pending, entry["copy"])
        try:
            content = read_regular(saved)
        except OSError as error:
            raise explain("read the saved copy of", path, error) from None
        old = NewFile(path, content, entry["mode"], entry["uid"], entry["gid"])
        try:
            return stage(old)
        except MasterError as problem:
            # a full disk must not stop the way back
            try:
                return stage_link(saved, old)
            except MasterError:
                raise problem from None

    def restore_files(self) -> None:
        """Put all files but the manifest back as they were. Raises MasterError."""
        self.restore(self.journal["files"])

    def close(self, outcome: str) -> str:
        """End the change: forget copied keys, keep the rest under a dated name. Returns that folder's path."""
        places = self._places
        # first the word that it has ended: without its copies nothing can be put back any more
        self.journal["state"] = outcome
        with contextlib.suppress(MasterError):
            self._write_journal(places.pending)
        for entry in [*self.journal["files"], self.journal["manifest"]]:
            if entry and entry["existed"]:
                self._forget(os.path.join(places.pending, entry["copy"]), secret=entry["secret"])
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        target = os.path.join(places.backups, name)
        number = 0
        while os.path.exists(target):
            number += 1
            target = os.path.join(places.backups, f"{name}-{number}")
        try:
            os.rename(places.pending, target)
        except OSError as error:
            raise explain("put away", places.pending, error) from None
        sync_folder(places.backups)
        # this one stays even if the clock was set back
        ended = (os.path.join(places.backups, entry) for entry in os.listdir(places.backups) if entry[:1].isdigit())
        for old in sorted(path for path in ended if path != target)[: -(KEPT - 1)]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    @staticmethod
    def _forget(copy: str, *, secret: bool) -> None:
        # a copy that was put back by a second name is the live file, and kube-apiserver misses changes of a file that
        # has two names
        with contextlib.suppress(OSError):
            names = os.lstat(copy).st_nlink
            try:
                if secret or names > 1:
                    os.unlink(copy)
            except OSError:
                if names == 1:
                    os.truncate(copy, 0)


def _scratch(places: Places) -> str:
    return places.pending + ".new"


def discard_scratch(places: Places) -> None:
    """Remove the unfinished copy of a run that was killed before it changed anything. The lock is held."""
    shutil.rmtree(_scratch(places), ignore_errors=True)


def read_pending(places: Places) -> Journal | None:
    """Give the journal of a change that has begun and not ended; None if there is none or it says nothing."""
    try:
        return read_journal(read_regular(os.path.join(places.pending, "journal.json")))
    except OSError:
        return None


def put_aside_unreadable(places: Places) -> None:
    """Make way where ``pending`` says nothing that can be understood: keep it for a person, but no key.

    The lock is held. Raises MasterError.
    """
    for folder, dummy, names in os.walk(places.pending):
        for name in names:
            path = os.path.join(folder, name)
            try:
                if b"PRIVATE KEY-----" in read_regular(path):
                    os.unlink(path)
            except OSError:
                continue
    target, number = f"{places.pending}.unreadable", 0
    while os.path.lexists(target):
        number += 1
        target = f"{places.pending}.unreadable-{number}"
    try:
        os.rename(places.pending, target)
    except FileNotFoundError:
        return
    except OSError as error:
        raise explain("put away", places.pending, error) from None


def prepare(places: Places) -> None:
    """Make the backup folder, for root alone. Raises MasterError."""
    make_folder(os.path.dirname(places.backups), 0o755)
    try:
        os.makedirs(places.backups, mode=0o700, exist_ok=True)
        if os.stat(places.backups).st_mode & 0o077:
            os.chmod(places.backups, 0o700)
    except OSError as error:
        raise explain("make the folder", places.backups, error) from None
