# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A master as its administrator sees it on the machine: the running kube-apiserver, the files, and changes of both."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from bed.node import Node

from watch.client import Client

__all__ = ["MANIFEST", "PKI", "ApiServer", "Master", "wait_for"]

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
PKI = "/etc/kubernetes/pki"
BACKUP = "/etc/kubernetes/front-proxy-backup"
FRONT_PROXY = ("front-proxy-ca.crt", "front-proxy-ca.key", "front-proxy-client.crt", "front-proxy-client.key")

POD = re.compile(r"/pod([0-9a-f-]+)/")

# A pod of a file has the hash of its text as its UID, and the kubelet waits longer and longer before it starts a
# container of one UID again. So no two manifests that a test writes are the same: each has a mark of its own.
MARK = re.compile(r"^    cluster-test: .*\n", re.MULTILINE)

LAYER = re.compile(r"    - --(requestheader|proxy-client|enable-aggregator)[^\n]*\n")

CHECKSUMS = r"""
import hashlib, json, os, stat, sys
found = {}
for top in sys.argv[1:]:
    for folder, _folders, files in os.walk(top):
        for name in files:
            path = os.path.join(folder, name)
            status = os.lstat(path)
            with open(path, "rb") as stream:
                digest = hashlib.sha256(stream.read()).hexdigest()
            found[path] = [oct(stat.S_IMODE(status.st_mode)), status.st_uid, status.st_gid, digest]
print(json.dumps(found))
"""


