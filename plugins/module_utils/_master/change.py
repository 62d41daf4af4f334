# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one master: lock, look again, save the old state, put the new one, wait; and go back if it does not serve."""

from __future__ import annotations

import os
import typing as t

from . import install
from .backup import Backup, discard_scratch, prepare, put_aside_unreadable, read_pending
from .errors import MasterError, explain
from .files import checksum, describe_file, loads_together, read_regular
from .lock import exclusive
from .places import Places
from .probe import Pair
from .process import Process, find_apiserver, list_processes
from .serving import Expectation, Outcome, wait_until_serving

__all__ = ["Order", "OrderedFile", "change", "recover"]

# How many seconds a change that was cut off gets to serve: the kubelet has had the time since then already.
_PATIENCE = 60.0


class OrderedFile(t.NamedTuple):
    """A file to write. seen: its stamp when it was observed, None if it was not there."""

    path: str
    content: bytes
    mode: int
    uid: int
    gid: int
    seen: str | None


class Order(t.NamedTuple):
    """One change of one master, decided on the controller.

    manifest: path; manifest_seen: SHA-256 of the text that was observed; manifest_text: the new text, or None;
    bundle, certificate, key: the paths on the host that the flags will name (None: not named), which must load;
    flags, pod, container: see serving.Expectation; user_header, group_header: see probe.Pair; wait: seconds to wait
    for the server, 0 for not at all.
    """

    manifest: str
    manifest_seen: str
    manifest_text: str | None
    files: tuple[OrderedFile, ...]
    bundle: str | None
    certificate: str | None
    key: str | None
    flags: t.Mapping[str, str | None]
    user_header: str
    group_header: str
    pod: str
    container: str
    wait: float
    lock_timeout: float


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
            staged.append(install.stage(install.NewFile(real, file.content, file.mode, file.uid, file.gid)))
        _check_loads(order, places, {file.path: new.temporary for file, new in zip(order.files, staged)})
        if order.manifest_text is not None:
            real = places.real(order.manifest)
            try:
                status = os.stat(real)
            except OSError as error:
                raise explain("read", order.manifest, error) from None
            content = order.manifest_text.encode()
            manifest = install.stage(
                install.NewFile(real, content, status.st_mode & 0o7777, status.st_uid, status.st_gid)
            )
    except BaseException:
        install.discard(staged)
        raise
    return staged, manifest


def _expectation(note: t.Mapping[str, t.Any], places: Places, old: Process | None) -> Expectation:
    pair = None
    if note["certificate"] and note["key"] and note["bundle"]:
        paths = places.real(note["certificate"]), places.real(note["key"])
        pair = Pair(*paths, note["user_header"], note["group_header"])
    return Expectation(note["flags"], None, old, pair, note["manifest_text"], note["pod"], note["container"])


def _note(order: Order, text: str, old: Process | None) -> dict[str, t.Any]:
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
        why = str(error if isinstance(error, MasterError) else explain("read", entry["path"], error)).rstrip(".")
        return f"Going back failed, too ({why}); the old state lies in {places.pending}: run again to go on."
    return None


def _text_now(note: t.Mapping[str, t.Any], places: Places) -> str:
    """Give the manifest's text as it is, which after the way back is the old one: by it the server is known."""
    try:
        return read_regular(places.real(note["manifest_path"])).decode("utf-8", "replace")
    except OSError:
        return str(note["manifest_text"])


def _go_back(backup: Backup, places: Places, *, arrived: bool = True) -> dict[str, t.Any]:
    """Go back to the old state and wait until it serves.

    Returns ``rolled_back``, ``serving`` (nothing speaks against it) and ``way_back``, a sentence.
    """
    obstacle = _put_back(backup, places, arrived=arrived)
    if obstacle:
        return {"rolled_back": False, "serving": False, "way_back": obstacle}
    note = backup.journal
    if not places.live or not note["wait"] or _is_edited(backup):
        backup.close("rolled back")
        return {"rolled_back": True, "serving": True, "way_back": "The old state is back."}
    argv = tuple(note["old_argv"]) if note["old_argv"] else None
    back = Expectation({}, argv, None, None, _text_now(note, places), note["pod"], note["container"])
    outcome = wait_until_serving(back, places, note["wait"])
    if not outcome.serving:
        backup.close("rolled back, not serving")
        why = f"The old state is back, but kube-apiserver does not serve with it either: {outcome.reason}."
        return {"rolled_back": True, "serving": False, "way_back": why}
    backup.close("rolled back")
    why = f"The old state is back and serves again after {outcome.seconds:.0f} s."
    return {"rolled_back": True, "serving": True, "way_back": why}


