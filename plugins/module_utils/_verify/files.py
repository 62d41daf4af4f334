# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of the front proxy on one master: there, fitting together, and valid."""

from __future__ import annotations

import typing as t
from datetime import datetime, timedelta

from .._pki.ca import WEAK_HASHES
from .._pki.certificate import Certificate
from .._pki.lifetime import iso
from .._pki.names import PRIVILEGED_ORGANIZATION
from .._shown import Shell
from .model import AT_RISK, BROKEN, UNTIDY, WILL_BREAK, Finding, Kind, finding
from .view import CA_FLAG, CERT_FLAG, KEY_FLAG, View, describe

__all__ = ["KINDS", "judge_files", "refuses_its_signature"]

#: How long before its end a certificate is reported, but not before it has lived for three quarters of its life.
#: A CA takes longer to replace than a pair.
PAIR_NOTICE, CA_NOTICE = timedelta(days=30), timedelta(days=180)

_X509 = "staging/src/k8s.io/apiserver/pkg/authentication/request/x509/x509.go"
_DYNAMIC = "staging/src/k8s.io/apiserver/pkg/server/dynamiccertificates"

MISSING = Kind(
    id="file-missing",
    severity=BROKEN,
    title="the file of --{flag} is not there",
    consequence="kube-apiserver does not start without it. One that runs keeps what it loaded, until it is restarted.",
    fix="{other_pair}",
    cause="Remove front-proxy-client.crt.",
    source=f"{_DYNAMIC}; tried with 1.20.2 and 1.36.2",
)
UNREADABLE = Kind(
    id="file-unreadable",
    severity=BROKEN,
    title="the file of --{flag} cannot be read",
    consequence="kube-apiserver does not start with it. One that runs keeps what it loaded, until it is restarted.",
    fix="put the right file there, or move it away and run: {command}",
    cause="Cut a line out of front-proxy-ca.crt.",
    source=f"{_DYNAMIC}: one bad block refuses the whole bundle",
)
KEY_MISMATCH = Kind(
    id="key-of-another-certificate",
    severity=BROKEN,
    title="the key of the proxy client is not the key of its certificate",
    consequence="kube-apiserver does not start with them. One that runs keeps the pair that it loaded, until it is "
    "restarted.",
    fix="{new_pair}",
    cause="Copy front-proxy-client.key from another master, without the certificate.",
    source=f"{_DYNAMIC}/dynamic_serving_content.go",
)
CLIENT_CA_SIGNED = Kind(
    id="pair-signed-by-client-ca",
    severity=BROKEN,
    title="the proxy client's certificate is signed by the client CA, not by the front-proxy CA",
    consequence='Extension API servers ignore the headers and take every caller for the user "{name}", or refuse it '
    "(401).",
    fix="{new_pair}",
    cause="Sign front-proxy-client.crt with ca.key.",
    source=f"{_X509}; metrics-server issues 23, 267 and 550",
)
UNSIGNED = Kind(
    id="pair-not-signed-by-ca",
    severity=BROKEN,
    title="the proxy client's certificate is not signed by the front-proxy CA of this master",
    consequence="This kube-apiserver and all extension API servers refuse it (401), unless another master publishes "
    "its CA.",
    fix="{new_pair}",
    cause="Replace front-proxy-ca.crt by another CA and leave the pair as it is.",
    source=f"{_X509}; puppetlabs-kubernetes issue 275",
)
EXPIRED = Kind(
    id="pair-expired",
    severity=BROKEN,
    title="the proxy client's certificate has expired",
    consequence="Extension API servers refuse every request that comes through this master (401).",
    fix="{new_pair}",
    cause="Let front-proxy-client.crt grow older than a year.",
    source=f"{_X509}; metrics-server issue 1059",
)
NOT_YET = Kind(
    id="pair-not-yet-valid",
    severity=BROKEN,
    title="the proxy client's certificate is not valid yet, by the clock of this master",
    consequence="Extension API servers refuse every request that comes through this master (401), until then.",
    fix="set the clocks right (NTP); else {new_pair}",
    cause="Sign it on a machine whose clock is ahead.",
    source="RFC 5280, 4.1.2.5; minikube issue 5139",
)
EXPIRES = Kind(
    id="pair-expires-soon",
    severity=WILL_BREAK,
    title="the proxy client's certificate expires soon",
    consequence="From then on extension API servers refuse every request that comes through this master (401).",
    fix="{new_pair}",
    cause="Wait until a certificate of a year has less than 30 days left.",
    source="RFC 5280, 4.1.2.5",
)
WRONG_NAME = Kind(
    id="pair-name-not-allowed",
    severity=BROKEN,
    title="the proxy client's certificate has a name that --requestheader-allowed-names does not allow",
    consequence='kube-apiserver and extension API servers refuse it ("subject with cn={name} is not in the allowed '
    'list").',
    fix="{other_pair}",
    cause="Set --requestheader-allowed-names=aggregator for a pair with the name front-proxy-client.",
    source=f"{_X509}; metrics-server issue 40",
)
WRONG_USAGE = Kind(
    id="pair-not-for-clients",
    severity=BROKEN,
    title="the extended key usage of the proxy client's certificate lacks clientAuth",
    consequence='Extension API servers refuse it ("certificate specifies an incompatible key usage").',
    fix="{other_pair}",
    cause="Sign it as a server's certificate, as the defaults of cfssl do.",
    source=f"{_X509} (DefaultVerifyOptions); metrics-server issue 1279",
)
NO_USAGE = Kind(
    id="pair-without-usage",
    severity=UNTIDY,
    title="the proxy client's certificate has no extended key usage",
    consequence="Kubernetes accepts it, but kubeadm cannot renew it.",
    fix="{other_pair}",
    cause="Sign it with openssl x509 -req and no extensions.",
    source="cmd/kubeadm/app/util/pkiutil (NewSignedCert); tried with 1.20.2",
)
ADMIN = Kind(
    id="pair-is-an-administrator",
    severity=AT_RISK,
    title="the proxy client's certificate has the organization system:masters",
    consequence="Wherever the client CA accepts it, it is an administrator of the cluster by itself.",
    fix="{other_pair}",
    cause="Use admin.pem as the proxy client's certificate.",
    source="kubernetes-the-hard-way issue 505",
)
WEAK = Kind(
    id="weak-signature",
    severity=WILL_BREAK,
    title="the proxy client's certificate is signed with {algorithm}",
    consequence="Kubernetes refuses it from 1.24 on (401).",
    fix="{new_pair}",
    cause="Sign it with SHA-1.",
    source="Go 1.18, crypto/x509; Kubernetes 1.24 is built with it",
)
CA_EXPIRED = Kind(
    id="ca-expired",
    severity=BROKEN,
    title="the front-proxy CA that signed the pair has expired",
    consequence="kube-apiserver and extension API servers refuse the pair (401). Renewing the pair does not help.",
    fix="make a new front-proxy CA in the cluster's folder in front_proxy_pki_dir on the controller "
    "(docs/guides/by-hand.md), and run: {command} -e front_proxy_ca_from=controller",
    cause="Let front-proxy-ca.crt grow older than ten years.",
    source=f"{_X509}; kubeadm issue 2553",
)
OLD_CA = Kind(
    id="ca-expired-in-bundle",
    severity=UNTIDY,
    title="an expired CA is in the front-proxy bundle",
    consequence="Nothing that it signed is accepted any more, and kube-apiserver still names it in every TLS "
    "handshake.",
    fix="take it out of {path}",
    cause="Append an expired CA to front-proxy-ca.crt.",
    source=f"{_DYNAMIC}; tried with 1.20.2 and 1.36.2",
)
CA_EXPIRES = Kind(
    id="ca-expires-soon",
    severity=WILL_BREAK,
    title="the front-proxy CA expires soon",
    consequence="From then on no pair works. kubeadm never renews it.",
    fix="plan the rotation of the CA: both CAs in every bundle first, then new pairs, then the old one out",
    cause="Wait until a CA of ten years has less than 180 days left.",
    source="cmd/kubeadm/app/phases/certs/renewal/manager.go: CAs are not renewed",
)
NO_CA = Kind(
    id="ca-is-none",
    severity=BROKEN,
    title="the certificate in the front-proxy bundle that carries the signer's name and key is no CA",
    consequence="kube-apiserver and extension API servers refuse every pair that it signed (401).",
    fix="put a CA in its place: {why}",
    cause="Make the CA without basicConstraints (openssl req -x509 with empty extensions).",
    source="Go, crypto/x509 (isValid)",
)
ORDER = Kind(
    id="bundle-order",
    severity=UNTIDY,
    title="the first CA in the front-proxy bundle is not the one that signed the pair",
    consequence="kubeadm takes the first one for the signer: kubeadm certs renew, check-expiration and upgrade go "
    "wrong.",
    fix="put the CA that signs first in {path}",
    cause="Put another CA in front of front-proxy-ca.crt.",
    source="cmd/kubeadm/app/util/pkiutil (TryLoadCertFromDisk); tried with 1.20.2",
)
KINDS = (
    *(MISSING, UNREADABLE, KEY_MISMATCH, CA_EXPIRED, NO_CA, CLIENT_CA_SIGNED, UNSIGNED, EXPIRED, NOT_YET, WRONG_NAME),
    *(WRONG_USAGE, ADMIN, EXPIRES, CA_EXPIRES, WEAK, OLD_CA, ORDER, NO_USAGE),
)


