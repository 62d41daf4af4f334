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

from .._contract.journal import (
    APPLYING,
    ROLLING_BACK,
    ChangeNote,
    Journal,
    NotedProcess,
    SavedFile,
    read_journal,
    write_journal,
)
from .._contract.order import NewFile
from .errors import MasterError, explain
from .files import LIMIT, checksum, mark, read_regular
from .install import (
    Staged,
    discard,
    discard_kept,
    keep,
    kept_beside,
    make_folder,
    put,
    put_all,
    remove,
    stage,
    stage_link,
    stage_symlink,
    sync_folder,
)
from .places import Places

__all__ = ["KEPT", "Backup", "discard_scratch", "prepare", "put_aside_unreadable", "read_pending"]

_BESIDE = "beside"
# How many ended changes stay in the backup folder, to be looked at or put back by hand.
KEPT = 5


class Backup:
    """The folder ``pending``: it exists exactly while a change is under way, and then holds all of the old state.

    ``journal.json`` tells what lies in it. A copy of a private key lies there only as long as the change lasts. For as
    long, a second copy of each file lies beside it (see `install.keep`), so that going back needs no room on any disk.
    """

    def __init__(self, places: Places, journal: Journal) -> None:
        self._places = places
        self.journal = journal

    @classmethod
    def begin(cls, places: Places, *, staged: t.Sequence[Staged], manifest: str | None, note: ChangeNote) -> Backup:
        """Copy the files for which others are staged as they are now, and the manifest, and note the change.

        staged: paths on this machine; manifest: its path if it is one of them. Raises MasterError (disk full, no
        right); then nothing but unfinished copies were made, and these are removed.
        """
        scratch = _scratch(places)
        discard_scratch(places)
        entries = []
        try:
            os.mkdir(scratch, 0o700)
            _note_beside(scratch, [file.path for file in staged])
            for number, file in enumerate(staged):
                name = f"{number}-{os.path.basename(file.path)}"  # two folders can hold files of one name
                entry = cls._copy(file.path, os.path.join(scratch, name), name)
                entry["new"] = mark(os.stat(file.temporary))
                entries.append(entry)
            for folder in dict.fromkeys(os.path.dirname(file.path) for file in staged):
                sync_folder(folder)
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
        except (OSError, MasterError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            discard_kept(file.path for file in staged)
            if isinstance(error, MasterError):
                raise
            raise explain("save the old state in", places.backups, error) from None
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
        saved: SavedFile = {
            "path": path,
            "existed": True,
            "copy": name,
            "mode": status.st_mode & 0o7777,
            "uid": status.st_uid,
            "gid": status.st_gid,
            "secret": secret,
            "checksum": None if secret else checksum(content),
        }
        if os.path.islink(path):
            saved["link"] = os.readlink(path)
        else:
            keep(path, content, status)
        return saved

    def _write_journal(self, folder: str) -> None:
        data = write_journal(self.journal)
        put(stage(NewFile(os.path.join(folder, "journal.json"), data, 0o600)))

    @property
    def entries(self) -> list[SavedFile]:
        """All that was saved, the manifest last."""
        manifest = self.journal["manifest"]
        return [*self.journal["files"], *([manifest] if manifest else [])]

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

    def note_rolling_back(self, running: NotedProcess | None) -> None:
        """Note that going back has begun, so that a run that is cut off there is finished in the same direction.

        running: the server that the change has started, if it runs.
        """
        self.journal["state"], self.journal["new_process"] = ROLLING_BACK, running
        with contextlib.suppress(MasterError):  # a full disk must not stop the way back
            self._write_journal(self._places.pending)

    def restore(self, entries: t.Sequence[SavedFile]) -> None:
        """Put these things back as they were; none, if there is no room for one of them. Raises MasterError."""
        staged: list[Staged] = []
        written: list[Staged] = []
        try:
            for entry in entries:
                if not entry["existed"] or self.is_old(entry):
                    continue
                kept = self._find_kept(entry)
                if kept is None:
                    kept = self._stage_old(entry)
                    written.append(kept)
                staged.append(kept)
        except MasterError:
            discard(written)
            raise
        put_all(staged)
        for entry in entries:
            if not entry["existed"]:
                remove(entry["path"])

    def _saved(self, entry: SavedFile) -> bytes:
        return read_regular(os.path.join(self._places.pending, entry["copy"]))

    def is_old(self, entry: SavedFile, *, whose: bool = True) -> bool:
        """Tell whether what is at a place now is what was there before the change. Raises MasterError.

        whose: whether its mode and owner count, too.
        """
        path = entry["path"]
        if not entry["existed"]:
            return not os.path.lexists(path)
        if "link" in entry or os.path.islink(path):
            return os.path.islink(path) and os.readlink(path) == entry.get("link")
        try:
            status = os.stat(path)
            if read_regular(path) != self._saved(entry):
                return False
        except FileNotFoundError:
            return False
        except OSError as error:
            raise explain("read", path, error) from None
        same = (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (entry["mode"], entry["uid"], entry["gid"])
        return same or not whose

    def is_new(self, entry: SavedFile) -> bool:
        """Tell whether what is at a place now is what the change put there."""
        try:
            status = os.lstat(entry["path"])
            if "new" in entry:
                return mark(status) == entry["new"]
            # a journal of release 0.1: its new files were written before it, and what came later is another hand's
            noted = os.stat(os.path.join(self._places.pending, "journal.json"))
            return status.st_mtime_ns <= noted.st_mtime_ns
        except OSError:
            return False

    def _find_kept(self, entry: SavedFile) -> Staged | None:
        """Find the copy beside a file; None if it is not there (any more), or is not what was saved."""
        kept = kept_beside(entry["path"])
        if "link" in entry or os.path.islink(kept):
            return None
        try:
            return Staged(kept, entry["path"]) if read_regular(kept) == self._saved(entry) else None
        except OSError:
            return None

    def _stage_old(self, entry: SavedFile) -> Staged:
        path = entry["path"]
        if "link" in entry:
            return stage_symlink(path, entry["link"])
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
        for entry in self.entries:
            if entry["existed"]:
                self._forget(os.path.join(places.pending, entry["copy"]), secret=entry["secret"])
        discard_kept(entry["path"] for entry in self.entries)
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(places.pending, _BESIDE))
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


def _note_beside(folder: str, paths: t.Sequence[str]) -> None:
    """Note beside which files copies are kept, so that they are found even where the journal cannot be read."""
    put(stage(NewFile(os.path.join(folder, _BESIDE), os.fsencode("".join(f"{path}\0" for path in paths)), 0o600)))


def _noted_beside(folder: str) -> list[str]:
    try:
        paths = os.fsdecode(read_regular(os.path.join(folder, _BESIDE))).split("\0")
    except OSError:
        return []
    return [path for path in paths if path.startswith("/")]


def _scratch(places: Places) -> str:
    return places.pending + ".new"


def discard_scratch(places: Places) -> None:
    """Remove the unfinished copies of a run that was killed before it changed anything. The lock is held."""
    discard_kept(_noted_beside(_scratch(places)))
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
    discard_kept(_noted_beside(places.pending))
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
