# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one master: lock, look again, save the old state, put the new one, wait; and go back if it does not serve."""

from __future__ import annotations

import os
import typing as t

from .._contract.journal import ChangeNote, SavedFile
from .._contract.order import NewFile, Order
from .._contract.outcome import Outcome, Recovered
from . import install
from .backup import Backup, discard_scratch, prepare, put_aside_unreadable, read_pending
from .errors import MasterError, explain
from .files import checksum, describe_file, loads_together, read_regular
from .lock import exclusive
from .places import Places
from .probe import Pair
from .process import Process, find_apiserver, list_processes
from .serving import Expectation, Waited, wait_until_serving

__all__ = ["change", "recover"]

# How many seconds a change that was cut off gets to serve: the kubelet has had the time since then already.
_PATIENCE = 60.0


def _read_manifest(order: Order, places: Places) -> bytes:
    try:
        return read_regular(places.real(order.manifest))
    except OSError as error:
        raise explain("read", order.manifest, error) from None


def _check_unmoved(order: Order, places: Places) -> None:
    """Raise MasterError if anything that is about to be replaced is no longer what was observed."""
    if checksum(_read_manifest(order, places)) != order.manifest_seen:
        raise MasterError(
            f"{order.manifest} was changed by another hand since it was looked at; nothing was written and that change "
            "is kept: run again to decide anew."
        )
    for file in order.files:
        found = describe_file(places.real(file.path))
        if found.get("stamp") != file.seen:
            raise MasterError(
                f"{file.path} was changed by another hand since it was looked at; nothing was written and that change "
                "is kept: run again to decide anew."
            )


def _check_loads(order: Order, places: Places, staged: t.Mapping[str, str]) -> None:
    """Raise MasterError unless kube-apiserver could start with the files as they will be."""

    def future(path: str) -> str:
        return staged.get(path, places.real(path))

    if order.bundle:
        install.check_bundle(future(order.bundle), shown=order.bundle)
    if order.certificate and order.key:
        shown = f"{order.certificate} and {order.key}"
        install.check_pair(future(order.certificate), future(order.key), shown=shown)


def _stage_all(order: Order, places: Places) -> tuple[list[install.Staged], install.Staged | None]:
    """Write all new files under dot names, before any of them is put in place. Raises MasterError, leaving nothing."""
    staged: list[install.Staged] = []
    manifest = None
    try:
        for file in order.files:
            real = places.real(file.path)
            install.make_folder(os.path.dirname(real), 0o755)
            staged.append(install.stage(file._replace(path=real)))
        _check_loads(order, places, {file.path: new.temporary for file, new in zip(order.files, staged)})
        if order.manifest_text is not None:
            real = places.real(order.manifest)
            try:
                status = os.stat(real)
            except OSError as error:
                raise explain("read", order.manifest, error) from None
            content = order.manifest_text.encode()
            manifest = install.stage(NewFile(real, content, status.st_mode & 0o7777, status.st_uid, status.st_gid))
    except BaseException:
        install.discard(staged)
        raise
    return staged, manifest


def _expectation(note: ChangeNote, places: Places, old: Process | None) -> Expectation:
    pair = None
    if note["certificate"] and note["key"] and note["bundle"]:
        paths = places.real(note["certificate"]), places.real(note["key"])
        pair = Pair(*paths, note["user_header"], note["group_header"])
    return Expectation(note["flags"], None, old, pair, note["manifest_text"], note["pod"], note["container"])


def _note(order: Order, text: str, old: Process | None) -> ChangeNote:
    """Give what a later run needs to finish this change, for the journal."""
    return {
        "manifest_path": order.manifest,
        "manifest_text": text,
        "manifest_new": checksum(text.encode()),
        "bundle": order.bundle,
        "certificate": order.certificate,
        "key": order.key,
        "flags": dict(order.flags),
        "user_header": order.user_header,
        "group_header": order.group_header,
        "pod": order.pod,
        "container": order.container,
        "wait": order.wait,
        "old_argv": list(old.argv) if old else None,
    }


def _running(text: str, places: Places) -> Process | None:
    return find_apiserver(list_processes(), text) if places.live else None


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


