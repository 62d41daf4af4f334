# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the masters of one cluster trust together, and what the cluster publishes for its extension API servers."""

from __future__ import annotations

import json
import typing as t

from .._pki.certificate import Certificate
from .model import AT_RISK, BROKEN, UNTIDY, Finding, Kind, finding
from .view import CA_FLAG, View, describe, extra_vars, read_bundle

__all__ = ["KINDS", "NAMESPACE_AND_NAME", "judge_trust", "published_cas"]

NAMESPACE_AND_NAME = "kube-system/extension-apiserver-authentication"
_CONTROLLER = "pkg/controlplane/controller/clusterauthenticationtrust"
_EDIT = "kubectl --namespace=kube-system edit configmap extension-apiserver-authentication"

DIFFERENT = Kind(
    id="masters-hold-different-cas",
    severity=BROKEN,
    title="the masters do not trust the same front-proxy CA",
    consequence="A request is accepted through one master and refused through another; extension API servers trust "
    "one more "
    "CA for every master that goes its own way.",
    fix="run: {command} -e front_proxy_ca_from={host}{first}",
    cause="Let kubeadm init make a front-proxy CA on each master.",
    source="puppetlabs-kubernetes issue 275, Kubernetes issue 63486, metrics-server issue 58",
)
BUNDLES = Kind(
    id="bundles-differ",
    severity=UNTIDY,
    title="the front-proxy bundles of the masters differ, and share the CA that signs",
    consequence="Every pair works everywhere. A rotation may have stopped half way.",
    fix="finish the rotation, or put the same bundle on all masters",
    cause="Append a second CA to front-proxy-ca.crt on one of the masters.",
    source="a bundle is one trust",
)
NAMES_DIFFER = Kind(
    id="allowed-names-differ",
    severity=AT_RISK,
    title="the masters allow different names of front proxies",
    consequence="The union is published; a master that allows any name adds nothing to it, so its pair may be refused.",
    fix="run: {command} {allow}",
    cause="Set --requestheader-allowed-names differently on two masters.",
    source=f"{_CONTROLLER} (combineUniqueStringSlices)",
)
NOT_PUBLISHED = Kind(
    id="nothing-published",
    severity=BROKEN,
    title="the cluster publishes no front-proxy CA for its extension API servers",
    consequence="They trust no front proxy. Running kube-apiservers write it within a minute.",
    fix="look again after a minute; then at the log of a kube-apiserver (cluster_authentication_trust_controller)",
    cause="Let an admission webhook refuse ConfigMaps before the first master has --requestheader-client-ca-file.",
    source=_CONTROLLER,
)
UNPUBLISHED = Kind(
    id="ca-not-published",
    severity=BROKEN,
    title="the CA that signed a proxy client's certificate is not published",
    consequence="Extension API servers refuse every request that comes through {host} (401).",
    fix="look again after a minute; then run: {command}",
    cause="Let an admission webhook refuse ConfigMaps, and replace the CA.",
    source=_CONTROLLER,
)
SUPERSEDED = Kind(
    id="ca-still-trusted",
    severity=AT_RISK,
    title="a front-proxy CA that no master has any more is still trusted by all extension API servers",
    consequence="Who has its key can be anyone there, until {until}. kube-apiserver never takes a CA out of the "
    "ConfigMap "
    "before it has expired.",
    fix="run: " + _EDIT + "  # take the certificate out of requestheader-client-ca-file; edit, do not delete",
    cause="Replace the front-proxy CA on all masters.",
    source=f"{_CONTROLLER} (combineCertLists); containers-roadmap issue 2786",
)
OLD_NAMES = Kind(
    id="name-still-allowed",
    severity=UNTIDY,
    title="names of front proxies that no master allows any more are still published",
    consequence="Extension API servers accept them for certificates of the front-proxy CA. kube-apiserver never "
    "takes one out.",
    fix="run: " + _EDIT + "  # take {names} out of requestheader-allowed-names",
    cause="Change --requestheader-allowed-names on all masters.",
    source=f"{_CONTROLLER} (combineUniqueStringSlices)",
)

KINDS = (DIFFERENT, NOT_PUBLISHED, UNPUBLISHED, SUPERSEDED, NAMES_DIFFER, BUNDLES, OLD_NAMES)


