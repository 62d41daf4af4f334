# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A manifest as it may be shown to a person: what may be a secret in it is hidden."""

from __future__ import annotations

import re
import typing as t

from .errors import ManifestError
from .nodes import Document, Node, compose, entries, is_mapping, is_scalar, is_sequence

__all__ = ["HIDDEN", "hide", "hide_in_words", "hide_value", "holds_secrets"]

#: What stands in the place of what is hidden.
HIDDEN = "(not shown)"

# Lists of names and values in a pod, and the names whose values tell nothing.
_HARMLESS: t.Dict[str, t.Pattern[str]] = {
    "env": re.compile(
        r"(?i)(https?|no|all|ftp)_proxy|GODEBUG|GOMAXPROCS|GOGC|GOMEMLIMIT|GOTRACEBACK|TZ|LANG|LC_\w+|PATH|HOME|USER|"
        r"SHELL|TERM|HOSTNAME|((NODE|POD|HOST)_?(NAME|NAMESPACE|IPS?|UID)|NAMESPACE)|KUBERNETES_SERVICE_(HOST|PORT)|"
        r"KUBE_\w*VERSION|SSL_CERT_(FILE|DIR)"
    ),
    "httpHeaders": re.compile(r"(?i)host|accept(-\w+)?|user-agent|content-type|connection|x-forwarded-\w+"),
}
# kubectl apply keeps the whole object in it, with all variables.
_COPY = "kubectl.kubernetes.io/last-applied-configuration"

# How a name ends whose value is a secret; --token-auth-file and the like end with what it is in place of that.
_WORDS = (
    r"(?:token|passw(?:or)?d|passphrase|secret|api[-_]?key|(?:access|secret)[-_]key(?:[-_]id)?|basic[-_]auth|"
    r"credentials?)"
)
_SECRET_NAME = re.compile(rf"(?i)[\w.-]*{_WORDS}")
# A path or a switch is none; what is hidden already, stays.
_VALUE = r"(?!/|\(|\$\(|(?:true|false)\b)[^\s\"']+"
_PATTERNS = (
    re.compile(rf"(?i)((?<![\w.-])[\w.-]*{_WORDS}=[\"']?)({_VALUE})"),
    re.compile(rf"(?i)((?<![\w.-])--?[\w.-]*{_WORDS}[ \t]+)(?!-)({_VALUE})"),
    re.compile(r"(?i)(\b(?:bearer|basic)[ \t]+)([\w+/=.~-]{8,})"),
    re.compile(r"(://[^/\s:@\"']*:)([^/\s@\"']+)(?=@)"),
    # a variable that was commented out
    re.compile(r"(?m)(^[ \t]*#[^\n]*\bvalue:[ \t]*)([^\n]+)"),
)


class _Span(t.NamedTuple):
    start: int
    end: int


def hide_in_words(text: str) -> str:
    """Give a text, such as a command line, with secrets hidden that are known by what stands before them."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda match: f"{match.group(1)}{HIDDEN}", text)
    return text


def hide_value(name: str, value: str) -> str:
    """Give the value of a flag as it may be shown."""
    if _SECRET_NAME.fullmatch(name) and re.match(_VALUE, value):
        return HIDDEN
    return hide_in_words(value)


def hide(text: str) -> str:
    """Give a manifest's text as it may be shown. One that does not parse is hidden as a whole."""
    try:
        document = compose(text, "")
    except ManifestError:
        return f"{HIDDEN}\n"
    for span in sorted(_spans(document), reverse=True):
        end = "\n" if text[span.start : span.end].endswith("\n") else ""  # of a block
        text = f"{text[: span.start]}{HIDDEN}{end}{text[span.end :]}"
    return hide_in_words(text)


def holds_secrets(text: str) -> bool:
    """Tell whether a text that may be a manifest holds what must not be shown."""
    return hide(text) != text


def _spans(document: Document) -> t.Set[_Span]:
    """Find the places of values to hide; a value that several aliases name has one place."""
    spans: t.Set[_Span] = set()
    seen: t.Set[int] = set()
    stack = list(document.roots)
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if is_sequence(node):
            stack += node.value
            spans |= set(_behind_flags(node))
        elif is_mapping(node):
            stack += [value for dummy, value in node.value]
            spans |= set(_in_mapping(node))
    return spans


def _in_mapping(node: Node) -> t.Iterator[_Span]:
    for key, value in node.value:
        if not is_scalar(key):
            continue
        if key.value == _COPY and is_scalar(value):
            yield _span(value)
        elif key.value in _HARMLESS and is_sequence(value):
            yield from _named_values(value, _HARMLESS[key.value])


def _named_values(node: Node, harmless: t.Pattern[str]) -> t.Iterator[_Span]:
    for item in node.value:
        if not is_mapping(item):
            continue
        name = entries(item).get("name")
        if name is not None and is_scalar(name) and harmless.fullmatch(name.value):
            continue
        # of a key that is there twice, both
        for key, value in item.value:
            if is_scalar(key) and key.value == "value" and is_scalar(value) and value.value:
                yield _span(value)


def _behind_flags(node: Node) -> t.Iterator[_Span]:
    """Find values that are items of their own, behind the flag that names them."""
    for before, item in zip(node.value, node.value[1:]):
        if not is_scalar(before) or not is_scalar(item) or not before.value.startswith("-"):
            continue
        if hide_value(before.value.lstrip("-"), item.value) == HIDDEN and not item.value.startswith("-"):
            yield _span(item)


def _span(node: Node) -> _Span:
    return _Span(node.start_mark.index, node.end_mark.index)