def _ends_soon(certificate: Certificate, now: datetime, notice: timedelta) -> bool:
    return certificate.not_after - now < min(notice, (certificate.not_after - certificate.not_before) / 4)


def refuses_its_signature(view: View, leaf: Certificate) -> bool:
    """Whether the running server refuses the pair for how it is signed. Of an unknown release, its answer tells."""
    if leaf.signature_hash not in WEAK_HASHES:
        return False
    if view.release is None:
        return bool(view.probe and view.probe["status"] == 401)
    return not view.before("1.24")


def _authority(view: View, leaf: Certificate) -> t.Iterator[Finding]:
    """Judge who signed the pair."""
    seen, command, now = view.file(CA_FLAG), view.command, view.now
    path = seen.host if seen else ""
    signer = view.signer
    if signer is None:
        named = [ca for ca in view.cas if ca.subject == leaf.issuer and not ca.is_ca]
        client_cas = view.bundle("client-ca-file").certificates
        if named:
            yield finding(NO_CA, view.where, f"{path}: {describe(named[0])}", why=named[0].not_ca_because)
        elif any(map(view.is_signed_by, client_cas)):
            evidence = f"{describe(leaf)}, signed by {leaf.issuer} of --client-ca-file"
            name = leaf.common_name or leaf.subject
            yield finding(CLIENT_CA_SIGNED, view.where, evidence, name=name, new_pair=view.new_pair)
        else:
            evidence = f"{describe(leaf)}, issuer {leaf.issuer}; {path} holds {', '.join(map(describe, view.cas))}"
            yield finding(UNSIGNED, view.where, evidence, new_pair=view.new_pair)
        return
    if signer.not_after <= now:
        yield finding(CA_EXPIRED, view.where, f"{path}: {describe(signer)}", command=command)
    elif _ends_soon(signer, now, CA_NOTICE):
        yield finding(CA_EXPIRES, view.where, f"{path}: {describe(signer)}", when=iso(signer.not_after)[:10])
    for ca in view.cas:
        if ca is not signer and ca.not_after <= now and ca.key_fingerprint != signer.key_fingerprint:
            yield finding(OLD_CA, view.where, f"{path}: {describe(ca)}", path=path)
    if view.cas[0].key_fingerprint != signer.key_fingerprint:
        yield finding(ORDER, view.where, f"{path}: {', '.join(map(describe, view.cas))}", path=path)


