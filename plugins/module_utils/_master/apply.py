# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Change one master: lock, look again, save the old state, put the new one, wait; and go back if it does not serve."""

from __future__ import annotations

import os
import typing as t

from .._contract.change_request import ChangeRequest, NewFile
from .._contract.change_result import ChangeResult
from .._contract.journal import ChangeNote, ClientCa
from . import install
from .backup import Backup, discard_scratch, prepare, put_aside_unreadable, read_pending
from .errors import MasterError, explain
from .file_facts import checksum, describe_file, read_regular
from .lock import exclusive
from .paths import HostPaths
from .process import Process
from .readability import readable_files
from .readiness import Waited, complaint, expected_by, running, wait_until_serving
from .rollback import Rollback, note_process, roll_back

__all__ = ["change"]


def _read_manifest(request: ChangeRequest, host_paths: HostPaths) -> bytes:
    try:
        return read_regular(host_paths.real(request.manifest))
    except OSError as error:
        raise explain("read", request.manifest, error) from None


def _check_unmoved(request: ChangeRequest, host_paths: HostPaths) -> None:
    """Raise MasterError if anything that is about to be replaced is no longer what was observed."""
    if checksum(_read_manifest(request, host_paths)) != request.manifest_seen:
        raise MasterError(
            f"{request.manifest} was changed by another hand since it was looked at; nothing was written and that "
            "change is kept: run again to decide anew."
        )
    for file in request.files:
        found = describe_file(host_paths.real(file.path))
        if found.get("stamp") != file.seen:
            raise MasterError(
                f"{file.path} was changed by another hand since it was looked at; nothing was written and that change "
                "is kept: run again to decide anew."
            )


def _check_loads(request: ChangeRequest, host_paths: HostPaths, staged: t.Mapping[str, str]) -> None:
    """Raise MasterError unless kube-apiserver could start with the files as they will be."""

    def future(path: str) -> str:
        return staged.get(path, host_paths.real(path))

    if request.bundle:
        install.check_bundle(future(request.bundle), shown=request.bundle)
    if request.certificate and request.key:
        shown = f"{request.certificate} and {request.key}"
        install.check_pair(future(request.certificate), future(request.key), shown=shown)
    named = [path for path in (request.bundle, request.certificate, request.key) if path]
    if request.reader:
        can = readable_files([future(path) for path in named], request.reader)
        closed = [path for path in named if can.get(future(path)) is False]
        if closed:
            raise MasterError(
                f"kube-apiserver runs as user {request.reader.uid}, who could not read {' and '.join(closed)}, so it "
                "would not start again; nothing was changed: give that user the right to read there (chown, chmod), or "
                "leave mode, owner and group out."
            )


def _stage_all(request: ChangeRequest, host_paths: HostPaths) -> tuple[list[install.Staged], install.Staged | None]:
    """Write all new files under dot names, before any of them is put in place. Raises MasterError, leaving nothing."""
    staged: list[install.Staged] = []
    manifest = None
    try:
        for file in request.files:
            real = host_paths.real(file.path)
            install.make_folder(os.path.dirname(real), 0o755)
            staged.append(install.stage(file._replace(path=real)))
        _check_loads(request, host_paths, {file.path: new.temporary for file, new in zip(request.files, staged)})
        if request.manifest_text is not None:
            real = host_paths.real(request.manifest)
            try:
                status = os.stat(real)
            except OSError as error:
                raise explain("read", request.manifest, error) from None
            content = request.manifest_text.encode()
            manifest = install.stage(NewFile(real, content, status.st_mode & 0o7777, status.st_uid, status.st_gid))
    except BaseException:
        install.discard(staged)
        raise
    return staged, manifest


def _note(request: ChangeRequest, text: str, old: Process | None, client_ca: ClientCa | None = None) -> ChangeNote:
    """Give what a later run needs to finish this change, for the journal."""
    return {
        "manifest_path": request.manifest,
        "manifest_text": text,
        "manifest_new": checksum(text.encode()),
        "bundle": request.bundle,
        "certificate": request.certificate,
        "key": request.key,
        "flags": dict(request.flags),
        "user_header": request.user_header,
        "group_header": request.group_header,
        "pod": request.pod,
        "container": request.container,
        "wait": request.wait,
        "old_argv": list(old.argv) if old else None,
        "old_process": note_process(old),
        "client_ca": client_ca,
    }


def _known_client_ca(request: ChangeRequest, host_paths: HostPaths) -> ClientCa | None:
    if not request.client_ca:
        return None
    path = host_paths.real(request.client_ca)
    try:
        return {"path": path, "checksum": checksum(read_regular(path))}
    except OSError:
        return None  # the cluster cannot be known again by it


