# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A front-proxy CA that is also another CA of the cluster: compared by public key, each with what follows of it."""

from __future__ import annotations

import base64
import hashlib
import typing as t

from .._pki.certificate import Certificate
from .model import AT_RISK, BROKEN, UNTIDY, WILL_BREAK, Finding, Kind, finding
from .view import CA_FLAG, View, describe, extra_vars, read_bundle

__all__ = ["KINDS", "judge_reuse"]

_OWN_CA = (
    "make a new front-proxy CA in the cluster's folder in front_proxy_pki_dir on the controller "
    "(docs/guides/by-hand.md), and run: {command} -e front_proxy_ca_from=controller"
)

ANYBODY = Kind(
    id="any-client-is-a-front-proxy",
    severity=BROKEN,
    title="the front-proxy CA is the client CA, and --requestheader-allowed-names is empty",
    consequence="Everybody with a client certificate of this cluster (every kubelet has one) can be anyone, "
    "administrators included.",
    fix="run: {command} {allow_shared}  # at once, then give the front proxy a CA of its own",
    cause="Set --requestheader-client-ca-file to the file of --client-ca-file, and no --requestheader-allowed-names.",
    source="Kubernetes issue 119267 (NCC-E003660-F9W)",
)
NO_START = Kind(
    id="no-start-from-1-35",
    severity=WILL_BREAK,
    title="kube-apiserver will not start with a shared CA and no allowed names",
    consequence="From 1.35 on it ends at its start: the two files of CAs contain overlapping certificates.",
    fix="run: {command} {allow_shared}  # before the upgrade",
    cause="Set --requestheader-client-ca-file to the file of --client-ca-file, and no --requestheader-allowed-names.",
    source="pkg/kubeapiserver/options/authentication.go of 1.35, pull request 131411",
)
CLIENTS = Kind(
    id="ca-shared-with-clients",
    severity=AT_RISK,
    title="the front-proxy CA is also the CA of the cluster's client certificates",
    consequence="Who gets a client certificate with an allowed name, by the certificates API for example, can be "
    "anyone. kube-apiserver logs a refusal for every other client.",
    fix=_OWN_CA,
    cause="Set --requestheader-client-ca-file to the file of --client-ca-file.",
    source="Kubernetes issue 119267; kubermatic pull request 1787",
)
ETCD = Kind(
    id="ca-shared-with-etcd",
    severity=AT_RISK,
    title="the front-proxy CA is also the CA of etcd",
    consequence="Who has the front-proxy pair can read and write all of etcd, and every client of etcd with an "
    "allowed name can be anyone in the cluster.",
    fix=_OWN_CA,
    cause="Set --requestheader-client-ca-file to the file of --etcd-cafile.",
    source="etcd lets in whom its CA signed (--client-cert-auth)",
)
KUBELETS = Kind(
    id="ca-shared-with-kubelets",
    severity=UNTIDY,
    title="the front-proxy CA is also a CA that kubelets trust",
    consequence="Kubelets know the front proxy as a user, and log what they refuse it.",
    fix=_OWN_CA,
    cause="Set clientCAFile of the kubelet to front-proxy-ca.crt.",
    source="authentication.x509.clientCAFile of the kubelet's configuration; --kubelet-certificate-authority",
)
ACCOUNTS = Kind(
    id="ca-shared-with-service-accounts",
    severity=AT_RISK,
    title="the key of the front-proxy CA also signs the tokens of service accounts",
    consequence="Who has this one key is both: he makes tokens of any service account, and front proxies.",
    fix=_OWN_CA,
    cause="Make the front-proxy CA with sa.key.",
    source="--service-account-key-file; kubeasz does so by default",
)

ITSELF = Kind(
    id="pair-vouches-for-itself",
    severity=AT_RISK,
    title="the proxy client's certificate is itself in the front-proxy bundle",
    consequence="It works, since a certificate that is itself among the trusted ones is taken as it is. Nothing "
    "else can be signed with it, so a new pair needs a new bundle at kube-apiserver and at every extension API server "
    "at once.",
    fix=_OWN_CA,
    cause="Set --requestheader-client-ca-file to the file of --proxy-client-cert-file.",
    source="Go, crypto/x509 (Certificate.Verify takes a certificate that the roots contain); kubeasz",
)

