# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master is told: one change. `_plan/order.py` builds it on the controller, `_master/change.py` does it.

It travels as one text, and not as options within an option, because Ansible writes options to the system's log, and
hides a nested secret there only if it is one line.
"""

from __future__ import annotations

import json
import typing as t

from .readers import DIGEST, Reader, integer, listed, mode, nullable, number, parse_json, path, record, table, text

__all__ = ["Goal", "NewFile", "Order", "Reading", "goal_reader", "read_order", "write_order"]

_ID = nullable(integer(-1, 2**32 - 1))
_WORD = text(4096)


class NewFile(t.NamedTuple):
    """What a file is to be.

    path: on the host; mode: permission bits; uid, gid: numbers, -1 leaves what the system gives; owner, group: names
    that are looked up on the master and beat the numbers; seen: its stamp when it was observed, None if it was not
    there.
    """

    path: str
    content: bytes
    mode: int
    uid: int = -1
    gid: int = -1
    owner: t.Optional[str] = None
    group: t.Optional[str] = None
    seen: t.Optional[str] = None


class Reading(t.NamedTuple):
    """Who must be able to read the files: the numbers of a user, its group and its further groups."""

    uid: int
    gid: int
    groups: t.Tuple[int, ...]


class Order(t.NamedTuple):
    """One change of one master.

    manifest: path; manifest_seen: SHA-256 of the text that was observed; manifest_text: the new text, or None;
    bundle, certificate, key: the paths on the host that the flags will name (None: not named), which must load;
    reader: as whom kube-apiserver reads them, None if that need not be tried;
    flags, pod, container: see serving.Expectation; user_header, group_header: see probe.Pair; wait: seconds to wait
    for the server, 0 for not at all; lock_timeout: seconds to wait for another run; client_ca: the path on the host of
    the file of --client-ca-file, by which the cluster is known again, None where no flag names one.
    """

    manifest: str
    manifest_seen: str
    manifest_text: t.Optional[str]
    files: t.Tuple[NewFile, ...]
    bundle: t.Optional[str]
    certificate: t.Optional[str]
    key: t.Optional[str]
    flags: t.Mapping[str, t.Optional[str]]
    user_header: str
    group_header: str
    pod: str
    container: str
    wait: float
    lock_timeout: float
    reader: t.Optional[Reading] = None
    client_ca: t.Optional[str] = None


class Goal(t.TypedDict):
    """What the server of a master is to be, in an order and in the note of a change; see `Order`."""

    bundle: t.Optional[str]
    certificate: t.Optional[str]
    key: t.Optional[str]
    flags: t.Dict[str, t.Optional[str]]
    user_header: str
    group_header: str
    pod: str
    container: str
    wait: float


class _File(t.TypedDict):
    path: str
    content: str
    mode: str
    uid: t.Optional[int]
    gid: t.Optional[int]
    owner: t.Optional[str]
    group: t.Optional[str]
    seen: t.Optional[str]


class _Reading(t.TypedDict):
    uid: int
    gid: int
    groups: t.List[int]


class _Order(Goal):
    manifest: str
    manifest_seen: str
    manifest_text: t.Optional[str]
    files: t.List[_File]
    reader: t.Optional[_Reading]
    lock_timeout: float
    client_ca: t.Optional[str]


#: Reads what a server is to be. Raises ContractError.
goal_reader: Reader[Goal] = record(
    Goal,
    bundle=nullable(path()),
    certificate=nullable(path()),
    key=nullable(path()),
    flags=table(text(200), nullable(text(128 * 1024)), 1000),
    user_header=_WORD,
    group_header=_WORD,
    pod=_WORD,
    container=_WORD,
    wait=number(0, 1e6),
)
_file: Reader[_File] = record(
    _File,
    path=path(),
    content=text(1024 * 1024),
    mode=mode(),
    uid=_ID,
    gid=_ID,
    owner=nullable(_WORD),
    group=nullable(_WORD),
    seen=nullable(text(100)),
)
_number = integer(0, 2**32 - 2)
_reading: Reader[_Reading] = record(_Reading, uid=_number, gid=_number, groups=listed(_number, 100000))
_order: Reader[_Order] = record(
    _Order,
    within=goal_reader,
    manifest=path(),
    manifest_seen=text(64, DIGEST),
    manifest_text=nullable(text(2 * 1024 * 1024)),
    files=listed(_file, 100),
    reader=nullable(_reading),
    lock_timeout=number(0, 1e6),
    client_ca=nullable(path()),
)


def write_order(order: Order) -> str:
    """Write an order as the text that the module ``apiserver`` takes."""
    files = [{**file._asdict(), "content": file.content.decode(), "mode": f"{file.mode:04o}"} for file in order.files]
    reader = order.reader and order.reader._asdict()
    return json.dumps({**order._asdict(), "flags": dict(order.flags), "files": files, "reader": reader})


def read_order(document: str) -> Order:
    """Read such a text. Raises ContractError."""
    told = _order(parse_json(document, "the order"), "the order")
    files = tuple(
        NewFile(
            path=file["path"],
            content=file["content"].encode(),
            mode=int(file["mode"], 8),
            uid=-1 if file["uid"] is None else file["uid"],
            gid=-1 if file["gid"] is None else file["gid"],
            owner=file["owner"],
            group=file["group"],
            seen=file["seen"],
        )
        for file in told["files"]
    )
    return Order(
        manifest=told["manifest"],
        manifest_seen=told["manifest_seen"],
        manifest_text=told["manifest_text"],
        files=files,
        reader=told["reader"]
        and Reading(told["reader"]["uid"], told["reader"]["gid"], tuple(told["reader"]["groups"])),
        bundle=told["bundle"],
        certificate=told["certificate"],
        key=told["key"],
        flags=told["flags"],
        user_header=told["user_header"],
        group_header=told["group_header"],
        pod=told["pod"],
        container=told["container"],
        wait=told["wait"],
        lock_timeout=told["lock_timeout"],
        client_ca=told["client_ca"],
    )
