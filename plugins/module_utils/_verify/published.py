# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster publishes for its extension API servers, against what its masters have."""

from __future__ import annotations

import json
import typing as t

from .._pki.certificate import Certificate
from .._shown import Shell
from .flags import STANDARD_HEADERS
from .model import AT_RISK, BROKEN, UNTIDY, Finding, Kind, finding
from .view import View, describe, read_each

__all__ = ["KINDS", "NAMESPACE_AND_NAME", "fix_of_names", "judge_published", "name_is_unpublished", "unreadable_in"]

NAMESPACE_AND_NAME = "kube-system/extension-apiserver-authentication"
_CONTROLLER = "pkg/controlplane/controller/clusterauthenticationtrust"
_CA, _NAMES = "requestheader-client-ca-file", "requestheader-allowed-names"

NOT_PUBLISHED = Kind(
    id="nothing-published",
    severity=BROKEN,
    title="the cluster publishes no front-proxy CA for its extension API servers",
    consequence="They trust no front proxy. Running kube-apiservers write it within a minute.",
    fix="look again after a minute; then at the log of a kube-apiserver (cluster_authentication_trust_controller)",
    cause="Let an admission webhook refuse ConfigMaps before the first master has --requestheader-client-ca-file.",
    source=_CONTROLLER,
    explains=("extension-refuses-the-pair", "extension-forbids", "smoke-test-refused"),
)
UNPUBLISHED = Kind(
    id="ca-not-published",
    severity=BROKEN,
    title="the CA that signed a proxy client's certificate is not published",
    consequence="Extension API servers refuse every request that comes through {host} (401).",
    fix="look again after a minute; then run: {command}",
    cause="Let an admission webhook refuse ConfigMaps, and replace the CA.",
    source=_CONTROLLER,
    explains=("extension-refuses-the-pair", "smoke-test-refused"),
)
NAME_UNPUBLISHED = Kind(
    id="name-not-published",
    severity=BROKEN,
    title="the name of a proxy client's certificate is not published",
    consequence="Extension API servers refuse every request that comes through {host} (401). kube-apiserver publishes "
    "only names that its own --requestheader-allowed-names holds: one that allows any name adds none.",
    fix="{fix}",
    cause="Give a master a pair with another name, and allow any name there, but not on the others; with a smoke test "
    "it is smoke-test-refused.",
    source=_CONTROLLER,
    explains=("extension-refuses-the-pair", "allowed-names-differ", "allowed-names-any"),
)
HEADER_UNPUBLISHED = Kind(
    id="header-not-published",
    severity=BROKEN,
    title="extension API servers are not told to read the header {standard}",
    consequence="kube-apiserver passes the {what} on in it, so they do not learn about that.",
    fix="look again after a minute; then at the log of a kube-apiserver (cluster_authentication_trust_controller)",
    cause="Let an admission webhook refuse ConfigMaps, and begin with other --requestheader-username-headers; with a "
    "smoke test it is smoke-test-other-caller.",
    source=_CONTROLLER,
)
SUPERSEDED = Kind(
    id="ca-still-trusted",
    severity=AT_RISK,
    title="a front-proxy CA that no master has any more is still trusted by all extension API servers",
    consequence="Who has its key can be anyone there, until {until}. kube-apiserver never takes a CA out of the "
    "ConfigMap before it has expired.",
    fix="run: {prune}",
    cause="Replace the front-proxy CA on all masters.",
    source=f"{_CONTROLLER} (combineCertLists); containers-roadmap issue 2786",
)
OLD_NAMES = Kind(
    id="name-still-allowed",
    severity=UNTIDY,
    title="names of front proxies that no master allows any more are still published",
    consequence="Extension API servers accept them for certificates of the front-proxy CA. kube-apiserver never takes "
    "one out.",
    fix="run: {prune}",
    cause="Change --requestheader-allowed-names on all masters.",
    source=f"{_CONTROLLER} (combineUniqueStringSlices)",
)

KINDS = (NOT_PUBLISHED, UNPUBLISHED, NAME_UNPUBLISHED, HEADER_UNPUBLISHED, SUPERSEDED, OLD_NAMES)


def unreadable_in(view: View) -> int:
    """How many of the published CAs cannot be read here."""
    return read_each(view.published.get(_CA, ""))[1]


def _list(view: View, key: str) -> list[str]:
    try:
        found = json.loads(view.published.get(key) or "[]")
    except (ValueError, RecursionError):
        return []
    return [str(item) for item in found] if isinstance(found, list) else []


