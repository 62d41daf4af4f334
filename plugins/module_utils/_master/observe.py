# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the decision needs to know about one master, in one go. Reads only."""

from __future__ import annotations

import os
import time
import typing as t

from .._contract.observation import FORMAT, Observation, ObservedFile, ObservedProcess, Pending
from . import manifests
from .backup import read_pending
from .errors import MasterError
from .files import describe_file, loads_together
from .lock import wait_until_free
from .login import pair_of
from .places import Places
from .probe import ask
from .process import Process, endpoint, find_apiserver, list_processes, mounts_of, started_at
from .routing import service_routing_evidence

__all__ = ["observe"]


def _describe_process(process: Process, paths: t.Sequence[str]) -> ObservedProcess:
    return {
        "pid": process.pid,
        "argv": list(process.argv),
        "start_ticks": process.start_ticks,
        "started": started_at(process),
        "mounts": mounts_of(process.pid, paths),
    }


def _same_file(one: str, other: str) -> bool:
    try:
        return os.path.samestat(os.stat(one), os.stat(other))
    except OSError:
        return False


def _describe_files(
    paths: t.Iterable[str], asked: t.Container[str], process: Process | None, places: Places
) -> dict[str, ObservedFile]:
    files = {}
    for path in paths:
        found = describe_file(places.real(path))
        if not found["exists"] and path not in asked:
            continue
        # what the container sees under this name: the same file, or another one (or none)
        found["in_container"] = (
            _same_file(places.real(path), f"/proc/{process.pid}/root{path}") if process and found["exists"] else None
        )
        files[path] = found
    for path, found in files.items():
        if found.get("kind") == "private_key":
            found["loads_with"] = [
                other
                for other, certificate in files.items()
                if certificate.get("kind") == "certificates"
                and "front-proxy-ca" not in os.path.basename(other)
                and loads_together(places.real(other), places.real(path))
            ]
    return files


def _pending(places: Places) -> Pending | None:
    journal = read_pending(places)
    return None if journal is None else {"started": journal["started"]}


def observe(
    *,
    manifest: str,
    certificates_dir: str | None,
    root: str | None,
    lock_timeout: float,
    controller_clock: float | None,
    paths: t.Sequence[str] = (),
) -> Observation:
    """Observe one master.

    manifest: path of the static pod manifest; certificates_dir: a folder to look into besides those that the
    manifest names; root: a prefix for sandboxes (then nothing that runs is looked at); lock_timeout: seconds to
    wait for another run to end; controller_clock: the controller's clock (seconds since the epoch) when it asked;
    paths: more files to look at, as they are called in the container.
    Returns the observation, which the module ``apiserver_info`` documents. Raises MasterError.
    """
    places = Places(root)
    if places.live and os.geteuid() != 0:
        raise MasterError(
            "Only root can read the keys and processes of the control plane, and this is another user; run with "
            "become: true."
        )
    if not places.live and not os.path.isdir(places.root):
        raise MasterError(f"The root {places.root} is not a folder; make it first, or correct the path.")
    wait_until_free(places, lock_timeout)
    text = manifests.describe_manifest(manifest, places)
    processes = list_processes() if places.live else []
    process = find_apiserver(processes, text["text"])
    argv = process.argv if process else ()
    wanted = {*manifests.wanted_files(text["text"], argv, certificates_dir), *paths}
    places_to_look = manifests.candidate_files(text["text"], wanted)
    now = time.time()
    return {
        "format": FORMAT,
        "root": places.root,
        "manifest": text,
        "siblings": manifests.list_siblings(manifest, places),
        "process": _describe_process(process, places_to_look) if process else None,
        "files": _describe_files(places_to_look, wanted, process, places),
        "service_routing": service_routing_evidence(processes) if places.live else None,
        "clock": now,
        "clock_skew": None if controller_clock is None else round(now - controller_clock, 3),
        "probe": ask(*endpoint(argv), pair_of(process.argv, process.pid)) if process else None,
        "pending": _pending(places),
    }
