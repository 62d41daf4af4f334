# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the masters of one cluster trust the same front proxies."""

from __future__ import annotations

import typing as t

from .._pki.folder import CA_CERTIFICATE as CA_FILE
from .._pki.folder import CA_KEY as CA_KEY_FILE
from .._shown import Shell, commented
from .model import AT_RISK, BROKEN, UNTIDY, Finding, Kind, finding
from .view import CA_FLAG, View, describe

__all__ = ["KINDS", "judge_trust"]

# CAs of one master in a sentence.
_SHOWN = 10
_CONTROLLER = "pkg/controlplane/controller/clusterauthenticationtrust"

DIFFERENT = Kind(
    id="masters-hold-different-cas",
    severity=BROKEN,
    title="the masters do not trust the same front-proxy CA",
    consequence="A request is accepted through one master and refused through another; extension API servers trust "
    "one more CA for every master that goes its own way.",
    fix="run: {command} -e front_proxy_ca_from={host}{first}",
    cause="Let kubeadm init make a front-proxy CA on each master.",
    source="puppetlabs-kubernetes issue 275, Kubernetes issue 63486, metrics-server issue 58",
    explains=("pair-not-signed-by-ca", "ca-not-published", "peer-refuses-the-pair", "extension-refuses-the-pair"),
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
BUNDLES = Kind(
    id="bundles-differ",
    severity=UNTIDY,
    title="the front-proxy bundles of the masters differ, and share the CA that signs",
    consequence="Every pair works everywhere. A rotation may have stopped half way.",
    fix="finish the rotation, or put the same bundle on all masters",
    cause="Append a second CA to front-proxy-ca.crt on one of the masters.",
    source="a bundle is one trust",
)

KINDS = (DIFFERENT, NAMES_DIFFER, BUNDLES)


def _whose_ca(holding: t.Sequence[View]) -> View:
    """Choose the master whose CA is to count: the one that most of the others work with, and that can sign."""

    def weight(view: View) -> tuple[bool, int, bool]:
        key = view.signer.key_fingerprint if view.signer else ""
        trusting = sum(key in [ca.key_fingerprint for ca in other.cas] for other in holding)
        shown = sum(bool(view.signer and other.is_signed_by(view.signer)) for other in holding)
        # never the client CA of a master that has no front-proxy CA of its own
        return not view.shares_client_ca, trusting + shown, view.can_sign

    return max(holding, key=weight)


def judge_trust(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    """Judge what the masters of a cluster trust together."""
    holding = [view for view in views if view.cas]
    if len(holding) < 2:
        return
    names = [view.name for view in holding]
    shown = [f"{view.name}: {', '.join(map(describe, view.cas[:_SHOWN]))}" for view in holding]
    keys = [frozenset(ca.key_fingerprint for ca in view.cas) for view in holding]
    # a master whose pair has a fault of its own says nothing about the others
    signers = {view.signer.key_fingerprint for view in holding if view.signer}
    if not frozenset.intersection(*keys) or any(not signers <= each for each in keys):
        chosen = _whose_ca(holding)
        bundle = chosen.file(CA_FLAG)
        first = Shell("")
        if chosen.can_sign and bundle:
            files = f"{CA_FILE} and {CA_KEY_FILE} in {bundle.host.rpartition('/')[0]}"
            note = f"first copy {files} of {chosen.name} to the folder {cluster} in front_proxy_pki_dir, mode 0600"
            first = commented("", note)
        yield finding(DIFFERENT, (cluster, names), *shown, command=chosen.command, host=chosen.name, first=first)
    elif len(set(keys)) > 1:
        yield finding(BUNDLES, (cluster, names), *shown)
    lists = {view.name: frozenset(view.list_flag("requestheader-allowed-names")) for view in holding}
    if len(set(lists.values())) > 1:
        seen = [f"{name}: {', '.join(sorted(found)) or 'any'}" for name, found in lists.items()]
        one = holding[0]
        yield finding(NAMES_DIFFER, (cluster, names), *seen, command=one.command, allow=one.allow)
