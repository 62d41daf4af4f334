# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The flags of the aggregation layer in a manifest: what Kubernetes ignores without a word, and what it refuses."""

from __future__ import annotations

import typing as t

from .._plan.wish import AGGREGATION_FLAGS
from .model import AT_RISK, BROKEN, UNTIDY, WILL_BREAK, Finding, Kind, finding
from .view import CA_FLAG, CERT_FLAG, KEY_FLAG, View

__all__ = ["KINDS", "STANDARD_HEADERS", "judge_flags"]

_OPTIONS = "staging/src/k8s.io/apiserver/pkg/server/options/authentication.go"
_AGGREGATOR = "staging/src/k8s.io/kube-aggregator/pkg/apiserver/apiserver.go"
_NAMES = "requestheader-allowed-names"

NOT_CONFIGURED = Kind(
    id="layer-not-configured",
    severity=BROKEN,
    title="kube-apiserver has no aggregation layer",
    consequence="No extension API server can learn who is asking; many do not start (\"cluster doesn't provide "
    'requestheader-client-ca-file").',
    fix="run: {command}",
    cause="Take the seven flags out of the manifest.",
    source=f"{_OPTIONS} (RequestHeaderAuthenticationOptions)",
)
HALF_PAIR = Kind(
    id="proxy-client-half-set",
    severity=BROKEN,
    title="only one of the two flags of the proxy-client pair is set",
    consequence="kube-apiserver ignores it without a word and shows no certificate, so extension API servers take "
    "every request for an anonymous one (403).",
    fix="run: {command}  # it sets --{missing}",
    cause="Take --proxy-client-key-file out of the manifest, or write it twice in place of --proxy-client-cert-file.",
    source=f"{_AGGREGATOR}: the pair is loaded only if both are set; metrics-server issue 623",
)
NO_PAIR = Kind(
    id="proxy-client-not-set",
    severity=BROKEN,
    title="the flags of the proxy-client pair are not set",
    consequence="kube-apiserver shows extension API servers no certificate, so they take every request for an "
    "anonymous one (403).",
    fix="run: {command}",
    cause="Take --proxy-client-cert-file and --proxy-client-key-file out of the manifest.",
    source=_AGGREGATOR,
)
NO_CA = Kind(
    id="requestheader-ca-not-set",
    severity=BROKEN,
    title="flags of the aggregation layer are set, but not --requestheader-client-ca-file",
    consequence="kube-apiserver ignores all other --requestheader flags without a word and publishes nothing, so "
    "extension API servers trust no front proxy.",
    fix="run: {command}",
    cause="Take --requestheader-client-ca-file out of the manifest.",
    source=f"{_OPTIONS}: without the file there is no configuration",
)
HEADER = Kind(
    id="header-not-standard",
    severity=BROKEN,
    title="--{flag} does not hold {standard}",
    consequence="kube-apiserver passes the {what} on in {standard}, and extension API servers do not look there.",
    fix="run: {command}",
    cause="Write X-Remote-Extra without the dash at its end.",
    source=f"{_OPTIONS}: from 1.27 on a warning that API aggregation will not work",
)
NAMES_BLANK = Kind(
    id="allowed-names-only-blank",
    severity=BROKEN,
    title="--requestheader-allowed-names holds nothing but an empty name",
    consequence="No certificate has an empty name, so every front proxy is refused (401); kube-apiserver 1.36 does "
    "not start with it.",
    fix="run: {command}  # in a manifest, quotation marks within an item are part of the value",
    cause='Write the item --requestheader-allowed-names="" into the command of the manifest.',
    source=f"{_OPTIONS} (Validate of 1.36); tried with 1.20.2 and 1.36.2",
)
NAME_BLANK = Kind(
    id="allowed-names-with-blank",
    severity=WILL_BREAK,
    title="--requestheader-allowed-names holds an empty name among others",
    consequence="No certificate has it, and kube-apiserver 1.36 does not start with it.",
    fix="run: {command}",
    cause="Set --requestheader-allowed-names=front-proxy-client, with a comma at its end.",
    source=f"{_OPTIONS} (Validate of 1.36)",
)
NAMES_ANY = Kind(
    id="allowed-names-any",
    severity=UNTIDY,
    title="--requestheader-allowed-names is empty",
    consequence="Any certificate of the front-proxy CA makes a front proxy, whatever it was signed for.",
    fix="run: {command} {allow}",
    cause="Take --requestheader-allowed-names out of the manifest.",
    source="staging/src/k8s.io/apiserver/pkg/authentication/request/x509/x509.go: no names, no check",
)
TWICE = Kind(
    id="flag-twice",
    severity=AT_RISK,
    title="--{flag} is set twice with different values",
    consequence="kube-apiserver takes the last one of a path and adds up lists, which nobody sees who reads the "
    "manifest.",
    fix="take the wrong one out of {path}",
    cause="Write --requestheader-client-ca-file twice, with two files.",
    source="github.com/spf13/pflag; metrics-server issue 623",
)