def _pair(view: View, leaf: Certificate) -> t.Iterator[Finding]:
    """Judge the certificate itself."""
    seen, now, new_pair = view.file(CERT_FLAG), view.now, view.new_pair
    shown = f"{seen.host if seen else ''}: {describe(leaf)}"
    if leaf.not_after <= now:
        yield finding(EXPIRED, view.where, f"{shown}, expired on {iso(leaf.not_after)}", new_pair=new_pair)
    elif leaf.not_before > now:
        evidence = f"{shown}, valid from {iso(leaf.not_before)}; the clock of {view.name} says {iso(now)}"
        yield finding(NOT_YET, view.where, evidence, new_pair=new_pair)
    elif _ends_soon(leaf, now, PAIR_NOTICE):
        yield finding(EXPIRES, view.where, shown, when=iso(leaf.not_after)[:10], new_pair=new_pair)
    names = view.list_flag("requestheader-allowed-names")
    # a list of nothing but empty names is a finding of its own
    if any(name.strip() for name in names) and leaf.common_name not in names:
        evidence = f"{shown}; allowed: {', '.join(names)}"
        yield finding(WRONG_NAME, view.where, evidence, name=str(leaf.common_name), other_pair=view.other_pair)
    if leaf.any_usage:
        yield finding(NO_USAGE, view.where, shown, other_pair=view.other_pair)
    elif not leaf.client_auth:
        yield finding(WRONG_USAGE, view.where, shown, other_pair=view.other_pair)
    if PRIVILEGED_ORGANIZATION in leaf.organizations:
        yield finding(ADMIN, view.where, shown, other_pair=view.other_pair)
    if leaf.signature_hash in WEAK_HASHES:
        severity = BROKEN if refuses_its_signature(view, leaf) else ""
        yield finding(
            *(WEAK, view.where, shown), when="1.24", severity=severity, algorithm=leaf.signature_hash, new_pair=new_pair
        )


def judge_files(view: View) -> t.Iterator[Finding]:
    """Judge the files that the flags of the front proxy name."""
    whole = True
    for flag in (CA_FLAG, CERT_FLAG, KEY_FLAG):
        seen = view.file(flag)
        if seen is None:
            continue
        if not seen.exists:
            whole = False
            pair = Shell(f"run: {view.command}") if flag == CA_FLAG else view.other_pair
            yield finding(MISSING, view.where, seen.host, flag=flag, other_pair=pair)
        elif flag != KEY_FLAG and view.bundle(flag).problem:
            whole = False
            yield finding(UNREADABLE, view.where, view.bundle(flag).problem, flag=flag, command=view.command)
    leaf, certificate, key = view.leaf, view.file(CERT_FLAG), view.file(KEY_FLAG)
    if not whole or leaf is None or certificate is None or key is None:
        return
    if certificate.host not in key.facts.get("loads_with", ()):
        evidence = f"{key.host} does not load with {certificate.host}"
        yield finding(KEY_MISMATCH, view.where, evidence, new_pair=view.new_pair)
    if view.cas:
        yield from _authority(view, leaf)
    yield from _pair(view, leaf)
