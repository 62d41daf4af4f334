# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish a change that was cut off: forward, back, or, where the world has moved on, not at all."""

from __future__ import annotations

import os

from .._contract.journal import ChangeNote, SavedFile
from .._contract.outcome import Recovered
from . import install
from .backup import Backup, prepare, put_aside_unreadable, read_pending
from .files import checksum, loads_together, read_regular
from .lock import exclusive
from .places import Places
from .serving import Expectation, complaint, expected_by, wait_until_serving
from .way_back import WayBack, go_back, noted_process, text_now

__all__ = ["recover"]

# How many seconds a change that was cut off gets to serve: the kubelet has had the time since then already.
_PATIENCE = 60.0


def _was_written(note: ChangeNote, manifest: SavedFile | None) -> bool:
    """Tell whether the change got as far as the new manifest."""
    if manifest is None:
        return False
    try:
        return checksum(read_regular(manifest["path"])) == note["manifest_new"]
    except OSError:
        return False


def _pair_is_broken(note: ChangeNote, places: Places) -> bool:
    if not note["certificate"] or not note["key"]:
        return False
    pair = places.real(note["certificate"]), places.real(note["key"])
    return any(os.path.exists(path) for path in pair) and not loads_together(*pair)


def _is_of_another_cluster(note: ChangeNote) -> str:
    """Say why the change was one of another cluster than this machine is a master of now; empty if it was not."""
    known = note.get("client_ca")
    if known is None:
        return ""
    try:
        now = checksum(read_regular(known["path"]))
    except FileNotFoundError:
        return f"the client CA {known['path']} is gone since, as after kubeadm reset"
    except OSError:
        return ""
    if now == known["checksum"]:
        return ""
    return f"the client CA {known['path']} is another one since, as after kubeadm reset and init"


def _moved_on(backup: Backup) -> str:
    """Say why nothing must be put back; empty if what is there is what the change found, or what it made of it."""
    why = _is_of_another_cluster(backup.journal)
    if why:
        return why
    for entry in backup.journal["files"]:
        if not backup.is_old(entry, whose=False) and not backup.is_new(entry):
            return f"{entry['path']} was changed by another hand since"
    return ""


def _rolled_back(since: str, way_back: WayBack, complaint: str) -> Recovered:
    # where the old state serves again, the run that found this goes on with what it wants itself
    return {
        "changed": True,
        "failed": not way_back.serving,
        "recovered": "rolled back",
        "msg": f"Rolled back {since}. {way_back.words} {complaint}".strip(),
    }


def _wait_for_what_is_there(note: ChangeNote, places: Places) -> None:
    """Give the server time to serve, whatever it is: the caller goes on to the next master of the cluster then."""
    if places.live and note["wait"]:
        there = Expectation({}, None, None, None, text_now(note, places), note["pod"], note["container"])
        wait_until_serving(there, places, min(note["wait"], _PATIENCE))


def _finish(backup: Backup, places: Places) -> Recovered:
    """Finish the change that a journal notes. What had been staged is gone already. Raises MasterError."""
    note = backup.journal
    since = f"a change that began at {note['started']} and was cut off"
    why = _moved_on(backup)
    if why:
        kept = backup.close("put aside")
        _wait_for_what_is_there(note, places)
        words = f"Put aside the notes of {since}, and put nothing back, because {why}; they lie in {kept}."
        return {"changed": True, "recovered": "ended", "msg": words}
    if not backup.rolling_back and _was_written(note, note["manifest"]):
        if places.live and note["wait"]:
            expected = expected_by(note, places, noted_process(note.get("old_process")))
            outcome = wait_until_serving(expected, places, min(note["wait"], _PATIENCE))
            if not outcome.serving:
                return _rolled_back(since, go_back(backup, places), complaint(outcome))
        backup.close("done")
        return {"changed": True, "recovered": "finished", "msg": f"Finished {since}."}
    broken = _pair_is_broken(note, places)
    if backup.rolling_back or broken:
        return _rolled_back(since, go_back(backup, places, arrived=not broken), "")
    backup.close("cut off")
    _wait_for_what_is_there(note, places)
    return {"changed": True, "recovered": "ended", "msg": f"Put away the notes of {since}: its files are whole."}


def recover(places: Places, lock_timeout: float) -> Recovered:
    """Finish a change that was cut off: forward if its manifest was in place and serves, else back.

    Where another hand has been at its files since, or the cluster is another one, nothing is put back. Wherever the
    change was one that waits, the server has had time to serve when this returns. It says ``failed`` if the way back
    failed, and not ``changed`` if nothing was pending. Raises MasterError.
    """
    prepare(places)
    with exclusive(places, lock_timeout):
        note = read_pending(places)
        if note is None:
            put_aside_unreadable(places)
            return {"changed": False, "recovered": "ended", "msg": "No change was pending."}
        backup = Backup(places, note)
        install.discard_leftovers(entry["path"] for entry in backup.entries)
        if backup.ended:
            backup.close(note["state"])
            return {"changed": True, "recovered": "ended", "msg": "Put away the notes of a change that had ended."}
        return _finish(backup, places)
