# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where in a container's command line the flags of kube-apiserver are, and what is refused there."""

from __future__ import annotations

import posixpath
import typing as t

from .._argv import RENAMED_SERVER, Flag, flags_in
from .errors import ManifestError
from .misread import misread
from .text import shorten

__all__ = ["find_server", "parse_flags"]

_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "busybox", "csh", "tcsh", "fish"))


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
                f"{where} starts kube-apiserver through a shell ({shorten(item)}) in container {container}, so its "
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
            f"{where} starts {shorten(argv[0])} in container {container} and no item of command or args is "
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
        return 1 if RENAMED_SERVER.match(posixpath.basename(argv[0])) else None
    # Only args: the image's entry point is the server (or hyperkube, which is told what to be).
    if argv[0] == "apiserver":
        return 1
    return 0 if argv[0].startswith("-") else None


def parse_flags(argv: t.Sequence[str], start: int, container: str, where: str) -> t.Tuple[Flag, ...]:
    """Return the server's flags in their order; `argv` is command + args, `start` what find_server() says.

    Raises ManifestError for an item "--", after which nothing is a flag, and for one that the server misreads.
    """
    wrong = misread(argv, start=start)
    if wrong:
        raise ManifestError(f"{where}, container {container}: {wrong}.")
    found = flags_in(argv, start=start)
    taken = {flag.last for flag in found}
    if any(item == "--" and index not in taken for index, item in enumerate(argv) if index >= start):
        raise ManifestError(
            f'{where} has an item "--" among the arguments of container {container}, and what comes after it is no '
            "flag for kube-apiserver; remove that item."
        )
    return tuple(found)
