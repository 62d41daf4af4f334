# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one master: lock, look again, save the old state, put the new one, wait; and go back if it does not serve."""

from __future__ import annotations

import os
import typing as t

from .._contract.journal import ChangeNote, ClientCa
from .._contract.order import NewFile, Order
from .._contract.outcome import Outcome
from . import install
from .backup import Backup, discard_scratch, prepare, put_aside_unreadable, read_pending
from .errors import MasterError, explain
from .files import checksum, describe_file, read_regular
from .lock import exclusive
from .places import Places
from .process import Process
from .reading import readable_files
from .serving import Waited, complaint, expected_by, running, wait_until_serving
from .way_back import WayBack, go_back, note_process

__all__ = ["change"]


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
    named = [path for path in (order.bundle, order.certificate, order.key) if path]
    if order.reader:
        can = readable_files([future(path) for path in named], order.reader)
        closed = [path for path in named if can.get(future(path)) is False]
        if closed:
            raise MasterError(
                f"kube-apiserver runs as user {order.reader.uid}, who could not read {' and '.join(closed)}, so it "
                "would not start again; nothing was changed: give that user the right to read there (chown, chmod), or "
                "leave mode, owner and group out."
            )


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


def _note(order: Order, text: str, old: Process | None, client_ca: ClientCa | None = None) -> ChangeNote:
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
        "old_process": note_process(old),
        "client_ca": client_ca,
    }


def _known_client_ca(order: Order, places: Places) -> ClientCa | None:
    if not order.client_ca:
        return None
    path = places.real(order.client_ca)
    try:
        return {"path": path, "checksum": checksum(read_regular(path))}
    except OSError:
        return None  # the cluster cannot be known again by it


def _add_failure(result: Outcome, outcome: Waited, way_back: WayBack) -> None:
    result["failed"] = True
    result["changed"] = not way_back.rolled_back
    result["rolled_back"] = way_back.rolled_back
    result["msg"] = f"{way_back.words} {complaint(outcome)}"
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
        expected = expected_by(_note(order, text, None), places, None)
        outcome = wait_until_serving(expected, places, order.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        if not outcome.serving:
            result["failed"] = True
            result["msg"] = f"Nothing had to be changed, but {complaint(outcome)}"
            result["last_words"] = list(outcome.words)
    return result


def _put_all(order: Order, places: Places, staged: t.Sequence[install.Staged], manifest: install.Staged | None) -> None:
    install.put_all(staged)
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
    old = running(before, places)
    try:
        backup = Backup.begin(
            places,
            staged=[*staged, *([manifest] if manifest else [])],
            manifest=manifest.path if manifest else None,
            note=_note(order, before if text is None else text, old, _known_client_ca(order, places)),
        )
    except MasterError:
        install.discard([*staged, *([manifest] if manifest else [])])
        raise
    try:
        _put_all(order, places, staged, manifest)
    except (OSError, MasterError) as error:
        install.discard([*staged, *([manifest] if manifest else [])])
        way_back = go_back(backup, places, arrived=False)
        raise MasterError(f"{str(error).rstrip('.')}. {way_back.words}") from None
    result: Outcome = {
        "changed": True,
        "files": [file.path for file in order.files],
        "manifest": text is not None,
        "restarted": False,
        "rolled_back": False,
    }
    if places.live and order.wait:
        expected = expected_by(backup.journal, places, old if text is not None else None)
        outcome = wait_until_serving(expected, places, order.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        result["restarted"] = text is not None
        if not outcome.serving:
            _add_failure(result, outcome, go_back(backup, places))
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
        # also what is not written now: a killed run may have left a key there
        beside = [places.real(path) for path in named if path]
        install.discard_leftovers(beside)
        install.discard_kept(beside)
        _check_unmoved(order, places)
        order = order._replace(files=tuple(file for file in order.files if _really_new(file, places)))
        if not order.files and order.manifest_text is None:
            return _only_wait(order, places)
        return _write(order, places)
