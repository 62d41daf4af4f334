# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the decision needs to know about one master, in one go. Reads only."""

from __future__ import annotations

import os
import time
import typing as t

from .._contract.network import Network
from .._contract.observation import FORMAT, Identity, Observation, ObservedFile, ObservedProcess, ObservedUser, Pending
from .._contract.order import Reading
from . import manifests
from .backup import read_pending
from .errors import MasterError
from .files import describe_file, loads_together
from .kubelet import observe_kubelets
from .kubelet_ca import kubelet_client_ca
from .lock import wait_until_free
from .login import pair_of
from .network import look_around
from .places import Places
from .probe import ask
from .process import Process, endpoint, find_apiserver, list_processes, mounts_of, started_at
from .reading import readable_files, user_of
from .routing import service_routing_evidence

__all__ = ["observe"]

# Paths whose targets are told: more than any manifest names.
_IDENTITIES = 4000


def _describe_process(process: Process, user: ObservedUser, paths: t.Sequence[str]) -> ObservedProcess:
    return {
        "pid": process.pid,
        "user": user,
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
                if certificate.get("certificates")
                and "front-proxy-ca" not in os.path.basename(other)
                and loads_together(places.real(other), places.real(path))
            ]
    return files


def _identities(paths: t.Sequence[str], places: Places) -> dict[str, Identity]:
    """Tell where paths lead, so that two names of one file can be told for what they are."""
    found: dict[str, Identity] = {}
    for path in paths[:_IDENTITIES]:
        real = places.real(path)
        try:
            status = os.stat(real)
            file = f"{status.st_dev}:{status.st_ino}"
        except (OSError, ValueError):
            file = None
        found[path] = {"real": places.shown(os.path.realpath(real)), "file": file}
    return found


def _note_readable(files: t.Mapping[str, ObservedFile], user: ObservedUser, places: Places) -> None:
    """Note for every file whether the running server can read it."""
    reader = Reading(user["uid"], user["gid"], tuple(user["groups"]))
    there = {places.real(path): found for path, found in files.items() if found["exists"]}
    can = {} if user["overrides"] else readable_files(list(there), reader)
    for path, found in there.items():
        found["readable"] = True if user["overrides"] else can.get(path)


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
    user = user_of(process.pid) if process else None
    if user is None:
        process = None  # it ended while it was looked at
    argv = process.argv if process else ()
    kubelet_ca = kubelet_client_ca(processes, places)
    wanted = {*manifests.wanted_files(text["text"], argv, certificates_dir), *paths}
    wanted |= {kubelet_ca} if kubelet_ca else set()
    places_to_look = manifests.candidate_files(text["text"], wanted)
    files = _describe_files(places_to_look, wanted, process, places)
    if user:
        _note_readable(files, user, places)
    now = time.time()
    probe = ask(*endpoint(argv), pair_of(process.argv, process.pid)) if process else None
    routing: list[str] | None = None
    network: Network | None = None
    if places.live:
        evidence = service_routing_evidence(processes)
        routing, network = look_around(evidence, text, processes, process, probe, places)
    return {
        "format": FORMAT,
        "root": places.root,
        "manifest": text,
        "siblings": manifests.list_siblings(manifest, places),
        "process": _describe_process(process, user, places_to_look) if process and user else None,
        "kubelets": observe_kubelets(places.real(manifest), processes) if places.live else None,
        "kubelet_client_ca": kubelet_ca,
        "files": files,
        "identities": _identities(manifests.every_path(text["text"], argv, places_to_look), places),
        "service_routing": routing,
        "network": network,
        "clock": now,
        "clock_skew": None if controller_clock is None else round(now - controller_clock, 3),
        "probe": probe,
        "pending": _pending(places),
    }