KINDS = (NOT_CONFIGURED, HALF_PAIR, NO_PAIR, NO_CA, HEADER, NAMES_BLANK, NAME_BLANK, NAMES_ANY, TWICE)

STANDARD_HEADERS = (
    ("requestheader-username-headers", "X-Remote-User", "user"),
    ("requestheader-group-headers", "X-Remote-Group", "groups"),
    ("requestheader-extra-headers-prefix", "X-Remote-Extra-", "other facts about the user"),
)


def _show(view: View, *flags: str) -> str:
    shown = [f"--{flag}={view.flag(flag)}" if view.flag(flag) is not None else f"no --{flag}" for flag in flags]
    return f"{view.facts['manifest']['path']}: {', '.join(shown)}"


def _not_loaded(view: View) -> list[str]:
    """What the running server says of its pair, from 1.20 on."""
    if not view.probe or view.probe["reload_hook"] is not False or view.before("1.20"):
        return []
    return ["/readyz?verbose does not name aggregator-reload-proxy-client-cert: no pair is loaded"]


def _names(view: View) -> t.Iterator[Finding]:
    names, command = view.list_flag(_NAMES), view.command
    if not names:
        if view.shares_client_ca:
            return  # far worse, and a finding of its own
        yield finding(NAMES_ANY, view.where, _show(view, _NAMES), command=command, allow=view.allow)
    elif not any(name.strip() for name in names):
        yield finding(NAMES_BLANK, view.where, _show(view, _NAMES), command=command)
    elif not all(name.strip() for name in names):
        severity = "" if view.before("1.36") else BROKEN
        yield finding(NAME_BLANK, view.where, _show(view, _NAMES), when="1.36", severity=severity, command=command)


def judge_flags(view: View) -> t.Iterator[Finding]:
    """Judge the flags of a manifest."""
    command = view.command
    files = {flag: bool(view.flag(flag)) for flag in (CA_FLAG, CERT_FLAG, KEY_FLAG)}
    if not any(view.flag(flag) is not None for flag in AGGREGATION_FLAGS):
        path = view.facts["manifest"]["path"]
        yield finding(NOT_CONFIGURED, view.where, f"{path} has none of the flags", command=command)
        return
    for flag in AGGREGATION_FLAGS:
        values = set(view.master.pod.flags.get(flag, ()))
        if len(values) > 1:
            shown = " and ".join(sorted(map(repr, values)))
            yield finding(TWICE, view.where, shown, flag=flag, path=view.facts["manifest"]["path"])
    if not files[CA_FLAG]:
        yield finding(NO_CA, view.where, _show(view, CA_FLAG), command=command)
        return
    if files[CERT_FLAG] != files[KEY_FLAG]:
        missing = KEY_FLAG if files[CERT_FLAG] else CERT_FLAG
        seen = [_show(view, CERT_FLAG, KEY_FLAG), *_not_loaded(view)]
        yield finding(HALF_PAIR, view.where, *seen, command=command, missing=missing)
    elif not files[CERT_FLAG]:
        yield finding(NO_PAIR, view.where, _show(view, CERT_FLAG, KEY_FLAG), *_not_loaded(view), command=command)
    for flag, standard, what in STANDARD_HEADERS:
        if standard.lower() not in [value.lower() for value in view.list_flag(flag)]:
            evidence = _show(view, flag)
            yield finding(HEADER, view.where, evidence, flag=flag, standard=standard, what=what, command=command)
    yield from _names(view)