KINDS = (ANYBODY, CLIENTS, ETCD, ACCOUNTS, ITSELF, NO_START, KUBELETS)


def _key_of(pem: str) -> str:
    """The fingerprint of a PUBLIC KEY block: its content is the SubjectPublicKeyInfo (RFC 7468, 13)."""
    lines = pem.strip().splitlines()
    if "RSA" in lines[0]:
        return ""
    try:
        return hashlib.sha256(base64.b64decode("".join(lines[1:-1]))).hexdigest()
    except ValueError:
        return ""


def _at(view: View, path: str | None) -> tuple[Certificate, ...]:
    """The certificates of an observed file, by its path on the host."""
    facts = view.facts["files"].get(path) if path else None
    return read_bundle("".join(facts.get("certificates", ()) if facts else ()), str(path)).certificates


def _account_keys(view: View) -> tuple[set[str], set[str]]:
    """The keys of the service accounts, as fingerprints, and the certificates that their files load with."""
    keys, fitting = set(), set()
    for path, blocks in view.facts["public_keys"].items():
        keys |= {_key_of(block) for block in blocks} - {""}
        keys |= {certificate.key_fingerprint for certificate in _at(view, path)}
    for certificates in view.facts["key_fits"].values():
        fitting |= set(certificates)
    return keys, fitting


def _shared(view: View, others: t.Iterable[Certificate]) -> list[Certificate]:
    keys = {other.key_fingerprint for other in others}
    return [ca for ca in view.cas if ca.key_fingerprint in keys]


def judge_reuse(view: View) -> t.Iterator[Finding]:
    """Compare the front-proxy CAs of a master with its other CAs and keys."""
    bundle = view.file(CA_FLAG)
    if bundle is None or not view.cas:
        return
    command, path = view.command, bundle.host
    name = (view.leaf and view.leaf.common_name) or "front-proxy-client"
    clients = view.bundle("client-ca-file").certificates
    if view.leaf and view.signer and view.signer.fingerprint == view.leaf.fingerprint:
        evidence = f"{path} holds {describe(view.leaf)}, which is the pair's own"
        yield finding(ITSELF, view.where, evidence, command=command)
    shared = _shared(view, clients)
    if shared:
        seen = view.file("client-ca-file")
        evidence = f"{path} and {seen.host if seen else ''} hold the key of {describe(shared[0])}"
        if view.facts["without_user"] == 200:
            evidence += "; the pair is a user of its own even without a header"
        if view.list_flag("requestheader-allowed-names"):
            yield finding(CLIENTS, view.where, evidence, command=command)
        else:
            allow = extra_vars(front_proxy_allowed_names=[name], front_proxy_allow_shared_ca=True)
            yield finding(ANYBODY, view.where, evidence, command=command, allow_shared=allow)
            same = {ca.fingerprint for ca in view.cas} & {ca.fingerprint for ca in clients}
            if same and view.before("1.35"):
                yield finding(NO_START, view.where, evidence, when="1.35", command=command, allow_shared=allow)
    for kind, flag in ((ETCD, "etcd-cafile"), (KUBELETS, "kubelet-certificate-authority")):
        for ca in _shared(view, view.bundle(flag).certificates)[:1]:
            evidence = f"{path} and the file of --{flag} hold the key of {describe(ca)}"
            yield finding(kind, view.where, evidence, command=command)
    kubelet = view.facts["kubelet_client_ca"]
    # where the kubelet trusts the client CA, as with kubeadm, that has been said already
    alone = [ca for ca in _shared(view, _at(view, kubelet)) if ca not in shared]
    if alone:
        evidence = f"{path} and {kubelet} (clientCAFile of the kubelet) hold the key of {describe(alone[0])}"
        yield finding(KUBELETS, view.where, evidence, command=command)
    keys, fitting = _account_keys(view)
    if any(ca.key_fingerprint in keys for ca in view.cas) or path in fitting:
        yield finding(ACCOUNTS, view.where, f"the first CA in {path}: {describe(view.cas[0])}", command=command)
