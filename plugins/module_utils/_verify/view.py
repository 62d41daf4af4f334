# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One master as verify sees it: what was observed, read without refusing anything."""

from __future__ import annotations

import base64
import binascii
import json
import re
import typing as t
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone

from .._argv import flag_values
from .._contract.observation import Probe
from .._contract.survey import Answered, ApiService, Layer, Survey
from .._manifest.errors import ManifestError
from .._manifest.pod import StaticPod, read_pod
from .._pki.certificate import Certificate, is_signed_by, read_certificates
from .._pki.der import outline
from .._pki.errors import PkiError
from .._pki.names import PRIVILEGED_ORGANIZATION
from .._plan.errors import PlanError
from .._plan.master import DEFAULT_FOLDER, Master, Seen
from .._plan.names import read_list
from .._plan.network import tunnel_of
from .._plan.wish import parse_release
from .._shown import Shell, commented, shell_word

__all__ = [
    "CONFIGURE",
    "PRUNE",
    "Bundle",
    "View",
    "describe",
    "extra_vars",
    "read_bundle",
    "read_each",
    "read_view",
    "subject_of",
]

CONFIGURE = "kubeops.aggregation_layer.configure"
PRUNE = "kubeops.aggregation_layer.prune"
# The name of the pairs that kubeadm makes, and of their files.
_KUBEADMS_NAME = "front-proxy-client"
CA_FLAG, CERT_FLAG, KEY_FLAG = "requestheader-client-ca-file", "proxy-client-cert-file", "proxy-client-key-file"


_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class Bundle(t.NamedTuple):
    """A file with certificates: who is in it, or why nobody is."""

    certificates: tuple[Certificate, ...]
    problem: str


def read_bundle(text: str, where: str) -> Bundle:
    """Read certificates; never raises."""
    try:
        return Bundle(read_certificates(text, where=where), "")
    except PkiError as error:
        return Bundle((), str(error).rstrip("."))


def read_each(text: str) -> tuple[tuple[Certificate, ...], int]:
    """Read the certificates of a text one by one: those that can be read, and how many cannot.

    kube-apiserver has read what it publishes; what only the library here cannot read hides nothing else.
    """
    bundles = [read_bundle(match.group(0), "") for match in _CERTIFICATE.finditer(text)]
    return tuple(ca for bundle in bundles for ca in bundle.certificates), sum(bool(each.problem) for each in bundles)


def extra_vars(**variables: bool | t.Sequence[str]) -> Shell:
    """The words that give variables to a playbook; they can be pasted, whatever stands in a value.

    Ansible would evaluate braces in an extra variable, and a name that a master gives may hold a template.
    """
    plain = {
        name: value if isinstance(value, bool) else [re.sub("[{}]", "_", item) for item in value]
        for name, value in variables.items()
    }
    return Shell(f"-e {shell_word(json.dumps(plain))}")


def describe(certificate: Certificate) -> str:
    """Name a certificate so that two with one name can be told apart."""
    return (
        f"{certificate.subject} (key {certificate.key_fingerprint[:12]}, until "
        f"{certificate.not_after.astimezone(timezone.utc):%Y-%m-%d})"
    )