def _add_failure(result: ChangeResult, outcome: Waited, way_back: Rollback) -> None:
    result["failed"] = True
    result["changed"] = not way_back.rolled_back
    result["rolled_back"] = way_back.rolled_back
    result["msg"] = f"{way_back.words} {complaint(outcome)}"
    result["last_words"] = list(outcome.words)


def _really_new(file: NewFile, host_paths: HostPaths) -> bool:
    real = host_paths.real(file.path)
    try:
        status = os.stat(real)
        same = read_regular(real) == file.content
    except OSError:
        return True
    owned = file.uid in (-1, status.st_uid) and file.gid in (-1, status.st_gid)
    return not (same and owned and status.st_mode & 0o7777 == file.mode)


def _only_wait(request: ChangeRequest, host_paths: HostPaths) -> ChangeResult:
    """Nothing is to be written: see whether what runs is right, and give it the time to become so."""
    result: ChangeResult = {
        "changed": False,
        "files": [],
        "manifest": False,
        "restarted": False,
        "rolled_back": False,
    }
    if host_paths.live and request.wait:
        text = _read_manifest(request, host_paths).decode("utf-8", "replace")
        expected = expected_by(_note(request, text, None), host_paths, None)
        outcome = wait_until_serving(expected, host_paths, request.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        if not outcome.serving:
            result["failed"] = True
            result["msg"] = f"Nothing had to be changed, but {complaint(outcome)}"
            result["last_words"] = list(outcome.words)
    return result


def _put_all(
    request: ChangeRequest, host_paths: HostPaths, staged: t.Sequence[install.Staged], manifest: install.Staged | None
) -> None:
    install.put_in_place(staged)
    if manifest is not None:
        # the last look: from here to the rename there is no room for another hand but the blink of an eye
        if checksum(_read_manifest(request, host_paths)) != request.manifest_seen:
            raise MasterError(f"{request.manifest} was changed by another hand in this moment; that change is kept.")
        install.put(manifest)


def _write(request: ChangeRequest, host_paths: HostPaths) -> ChangeResult:
    """Write files and manifest, wait, go back if need be. The lock is held."""
    before = _read_manifest(request, host_paths).decode("utf-8", "replace")
    staged, manifest = _stage_all(request, host_paths)
    text = request.manifest_text
    old = running(before, host_paths)
    try:
        backup = Backup.begin(
            host_paths,
            staged=[*staged, *([manifest] if manifest else [])],
            manifest=manifest.path if manifest else None,
            note=_note(request, before if text is None else text, old, _known_client_ca(request, host_paths)),
        )
    except MasterError:
        install.discard([*staged, *([manifest] if manifest else [])])
        raise
    try:
        _put_all(request, host_paths, staged, manifest)
    except (OSError, MasterError) as error:
        install.discard([*staged, *([manifest] if manifest else [])])
        way_back = roll_back(backup, host_paths, arrived=False)
        raise MasterError(f"{str(error).rstrip('.')}. {way_back.words}") from None
    result: ChangeResult = {
        "changed": True,
        "files": [file.path for file in request.files],
        "manifest": text is not None,
        "restarted": False,
        "rolled_back": False,
    }
    if host_paths.live and request.wait:
        expected = expected_by(backup.journal, host_paths, old if text is not None else None)
        outcome = wait_until_serving(expected, host_paths, request.wait)
        result["seconds"], result["probe"] = round(outcome.seconds, 1), outcome.probe
        result["restarted"] = text is not None
        if not outcome.serving:
            _add_failure(result, outcome, roll_back(backup, host_paths))
            return result
    result["backup"] = backup.close("done")
    return result


def change(request: ChangeRequest, host_paths: HostPaths) -> ChangeResult:
    """Bring the master to the ordered state. Raises MasterError if nothing was changed, or all was put back at once.

    request: with numbers for owners, see owners.py. Nothing is waited for below a root.
    """
    prepare(host_paths)
    with exclusive(host_paths, request.lock_timeout):
        if read_pending(host_paths) is not None:
            raise MasterError(
                f"A change that was cut off is noted in {host_paths.pending}; run again: the next run finishes it."
            )
        put_aside_unreadable(host_paths)
        discard_scratch(host_paths)
        named = [
            request.manifest,
            *(file.path for file in request.files),
            request.bundle,
            request.certificate,
            request.key,
        ]
        # also what is not written now: a killed run may have left a key there
        beside = [host_paths.real(path) for path in named if path]
        install.discard_leftovers(beside)
        install.discard_kept(beside)
        _check_unmoved(request, host_paths)
        request = request._replace(files=tuple(file for file in request.files if _really_new(file, host_paths)))
        if not request.files and request.manifest_text is None:
            return _only_wait(request, host_paths)
        return _write(request, host_paths)
