# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the decisions share: a PKI made at run time, masters in memory only, and a controller."""

from __future__ import annotations

import functools
import hashlib
import re
import typing as t
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._argv import flag_values, last_value
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import (
    StaticPod,
    host_path,
    read_pod,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.manifests import (
    candidate_files,
    wanted_files,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca import CaWish, key_usage, self_sign
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca_files import CaRequest, ensure_ca
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    from_der,
    is_signed_by,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client import ClientWish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client_files import (
    ClientRequest,
    ensure_client,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import (
    ExtendedKeyUsageOID,
    quiet,
    serialization,
    x509,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import PkiFolder, read_folder
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import (
    KeySpec,
    PrivateKey,
    generate_key,
    load_key,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import RenewBefore, iso, utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import (
    FileWish,
    MasterChange,
    decide_change,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.clusters import (
    ClusterSettings,
    Report,
    plan_clusters,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.flags import read_list
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.master import Master, read_master
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wanted import read_files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish

NOW = utc_now()
DAY = timedelta(days=1)
YEAR = 365 * DAY
PKI = "/etc/kubernetes/pki"
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
FOLDER = "/pki/kubernetes"
KUBE_PROXY = "the process kube-proxy runs"
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


# --- keys and certificates


@functools.lru_cache(maxsize=None)
def key(name: str) -> PrivateKey:
    """A P-256 key; the same one for the same name."""
    return generate_key(KeySpec.of(kind="ECDSA"))


def key_pem(name: str) -> str:
    return key(name).to_pem().decode("ascii")


def make_ca(
    name: str = "ca",
    common_name: str = "front-proxy-ca",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = 10 * YEAR,
) -> Certificate:
    """A CA with the key of this name; the same one for the same arguments."""
    return _make_ca(name, common_name, start, validity)


@functools.lru_cache(maxsize=None)
def _make_ca(name: str, common_name: str, start: datetime, validity: timedelta) -> Certificate:
    return self_sign(key=key(name), subject=Subject.of(common_name=common_name), validity=validity, now=start)


@functools.lru_cache(maxsize=None)
def make_leaf(
    ca: str = "ca",
    common_name: str = "front-proxy-client",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = YEAR,
    owner: str = "client",
    usage: str = "client",
    organization: str = "",
    is_ca: bool = False,
) -> Certificate:
    """A certificate that the CA of this name signs; usage: ``client``, ``server`` or empty for none."""
    return leaf_of(
        make_ca(ca), ca, common_name, start, validity, owner=owner, usage=usage, organization=organization, is_ca=is_ca
    )


def leaf_of(
    issuer: Certificate,
    ca: str,
    common_name: str = "front-proxy-client",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = YEAR,
    *,
    owner: str = "client",
    usage: str = "client",
    organization: str = "",
    is_ca: bool = False,
) -> Certificate:
    """A certificate that this CA signs with the key of the name ca."""
    with quiet():
        oid = x509.NameOID
        parts = [(oid.ORGANIZATION_NAME, organization)] if organization else []
        parts.append((oid.COMMON_NAME, common_name))
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(kind, value) for kind, value in parts]))
            .issuer_name(x509.load_der_x509_certificate(issuer.der).subject)
            .public_key(key(owner).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + validity)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
        )
        if usage:
            wanted = ExtendedKeyUsageOID.CLIENT_AUTH if usage == "client" else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([wanted]), critical=False)
        return from_der(key(ca).sign_certificate(builder).public_bytes(serialization.Encoding.DER))


def cluster_ca(name: str = "kubernetes") -> Certificate:
    """The CA of a cluster's own client certificates."""
    return make_ca(f"cluster {name}", "kubernetes")


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


def manifest_text(flags: Flags, mounts: t.Sequence[MountSpec], image: str) -> str:
    """A static pod manifest like kubeadm's."""
    lines = ["apiVersion: v1", "kind: Pod", "metadata:", "  name: kube-apiserver", "  namespace: kube-system", "spec:"]
    lines += ["  containers:", "  - command:", "    - kube-apiserver"]
    for name, value in flags.items():
        if value is not None:
            lines.append(f"    - '--{name}={value}'")
    lines += [f"    image: {image}", "    name: kube-apiserver"]
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
    kind: str = ""


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
    skew: t.Optional[float] = 0.01
    siblings: t.Sequence[t.Mapping[str, t.Any]] = ()
    pending: t.Optional[t.Mapping[str, t.Any]] = None
    certificates_dir: t.Optional[str] = None
    started: int = 0

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

    def _describe(self, path: str) -> t.Dict[str, t.Any]:
        file = self.files.get(path)
        if file is None:
            return {"exists": False, "is_link": False}
        found: t.Dict[str, t.Any] = {
            "exists": True,
            "stamp": f"stamp of {hashlib.sha256(repr(file).encode()).hexdigest()[:12]}",
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
        }
        if "PRIVATE KEY-----" in file.content:
            found["kind"] = "private_key"
            return found
        blocks = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", file.content, re.DOTALL)
        found["certificates"] = [block + "\n" for block in blocks]
        found["kind"] = "certificates" if blocks else "other"
        found["checksum"] = hashlib.sha256(file.content.encode()).hexdigest()
        return found

    def _certificates(self, path: str) -> t.Sequence[Certificate]:
        try:
            return read_certificates(self.files[path].content, where=path)
        except (KeyError, PkiError):
            return ()

    def _leaf(self, path: str) -> t.Optional[Certificate]:
        return next(iter(self._certificates(path)), None)

    def _belongs(self, certificate: str, private: str) -> bool:
        leaf = self._leaf(certificate)
        try:
            pem = self.files[private].content.encode()
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
                    if certificate.get("kind") == "certificates"
                    and "front-proxy-ca" not in other
                    and self._belongs(other, path)
                ]
        process = {"pid": 7, "argv": self.command, "start_ticks": 5, "started": 1.0, "mounts": []} if runs else None
        return {
            "format": 1,
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
            "files": files,
            "service_routing": None if self.root else list(self.evidence),
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
            uid = int(write.uid or 0) if write.wish.owner is None else 0
            self.files[write.host] = File(contents[write.wish.path], write.wish.mode, uid, int(write.gid or 0))
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
    **more: t.Any,
) -> FakeMaster:
    """A master without an aggregation layer. flags: added to or (None) taken from the usual; extra: more words."""
    given = {**server_flags(pki), **(flags or {})}
    text = manifest_text(given, [mounted(pki)] if mounts is None else mounts, image)
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


# --- the controller


def folder(
    *bundle: Certificate,
    ca_key: str = "absent",
    client: t.Optional[Certificate] = None,
    client_key_matches: t.Optional[bool] = None,
) -> PkiFolder:
    """The controller's PKI folder."""
    return PkiFolder(
        path=FOLDER,
        exists=bool(bundle),
        ca=bundle,
        ca_key=ca_key,
        client=(client,) if client else (),
        client_key_matches=bool(client) if client_key_matches is None else client_key_matches,
    )


def settings(path: str = FOLDER, renew_before: str = "1/3") -> ClusterSettings:
    return ClusterSettings(folder=path, renew_before=renew_before, container="kube-apiserver")


def report(
    fake: t.Union[FakeMaster, str],
    *,
    wish: t.Optional[Wish] = None,
    cluster: str = "kubernetes",
    targeted: bool = True,
    failure: str = "",
    path: str = FOLDER,
    renew_before: str = "1/3",
) -> Report:
    """What is known of a master; only its name: it was not looked at, or (failure) could not be."""
    if isinstance(fake, str):
        return Report(fake, cluster, targeted, None, failure, None, None)
    carried = settings(path, renew_before) if targeted else None
    return Report(fake.name, cluster, targeted, fake.observe(), "", (wish or Wish()) if targeted else None, carried)


def plan(
    *seen: t.Union[FakeMaster, Report],
    wish: t.Optional[Wish] = None,
    pki: t.Union[PkiFolder, t.Callable[[str], PkiFolder], None] = None,
    renew_before: str = "1/3",
) -> t.Dict[str, t.Any]:
    """Plan for masters, or reports of them."""
    reports = [
        each if isinstance(each, Report) else report(each, wish=wish, renew_before=renew_before) for each in seen
    ]
    found = pki if callable(pki) else (lambda dummy: pki or folder())
    return plan_clusters(reports, read_folder=found, now=NOW)


def refusal(done: t.Mapping[str, t.Any], host: str, cluster: str = "kubernetes") -> str:
    """The sentence with which the plan refuses a cluster; the others of it are told who is the culprit."""
    found = done["clusters"][cluster]
    assert found["error"], found
    assert done["waves"] == [] or all(host not in wave for wave in done["waves"])
    assert found["culprit"] == host
    for name in found["members"]:
        each = done["hosts"][name]
        assert each["action"] == "refused" and each["files"] == []
        if name == host:
            assert each["error"] == found["error"]
        else:
            sentence(each["error"], f"Not begun, because {host} of the same cluster is refused: ")
    return str(found["error"])


class Controller:
    """A real PKI folder on this machine, worked on as the role's second step does."""

    def __init__(self, path: Path) -> None:
        self.path = path / "kubernetes"

    def read(self, path: str) -> PkiFolder:
        return read_folder(path)

    def sign(self, cluster: t.Mapping[str, t.Any]) -> None:
        """What roles/front_proxy/tasks/sign.yml does."""
        if not (cluster["make_ca"] or cluster["adopt"] is not None or cluster["sign"]):
            return
        place = Path(cluster["folder"])
        spec = KeySpec.of(kind="ECDSA")
        ca = CaRequest(
            certificate_path=str(place / "front-proxy-ca.crt"),
            privatekey_path=str(place / "front-proxy-ca.key"),
            wish=CaWish(Subject.of(common_name="front-proxy-ca"), spec, 10 * YEAR),
            adopt=cluster["adopt"],
        )
        ensure_ca(ca, check=False, now=NOW)
        if cluster["sign"]:
            wanted = ClientWish.of(
                renew_before=RenewBefore.parse("1/3"),
                subject=Subject.of(common_name=cluster["common_name"]),
                key=spec,
            )
            client = ClientRequest(
                certificate_path=str(place / "front-proxy-client.crt"),
                privatekey_path=str(place / "front-proxy-client.key"),
                ca_certificate_path=ca.certificate_path,
                ca_privatekey_path=ca.privatekey_path,
                wish=wanted,
            )
            ensure_client(client, check=False, now=NOW)

    def run(self, *masters: FakeMaster, wish: t.Optional[Wish] = None) -> t.Dict[str, t.Any]:
        """Plan, sign, apply wave by wave; gives the plan."""
        done = plan_clusters(
            [report(each, wish=wish, path=str(self.path)) for each in masters], read_folder=self.read, now=NOW
        )
        for cluster in done["clusters"].values():
            if not cluster["error"]:
                self.sign(cluster)
        by_name = {each.name: each for each in masters}
        for wave in done["waves"]:
            for name in wave:
                self._apply(by_name[name], done["hosts"][name])
        return done

    @staticmethod
    def _apply(fake: FakeMaster, wanted: t.Mapping[str, t.Any]) -> None:
        wishes, contents = read_files(wanted["files"], str, checking=False)
        fake.apply(decide_change(fake.read(), wanted["flags"], wishes, container="kube-apiserver"), contents)
        # what the master waits for: the kubelet runs what the manifest says
        fake.answers = fake.running = True
        fake.argv = None


def wished(path: str, content: str, **more: t.Any) -> FileWish:
    """A wanted file as the action reads it."""
    wishes, dummy = read_files([{"path": path, "content": content, **more}], str, checking=False)
    return wishes[0]


__all__ = ("Controller", "FakeMaster", "File", "MountSpec", "PkiFolder", "iso")