@dataclass(frozen=True)
class View:
    """A master. facts: what was seen; master: its manifest and what lies on it; command: how the configure playbook is
    called here; names: those that all front proxies of the cluster need, as far as they are known: see `own_names`."""

    facts: Survey
    master: Master
    cluster: str
    command: Shell
    running: t.Mapping[str, t.Sequence[str]] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The host's name in the inventory."""
        return self.master.name

    @property
    def where(self) -> tuple[str, tuple[str, ...]]:
        """The cluster and this master, as findings name them."""
        return self.cluster, (self.name,)

    @property
    def now(self) -> datetime:
        """The clock of this master, by which its kube-apiserver judges dates."""
        return datetime.fromtimestamp(self.facts["clock"], tz=timezone.utc)

    @property
    def prune(self) -> Shell:
        """How the playbook is called here that takes out of the ConfigMap what no master has any more."""
        before, dummy, after = self.command.partition(f" {CONFIGURE}")
        return Shell(f"{before} {PRUNE}{after}")

    @property
    def release(self) -> tuple[int, int] | None:
        """The release that runs, or that the image names."""
        return self.master.release

    def before(self, release: str) -> bool:
        """Whether this master runs an older release, or nobody knows which one."""
        return self.release is None or self.release < (parse_release(release) or (0, 0))

    def flag(self, name: str) -> str | None:
        """The value of a flag in the manifest; of several the last one, as kube-apiserver takes it."""
        values = self.master.pod.flags.get(name, ())
        return values[-1] if values else None

    def list_flag(self, name: str) -> tuple[str, ...]:
        """The values of a list flag; kube-apiserver adds up what is given several times."""
        values = self.master.pod.flags.get(name, ())
        return tuple(item for value in values for item in read_list(value) or ())

    def file(self, flag: str) -> Seen | None:
        """The file of a flag as it was observed; None if the flag is not set or its file cannot be found out."""
        path = self.flag(flag)
        if not path:
            return None
        try:
            return self.master.seen(path)
        except PlanError:
            return None

    def bundle(self, flag: str) -> Bundle:
        """The certificates in the file of a flag."""
        seen = self.file(flag)
        if seen is None or not seen.exists:
            return Bundle((), "")
        return read_bundle("".join(seen.facts["certificates"]), seen.host)

    @property
    def cas(self) -> tuple[Certificate, ...]:
        """The front-proxy CAs that this master trusts by its file."""
        return self.bundle(CA_FLAG).certificates

    @property
    def leaf(self) -> Certificate | None:
        """The proxy client's certificate; of several in the file the first."""
        return next(iter(self.bundle(CERT_FLAG).certificates), None)

    def is_signed_by(self, ca: Certificate) -> bool:
        """Whether this CA signed its pair, maybe through certificates that are in the file of the pair, too."""
        shown = self.bundle(CERT_FLAG).certificates
        return bool(shown) and is_signed_by(shown[0], ca, shown[1:])

    @property
    def signer(self) -> Certificate | None:
        """The one of its front-proxy CAs that signed its pair, one that lives if there is one."""
        signers = [ca for ca in self.cas if self.is_signed_by(ca)]
        return max(signers, key=lambda ca: ca.not_after) if signers else None

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of front proxies that this master allows and, where it allows its pair's or any, that one."""
        allowed = tuple(name for name in self.list_flag("requestheader-allowed-names") if name.strip())
        name = self.leaf.common_name if self.leaf else None
        return (name,) if name and not allowed else allowed

    @property
    def allow(self) -> Shell:
        """The variable with which configure allows all names that the front proxies of the cluster need."""
        return extra_vars(front_proxy_allowed_names=self.names or ("front-proxy-client",))

    @property
    def shares_client_ca(self) -> bool:
        """Whether one of its front-proxy CAs is a CA of the cluster's client certificates."""
        clients = {ca.key_fingerprint for ca in self.bundle("client-ca-file").certificates}
        return any(ca.key_fingerprint in clients for ca in self.cas)

    @property
    def published(self) -> t.Mapping[str, str]:
        """The data of the ConfigMap extension-apiserver-authentication; empty if it could not be read."""
        return (self.layer and self.layer["published"]) or {}

    @property
    def probe(self) -> Probe | None:
        """What the running server answered; None if none runs."""
        return self.facts["probe"]

    @property
    def layer(self) -> Layer | None:
        """What the running server told of the layer; None if it could not be read."""
        layer = self.facts["layer"]
        return layer if layer and layer["published"] is not None else None

    @property
    def apiservices(self) -> t.Sequence[ApiService]:
        """The APIServices with a Service behind them, as far as they could be read."""
        return (self.layer and self.layer["apiservices"]) or ()

    def through(self, apiservice: str) -> Answered:
        """What the discovery of an APIService gave through this master."""
        answered = self.layer["through"].get(apiservice) if self.layer else None
        return answered or {"status": None, "body": "", "error": None}

    @property
    def offered(self) -> tuple[bytes, ...] | None:
        """The names (DER) of the client CAs that the running server has loaded; None if it did not tell."""
        handshake = self.facts["handshake"]
        names = handshake["names"] if handshake else None
        if names is None:
            return None
        try:
            return tuple(base64.b64decode(name) for name in names)
        except (binascii.Error, ValueError):
            return None

    def on_disk(self, path: str) -> Shell:
        """A path of the master as a word of a command that is run there: below the root, if there is one."""
        return Shell(shell_word(f"{self.facts['root']}{path}"))

    @property
    def can_sign(self) -> bool:
        """Whether the key of the front-proxy CA lies beside it, where kubeadm looks for it."""
        seen = self.file(CA_FLAG)
        return seen is not None and seen.host in self.facts["ca_key_fits"]

    @property
    def _kubeadm_folder(self) -> str:
        """The folder in which kubeadm can sign a pair for this master; empty if it cannot."""
        seen = self.file(CERT_FLAG)
        named = seen is not None and seen.host.endswith("/front-proxy-client.crt")
        can = named and self.master.made_by_kubeadm and self.can_sign and self.master.live
        return seen.host.rpartition("/")[0] if seen and can else ""

    def _by_kubeadm(self, command: str) -> str:
        folder = self._kubeadm_folder
        return f"kubeadm {command}" + ("" if folder == DEFAULT_FOLDER else f" --cert-dir={shell_word(folder)}")

    @property
    def new_pair(self) -> Shell:
        """How this master gets a new pair, with the subject and usages of the old one if they can stay."""
        if self._kubeadm_folder and not self._is_renewable:
            return self.other_pair
        if self._kubeadm_folder:
            return Shell(f"run on {self.name}: {self._by_kubeadm('certs renew front-proxy-client')}")
        return self._signed_here

    @property
    def other_pair(self) -> Shell:
        """How this master gets a pair that is not like the old one, whose subject and usages kubeadm would keep."""
        folder = self._kubeadm_folder
        if not folder or not self._allows(_KUBEADMS_NAME):
            return self._signed_here
        # kept, in case kubeadm cannot make another one
        paths = [f"{folder}/{_KUBEADMS_NAME}.{end}" for end in ("crt", "key")]
        away = [shell_word(path) for path in paths if self.facts["files"].get(path, {"exists": False})["exists"]]
        moved = "".join(f"mv {file} {file}.old && " for file in away)
        return Shell(f"run on {self.name}: {moved}{self._by_kubeadm('init phase certs front-proxy-client')}")

    def _allows(self, name: str | None) -> bool:
        """Whether this master accepts a pair with this name, by its flags."""
        names = [each for each in self.list_flag("requestheader-allowed-names") if each.strip()]
        return not names or name in names

    @property
    def _signed_here(self) -> Shell:
        return commented(f"run: {self.command}", "with the key of the CA in front_proxy_pki_dir on the controller")

    @property
    def _is_renewable(self) -> bool:
        """Whether kubeadm can make a pair like this one that is right: it keeps subject and usages."""
        leaf = self.leaf
        if leaf is None or not leaf.client_auth:
            return False
        return PRIVILEGED_ORGANIZATION not in leaf.organizations and self._allows(leaf.common_name)

    @property
    def tunnel(self) -> str:
        """The file by which kube-apiserver reaches the cluster through a tunnel, or may do so; empty without one."""
        return tunnel_of(self.master)

    @property
    def routes(self) -> bool:
        """Whether the running server (or else the manifest) sends requests straight to endpoints."""
        values = self.running.get("enable-aggregator-routing") or self.master.pod.flags.get("enable-aggregator-routing")
        return (values[-1] if values else "false").lower() in ("true", "1", "t")


def read_view(name: str, facts: Survey, *, cluster: str, container: str, command: Shell) -> tuple[View | None, str]:
    """Read an observation: the master, or None and why its manifest says nothing."""
    path = facts["manifest"]["path"]
    try:
        pod: StaticPod = read_pod(facts["manifest"]["text"], container=container, where=path)
    except ManifestError as error:
        return None, str(error)
    process = facts["process"]
    running = flag_values(process["argv"]) if process else {}
    view = View(facts, Master(name, facts, pod), cluster, command, running)
    return replace(view, names=view.own_names), ""


def subject_of(certificate: Certificate) -> bytes:
    """The subject's bytes, as a TLS handshake names a CA."""
    return outline(certificate.der).subject
