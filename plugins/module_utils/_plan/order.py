# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a decision into the words that the module on the master understands, and into a diff for people."""

from __future__ import annotations

import typing as t

from .._contract.order import NewFile, Order, Reading
from .._manifest.hidden import hide
from .._pki.certificate import Certificate, read_certificates
from .._pki.errors import PkiError
from .._pki.lifetime import iso
from .._shown import printable
from .change import FileWrite, MasterChange
from .errors import PlanError
from .master import Master
from .names import read_list
from .server_user import server_user

__all__ = ["build_order", "show_change"]


def _host_path(master: Master, flags: t.Mapping[str, str | None], flag: str) -> str | None:
    value = flags[flag] if flag in flags else master.pod.flag(flag)
    return master.seen(value).host if value else None


def _client_ca(master: Master) -> str | None:
    value = master.pod.flag("client-ca-file") or ""
    try:
        return master.seen(value).host if value.startswith("/") else None
    except PlanError:
        return None  # it lies in the container only


def _new_file(write: FileWrite, content: str) -> NewFile:
    return NewFile(
        path=write.seen.host,
        content=content.encode(),
        mode=write.access.mode,
        uid=write.access.uid,
        gid=write.access.gid,
        owner=write.wish.owner,
        group=write.wish.group,
        seen=write.seen.facts.get("stamp"),
    )


def _reader(master: Master) -> Reading | None:
    """The user who must be able to read the files; None where one can anyway, or nobody knows who it is."""
    user = server_user(master) if master.live else None
    if user is None or user.overrides:
        return None
    return Reading(user.uid, user.gid, tuple(sorted(user.groups)))


def build_order(
    master: Master,
    change: MasterChange,
    flags: t.Mapping[str, str | None],
    contents: t.Mapping[str, str],
    *,
    wait: float,
    lock_timeout: float,
) -> Order:
    """Build the order that brings this master to the decided state.

    contents: by path in the container, what to write, keys included; wait: seconds, 0 for not at all.
    """

    def first(flag: str, default: str) -> str:
        return (read_list(flags.get(flag, master.pod.flag(flag))) or (default,))[0]

    return Order(
        manifest=master.facts["manifest"]["path"],
        manifest_seen=master.facts["manifest"]["checksum"],
        manifest_text=change.text,
        files=tuple(_new_file(write, contents[write.wish.path]) for write in change.files),
        reader=_reader(master),
        bundle=_host_path(master, flags, "requestheader-client-ca-file"),
        certificate=_host_path(master, flags, "proxy-client-cert-file"),
        key=_host_path(master, flags, "proxy-client-key-file"),
        flags=master.as_written(flags),
        user_header=first("requestheader-username-headers", "X-Remote-User"),
        group_header=first("requestheader-group-headers", "X-Remote-Group"),
        pod=f"{master.pod.namespace}_{master.pod.name}",
        container=master.pod.container,
        wait=wait,
        lock_timeout=lock_timeout,
        client_ca=_client_ca(master),
    )


def _describe(certificates: t.Sequence[Certificate]) -> str:
    return "".join(
        f"subject: {printable(certificate.subject)}\nissuer: {printable(certificate.issuer)}\n"
        f"SHA-256: {certificate.fingerprint}\nvalid: {iso(certificate.not_before)} to {iso(certificate.not_after)}\n"
        for certificate in certificates
    )


def _show_file(write: FileWrite) -> dict[str, str]:
    wish, seen = write.wish, write.seen
    before = after = ""
    if wish.is_key:
        before = "a private key\n" if seen.exists else ""
        after = "a private key (not shown)\n"
    else:
        try:
            before = _describe(seen.certificates()) if seen.exists else ""
        except PkiError:
            before = "unreadable\n"
        after = (
            "made by the real run\n" if wish.text is None else _describe(read_certificates(wish.text, where=seen.host))
        )
    return {
        "before_header": printable(seen.host if seen.exists else f"{seen.host} (absent)"),
        "after_header": printable(f"{seen.host} (mode {write.access.mode:04o})"),
        "before": before,
        "after": after,
    }


def _by_lines(text: str) -> str:
    """A text with nothing in its lines that steers a terminal."""
    return "\n".join(map(printable, text.split("\n")))


def show_change(master: Master, change: MasterChange) -> list[dict[str, str]]:
    """Give the difference as Ansible shows it with ``--diff``: the manifest as text, certificates by their facts.

    What may be a secret in the manifest, such as the values of variables, is hidden in it.
    """
    shown = list(map(_show_file, change.files))
    if change.text is not None:
        path = printable(master.facts["manifest"]["path"])
        texts = {"before": _by_lines(hide(master.pod.text)), "after": _by_lines(hide(change.text))}
        shown.append({"before_header": path, "after_header": path, **texts})
    return shown
