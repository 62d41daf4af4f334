# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one master needs, file by file and flag by flag, to get from what was observed to what is wanted."""

from __future__ import annotations

import hashlib
import posixpath
import typing as t
from dataclasses import dataclass

from .._manifest.edit import Changes, edit
from .._manifest.errors import ManifestError
from .._manifest.hidden import hide_value
from .._manifest.steps import settled
from .._pki.certificate import Certificate, read_certificates
from .._pki.errors import PkiError
from .access import Access, access_for
from .errors import PlanError
from .master import Master, Seen

__all__ = ["FILE_FLAGS", "FileWish", "FileWrite", "MasterChange", "decide_change", "why_not_reloaded"]

# The flags that name a front-proxy file: its folder must be mounted into the pod.
FILE_FLAGS = ("requestheader-client-ca-file", "proxy-client-cert-file", "proxy-client-key-file")

# The annotation that makes the kubelet start a new pod where new files alone would not be taken up.
ANNOTATION = "aggregation-layer.kubeops/files"
# --proxy-client-*-file is reloaded from this release on (commit 3edc7f11).
_RELOADS_FROM = (1, 20)


@dataclass(frozen=True)
class FileWish:
    """A file that is wanted on a master.

    path: as flags name it, in the container; text: PEM, None if it is not there yet (check mode); key_of: for a
    private key, the SHA-256 of its public half (text is None then, too: keys are no business of decisions);
    mode: permission bits, None for those that are right; owner, group: names or numbers, None likewise.
    """

    path: str
    text: str | None
    mode: int | None = None
    is_key: bool = False
    key_of: str | None = None
    owner: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class FileWrite:
    """A file that must be written: what is wanted of it, what is there now, and whose it is to be."""

    wish: FileWish
    seen: Seen
    access: Access


@dataclass(frozen=True)
class MasterChange:
    """The decision. text: the new manifest, None if it stays; files: those that must be written; reasons: a sentence
    for each file and folder, flag_reasons: for each flag; restart: why kube-apiserver must restart, or empty.
    """

    text: str | None
    files: tuple[FileWrite, ...]
    reasons: tuple[str, ...]
    flag_reasons: tuple[str, ...]
    restart: str

    @property
    def empty(self) -> bool:
        """Whether all is as wanted."""
        return self.text is None and not self.files


def _certificates(text: str | None, where: str) -> tuple[Certificate, ...]:
    if text is None:
        return ()
    try:
        return read_certificates(text, where=where)
    except PkiError as error:
        raise PlanError(str(error)) from None


def _observed_key(seen: Seen, master: Master) -> str | None:
    """The public half of the key that lies on the master, told by a certificate that it loads with."""
    for path in seen.facts.get("loads_with") or ():
        facts = master.facts["files"].get(path)
        try:
            return read_certificates("".join(facts.get("certificates", ()) if facts else ()), where=path)[
                0
            ].key_fingerprint
        except PkiError:
            continue
    return None


def _write(wish: FileWish, seen: Seen, master: Master) -> FileWrite:
    named = wish.owner is not None or wish.group is not None
    return FileWrite(wish, seen, access_for(seen, master, is_key=wish.is_key, mode=wish.mode, named=named))


def _difference(write: FileWrite, master: Master) -> str | None:
    """Say why the file must be written; None if it is as wanted."""
    wish, seen, access = write.wish, write.seen, write.access
    if not seen.exists:
        return "is not there"
    if wish.is_key:
        if wish.key_of is None or _observed_key(seen, master) != wish.key_of:
            return "is another key"
    elif wish.text is None or seen.facts.get("checksum") != hashlib.sha256(wish.text.encode()).hexdigest():
        return "has another content"
    if int(seen.facts["mode"], 8) != access.mode:
        return f"has mode {seen.facts['mode']}, not {access.mode:04o}"
    for name in ("owner", "group"):
        wanted = getattr(wish, name)
        now = (seen.facts["owner"], seen.facts["uid"]) if name == "owner" else (seen.facts["group"], seen.facts["gid"])
        if wanted is not None and wanted not in map(str, now):
            return f"has the {name} {now[0]}, not {wanted}"
    if wish.owner is None and wish.group is None and (access.uid, access.gid) != (seen.facts["uid"], seen.facts["gid"]):
        return f"belongs to {seen.facts['owner']}:{seen.facts['group']}, not to {access.uid}:{access.gid}"
    return None


def why_not_reloaded(paths: t.Sequence[str], master: Master) -> str:
    """Say why the running server would not take up new files by itself; empty if it would. paths: in the container."""
    if not paths or not master.live:
        return ""
    if master.facts["process"] is None:
        return "no kube-apiserver is running, and a new pod starts at once where a crashed one waits longer and longer"
    if master.release is not None and master.release < _RELOADS_FROM:
        return "kube-apiserver reads its proxy-client pair again only from 1.20 on"
    for path in paths:
        seen = master.seen(path)
        if seen.facts["is_link"] or seen.facts.get("links", 1) > 1:
            return f"{seen.host} was a link, and kube-apiserver does not see when a link is replaced"
        mounted = [mount for mount in master.pod.mounts if mount.single_file and mount.mount_path == path]
        if mounted:
            return f"{path} is mounted as a single file, and the container goes on seeing the old one"
    return ""


def _digest(wishes: t.Sequence[FileWish]) -> str:
    public = "".join(wish.text or "" for wish in wishes if not wish.is_key)
    return hashlib.sha256(public.encode()).hexdigest()[:32]


def _flag_reasons(master: Master, flags: t.Mapping[str, str | None]) -> tuple[str, ...]:
    reasons = []
    for name, wanted in master.as_written(flags).items():
        now = master.pod.flag(name)
        if now != wanted:
            change = "is taken out" if wanted is None else f"is set to {hide_value(name, wanted)!r}"
            before = "not set" if now is None else repr(hide_value(name, now))
            reasons.append(f"--{name} {change}; it was {before}")
    return tuple(reasons)


def decide_change(
    master: Master, flags: t.Mapping[str, str | None], files: t.Sequence[FileWish], *, container: str
) -> MasterChange:
    """Decide what must be written on a master so that it has these flags and files. Raises PlanError."""
    writes: list[FileWrite] = []
    reasons: list[str] = []
    for wish in files:
        if not wish.is_key:
            _certificates(wish.text, wish.path)
        write = _write(wish, master.seen(wish.path), master)
        difference = _difference(write, master)
        if difference:
            writes.append(write)
            reasons.append(f"{write.seen.host} {difference}")
    stuck = why_not_reloaded([write.wish.path for write in writes], master)
    named = {path for name in FILE_FLAGS for path in [flags.get(name)] if path} | {wish.path for wish in files}
    folders = tuple(sorted({posixpath.dirname(path) for path in named if not master.seen(path).mounted}))
    changes = Changes(flags=flags, folders=folders, annotations={ANNOTATION: _digest(files)} if stuck else {})
    where = master.facts["manifest"]["path"]
    try:
        text: str | None = master.pod.text
        if not settled(master.pod, changes):
            text = edit(master.pod.text, changes, container=container, where=where)
    except ManifestError as error:
        raise PlanError(str(error)) from None
    if text == master.pod.text:
        text = None
    else:
        reasons += [f"{folder} was not mounted into the pod" for folder in folders]
    restart = ""
    if text is not None:
        restart = stuck or "kube-apiserver reads its flags at its start only"
    return MasterChange(text, tuple(writes), tuple(reasons), _flag_reasons(master, flags) if text else (), restart)
