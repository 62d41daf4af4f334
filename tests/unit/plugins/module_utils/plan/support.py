# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the decisions share: masters in memory only."""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t
import zlib
from dataclasses import dataclass, field

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._argv import flag_values, last_value
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import FORMAT
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import (
    StaticPod,
    host_path,
    read_pod,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.manifests import (
    candidate_files,
    every_path,
    wanted_files,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    is_signed_by,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import load_key
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import MasterChange
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.master import Master, read_master
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.names import read_list
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    cluster_ca,
    key_pem,
    make_ca,
    make_leaf,
)

PKI = "/etc/kubernetes/pki"
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
FOLDER = "/pki/kubernetes"
KUBE_PROXY = "the process kube-proxy runs"
# Nothing lies between the server and the Services; all was looked at, and they do not answer.
NETWORK: t.Mapping[str, t.Any] = {
    "environment": {},
    "egress": None,
    "pods": [],
    "traces": True,
    "api": True,
    "service_address": {"address": "10.96.0.1:443", "error": "TimeoutError: timed out"},
    "left_unset": None,
}
KUBELET = {
    "pid": 5,
    "program": "kubelet",
    "folder": "/etc/kubernetes/manifests",
    "told_by": "/var/lib/kubelet/config.yaml",
    "reads": True,
}
Flags = t.Mapping[str, t.Optional[str]]


def sentence(message: str, *words: str) -> str:
    """Check that a message is one sentence or two for a person, and holds these words."""
    text = message.partition("\n")[0].rstrip(":")
    assert message == message.strip() and text
    assert message.endswith(".") or "\n" in message, message
    assert len(re.findall(r"[.!?]\s+[A-Z]", text)) <= 1, f"more than two sentences: {message}"
    assert "Traceback" not in message and "PRIVATE KEY" not in message and "None" not in message, message
    for word in words:
        assert word in message, f"{word!r} is not in: {message}"
    return message


# --- manifests


@dataclass(frozen=True)
class MountSpec:
    """A mount of the container. host None: an emptyDir."""

    path: str
    host: t.Optional[str]
    kind: str = "DirectoryOrCreate"


def mounted(path: str) -> MountSpec:
    return MountSpec(path, path)


def server_flags(pki: str = PKI) -> t.Dict[str, str]:
    """The flags of a server without an aggregation layer."""
    return {
        "allow-privileged": "true",
        "client-ca-file": f"{pki}/ca.crt",
        "secure-port": "6443",
        "tls-cert-file": f"{pki}/apiserver.crt",
        "tls-private-key-file": f"{pki}/apiserver.key",
    }


def proxy_flags(pki: str = PKI) -> t.Dict[str, str]:
    """The seven flags as kubeadm writes them."""
    return {
        "proxy-client-cert-file": f"{pki}/front-proxy-client.crt",
        "proxy-client-key-file": f"{pki}/front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": f"{pki}/front-proxy-ca.crt",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
    }


def manifest_text(
    flags: Flags, mounts: t.Sequence[MountSpec], image: str, env: t.Optional[t.Mapping[str, str]] = None
) -> str:
    """A static pod manifest like kubeadm's."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata:", "  name: kube-apiserver", "  namespace: kube-system", "spec:"]
    lines += ["  containers:", "  - command:", "    - kube-apiserver"]
    for name, value in flags.items():
        if value is not None:
            lines.append(f"    - '--{name}={value}'")
    lines += [f"    image: {image}", "    name: kube-apiserver"]
    if env:
        lines += ["    env:", *(f"    - {{name: {name}, value: '{value}'}}" for name, value in env.items())]
    if mounts:
        lines.append("    volumeMounts:")
        for number, mount in enumerate(mounts):
            lines += [f"    - mountPath: {mount.path}", f"      name: v{number}", "      readOnly: true"]
    lines += ["  hostNetwork: true"]
    if mounts:
        lines.append("  volumes:")
        for number, mount in enumerate(mounts):
            if mount.host is None:
                lines += [f"  - name: v{number}", "    emptyDir: {}"]
            else:
                lines += [
                    "  - hostPath:",
                    f"      path: {mount.host}",
                    f"      type: {mount.kind}",
                    f"    name: v{number}",
                ]
    return "\n".join(lines) + "\n"


@functools.lru_cache(maxsize=None)
def pod_of(text: str) -> StaticPod:
    return read_pod(text)


# --- masters


@dataclass(frozen=True)
class File:
    """A file on a master that exists only in memory."""

    content: str
    mode: str = "0644"
    uid: int = 0
    gid: int = 0
    links: int = 1
    is_link: bool = False
    inode: str = ""  # of hard links, a name that they share
    readable: t.Optional[bool] = None  # by the server's user, as the kernel says


@dataclass
class FakeMaster:
    """A master in memory: what apiserver_info would return of it is ``observe()``."""

    name: str = "m1"
    text: str = ""
    files: t.Dict[str, File] = field(default_factory=dict)
    release: t.Optional[str] = "v1.28.4"
    root: str = ""
    running: bool = True
    answers: bool = True
    argv: t.Optional[t.Sequence[str]] = None  # None: as the manifest says
    evidence: t.Sequence[str] = (KUBE_PROXY,)
    network: t.Mapping[str, t.Any] = field(default_factory=dict)  # what differs from NETWORK
    skew: t.Optional[float] = 0.01
    siblings: t.Sequence[t.Mapping[str, t.Any]] = ()
    pending: t.Optional[t.Mapping[str, t.Any]] = None
    certificates_dir: t.Optional[str] = None
    kubelets: t.Sequence[t.Mapping[str, t.Any]] = (KUBELET,)
    started: int = 0
    user: t.Tuple[int, ...] = (0, 0)  # of the process: user, group, further groups
    overrides: t.Optional[bool] = None  # None: as root has it
    kubelet_client_ca: t.Optional[str] = None
    links: t.Dict[str, str] = field(default_factory=dict)  # folders that are links to others

    def put(self, path: str, content: str, mode: str = "0644", **more: t.Any) -> FakeMaster:
        self.files[path] = File(content, mode, **more)
        return self

    def without(self, *paths: str) -> FakeMaster:
        for path in paths:
            del self.files[path]
        return self

    def put_pair(self, leaf: Certificate, owner: str = "client", pki: str = PKI) -> FakeMaster:
        self.put(f"{pki}/front-proxy-client.crt", leaf.pem)
        return self.put(f"{pki}/front-proxy-client.key", key_pem(owner), "0600")

    def put_ca(self, *bundle: Certificate, pki: str = PKI) -> FakeMaster:
        return self.put(f"{pki}/front-proxy-ca.crt", "".join(ca.pem for ca in bundle))

    def real(self, path: str) -> str:
        """The path with the links among the folders followed."""
        for link, target in self.links.items():
            if path.startswith(f"{link}/"):
                return target + path[len(link) :]
        return path

    def _identity(self, path: str) -> t.Dict[str, t.Any]:
        real = self.real(path)
        file = self.files.get(real)
        return {"real": real, "file": f"1:{zlib.crc32((file.inode or real).encode())}" if file else None}

    def _describe(self, path: str) -> t.Dict[str, t.Any]:
        real = self.real(path)
        file = self.files.get(real)
        if file is None:
            return {"exists": False, "is_link": False}
        found: t.Dict[str, t.Any] = {
            "exists": True,
            "readable": file.readable,
            "stamp": f"1:2:3:{int(hashlib.sha256(repr(file).encode()).hexdigest()[:12], 16)}",
            "mode": file.mode,
            "uid": file.uid,
            "gid": file.gid,
            "owner": "root" if file.uid == 0 else f"user{file.uid}",
            "group": "root" if file.gid == 0 else f"group{file.gid}",
            "links": file.links,
            "is_link": file.is_link,
            "certificates": [],
            "checksum": None,
            "in_container": None,
            "loads_with": [],
        }
        blocks = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", file.content, re.DOTALL)
        found["certificates"] = [block + "\n" for block in blocks]
        if "PRIVATE KEY-----" in file.content:
            found["kind"] = "private_key"
            return found
        found["kind"] = "certificates" if blocks else "other"
        found["checksum"] = hashlib.sha256(file.content.encode()).hexdigest()
        return found

    def _certificates(self, path: str) -> t.Sequence[Certificate]:
        try:
            return read_certificates(self.files[self.real(path)].content, where=path)
        except (KeyError, PkiError):
            return ()

    def _leaf(self, path: str) -> t.Optional[Certificate]:
        return next(iter(self._certificates(path)), None)

    def _belongs(self, certificate: str, private: str) -> bool:
        leaf = self._leaf(certificate)
        try:
            pem = self.files[self.real(private)].content.encode()
            return leaf is not None and load_key(pem, where="key").fingerprint == leaf.key_fingerprint
        except (KeyError, PkiError):
            return False

    @property
    def command(self) -> t.List[str]:
        """What runs."""
        return list(self.argv) if self.argv is not None else list(pod_of(self.text).argv)

    def _probe(self) -> t.Dict[str, t.Any]:
        """What a kube-apiserver would say, as far as decisions care."""
        found: t.Dict[str, t.Any] = {
            "address": "127.0.0.1",
            "port": 6443,
            "accepted": None,
            "status": None,
            "ready": self.answers,
            "answers": self.answers,
            "reload_hook": None,
            "version": self.release if self.answers else None,
            "error": None if self.answers else "ConnectionRefusedError: [Errno 111] Connection refused",
        }
        values, pod = flag_values(self.command), pod_of(self.text)

        def place(flag: str) -> str:
            path = last_value(values, flag)
            try:
                return (host_path(pod, path) or path) if path else ""
            except ManifestError:
                return ""

        certificate, private = place("proxy-client-cert-file"), place("proxy-client-key-file")
        bundle = place("requestheader-client-ca-file")
        if self.answers and certificate and self._belongs(certificate, private):
            leaf, shown = self._leaf(certificate), self._certificates(certificate)
            names = read_list(last_value(values, "requestheader-allowed-names"))
            cas = self._certificates(bundle)
            good = leaf is not None and leaf.not_before <= NOW < leaf.not_after
            good = good and any(ca.not_after > NOW and is_signed_by(leaf, ca, shown[1:]) for ca in cas if leaf)
            found["accepted"] = bool(good and leaf and (not names or leaf.common_name in names))
            found["status"] = 200 if found["accepted"] else 401
        return found

    def observe(self) -> t.Dict[str, t.Any]:
        """What the module apiserver_info returns of such a master."""
        runs = self.running and not self.root
        wanted = wanted_files(self.text, self.command if runs else (), self.certificates_dir)
        wanted |= {self.kubelet_client_ca} if self.kubelet_client_ca else set()
        files = {}
        for path in candidate_files(self.text, wanted):
            found = self._describe(path)
            if found["exists"] or path in wanted:
                files[path] = found
        for path, found in files.items():
            if found.get("kind") == "private_key":
                found["loads_with"] = [
                    other
                    for other, certificate in files.items()
                    if certificate.get("certificates") and "front-proxy-ca" not in other and self._belongs(other, path)
                ]
        overrides = self.user[0] == 0 if self.overrides is None else self.overrides
        user = {"uid": self.user[0], "gid": self.user[1], "groups": list(self.user[2:]), "overrides": overrides}
        process: t.Optional[t.Dict[str, t.Any]] = None
        if runs:
            process = {"pid": 7, "user": user, "argv": self.command, "start_ticks": 5, "started": 1.0, "mounts": []}
        return {
            "format": FORMAT,
            "root": self.root,
            "manifest": {
                "path": MANIFEST,
                "text": self.text,
                "checksum": hashlib.sha256(self.text.encode()).hexdigest(),
                "mode": "0600",
                "uid": 0,
                "gid": 0,
            },
            "siblings": list(self.siblings),
            "process": process,
            "kubelet_client_ca": self.kubelet_client_ca,
            "kubelets": None if self.root else list(self.kubelets),
            "files": files,
            "identities": {
                path: self._identity(path) for path in every_path(self.text, self.command if runs else (), list(files))
            },
            "service_routing": None if self.root else list(self.evidence),
            "network": None if self.root else {**NETWORK, **self.network},
            "clock": NOW.timestamp(),
            "clock_skew": self.skew,
            "probe": self._probe() if runs else None,
            "pending": self.pending,
        }

    def read(self) -> Master:
        """This master, as the decisions see it."""
        return read_master(self.name, self.observe(), container="kube-apiserver", now=NOW, backdate=3600)

    def apply(self, change: MasterChange, contents: t.Mapping[str, str]) -> None:
        """Do what the module apiserver does."""
        for write in change.files:
            uid, gid = max(0, write.access.uid), max(0, write.access.gid)
            owner = uid if write.wish.owner is None else 0
            mode = f"{write.access.mode:04o}"
            self.files[self.real(write.seen.host)] = File(contents[write.wish.path], mode, owner, gid)
        if change.text is not None:
            self.text = change.text
            self.argv = None
            self.running = True
            self.answers = True
            self.started += 1
        self.pending = None


def master(
    name: str = "m1",
    *,
    flags: t.Optional[Flags] = None,
    pki: str = PKI,
    mounts: t.Optional[t.Sequence[MountSpec]] = None,
    image: str = "registry.k8s.io/kube-apiserver:v1.28.4",
    cluster: str = "kubernetes",
    extra: t.Sequence[str] = (),
    env: t.Optional[t.Mapping[str, str]] = None,
    **more: t.Any,
) -> FakeMaster:
    """A master without an aggregation layer. flags: added to or (None) taken from the usual; extra: more words; env:
    the variables that stand in the manifest."""
    given = {**server_flags(pki), **(flags or {})}
    text = manifest_text(given, [mounted(pki)] if mounts is None else mounts, image, env)
    if extra:
        words = "".join(f"    - '{word}'\n" for word in extra)
        text = text.replace("    - kube-apiserver\n", "    - kube-apiserver\n" + words, 1)
    found = FakeMaster(name, text, **more)
    found.put(f"{pki}/ca.crt", cluster_ca(cluster).pem)
    found.put(f"{pki}/apiserver.crt", make_leaf("ca", "kube-apiserver", owner="server").pem)
    return found.put(f"{pki}/apiserver.key", key_pem("server"), "0600")


def kubeadm(name: str = "m1", *, ca: str = "ca", flags: t.Optional[Flags] = None, **more: t.Any) -> FakeMaster:
    """A master as kubeadm leaves it: all flags, the shared CA, and a pair of its own."""
    pki = more.get("pki", PKI)
    found = master(name, flags={**proxy_flags(pki), **(flags or {})}, **more)
    found.put_ca(make_ca(ca), pki=pki)
    return found.put_pair(make_leaf(ca, owner=f"client {name}"), f"client {name}", pki=pki)
