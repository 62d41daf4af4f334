# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the front proxy on one master: kube-apiserver reads them, and nobody else what is not theirs."""

from __future__ import annotations

import typing as t

from .._plan.access import KEY_MODE, open_to_all
from .._plan.master import Seen
from .._plan.server_user import ServerUser, can_read, server_user
from .._shown import Shell
from .model import AT_RISK, BROKEN, Finding, Kind, finding
from .view import CA_FLAG, CERT_FLAG, KEY_FLAG, View

__all__ = ["KINDS", "judge_access"]

CLOSED = Kind(
    id="file-not-readable-by-server",
    severity=BROKEN,
    title="kube-apiserver runs as {user}, who cannot read the file of --{flag}",
    consequence="kube-apiserver does not start with it. One that runs keeps what it loaded, until it is restarted.",
    fix="run on {host}: {mend}",
    cause="Run the pod as user 65534, and chmod 0600 front-proxy-client.key, which belongs to root.",
    source="securityContext of pod and container; credentials(7), path_resolution(7); "
    "kubeadm's feature RootlessControlPlane",
)
OPEN_KEY = Kind(
    id="key-readable-by-others",
    severity=AT_RISK,
    title="the key of the proxy client can be read by others than root and kube-apiserver",
    consequence="Who reads it can be anyone in this cluster, administrators included.",
    fix="run on {host}: {mend}",
    cause="chmod 0644 front-proxy-client.key, or chown it to another user",
    source="a front proxy names the user and the groups itself",
)
OPEN_FILE = Kind(
    id="file-writable-by-others",
    severity=AT_RISK,
    title="the file of --{flag} can be changed by others than its owner",
    consequence="Who changes it decides whom kube-apiserver trusts, or stops it.",
    fix="run on {host}: chmod go-w {path}",
    cause="chmod 0666 front-proxy-ca.crt",
    source="kube-apiserver loads it again by itself",
)

KINDS = (CLOSED, OPEN_KEY, OPEN_FILE)


def _opened(view: View, user: ServerUser, seen: Seen, *, is_key: bool) -> Shell:
    """How the server's user gets the right to read a file, and nobody else gets it."""
    path, folder = view.on_disk(seen.host), view.on_disk(seen.host.rpartition("/")[0])
    if user.reads_file(seen.facts):  # so it is the folder
        return Shell(f"chmod a+x {folder}")
    return Shell(f"chown {user.uid}:{user.gid} {path} && chmod 0600 {path}" if is_key else f"chmod a+r {path}")


def _is_exposed(view: View, user: ServerUser | None, key: Seen) -> bool:
    """Whether others than root and the server can read the key. A group of its own is a way to let one more read it."""
    own = view.file("tls-private-key-file")
    mode, uid = int(key.facts["mode"], 8), key.facts["uid"]
    proper = {0, user.uid} if user else {0}
    # where nobody knows the server's user, the server's own key belongs to it
    proper |= {own.facts["uid"]} if own and own.exists and (user is None or user.overrides) else set()
    return open_to_all(mode) or uid not in proper


def _shut(view: View, user: ServerUser | None, key: Seen) -> Shell:
    """How nobody but root and the server can read the key, and the server still can at every moment."""
    path, uid, gid = view.on_disk(key.host), key.facts["uid"], key.facts["gid"]
    own = view.file("tls-private-key-file")
    proper = uid in (0, user.uid if user else 0)
    if user is None:
        owner = f"chown --reference={view.on_disk(own.host)} {path} && " if own and own.exists and not proper else ""
    elif proper and user.reads(KEY_MODE, uid, gid):
        owner = ""
    else:
        owner = f"chown {user.uid}:{user.gid} {path} && "
    return Shell(f"{owner}chmod 0600 {path}")


def judge_access(view: View) -> t.Iterator[Finding]:
    """Judge modes and owners of the files that the flags of the front proxy name."""
    user = server_user(view.master)
    for flag in (CA_FLAG, CERT_FLAG, KEY_FLAG):
        seen = view.file(flag)
        if seen is None or not seen.exists:
            continue
        mode, is_key = int(seen.facts["mode"], 8), flag == KEY_FLAG
        shown = f"{seen.host} has mode {seen.facts['mode']} and belongs to {seen.facts['owner']}:{seen.facts['group']}"
        if user and not can_read(user, seen, view.master):
            mend = _opened(view, user, seen, is_key=is_key)
            yield finding(CLOSED, view.where, shown, flag=flag, host=view.name, user=str(user), mend=mend)
        elif is_key and _is_exposed(view, user, seen):
            yield finding(OPEN_KEY, view.where, shown, host=view.name, mend=_shut(view, user, seen))
        elif mode & 0o022:
            yield finding(OPEN_FILE, view.where, shown, flag=flag, host=view.name, path=view.on_disk(seen.host))
