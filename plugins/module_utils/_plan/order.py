# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a decision into the words that the module on the master understands, and into a diff for people."""

from __future__ import annotations

import typing as t

from .._pki.certificate import Certificate, read_certificates
from .._pki.errors import PkiError
from .._pki.lifetime import iso
from .change import MasterChange, WriteFile
from .flags import read_list
from .master import Master

__all__ = ["build_order", "show_change"]


def _host_path(master: Master, flags: t.Mapping[str, str | None], flag: str) -> str | None:
    value = flags[flag] if flag in flags else master.pod.flag(flag)
    return master.seen(value).host if value else None


def build_order(
    master: Master,
    change: MasterChange,
    flags: t.Mapping[str, str | None],
    contents: t.Mapping[str, str],
    *,
    wait: float,
    lock_timeout: float,
) -> dict[str, t.Any]:
    """Build the option ``order`` of the module ``apiserver``.

    contents: by path in the container, what to write, keys included; wait: seconds, 0 for not at all.
    """

    def first(flag: str, default: str) -> str:
        return (read_list(flags.get(flag, master.pod.flag(flag))) or (default,))[0]

    return {
        "manifest": master.facts["manifest"]["path"],
        "manifest_seen": master.facts["manifest"]["checksum"],
        "manifest_text": change.text,
        "files": [
            {
                "path": write.host,
                "content": contents[write.wish.path],
                "mode": write.wish.mode,
                "uid": write.uid,
                "gid": write.gid,
                "owner": write.wish.owner,
                "group": write.wish.group,
                "seen": write.seen.facts.get("stamp"),
            }
            for write in change.files
        ],
        "bundle": _host_path(master, flags, "requestheader-client-ca-file"),
        "certificate": _host_path(master, flags, "proxy-client-cert-file"),
        "key": _host_path(master, flags, "proxy-client-key-file"),
        "flags": master.as_written(flags),
        "user_header": first("requestheader-username-headers", "X-Remote-User"),
        "group_header": first("requestheader-group-headers", "X-Remote-Group"),
        "pod": f"{master.pod.namespace}_{master.pod.name}",
        "container": master.pod.container,
        "wait": wait,
        "lock_timeout": lock_timeout,
    }


def _describe(certificates: t.Sequence[Certificate]) -> str:
    return "".join(
        f"subject: {certificate.subject}\nissuer: {certificate.issuer}\nSHA-256: {certificate.fingerprint}\nvalid: "
        f"{iso(certificate.not_before)} to {iso(certificate.not_after)}\n"
        for certificate in certificates
    )


def _show_file(write: WriteFile) -> dict[str, str]:
    before = after = ""
    if write.wish.is_key:
        before = "a private key\n" if write.seen.exists else ""
        after = "a private key (not shown)\n"
    else:
        try:
            before = _describe(write.seen.certificates()) if write.seen.exists else ""
        except PkiError:
            before = "unreadable\n"
        after = (
            "made by the real run\n"
            if write.wish.text is None
            else _describe(read_certificates(write.wish.text, where=write.host))
        )
    return {
        "before_header": write.host if write.seen.exists else f"{write.host} (absent)",
        "after_header": f"{write.host} (mode {write.wish.mode})",
        "before": before,
        "after": after,
    }


def show_change(master: Master, change: MasterChange) -> list[dict[str, str]]:
    """Give the difference as Ansible shows it with ``--diff``: the manifest as text, certificates by their facts."""
    shown = [_show_file(write) for write in change.files]
    if change.text is not None:
        path = master.facts["manifest"]["path"]
        shown.append({"before_header": path, "after_header": path, "before": master.pod.text, "after": change.text})
    return shown
