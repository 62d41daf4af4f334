# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masters that hand requests on to each other (--peer-ca-file), each with its own front-proxy pair."""

from __future__ import annotations

import typing as t

from .model import BROKEN, Finding, Kind, finding
from .view import View, describe

__all__ = ["KINDS", "judge_peers"]

PEER = "peer-ca-file"

REFUSED = Kind(
    id="peer-refuses-the-pair",
    severity=BROKEN,
    title="masters that hand requests on to each other (--peer-ca-file) do not accept each other's front-proxy pairs",
    consequence="A master cannot ask its peers what they serve (401), so a request for an API that it does not serve "
    "itself, and another master does, fails (404), such as in the middle of an upgrade. What is served by all works.",
    fix="run: {command} {allow}",
    cause="Set --peer-ca-file, and allow a name of front proxies on one master alone.",
    source="pkg/controlplane/apiserver/peer.go (BuildPeerProxy takes the proxy client's pair), "
    "staging/src/k8s.io/apiserver/pkg/util/peerproxy; beta in 1.36, tried with 1.37.2",
    explains=("allowed-names-differ", "allowed-names-any"),
)

KINDS = (REFUSED,)


def _refusal(sender: View, receiver: View) -> str:
    """Say why a master refuses the pair of another one; empty if it does not."""
    leaf = sender.leaf
    if leaf is None or not receiver.cas:
        return ""
    if not any(sender.is_signed_by(ca) for ca in receiver.cas):
        return f"{receiver.name} trusts none of the CAs that signed the pair of {sender.name} ({describe(leaf)})"
    names = [name for name in receiver.list_flag("requestheader-allowed-names") if name.strip()]
    if names and leaf.common_name not in names:
        return f"{receiver.name} allows {', '.join(names)}, and the pair of {sender.name} is {describe(leaf)}"
    return ""


def judge_peers(cluster: str, views: t.Sequence[View]) -> t.Iterator[Finding]:
    """Judge whether each master that asks its peers is let in by them."""
    senders = [view for view in views if view.flag(PEER) and view.leaf is not None]
    # what its own master refuses is a finding of its own
    senders = [view for view in senders if not _refusal(view, view)]
    refused = {
        sender.name: [why for why in (_refusal(sender, other) for other in views if other is not sender) if why]
        for sender in senders
    }
    hosts = [name for name, why in refused.items() if why]
    if hosts:
        evidence = [sentence for why in refused.values() for sentence in why]
        yield finding(REFUSED, (cluster, hosts), *evidence, command=views[0].command, allow=views[0].allow)
