# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a look at one master tells: the result of the module ``apiserver_info``.

`_master/observe.py` makes it, the controller reads it. `_contract/survey.py` has what the longer look adds.
"""

from __future__ import annotations

import typing as t

from .network import Network, network_reader
from .readers import (
    DIGEST,
    Reader,
    choice,
    integer,
    listed,
    mode,
    nullable,
    number,
    path,
    record,
    table,
    text,
    truth,
)

__all__ = [
    "FORMAT",
    "Identity",
    "Manifest",
    "Mount",
    "Observation",
    "ObservedFile",
    "ObservedKubelet",
    "ObservedProcess",
    "ObservedUser",
    "Pending",
    "Probe",
    "Sibling",
    "observation_reader",
    "read_file",
    "read_observation",
    "read_pending_note",
    "read_probe",
    "status",
]

#: Raised when the shape changes, so that nobody reads the result of another release of this collection.
FORMAT = 3

_MANIFEST = 1024 * 1024  # characters; a manifest has a few thousand
_PEM = 256 * 1024
_FILES, _CERTIFICATES = 5000, 1000
_ID = integer(-1, 2**32 - 1)  # of a user or group
_SECONDS = number(0, 253402300799)  # since the epoch, up to the last one that a date can name
#: A status of HTTP.
status = integer(100, 999)


class Manifest(t.TypedDict):
    """The static pod manifest. path: as it was asked for; checksum: SHA-256; mode: ``"0600"``."""

    path: str
    text: str
    checksum: str
    mode: str
    uid: int
    gid: int


class Sibling(t.TypedDict):
    """Another file of the manifest's folder. size: in bytes; text: only where it speaks of kube-apiserver."""

    name: str
    size: int
    text: t.Optional[str]


class Mount(t.TypedDict):
    """Where files of a container come from, as /proc/PID/mountinfo tells it (proc(5))."""

    mount_point: str
    source: str
    device: str


class ObservedUser(t.TypedDict):
    """As whom a process reads files: numbers. overrides: modes do not matter to it (CAP_DAC_OVERRIDE and the like)."""

    uid: int
    gid: int
    groups: t.List[int]
    overrides: bool


class ObservedProcess(t.TypedDict):
    """The running kube-apiserver. started: in seconds since the epoch; start_ticks: in clock ticks since boot."""

    pid: int
    user: ObservedUser
    argv: t.List[str]
    start_ticks: int
    started: float
    mounts: t.List[Mount]


class ObservedKubelet(t.TypedDict):
    """A kubelet that runs, or a program that may hold one. See `_master/kubelet.py`.

    folder: where it reads static pods, as it calls that place: empty if nowhere, None if that is not known; told_by:
    the flag or file that tells it; reads: whether the manifest is one of them, None if that is not known.
    """

    pid: int
    program: str
    folder: t.Optional[str]
    told_by: str
    reads: t.Optional[bool]


class _AnyFile(t.TypedDict):
    exists: bool
    is_link: bool


class ObservedFile(_AnyFile, total=False):
    """A file. Where it does not exist, all else is missing.

    readable: whether the running server's user can read it (None: that could not be tried); stamp: names one state of
    it; mode: ``"0644"``; owner, group: their names, or numbers as texts; links: hard ones;
    kind: ``certificates``, ``private_key``, ``other`` or ``unreadable``; certificates: PEM blocks; checksum: SHA-256,
    None for a private key; in_container: whether the running server sees this very file (None: nothing runs);
    loads_with: for a private key the paths of the certificates with which it is a pair.
    """

    stamp: str
    readable: t.Optional[bool]
    mode: str
    uid: int
    gid: int
    owner: str
    group: str
    links: int
    kind: str
    certificates: t.List[str]
    checksum: t.Optional[str]
    in_container: t.Optional[bool]
    loads_with: t.List[str]


class Identity(t.TypedDict):
    """Where a path leads. real: with all links followed; file: ``DEVICE:INODE``, None if nothing is there."""

    real: str
    file: t.Optional[str]


class Probe(t.TypedDict):
    """What the running server answered; see `_master/probe.py`, ask."""

    address: str
    port: int
    accepted: t.Optional[bool]
    status: t.Optional[int]
    ready: bool
    answers: bool
    reload_hook: t.Optional[bool]
    version: t.Optional[str]
    error: t.Optional[str]


class Pending(t.TypedDict):
    """A change that was cut off. started: when it began, as ``2026-11-22T02:03:04Z``."""

    started: str