def _put_back(backup: Backup, places: Places, *, arrived: bool) -> str | None:
    """Put the old manifest back, then the old files. Says in a sentence what stood in the way, or None.

    arrived: whether the new manifest may have been in place. If so, another hand's edit may build on it and on
    the new files, and nothing is touched; if not, it builds on the old files, and they come back.
    """
    backup.note_rolling_back()
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


def _text_now(note: ChangeNote, places: Places) -> str:
    """Give the manifest's text as it is, which after the way back is the old one: by it the server is known."""
    try:
        return read_regular(places.real(note["manifest_path"])).decode("utf-8", "replace")
    except OSError:
        return note["manifest_text"]


class _WayBack(t.NamedTuple):
    """How going back ended. serving: nothing speaks against it; words: a sentence."""

    rolled_back: bool
    serving: bool
    words: str


def _go_back(backup: Backup, places: Places, *, arrived: bool = True) -> _WayBack:
    """Go back to the old state and wait until it serves."""
    obstacle = _put_back(backup, places, arrived=arrived)
    if obstacle:
        return _WayBack(False, False, obstacle)
    note = backup.journal
    if not places.live or not note["wait"] or _is_edited(backup):
        backup.close("rolled back")
        return _WayBack(True, True, "The old state is back.")
    argv = tuple(note["old_argv"]) if note["old_argv"] else None
    back = Expectation({}, argv, None, None, _text_now(note, places), note["pod"], note["container"])
    outcome = wait_until_serving(back, places, note["wait"])
    if not outcome.serving:
        backup.close("rolled back, not serving")
        why = f"The old state is back, but kube-apiserver does not serve with it either: {outcome.reason}."
        return _WayBack(True, False, why)
    backup.close("rolled back")
    why = f"The old state is back and serves again after {outcome.seconds:.0f} s."
    return _WayBack(True, True, why)


def _complaint(outcome: Waited) -> str:
    words = f" Its last words: {' | '.join(outcome.words)}" if outcome.words else ""
    return f"kube-apiserver does not run as wanted: {outcome.reason}.{words}"


def _add_failure(result: Outcome, outcome: Waited, way_back: _WayBack) -> None:
    result["failed"] = True
    result["changed"] = not way_back.rolled_back
    result["rolled_back"] = way_back.rolled_back
    result["msg"] = f"{way_back.words} {_complaint(outcome)}"
    result["last_words"] = list(outcome.words)


def _really_new(file: NewFile, places: Places) -> bool:
    real = places.real(file.path)
    try:
        status = os.stat(real)
        same = read_regular(real) == file.content
    except OSError:
        return True
    owned = file.uid in (-1, status.st_uid) and file.gid in (-1, status.st_gid)
    return not (same and owned and status.st_mode & 0o7777 == file.mode)