def published_cas(views: t.Sequence[View]) -> tuple[Certificate, ...] | None:
    """The front-proxy CAs in the ConfigMap, as the first master that could read it saw them; None if none could."""
    for view in views:
        if view.layer:
            text = str(view.layer["published"].get("requestheader-client-ca-file") or "")
            return read_bundle(text, NAMESPACE_AND_NAME).certificates
    return None


def _list(view: View, key: str) -> list[str]:
    try:
        found = json.loads(view.layer["published"].get(key) or "[]")
    except ValueError:
        return []
    return [str(item) for item in found] if isinstance(found, list) else []


def _masters_agree(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    holding = [view for view in views if view.cas]
    if len(holding) < 2:
        return
    names = [view.name for view in holding]
    shown = [f"{view.name}: {', '.join(map(describe, view.cas))}" for view in holding]
    keys = [frozenset(ca.key_fingerprint for ca in view.cas) for view in holding]
    # a master whose pair has a fault of its own says nothing about the others
    signers = {view.signer.key_fingerprint for view in holding if view.signer}
    if not frozenset.intersection(*keys) or any(not signers <= each for each in keys):
        chosen = next((view for view in holding if view.can_sign), holding[0])
        bundle = chosen.file(CA_FLAG)
        first = ""
        if chosen.can_sign and bundle:
            files = bundle.host.rpartition("/")[0] + "/front-proxy-ca.{crt,key}"
            first = f"  # first copy {files} of {chosen.name} to the folder {cluster} in front_proxy_pki_dir, mode 0600"
        yield finding(DIFFERENT, (cluster, names), *shown, command=chosen.command, host=chosen.name, first=first)
    elif len(set(keys)) > 1:
        yield finding(BUNDLES, (cluster, names), *shown)
    lists = {view.name: frozenset(view.list_flag("requestheader-allowed-names")) for view in holding}
    if len(set(lists.values())) > 1:
        every = sorted(set().union(*lists.values()) - {""})
        seen = [f"{name}: {', '.join(sorted(found)) or 'any'}" for name, found in lists.items()]
        allow = extra_vars(front_proxy_allowed_names=every)
        yield finding(NAMES_DIFFER, (cluster, names), *seen, command=holding[0].command, allow=allow)


def _published(cluster: str, views: t.Sequence[View], unseen: bool) -> t.Iterator[Finding]:
    reader = next((view for view in views if view.layer), None)
    published = published_cas(views)
    if reader is None or published is None or not any(view.cas for view in views):
        return
    shown = f"{NAMESPACE_AND_NAME}: {', '.join(map(describe, published)) or 'no front-proxy CA'}"
    if not published:
        yield finding(NOT_PUBLISHED, (cluster, ()), shown)
        return
    keys = {ca.key_fingerprint for ca in published}
    for view in views:
        if view.signer and view.signer.key_fingerprint not in keys:
            evidence = f"{view.name} uses {describe(view.signer)}"
            yield finding(UNPUBLISHED, view.where, evidence, shown, host=view.name, command=view.command)
    if unseen:  # a master that was not looked at may hold them
        return
    held = {ca.key_fingerprint for view in views for ca in view.cas}
    old = [ca for ca in published if ca.key_fingerprint not in held]
    if old:
        until = f"{max(ca.not_after for ca in old):%Y-%m-%d}"
        yield finding(SUPERSEDED, (cluster, ()), *map(describe, old), until=until)
    allowed = {name for view in views for name in view.list_flag("requestheader-allowed-names")}
    names = [name for name in _list(reader, "requestheader-allowed-names") if name not in allowed]
    # where a master allows any name there is no list to compare with
    if names and all(view.list_flag("requestheader-allowed-names") for view in views if view.cas):
        listed = json.dumps(names)
        yield finding(OLD_NAMES, (cluster, ()), f"{NAMESPACE_AND_NAME} allows {listed}", names=listed)


def judge_trust(cluster: str, views: t.Sequence[View], *, unseen: bool) -> t.Iterator[Finding]:
    """Judge what the masters of a cluster trust together. unseen: not all of them could be looked at."""
    yield from _masters_agree(cluster, views)
    yield from _published(cluster, views, unseen)