def _complaint(outcome: Outcome) -> str:
    words = f" Its last words: {' | '.join(outcome.words)}" if outcome.words else ""
    return f"kube-apiserver does not run as wanted: {outcome.reason}.{words}"


def _failure(outcome: Outcome, way_back: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {
        "failed": True,
        "changed": not way_back["rolled_back"],
        "msg": f"{way_back['way_back']} {_complaint(outcome)}",
        "last_words": list(outcome.words),
        **way_back,
    }


def _really_new(file: OrderedFile, places: Places) -> bool:
    real = places.real(file.path)
    try:
        status = os.stat(real)
        same = read_regular(real) == file.content
    except OSError:
        return True
    owned = file.uid in (-1, status.st_uid) and file.gid in (-1, status.st_gid)
    return not (same and owned and status.st_mode & 0o7777 == file.mode)


def _only_wait(order: Order, places: Places) -> dict[str, t.Any]:
    """Nothing is to be written: see whether what runs is right, and give it the time to become so."""
    result: dict[str, t.Any] = {
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
        result.update(seconds=round(outcome.seconds, 1), probe=outcome.probe)
        if not outcome.serving:
            result.update(
                failed=True,
                msg=f"Nothing had to be changed, but {_complaint(outcome)}",
                last_words=list(outcome.words),
            )
    return result


def _put_all(order: Order, places: Places, staged: t.Iterable[install.Staged], manifest: install.Staged | None) -> None:
    for file in staged:
        install.put(file)
    if manifest is not None:
        # the last look: from here to the rename there is no room for another hand but the blink of an eye
        if checksum(_read_manifest(order, places)) != order.manifest_seen:
            raise MasterError(f"{order.manifest} was changed by another hand in this moment; that change is kept.")
        install.put(manifest)


def _write(order: Order, places: Places) -> dict[str, t.Any]:
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
        raise MasterError(f"{str(error).rstrip('.')}. {way_back['way_back']}") from None
    result: dict[str, t.Any] = {
        "changed": True,
        "files": [file.path for file in order.files],
        "manifest": text is not None,
        "restarted": False,
        "rolled_back": False,
    }
    if places.live and order.wait:
        expected = _expectation(backup.journal, places, old if text is not None else None)
        outcome = wait_until_serving(expected, places, order.wait)
        result.update(seconds=round(outcome.seconds, 1), restarted=text is not None, probe=outcome.probe)
        if not outcome.serving:
            return {**result, **_failure(outcome, _go_back(backup, places))}
    result["backup"] = backup.close("done")
    return result


def change(order: Order, places: Places) -> dict[str, t.Any]:
    """Bring the master to the ordered state. Raises MasterError if nothing was changed, or all was put back at once.

    Returns ``changed``, ``files`` (paths written), ``manifest`` (whether it was), ``restarted``, ``seconds`` (until
    it served), ``rolled_back``, ``probe``; and ``failed``, ``msg``, ``last_words``, ``way_back`` if it did not serve.
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


def _was_written(note: t.Mapping[str, t.Any], manifest: t.Mapping[str, t.Any] | None) -> bool:
    """Tell whether the change got as far as the new manifest."""
    if manifest is None:
        return False
    try:
        return checksum(read_regular(manifest["path"])) == note["manifest_new"]
    except OSError:
        return False


def _pair_is_broken(note: t.Mapping[str, t.Any], places: Places) -> bool:
    if not note["certificate"] or not note["key"]:
        return False
    pair = places.real(note["certificate"]), places.real(note["key"])
    return any(os.path.exists(path) for path in pair) and not loads_together(*pair)


def _rolled_back(since: str, way_back: t.Mapping[str, t.Any], complaint: str) -> dict[str, t.Any]:
    # where the old state serves again, the run that found this goes on with what it wants itself
    return {
        "changed": True,
        "failed": not way_back["serving"],
        "recovered": "rolled back",
        "msg": f"Rolled back {since}. {way_back['way_back']} {complaint}".strip(),
    }


def recover(places: Places, lock_timeout: float) -> dict[str, t.Any]:
    """Finish a change that was cut off: forward if its manifest was in place and serves, else back.

    Returns ``changed`` (False if nothing was pending), ``recovered`` (``finished``, ``rolled back``, ``ended``) and
    ``msg``; ``failed`` if the way back failed. Raises MasterError.
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
