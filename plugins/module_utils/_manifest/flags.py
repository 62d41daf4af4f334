# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A container's command line as kube-apiserver reads it: where its flags begin, and their values."""

from __future__ import annotations

import posixpath
import re
import typing as t
from dataclasses import dataclass

from .errors import ManifestError

__all__ = ["Occurrence", "find_server", "is_boolean", "normalise", "parse_flags", "same_value"]

#: Flags of kube-apiserver (1.20 to 1.36) that are booleans: without "=" they are true and never take the next item
#: (NoOptDefVal of github.com/spf13/pflag). A boolean that is not listed is recognised only if an item with a dash
#: follows it.
_BOOLEANS = frozenset(
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

_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "csh", "tcsh", "fish"))

_VARIABLE_LENGTH = 40


@dataclass(frozen=True)
class Occurrence:
    """One flag on the command line.

    name: normalised, without dashes; value: as the server gets it; first and last: indexes into the arguments (the
    same unless the value is an item of its own); prefix: what stands before the value in its item ("--name=", or "" if
    the value is an item of its own); alone: no value is written.
    """

    name: str
    value: str
    first: int
    last: int
    prefix: str
    alone: bool


def normalise(name: str) -> str:
    """Return a flag's name without dashes before it, and with "-" for "_".

    Source: WordSepNormalizeFunc of k8s.io/component-base.
    """
    return name.lstrip("-").replace("_", "-")


def is_boolean(name: str) -> bool:
    """Whether the flag never takes the next item as its value."""
    return name in _BOOLEANS


def same_value(name: str, one: str, other: str) -> bool:
    """Whether two values of a flag mean the same to the server (`True` and `1` are `true` for a boolean)."""
    if one == other:
        return True
    if not is_boolean(name):
        return False
    return (one in _TRUE and other in _TRUE) or (one in _FALSE and other in _FALSE)


def find_server(command: t.Sequence[str], args: t.Sequence[str], container: str, where: str) -> int:
    """Return the index in command + args of the first item that belongs to kube-apiserver.

    A launcher (go-runner, hyperkube) and its own flags come before the server's name. Raises ManifestError for a shell
    wrapper and for a command line that does not name the server.
    """
    argv = list(command) + list(args)
    server = _server_index(argv, bool(command))
    before = argv if server is None else argv[:server]
    for item in before:
        if posixpath.basename(item) in _SHELLS:
            raise ManifestError(
                f"{where} starts kube-apiserver through a shell ({_shorten(item)}) in container {container}, so its "
                "flags are text inside a script and cannot be changed safely; start the server directly, or set the "
                "flags where that script is made."
            )
    if server is None:
        if not argv:
            raise ManifestError(
                f"{where} gives container {container} neither command nor args, so there is no list that could hold "
                "flags; write kube-apiserver and its flags into command."
            )
        raise ManifestError(
            f"{where} starts {_shorten(argv[0])} in container {container} and no item of command or args is "
            "kube-apiserver, so it is unclear which flags reach the server; name the right container."
        )
    return server


def _server_index(argv: t.Sequence[str], has_command: bool) -> t.Optional[int]:
    for index, item in enumerate(argv):
        base = posixpath.basename(item)
        if base == "kube-apiserver":
            return index + 1
        if base == "hyperkube" and index + 1 < len(argv) and argv[index + 1] in ("apiserver", "kube-apiserver"):
            return index + 2
    if not argv:
        return None
    if has_command:
        # A renamed binary: kube-apiserver-amd64, kube-apiserver.real.
        return 1 if re.match(r"kube-apiserver[-._][\w.-]*\Z", posixpath.basename(argv[0])) else None
    # Only args: the image's entry point is the server (or hyperkube, which is told what to be).
    if argv[0] == "apiserver":
        return 1
    return 0 if argv[0].startswith("-") else None


def parse_flags(argv: t.Sequence[str], start: int, container: str, where: str) -> t.Tuple[Occurrence, ...]:
    """Return the server's flags in their order; `argv` is command + args, `start` what find_server() says.

    The rules are those of github.com/spf13/pflag. Raises ManifestError for an item "--", after which nothing is a flag.
    """
    found: t.List[Occurrence] = []
    index = start
    while index < len(argv):
        item = argv[index]
        if item == "--":
            raise ManifestError(
                f'{where} has an item "--" among the arguments of container {container}, and what comes after it is no'
                " flag for kube-apiserver; remove that item."
            )
        if not item.startswith("-") or item == "-":
            index += 1
            continue
        if item.startswith("--"):
            word, equals, value = item.partition("=")
        else:
            # A shorthand (-v): the value follows at once, after "=", or as the next item.
            word, value = item[:2], item[2:]
            equals = "=" if value else ""
            if value.startswith("="):
                word, value = item[:2], value[1:]
        name = normalise(word)
        last = index
        prefix = item[: len(item) - len(value)] if equals else ""
        alone = False
        if not equals:
            if _takes_next(name, argv, index):
                last = index + 1
                value = argv[last]
            else:
                value = "true"
                alone = True
        found.append(Occurrence(name, value, index, last, prefix, alone))
        index = last + 1
    return tuple(found)


def _takes_next(name: str, argv: t.Sequence[str], index: int) -> bool:
    if is_boolean(name) or index + 1 >= len(argv):
        return False
    if not argv[index + 1].startswith("-"):
        return True
    # pflag takes any next item for a flag with a value; for a name that is not known here, a dash speaks for a boolean.
    return name.startswith(("requestheader-", "proxy-client-")) or name.endswith("-file")


def _shorten(item: str) -> str:
    return item if len(item) <= _VARIABLE_LENGTH else item[:_VARIABLE_LENGTH] + "…"