def wait_for(condition: t.Callable[[], t.Any], what: str, *, seconds: float = 90) -> None:
    """Wait until a condition holds. Raises AssertionError that says what did not come."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {seconds:g} s")
        time.sleep(0.2)


@dataclass(frozen=True)
class ApiServer:
    """A running kube-apiserver; ``start`` is in clock ticks since the machine's start, ``pod`` the pod's UID."""

    pid: int
    start: int
    pod: str
    argv: tuple[str, ...]

    @property
    def started(self) -> float:
        """The same in seconds."""
        return self.start / os.sysconf("SC_CLK_TCK")

    @property
    def flags(self) -> dict[str, str]:
        """Its flags by name; the last one counts."""
        return {word[2:].partition("=")[0]: word.partition("=")[2] for word in self.argv if word.startswith("--")}


class Master:
    """A node with a kube-apiserver on it."""

    def __init__(self, node: Node, client: Client) -> None:
        self.node = node
        self.name = node.name
        self.address = node.address
        self._client = client
        self._outdated: list[ApiServer] = []

    def python(self, program: str, *arguments: str) -> str:
        return self.node.run("python3", "-c", program, *arguments)

    def apiservers(self) -> list[ApiServer]:
        """The processes that run now; for a moment there may be none, or two.

        Read from outside: tests wait for them five times a second, and a program in the node takes half a processor.
        """
        folders = (folder for folder in Path("/proc").iterdir() if folder.name.isdigit())
        return [server for server in map(self._apiserver_of, folders) if server]

    def _apiserver_of(self, process: Path) -> ApiServer | None:
        """The kube-apiserver of this node that a process is, if it is one; proc(5) has what is read here."""
        try:
            argv = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
            if not argv or os.path.basename(argv[0]) != "kube-apiserver":
                return None
            groups = (process / "cgroup").read_text(encoding="utf-8")
            if f"/{self.node.group}/" not in groups:
                return None
            start = int((process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19])
            # here, in the node, and in the pod
            pids = re.findall(r"^NSpid:.*", (process / "status").read_text(encoding="utf-8"), re.MULTILINE)[0].split()
        except OSError:
            return None  # it has ended
        pod = POD.search(groups)
        return ApiServer(int(pids[2]), start, pod.group(1) if pod else "", tuple(argv))

    def apiserver(self) -> ApiServer:
        """The one that runs."""
        found = self.apiservers()
        assert len(found) == 1, f"{self.name} runs {len(found)} kube-apiservers"
        return found[0]

    def pods(self) -> set[str]:
        """The UIDs of the pods of kube-apiserver of which there are logs, old ones too."""
        folders = self.node.path("/var/log/pods").glob(f"kube-system_kube-apiserver-{self.name}_*")
        return {folder.name.rpartition("_")[2] for folder in folders}

    def is_ready(self) -> bool:
        return not self.why_not_ready()

    def why_not_ready(self) -> str:
        """Why its kube-apiserver does not serve; nothing if it does."""
        return self._client.why_not_ready(self.address)

    def runs_its_manifest(self) -> bool:
        """Whether one kube-apiserver runs, newer than the last manifest by hand, with its flags, and is ready."""
        found = self.apiservers()
        words = [line.strip()[2:] for line in self.manifest.splitlines() if line.startswith("    - --")]
        if len(found) != 1 or found[0] in self._outdated:
            return False
        return list(found[0].argv[1:]) == words and self.is_ready()

    def wait_until_it_runs_its_manifest(self, *, seconds: float = 120) -> None:
        wait_for(self.runs_its_manifest, f"{self.name} runs its manifest and is ready", seconds=seconds)

    @property
    def manifest(self) -> str:
        return self.node.path(MANIFEST).read_text(encoding="utf-8")

    def write_manifest(self, text: str) -> float:
        """Replace the manifest in one step, as a careful hand does, so that the kubelet makes a new pod.

        Gives the moment of that by time.monotonic().
        """
        marked = f'  annotations:\n    cluster-test: "{time.time_ns()}"\n'
        temporary = self.node.path(MANIFEST).with_name(".by-hand")
        temporary.write_text(MARK.sub("", text).replace("  annotations:\n", marked, 1), encoding="utf-8")
        temporary.chmod(0o600)
        self._outdated = self.apiservers()
        moment = time.monotonic()
        temporary.rename(self.node.path(MANIFEST))
        return moment

    def add_flag(self, flag: str) -> None:
        """Put one more flag behind the first word of the command, by hand."""
        self.write_manifest(self.manifest.replace("    - kube-apiserver\n", f"    - kube-apiserver\n    - {flag}\n", 1))

    @property
    def in_manifests(self) -> list[str]:
        """What lies in the manifests folder, dot files too."""
        return sorted(path.name for path in self.node.path(MANIFEST).parent.iterdir())

    def checksums(self) -> dict[str, list[t.Any]]:
        """Mode, owner, group and SHA-256 of every file of Kubernetes' folder, as seen in the node."""
        found: dict[str, list[t.Any]] = json.loads(self.python(CHECKSUMS, "/etc/kubernetes"))
        return found

    def read(self, name: str) -> bytes:
        """A file of the certificates' folder."""
        return self.node.path(f"{PKI}/{name}").read_bytes()

    def digest(self, name: str) -> str:
        return hashlib.sha256(self.read(name)).hexdigest()

    def save(self, state: Path) -> None:
        """Keep the manifest and the front proxy's files below ``state``, for `restore`."""
        folder = state / self.name
        folder.mkdir(parents=True)
        (folder / "manifest").write_text(self.manifest, encoding="utf-8")
        (folder / "manifest").chmod(0o600)
        for name in FRONT_PROXY:
            source = self.node.path(f"{PKI}/{name}")
            if source.exists():
                (folder / name).write_bytes(source.read_bytes())
                (folder / name).chmod(source.stat().st_mode & 0o777)

    def restore(self, state: Path) -> None:
        """Bring back what `save` kept; the kubelet restarts kube-apiserver where the manifest differs."""
        self.node.run("rm", "-rf", BACKUP)
        for name in FRONT_PROXY:
            target = self.node.path(f"{PKI}/{name}")
            if (state / self.name / name).exists():
                temporary = target.with_name(".restored")
                shutil.copy2(state / self.name / name, temporary)
                temporary.rename(target)
            else:
                target.unlink(missing_ok=True)
        # the manifest last: what it names is there
        manifest = (state / self.name / "manifest").read_text(encoding="utf-8")
        if MARK.sub("", manifest) != MARK.sub("", self.manifest):
            self.write_manifest(manifest)

    def strip(self) -> None:
        """Take the aggregation layer off, as on a master that never had it."""
        bare = LAYER.sub("", self.manifest)
        if bare != self.manifest:
            self.write_manifest(bare)
        for path in (BACKUP, *(f"{PKI}/{name}" for name in FRONT_PROXY)):
            self.node.run("rm", "-rf", path)
