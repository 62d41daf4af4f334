# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-apiserver reads a command line: the one place that knows, for manifests and for running processes."""

from __future__ import annotations

import typing as t

__all__ = [
    "BOOLEAN_FLAGS",
    "SERVER_NAMES",
    "Flag",
    "flags_in",
    "flag_values",
    "last_value",
    "normalize",
    "server_index",
]

# A boolean flag never takes the next word as its value (pflag's NoOptDefVal). Only the ones that this collection
# may meet beside its own flags matter: a wrong guess for another flag is never acted on.
BOOLEAN_FLAGS = frozenset(
    {
        "aggregator-reject-forwarding-redirect",
        "allow-privileged",
        "anonymous-auth",
        "contention-profiling",
        "enable-aggregator-routing",
        "enable-bootstrap-token-auth",
        "enable-garbage-collector",
        "enable-logs-handler",
        "enable-priority-and-fairness",
        "etcd-prefix-health",
        "profiling",
        "service-account-lookup",
        "watch-cache",
    }
)

# The last part of the path of the program: hyperkube took the name of the server as its first argument (up to 1.18).
SERVER_NAMES = frozenset({"kube-apiserver", "apiserver"})


class Flag(t.NamedTuple):
    """One flag on a command line.

    name: without dashes, normalized; value: as the flag parser sees it; first, last: the places in the list
    of words that hold it (the same place twice for ``--name=value`` and for a lone boolean).
    """

    name: str
    value: str
    first: int
    last: int


def normalize(name: str) -> str:
    """Give a flag's name without dashes in front, and with ``_`` as ``-``.

    Source: WordSepNormalizeFunc of k8s.io/component-base/cli/flag, which kube-apiserver installs.
    """
    return name.lstrip("-").replace("_", "-")


def server_index(words: t.Sequence[str]) -> int | None:
    """Give the place of the server's own name in a command line, behind a launcher such as ``/go-runner``.

    None if it is not there, for example because only ``args`` are written and the image names the program.
    """
    for index, word in enumerate(words):
        if not word.startswith("-") and word.rsplit("/", 1)[-1] in SERVER_NAMES:
            return index
    return None


def flags_in(words: t.Sequence[str], *, start: int = 0) -> list[Flag]:
    """List the flags of a command line from place ``start`` on, in order, duplicates included.

    ``--name=value``, ``--name value`` and lone booleans are read as pflag reads them; ``--`` ends the flags.
    """
    found: list[Flag] = []
    index = start
    while index < len(words):
        word = words[index]
        if word == "--":
            break
        if not word.startswith("--"):
            index += 1
            continue
        name, equals, value = word.partition("=")
        name = normalize(name)
        if equals:
            found.append(Flag(name, value, index, index))
        elif name in BOOLEAN_FLAGS or index + 1 >= len(words) or words[index + 1].startswith("--"):
            found.append(Flag(name, "true", index, index))
        else:
            found.append(Flag(name, words[index + 1], index, index + 1))
            index += 1
        index += 1
    return found


def flag_values(words: t.Sequence[str]) -> dict[str, list[str]]:
    """Give every value of every flag of a whole command line, by normalized name."""
    place = server_index(words)
    values: dict[str, list[str]] = {}
    for flag in flags_in(words, start=0 if place is None else place + 1):
        values.setdefault(flag.name, []).append(flag.value)
    return values


def last_value(values: t.Mapping[str, t.Sequence[str]], name: str) -> str | None:
    """Give the value that counts for a flag that takes one value: the last one; None if it is not set."""
    found = values.get(name)
    return found[-1] if found else None
