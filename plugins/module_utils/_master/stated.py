# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the text of a static pod manifest states of its kube-apiserver, as far as it tells without a parser of YAML.

Good enough to tell servers apart, never to change anything: that is the controller's part, which reads YAML.
"""

from __future__ import annotations

import json
import re
import typing as t

from .._argv import flags_in, server_index

__all__ = ["Stated", "read_stated"]

_COMMENT = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
_DASHES = re.compile(r"(?:-[ \t]+)+")
_COMMENT_BEHIND = re.compile(r"[ \t]#.*")
# a key of a mapping, plain or quoted
_KEY = re.compile(r"""(?:"[^"\\]*"|'[^']*'|[^\s"'\[\]{},:-][^\s"'\[\]{},:]*)[ \t]*:(?=\s|$)""")
# What a line holds where it is no plain item of a block: words in quotes, words, and what stands around them. A comma
# is part of a plain word (--etcd-servers=https://a,https://b, in a script) unless another word follows.
_TOKEN = re.compile(
    r"""(?P<double>"(?:[^"\\]|\\.)*")(?P<double_key>[ \t]*:)?"""
    r"""|(?P<single>'(?:[^']|'')*')(?P<single_key>[ \t]*:)?"""
    r"""|(?P<plain>[^\s"'\[\]{},](?:[^\s\]},]|,(?!$|--|[\s"'\]}]))*)"""
)


def _value_of(key: str, value: str) -> t.Pattern[str]:
    # no part of a longer name, nor of a label such as app.kubernetes.io/name
    return re.compile(rf"""(?<![\w./-]){key}["']?[ \t]*:[ \t]*["']?({value})(?![\w.-])""")


_NAME = _value_of("name", r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_NAMESPACE = _value_of("namespace", r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_POD_UID = _value_of("uid", r"[0-9A-Za-z](?:[\w.-]*[0-9A-Za-z])?")
_USER = _value_of("runAsUser", r"[0-9]{1,10}")
_HOST_NETWORK = _value_of("hostNetwork", r"[Tt]rue|TRUE")


class Stated(t.NamedTuple):
    """What the text states.

    flags: the values of each flag, by normalized name, of all its containers; names, namespaces: every value of
    ``name:`` and ``namespace:``, the pod's among them; pod_uids: of ``uid:``; users: of ``runAsUser:``; host_network:
    whether the pod has the host's network.
    """

    flags: t.Mapping[str, frozenset[str]]
    names: frozenset[str]
    namespaces: frozenset[str]
    pod_uids: frozenset[str]
    users: frozenset[int]
    host_network: bool


def _unquoted(token: str) -> str:
    """Give what a scalar in double quotes says. JSON's escapes are the ones that occur."""
    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1]


def _words_of(scalar: str) -> list[str]:
    """Give the words of an item: one, unless it is a command for a shell (sh, -c, "exec kube-apiserver --a=b")."""
    if scalar.startswith("-") or "--" not in scalar:
        return [scalar]
    return [word.strip("\"'") for word in scalar.split()]


def _lists_in(text: str) -> t.Iterator[list[str]]:
    """Give lists of words that can be command lines: what stands between one key of a mapping and the next."""
    words: list[str] = []
    for line in text.split("\n"):
        rest = line.strip()
        dashes = _DASHES.match(rest)
        item = rest[dashes.end() :] if dashes else ""
        if item and item[0] not in "\"'[{&!|>#" and not _KEY.match(item):
            # a plain item of a block: it ends with its line, and may hold anything
            words += _words_of(_COMMENT_BEHIND.sub("", item).rstrip())
            continue
        for token in _TOKEN.finditer(item or rest):
            double, single, plain = token.group("double", "single", "plain")
            if token.group("double_key") or token.group("single_key") or (plain or "").endswith(":"):
                yield words
                words = []
            elif double is not None:
                words += _words_of(_unquoted(double))
            elif single is not None:
                words += _words_of(single[1:-1].replace("''", "'"))
            elif plain.startswith("#"):
                break
            elif plain != "\\":  # the end of a line of a script
                words.append(plain.replace('"', "").replace("'", ""))
    yield words


def _flags(text: str) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for words in _lists_in(text):
        # what stands before the server is its launcher's: /go-runner --log-file=/x -- kube-apiserver
        place = server_index(words)
        for flag in flags_in(words, start=0 if place is None else place + 1):
            if words[flag.first].startswith("--") and flag.name:
                found.setdefault(flag.name, set()).add(flag.value)
    return {name: frozenset(values) for name, values in found.items()}


def read_stated(text: str) -> Stated:
    """Read what a manifest's text states, in block or flow style, quoted or not, or as JSON."""
    text = _COMMENT.sub("", text)
    return Stated(
        flags=_flags(text),
        names=frozenset(_NAME.findall(text)),
        # where none is stated, it is this one (pkg/kubelet/config/common.go, applyDefaults)
        namespaces=frozenset(_NAMESPACE.findall(text)) or frozenset(["default"]),
        pod_uids=frozenset(_POD_UID.findall(text)),
        users=frozenset(map(int, _USER.findall(text))),
        host_network=_HOST_NETWORK.search(text) is not None,
    )
