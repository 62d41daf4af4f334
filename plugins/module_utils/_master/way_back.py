# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go back to the state before a change, and wait until it serves."""

from __future__ import annotations

import typing as t

from .._contract.journal import ChangeNote, NotedProcess
from .backup import Backup
from .errors import MasterError, explain
from .files import checksum, read_regular
from .places import Places
from .process import Process, is_alive
from .serving import Expectation, running, ticks_now, wait_until_serving

__all__ = ["WayBack", "go_back", "note_process", "noted_process", "text_now"]


class WayBack(t.NamedTuple):
    """How going back ended. serving: nothing speaks against it; words: a sentence."""

    rolled_back: bool
    serving: bool
    words: str


def note_process(process: Process | None) -> NotedProcess | None:
    """Give a process as a journal notes it."""
    return {"pid": process.pid, "start_ticks": process.start_ticks} if process else None


def noted_process(noted: NotedProcess | None) -> Process | None:
    """Give a process that a journal notes, if it still runs. Its command line is left out."""
    if noted is None:
        return None
    process = Process(noted["pid"], (), noted["start_ticks"])
    return process if is_alive(process) else None


def _is_edited(backup: Backup) -> bool:
    """Tell whether the manifest is neither the old nor the new one, or gone."""
    entry = backup.journal["manifest"]
    if entry is None:
        return False
    try:
        now = checksum(read_regular(entry["path"]))
    except FileNotFoundError:
        return True
    return now not in (entry["checksum"], backup.journal["manifest_new"])


def _is_of_the_change(backup: Backup) -> bool:
    """Tell whether the manifest is the new one, so that the kubelet starts another server when the old one is back."""
    entry = backup.journal["manifest"]
    try:
        return entry is not None and checksum(read_regular(entry["path"])) == backup.journal["manifest_new"]
    except OSError:
        return False


def _put_back(backup: Backup, places: Places, *, arrived: bool) -> str | None:
    """Put the old manifest back, then the old files. Says in a sentence what stood in the way, or None.

    arrived: whether the new manifest may have been in place. If so, another hand's edit may build on it and on
    the new files, and nothing is touched; if not, it builds on the old files, and they come back.
    """
    entry = backup.journal["manifest"]
    try:
        if _is_edited(backup):
            if arrived:
                kept = backup.close("left alone")
                return (
                    "The manifest was edited by another hand meanwhile and is left as it is; the old state lies in "
                    f"{kept}."
                )
        elif entry is not None and checksum(read_regular(entry["path"])) != entry["checksum"]:
            backup.restore([entry])
        backup.restore_files()
    except (OSError, MasterError) as error:
        where = entry["path"] if entry else places.pending
        why = str(error if isinstance(error, MasterError) else explain("read", where, error)).rstrip(".")
        return f"Going back failed, too ({why}); the old state lies in {places.pending}: run again to go on."
    return None


def text_now(note: ChangeNote, places: Places) -> str:
    """Give the manifest's text as it is, which after the way back is the old one: by it the server is known."""
    try:
        return read_regular(places.real(note["manifest_path"])).decode("utf-8", "replace")
    except OSError:
        return note["manifest_text"]


def _end_first(backup: Backup, places: Places) -> Process | None:
    """Note that going back begins, and which server must end for it: the one that the change has started.

    None where none runs, or the one from before the change still does.
    """
    note = backup.journal
    if not backup.rolling_back:
        now = running(note["manifest_text"], places) if _is_of_the_change(backup) else None
        before = noted_process(note.get("old_process"))
        backup.note_rolling_back(None if note_process(now) == note_process(before) else note_process(now))
    return noted_process(note.get("new_process"))


def _expectation(note: ChangeNote, places: Places, ends: Process | None, since: int | None) -> Expectation:
    argv = tuple(note["old_argv"]) if note["old_argv"] else None
    return Expectation(
        *({}, argv, ends, None), text_now(note, places), note["pod"], note["container"], not_before=since
    )


def go_back(backup: Backup, places: Places, *, arrived: bool = True) -> WayBack:
    """Go back to the old state and wait until it serves. arrived: see `_put_back`.

    Where the old and the new manifest give the server the same flags, only the process tells which of them it is of: it
    must have been started after the old one was back, or have been there before the change.
    """
    restarts = _is_of_the_change(backup)
    ends = _end_first(backup, places)
    since = ticks_now()
    obstacle = _put_back(backup, places, arrived=arrived)
    if obstacle:
        return WayBack(False, False, obstacle)
    note = backup.journal
    if not places.live or not note["wait"] or _is_edited(backup):
        backup.close("rolled back")
        return WayBack(True, True, "The old state is back.")
    spared = noted_process(note.get("old_process")) is not None
    back = _expectation(note, places, ends, since if restarts and not spared else None)
    outcome = wait_until_serving(back, places, note["wait"])
    if not outcome.serving:
        backup.close("rolled back, not serving")
        why = f"The old state is back, but kube-apiserver does not serve with it either: {outcome.reason}."
        return WayBack(True, False, why)
    backup.close("rolled back")
    why = f"The old state is back and serves again after {outcome.seconds:.0f} s."
    return WayBack(True, True, why)