def _only_wait(order: Order, places: Places) -> Outcome:
    """Nothing is to be written: see whether what runs is right, and give it the time to become so."""
    result: Outcome = {
        "changed": False,
        "files": [],
        "manifest": False,
        "restarted": False,
        "rolled_back": False,
    }
    if places.live and order.wait:
        text = _read_manifest(order, places).decode("utf-8", "replace")
        expected = _expectation(_note(order, text, None), places, None)
        outcome = wait_until_serving(expected, places, order.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        if not outcome.serving:
            result["failed"] = True
            result["msg"] = f"Nothing had to be changed, but {_complaint(outcome)}"
            result["last_words"] = list(outcome.words)
    return result


def _put_all(order: Order, places: Places, staged: t.Iterable[install.Staged], manifest: install.Staged | None) -> None:
    for file in staged:
        install.put(file)
    if manifest is not None:
        # the last look: from here to the rename there is no room for another hand but the blink of an eye
        if checksum(_read_manifest(order, places)) != order.manifest_seen:
            raise MasterError(f"{order.manifest} was changed by another hand in this moment; that change is kept.")
        install.put(manifest)


def _write(order: Order, places: Places) -> Outcome:
    """Write files and manifest, wait, go back if need be. The lock is held."""
    before = _read_manifest(order, places).decode("utf-8", "replace")
    staged, manifest = _stage_all(order, places)
    text = order.manifest_text
    old = _running(before, places)
    try:
        backup = Backup.begin(
            places,
            files=[file.path for file in staged],
            manifest=places.real(order.manifest) if text is not None else None,
            note=_note(order, before if text is None else text, old),
        )
    except MasterError:
        install.discard([*staged, *([manifest] if manifest else [])])
        raise
    try:
        _put_all(order, places, staged, manifest)
    except (OSError, MasterError) as error:
        install.discard([*staged, *([manifest] if manifest else [])])
        way_back = _go_back(backup, places, arrived=False)
        raise MasterError(f"{str(error).rstrip('.')}. {way_back.words}") from None
    result: Outcome = {
        "changed": True,
        "files": [file.path for file in order.files],
        "manifest": text is not None,
        "restarted": False,
        "rolled_back": False,
    }
    if places.live and order.wait:
        expected = _expectation(backup.journal, places, old if text is not None else None)
        outcome = wait_until_serving(expected, places, order.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        result["restarted"] = text is not None
        if not outcome.serving:
            _add_failure(result, outcome, _go_back(backup, places))
            return result
    result["backup"] = backup.close("done")
    return result


def change(order: Order, places: Places) -> Outcome:
    """Bring the master to the ordered state. Raises MasterError if nothing was changed, or all was put back at once.

    order: with numbers for owners, see owners.py. Nothing is waited for below a root.
    """
    prepare(places)
    with exclusive(places, order.lock_timeout):
        if read_pending(places) is not None:
            raise MasterError(
                f"A change that was cut off is noted in {places.pending}; run again: the next run finishes it."
            )
        put_aside_unreadable(places)
        discard_scratch(places)
        named = [order.manifest, *(file.path for file in order.files), order.bundle, order.certificate, order.key]
        install.discard_leftovers(places.real(path) for path in named if path)
        _check_unmoved(order, places)
        order = order._replace(files=tuple(file for file in order.files if _really_new(file, places)))
        if not order.files and order.manifest_text is None:
            return _only_wait(order, places)
        return _write(order, places)


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


def _rolled_back(since: str, way_back: _WayBack, complaint: str) -> Recovered:
    # where the old state serves again, the run that found this goes on with what it wants itself
    return {
        "changed": True,
        "failed": not way_back.serving,
        "recovered": "rolled back",
        "msg": f"Rolled back {since}. {way_back.words} {complaint}".strip(),
    }


def recover(places: Places, lock_timeout: float) -> Recovered:
    """Finish a change that was cut off: forward if its manifest was in place and serves, else back.

    It says ``failed`` if the way back failed, and not ``changed`` if nothing was pending. Raises MasterError.
    """
    prepare(places)
    with exclusive(places, lock_timeout):
        note = read_pending(places)
        if note is None:
            put_aside_unreadable(places)
            return {"changed": False, "recovered": "ended", "msg": "No change was pending."}
        backup = Backup(places, note)
        install.discard_leftovers(entry["path"] for entry in [*note["files"], note["manifest"]] if entry)
        if backup.ended:
            backup.close(note["state"])
            return {"changed": True, "recovered": "ended", "msg": "Put away the notes of a change that had ended."}
        since = f"a change that began at {note['started']} and was cut off"
        if not backup.rolling_back and _was_written(note, note["manifest"]):
            if places.live and note["wait"]:
                patience = min(note["wait"], _PATIENCE)
                outcome = wait_until_serving(_expectation(note, places, None), places, patience)
                if not outcome.serving:
                    return _rolled_back(since, _go_back(backup, places), _complaint(outcome))
            backup.close("done")
            return {"changed": True, "recovered": "finished", "msg": f"Finished {since}."}
        broken = _pair_is_broken(note, places)
        if backup.rolling_back or broken:
            return _rolled_back(since, _go_back(backup, places, arrived=not broken), "")
        backup.close("cut off")
        return {"changed": True, "recovered": "ended", "msg": f"Put away the notes of {since}: its files are whole."}