def _cas(cluster: str, reader: View, views: t.Sequence[View], unseen: bool) -> t.Iterator[Finding]:
    published, unreadable = read_each(reader.published.get(_CA, ""))
    shown = f"{NAMESPACE_AND_NAME}: {', '.join(map(describe, published)) or 'no front-proxy CA'}"
    if not published and not unreadable:
        yield finding(NOT_PUBLISHED, (cluster, ()), shown)
        return
    keys = {ca.key_fingerprint for ca in published}
    for view in views:
        if view.signer and view.signer.key_fingerprint not in keys and not unreadable:
            evidence = f"{view.name} uses {describe(view.signer)}"
            yield finding(UNPUBLISHED, view.where, evidence, shown, host=view.name, command=view.command)
    if unseen:  # a master that was not looked at may hold them
        return
    held = {ca.key_fingerprint for view in views for ca in view.cas}
    old: list[Certificate] = [ca for ca in published if ca.key_fingerprint not in held]
    if old:
        until = f"{max(ca.not_after for ca in old):%Y-%m-%d}"
        yield finding(SUPERSEDED, (cluster, ()), *map(describe, old), until=until, prune=reader.prune)


def name_is_unpublished(view: View, reader: View) -> bool:
    """Whether extension API servers refuse the name of a pair, which its own master takes. reader: of the ConfigMap."""
    published, allowed = _list(reader, _NAMES), view.list_flag(_NAMES)
    name = view.leaf.common_name if view.leaf else None
    # where the master's own flag does not allow it, that is the finding
    return bool(published and name and name not in published and (not allowed or name in allowed))


def fix_of_names(unpublished: t.Sequence[View], views: t.Sequence[View]) -> Shell:
    """How all names get published: a name that a flag holds will be, by the running server; others need the flag."""
    listed = {name for view in views for name in view.list_flag(_NAMES)}
    waits = all(view.leaf and view.leaf.common_name in listed for view in unpublished)
    return Shell(f"{'look again after a minute; then ' * waits}run: {views[0].command} {views[0].allow}")


def _names(cluster: str, reader: View, views: t.Sequence[View], unseen: bool) -> t.Iterator[Finding]:
    published = _list(reader, _NAMES)
    unpublished = [view for view in views if name_is_unpublished(view, reader)]
    if unpublished:
        hosts = [view.name for view in unpublished]
        shown = [f"{view.name} uses {describe(view.leaf)}" for view in unpublished if view.leaf]
        shown.append(f"{NAMESPACE_AND_NAME} allows {json.dumps(published)}")
        fix = fix_of_names(unpublished, views)
        yield finding(NAME_UNPUBLISHED, (cluster, hosts), *shown, host=", ".join(hosts), fix=fix)
    allowed = {name for view in views for name in view.list_flag(_NAMES)}
    old = [name for name in published if name not in allowed]
    # where a master allows any name there is no list to compare with
    if old and not unseen and all(view.list_flag(_NAMES) for view in views if view.cas):
        listed = json.dumps(old)
        yield finding(OLD_NAMES, (cluster, ()), f"{NAMESPACE_AND_NAME} allows {listed}", prune=reader.prune)


def _headers(cluster: str, reader: View, views: t.Sequence[View]) -> t.Iterator[Finding]:
    for flag, standard, what in STANDARD_HEADERS:
        published = _list(reader, flag)
        told = any(standard.lower() == value.lower() for view in views for value in view.list_flag(flag))
        # where no flag has it, that is the finding
        if told and standard.lower() not in map(str.lower, published):
            shown = f"{NAMESPACE_AND_NAME} has {flag} {json.dumps(published)}"
            yield finding(HEADER_UNPUBLISHED, (cluster, ()), shown, standard=standard, what=what)


def judge_published(cluster: str, views: t.Sequence[View], *, unseen: bool, smoked: bool) -> t.Iterator[Finding]:
    """Judge the ConfigMap, as the first master that could read it saw it.

    unseen: not all masters could be looked at; smoked: a smoke test shows who is let in, and as whom, so that nothing
    need be concluded about it.
    """
    reader = next((view for view in views if view.layer), None)
    if reader is None or not any(view.cas for view in views):
        return
    found = list(_cas(cluster, reader, views, unseen))
    yield from found
    if any(each.kind is NOT_PUBLISHED for each in found):
        return
    yield from (each for each in _names(cluster, reader, views, unseen) if not smoked or each.kind is OLD_NAMES)
    if not smoked:
        yield from _headers(cluster, reader, views)
