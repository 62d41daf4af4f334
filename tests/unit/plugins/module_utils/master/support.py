# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the code on a master share: a sandboxed master, its files, orders, and keys made by openssl."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.journal import ChangeNote
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile, Order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.files import (
    checksum,
    describe_file,
    loads_together,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places

MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
PKI = "/etc/kubernetes/pki"
BUNDLE, CERTIFICATE, KEY = f"{PKI}/front-proxy-ca.crt", f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-client.key"
# What a kube-apiserver of kubeadm runs with, and what the aggregation layer adds.
FLAGS = (
    "--advertise-address=10.0.0.1",
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--client-ca-file=/etc/kubernetes/pki/ca.crt",
    "--etcd-servers=https://127.0.0.1:2379",
    "--secure-port=6443",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "--service-cluster-ip-range=10.96.0.0/12",
    "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
)
NEW_FLAGS = (
    "--enable-aggregator-routing=true",
    "--proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt",
    "--proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
)


def openssl(*arguments: str, folder: str | None = None) -> str:
    """Run openssl; give what it prints."""
    done = subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return done.stdout.decode()


class Generation(t.NamedTuple):
    """A CA and a pair that it signed, as PEM."""

    bundle: bytes
    certificate: bytes
    key: bytes


_GENERATIONS: dict[str, Generation] = {}


def generation(name: str) -> Generation:
    """A CA with a pair; the same one for the same name."""
    if name not in _GENERATIONS:
        with tempfile.TemporaryDirectory() as folder:
            new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "9")
            openssl(*new, "-subj", f"/CN=ca-{name}", "-keyout", "ca.key", "-out", "ca.crt", folder=folder)
            openssl(
                *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-subj", "/CN=front-proxy-client", "-keyout", "key", "-out", "request"),
                folder=folder,
            )
            openssl(
                *("x509", "-req", "-in", "request", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
                *("-days", "9", "-out", "crt"),
                folder=folder,
            )
            read = [Path(folder, file).read_bytes() for file in ("ca.crt", "crt", "key")]
        _GENERATIONS[name] = Generation(*read)
    return _GENERATIONS[name]


def secret_of(key: bytes) -> str:
    """A line of a private key that must be nowhere else."""
    return key.decode().splitlines()[1]


def text_with(*flags: str) -> str:
    """A manifest with these flags."""
    lines = "".join(f"    - {flag}\n" for flag in flags)
    return (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\n  namespace: kube-system\nspec:\n  containers:\n"
        f"  - command:\n    - kube-apiserver\n{lines}    image: registry.example.com/kube-apiserver:v1.30.1\n"
        "    name: kube-apiserver\n    volumeMounts:\n"
        f"    - mountPath: {PKI}\n      name: k8s-certs\n      readOnly: true\n  volumes:\n"
        f"  - hostPath:\n      path: {PKI}\n      type: DirectoryOrCreate\n    name: k8s-certs\n"
    )


OLD_TEXT = text_with("--secure-port=6443")
NEW_TEXT = text_with(
    "--secure-port=6443",
    f"--requestheader-client-ca-file={BUNDLE}",
    f"--proxy-client-cert-file={CERTIFICATE}",
    f"--proxy-client-key-file={KEY}",
)

# what a master can look like: by path, content (None: not there) and mode
State = t.Dict[str, t.Tuple[t.Optional[bytes], int]]


class Sandbox:
    """A master below a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.places = Places(str(folder))

    def path(self, path: str) -> Path:
        """The place here of a path on the master."""
        return Path(self.places.real(path))

    def lay(self, path: str, content: bytes | str, mode: int = 0o644) -> Path:
        """Put a file there."""
        place = self.path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        place.chmod(mode)
        return place

    def lay_pair(self, made: Generation) -> None:
        """Put a CA and a pair there."""
        self.lay(BUNDLE, made.bundle)
        self.lay(CERTIFICATE, made.certificate)
        self.lay(KEY, made.key, 0o600)

    def seen(self, path: str) -> str | None:
        """The stamp of a file."""
        stamp: str | None = describe_file(self.places.real(path)).get("stamp")
        return stamp

    def file(self, path: str, content: bytes, mode: int = 0o644) -> NewFile:
        """An order to write a file that is as it was just seen."""
        return NewFile(path, content, mode, seen=self.seen(path))

    def order(self, made: Generation | None = None, text: str | None = NEW_TEXT, **changes: t.Any) -> Order:
        """An order to put a CA, a pair and a manifest there."""
        files: t.Tuple[NewFile, ...] = ()
        if made is not None:
            files = (
                self.file(BUNDLE, made.bundle),
                self.file(KEY, made.key, 0o600),
                self.file(CERTIFICATE, made.certificate),
            )
        values: dict[str, t.Any] = {
            "manifest": MANIFEST,
            "manifest_seen": checksum(self.path(MANIFEST).read_bytes()),
            "manifest_text": text,
            "files": files,
            "bundle": BUNDLE,
            "certificate": CERTIFICATE,
            "key": KEY,
            "flags": {},
            "user_header": "X-Remote-User",
            "group_header": "X-Remote-Group",
            "pod": "kube-system_kube-apiserver",
            "container": "kube-apiserver",
            "wait": 0.0,
            "lock_timeout": 5.0,
        }
        values.update(changes)
        return Order(**values)

    def stage(self, *files: NewFile) -> t.List[install.Staged]:
        """Stage files that are named as on the master."""
        return [install.stage(file._replace(path=self.places.real(file.path))) for file in files]

    def state(self) -> State:
        """The four files with their modes."""
        found: State = {}
        for path in (MANIFEST, BUNDLE, CERTIFICATE, KEY):
            place = self.path(path)
            there = place.exists()
            found[path] = (
                place.read_bytes() if there else None,
                stat.S_IMODE(place.stat().st_mode) if there else 0,
            )
        return found

    def pair_loads(self) -> bool:
        """Whether certificate and key are both absent, or load together."""
        there = [self.path(path).exists() for path in (CERTIFICATE, KEY)]
        return not any(there) or loads_together(str(self.path(CERTIFICATE)), str(self.path(KEY)))

    def everything(self) -> dict[str, bytes]:
        """All files below the root, by path."""
        return {
            str(path)[len(str(self.root)) :]: path.read_bytes()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }

    def holders_of(self, key: bytes) -> list[str]:
        """The files that hold a private key."""
        return [path for path, content in self.everything().items() if secret_of(key).encode() in content]

    @property
    def backups(self) -> list[Path]:
        """The folders of ended changes, the oldest first."""
        folder = Path(self.places.backups)
        return sorted(path for path in folder.iterdir() if path.name[:1].isdigit()) if folder.exists() else []


def note(*, certificate: str | None = None, key: str | None = None) -> ChangeNote:
    """What is noted of a change that writes files only, and waits for nothing."""
    return {
        "manifest_path": MANIFEST,
        "manifest_text": OLD_TEXT,
        "manifest_new": checksum(OLD_TEXT.encode()),
        "bundle": None,
        "certificate": certificate,
        "key": key,
        "flags": {},
        "user_header": "X-Remote-User",
        "group_header": "X-Remote-Group",
        "pod": "kube-system_kube-apiserver",
        "container": "kube-apiserver",
        "wait": 0.0,
        "old_argv": None,
    }


def old_master(folder: Path, made: Generation | None = None) -> Sandbox:
    """A master with a manifest, and with a CA and a pair if one is given."""
    sandbox = Sandbox(folder)
    sandbox.lay(MANIFEST, OLD_TEXT, 0o600)
    sandbox.path(PKI).mkdir(parents=True)
    if made is not None:
        sandbox.lay_pair(made)
    return sandbox


@contextlib.contextmanager
def within(seconds: int) -> t.Iterator[None]:
    """Fail where the block takes longer: a signal ends what waits for a pipe."""

    def stop(*dummy: object) -> None:
        raise AssertionError(f"this took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def in_child(work: t.Callable[[], t.Any]) -> int:
    """Do something in a forked child; give its exit status, or minus its signal."""
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            work()
            status = 0
        except BaseException:  # the child must not run on into pytest
            with contextlib.suppress(BaseException):
                import traceback

                traceback.print_exc()
        finally:
            os._exit(status)
    dummy, status = os.waitpid(pid, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