class Observation(t.TypedDict):
    """One master as it was seen. What each key means stands in the documentation of the module apiserver_info."""

    format: int
    root: str
    manifest: Manifest
    siblings: t.List[Sibling]
    process: t.Optional[ObservedProcess]
    kubelet_client_ca: t.Optional[str]
    kubelets: t.Optional[t.List[ObservedKubelet]]
    files: t.Dict[str, ObservedFile]
    identities: t.Dict[str, Identity]
    service_routing: t.Optional[t.List[str]]
    network: t.Optional[Network]
    clock: float
    clock_skew: t.Optional[float]
    probe: t.Optional[Probe]
    pending: t.Optional[Pending]


_manifest: Reader[Manifest] = record(
    Manifest,
    path=path(),
    text=text(_MANIFEST),
    checksum=text(64, DIGEST),
    mode=mode(),
    uid=_ID,
    gid=_ID,
)
_sibling: Reader[Sibling] = record(
    Sibling, name=text(255, r"[^/\0]+"), size=integer(0, 2**63), text=nullable(text(_MANIFEST))
)
_mount: Reader[Mount] = record(Mount, mount_point=path(), source=text(4096), device=text(40))
_number = integer(0, 2**32 - 1)
_user: Reader[ObservedUser] = record(
    ObservedUser, uid=_number, gid=_number, groups=listed(_number, 100000), overrides=truth
)
_process: Reader[ObservedProcess] = record(
    ObservedProcess,
    pid=integer(1, 2**31),
    user=_user,
    argv=listed(text(128 * 1024), 2000),
    start_ticks=integer(0, 2**63),
    started=_SECONDS,
    mounts=listed(_mount, 1000),
)
_kubelet: Reader[ObservedKubelet] = record(
    ObservedKubelet,
    pid=integer(1, 2**31),
    program=text(100),
    folder=nullable(text(4096)),
    told_by=text(4096),
    reads=nullable(truth),
)
_any_file: Reader[_AnyFile] = record(_AnyFile, exists=truth, is_link=truth)
_existing_file: Reader[ObservedFile] = record(
    ObservedFile,
    within=_any_file,
    stamp=text(100, r"[0-9]{1,20}:[0-9]{1,20}:-?[0-9]{1,20}:-?[0-9]{1,20}"),
    readable=nullable(truth),
    mode=mode(),
    uid=_ID,
    gid=_ID,
    owner=text(256),
    group=text(256),
    links=integer(0, 2**32),
    kind=choice("certificates", "private_key", "other", "unreadable"),
    certificates=listed(text(_PEM), _CERTIFICATES),
    checksum=nullable(text(64, DIGEST)),
    in_container=nullable(truth),
    loads_with=listed(path(), _FILES),
)


def read_file(value: t.Any, place: str) -> ObservedFile:
    """Read the description of a file. Raises ContractError."""
    found = _any_file(value, place)
    return _existing_file(value, place) if found["exists"] else t.cast(ObservedFile, found)


read_probe: Reader[Probe] = record(
    Probe,
    address=text(100),
    port=integer(0, 65535),
    accepted=nullable(truth),
    status=nullable(status),
    ready=truth,
    answers=truth,
    reload_hook=nullable(truth),
    version=nullable(text(100)),
    error=nullable(text(2000)),
)
read_pending_note: Reader[Pending] = record(Pending, started=text(40, r"[0-9TZ:-]+"))

_identity: Reader[Identity] = record(Identity, real=path(), file=nullable(text(50, r"[0-9]{1,20}:[0-9]{1,20}")))

#: Reads all of it. Raises ContractError.
observation_reader: Reader[Observation] = record(
    Observation,
    format=integer(FORMAT, FORMAT),
    root=text(4096),
    manifest=_manifest,
    siblings=listed(_sibling, 2000),
    process=nullable(_process),
    kubelet_client_ca=nullable(path()),
    kubelets=nullable(listed(_kubelet, 20)),
    files=table(path(), read_file, _FILES),
    identities=table(path(), _identity, _FILES),
    service_routing=nullable(listed(text(300), 20)),
    network=nullable(network_reader),
    clock=_SECONDS,
    clock_skew=nullable(number(-1e12, 1e12)),
    probe=nullable(read_probe),
    pending=nullable(read_pending_note),
)


def read_observation(value: t.Any) -> Observation:
    """Read the result of the module apiserver_info. Raises ContractError."""
    return observation_reader(value, "")
