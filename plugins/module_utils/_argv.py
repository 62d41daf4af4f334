# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-apiserver reads a command line: the one place that knows, for manifests and for running processes."""

from __future__ import annotations

import re
import typing as t

__all__ = [
    "BOOLEAN_FLAGS",
    "RENAMED_SERVER",
    "SERVER_NAMES",
    "Flag",
    "flag_that_differs",
    "flag_values",
    "flags_in",
    "last_value",
    "normalize",
    "same_value",
    "server_index",
]

# Flags of kube-apiserver (1.20 to 1.37) that are booleans: without "=" they are true, and they never take the next word
# (NoOptDefVal of github.com/spf13/pflag). A boolean that is not listed is known only by what follows it.
BOOLEAN_FLAGS = frozenset(
    (
        "add-dir-header",
        "aggregator-reject-forwarding-redirect",
        "allow-privileged",
        "alsologtostderr",
        "anonymous-auth",
        "audit-log-batch-throttle-enable",
        "audit-log-compress",
        "audit-log-truncate-enabled",
        "audit-webhook-batch-throttle-enable",
        "audit-webhook-truncate-enabled",
        "contention-profiling",
        "disable-http2-serving",
        "emulation-forward-compatible",
        "enable-aggregator-routing",
        "enable-bootstrap-token-auth",
        "enable-garbage-collector",
        "enable-logs-handler",
        "enable-priority-and-fairness",
        "enable-swagger-ui",
        "encryption-provider-config-automatic-reload",
        "experimental-logging-sanitization",
        "help",
        "kubelet-https",
        "log-json-split-stream",
        "log-text-split-stream",
        "logtostderr",
        "one-output",
        "permit-address-sharing",
        "permit-port-sharing",
        "profiling",
        "runtime-config-emulation-forward-compatible",
        "service-account-extend-token-expiration",
        "service-account-lookup",
        "shutdown-send-retry-after",
        "skip-headers",
        "skip-log-headers",
        "version",
        "watch-cache",
    )
)

# What strconv.ParseBool of Go takes.
_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))

# The last part of the path of the program: hyperkube took the name of the server as its first argument (up to 1.18).
SERVER_NAMES = frozenset({"kube-apiserver", "apiserver"})

# A renamed binary, as the first word of a command: kube-apiserver-amd64, kube-apiserver.real.
RENAMED_SERVER = re.compile(r"kube-apiserver[-._][\w.-]*\Z")


class Flag(t.NamedTuple):
    """One flag on a command line.

    name: without dashes, normalized; value: as the flag parser sees it; first, last: the places in the list of words
    that hold it (the same unless the value is a word of its own); prefix: what stands before the value in its word
    (``--name=``, or nothing), None if no value is written.
    """

    name: str
    value: str
    first: int
    last: int
    prefix: str | None


def normalize(name: str) -> str:
    """Give a flag's name without dashes in front, and with ``_`` as ``-``.

    Source: WordSepNormalizeFunc of k8s.io/component-base/cli/flag, which kube-apiserver installs.
    """
    return name.lstrip("-").replace("_", "-")


def same_value(name: str, one: str, other: str) -> bool:
    """Tell whether two values of a flag mean the same to the server: ``True`` and ``1`` are ``true`` for a boolean."""
    if one == other or name not in BOOLEAN_FLAGS:
        return one == other
    return {one, other} <= _TRUE or {one, other} <= _FALSE


def server_index(words: t.Sequence[str]) -> int | None:
    """Give the place of the server's own name in a command line, behind a launcher such as ``/go-runner``.

    None if it is not there, for example because only ``args`` are written and the image names the program.
    """
    for index, word in enumerate(words):
        if not word.startswith("-") and word.rsplit("/", 1)[-1] in SERVER_NAMES:
            return index
    return None


def _split(word: str) -> tuple[str, str, bool]:
    """Give what stands before the value, the value, and whether one is written, of a word that begins with a dash."""
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        return name + equals, value, bool(equals)
    # a shorthand such as -v: its value follows at once, or after "="
    start = 3 if word[2:3] == "=" else 2
    return word[:start], word[start:], len(word) > 2


def _takes_next(name: str, words: t.Sequence[str], index: int) -> bool:
    if name in BOOLEAN_FLAGS or index + 1 >= len(words):
        return False
    if not words[index + 1].startswith("-"):
        return True
    # pflag takes any next word for a flag with a value; for a name that is not known here, a dash speaks for a boolean
    return name.startswith(("requestheader-", "proxy-client-")) or name.endswith("-file")


def flags_in(words: t.Sequence[str], *, start: int = 0) -> list[Flag]:
    """List the flags of a command line from place ``start`` on, in order, duplicates included.

    The rules are those of github.com/spf13/pflag; ``--`` ends the flags.
    """
    found: list[Flag] = []
    index = start
    while index < len(words) and words[index] != "--":
        word = words[index]
        if word.startswith("-") and word != "-":
            before, value, written = _split(word)
            name = normalize(before.rstrip("="))
            if written:
                found.append(Flag(name, value, index, index, before))
            elif _takes_next(name, words, index):
                found.append(Flag(name, words[index + 1], index, index + 1, ""))
            else:
                found.append(Flag(name, "true", index, index, None))
            index = found[-1].last
        index += 1
    return found


def flag_values(words: t.Sequence[str]) -> dict[str, list[str]]:
    """Give every value of every flag of a whole command line, by normalized name."""
    place = server_index(words)
    values: dict[str, list[str]] = {}
    for flag in flags_in(words, start=0 if place is None else place + 1):
        values.setdefault(flag.name, []).append(flag.value)
    return values


def flag_that_differs(words: t.Sequence[str], wanted: t.Mapping[str, str | None]) -> str | None:
    """Give the first flag that a running command line does not have as wanted (None: not set); None if there is none.

    A value that a manifest builds from a variable, ``$(NAME)``, runs with what that stands for: it must only be set.
    """
    running = flag_values(words)
    for name, value in wanted.items():
        seen = running.get(name)
        if value is None:
            if seen:
                return name
        elif not seen or ("$(" not in value and set(seen) != {value}):
            return name
    return None


def last_value(values: t.Mapping[str, t.Sequence[str]], name: str) -> str | None:
    """Give the value that counts for a flag that takes one value: the last one; None if it is not set."""
    found = values.get(name)
    return found[-1] if found else None
