# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the kube-apiserver of this master runs as wanted, serves, and accepts the pair; or until it is lost."""

from __future__ import annotations

import time
import typing as t

from .._argv import flag_that_differs
from .._contract.observation import Probe
from .containerlog import last_words, list_logs
from .places import Places
from .probe import Pair, ask
from .process import Process, endpoint, find_apiserver, is_alive, list_processes

__all__ = ["Expectation", "Waited", "wait_until_serving"]

_PAUSE = 0.25
# A server that died at its third start, with its predecessor gone, will not live at the fourth. Up to 1.20 the first
# start or two can fail for no fault of the flags: the old process still holds the port.
_STARTS = 3
_SETTLED = 2.0
# Where nobody may ask whether it is ready (401, 403), it must have answered for so long. A server answers before it
# knows its roles, and says 403 until then.
_UNTOLD = 10.0


class Expectation(t.NamedTuple):
    """What the running server is to be.

    flags: by name, its one value on the command line, None for absent; argv: its whole command line, where that is
    known; old: the process that must have ended first, if one must; pair: what it must accept, if anything;
    manifest: its text, to tell servers apart; pod: ``NAMESPACE_NAME``; container: its name.
    """

    flags: t.Mapping[str, str | None]
    argv: tuple[str, ...] | None
    old: Process | None
    pair: Pair | None
    manifest: str
    pod: str
    container: str


class Waited(t.NamedTuple):
    """How the waiting ended. reason: why it failed (empty if it did not); seconds; words: the server's last lines."""

    serving: bool
    reason: str
    seconds: float
    words: tuple[str, ...]
    probe: Probe | None


def _wrong_command(process: Process, expected: Expectation) -> str | None:
    if expected.argv is not None and process.argv != expected.argv:
        return "the running kube-apiserver does not have the command line that it had before"
    different = flag_that_differs(process.argv, expected.flags)
    return f"the running kube-apiserver does not have --{different} as wanted" if different else None


def _try_to_look(expected: Expectation) -> tuple[str | None, Process | None, Probe | None]:
    try:
        return _look(expected)
    except Exception as error:  # whatever a server does that nobody thought of: the way back must stay open
        return f"it cannot be looked at ({type(error).__name__}: {error})", None, None


def _look(expected: Expectation) -> tuple[str | None, Process | None, Probe | None]:
    """Give what is not yet as it should be (None if nothing), the process, and what the probe saw."""
    if expected.old is not None and is_alive(expected.old):
        return "the old kube-apiserver is still running", None, None
    process = find_apiserver(list_processes(), expected.manifest)
    if process is None:
        return "no kube-apiserver is running", None, None
    wrong = _wrong_command(process, expected)
    if wrong:
        return wrong, process, None
    seen = ask(*endpoint(process.argv), expected.pair)
    if not seen["answers"]:
        return f"it does not answer on {seen['address']}:{seen['port']} ({seen['error']})", process, seen
    if not seen["ready"] and seen["reload_hook"] is not None:
        return "it answers, but /readyz says that it is not ready", process, seen
    if expected.pair is not None and not seen["accepted"]:
        answer = f"HTTP {seen['status']}" if seen["status"] else "the pair does not load"
        return f"it does not accept the proxy-client pair ({answer} instead of 200)", process, seen
    return None, process, seen


def _does_not_tell(seen: Probe | None) -> bool:
    """Tell whether a server that answers kept to itself whether it is ready."""
    return seen is not None and not seen["ready"] and seen["reload_hook"] is None


def wait_until_serving(expected: Expectation, places: Places, timeout: float) -> Waited:
    """Wait up to ``timeout`` seconds. Ends early if the server keeps dying at its start."""
    began = time.monotonic()
    known = set(list_logs(places, expected.pod, expected.container))
    starts: list[str] = []  # the logs of the starts since then, in order
    gone_since: float | None = None
    untold_since: float | None = None
    while True:
        missing, process, seen = _try_to_look(expected)
        now = time.monotonic()
        untold_since = (untold_since or now) if missing is None and _does_not_tell(seen) else None
        if untold_since is not None and now - untold_since < _UNTOLD:
            missing = "it answers, but does not say whether it is ready"
        if missing is None:
            return Waited(True, "", now - began, (), seen)
        starts += [
            log for log in list_logs(places, expected.pod, expected.container) if log not in known and log not in starts
        ]
        running = process is not None or (expected.old is not None and is_alive(expected.old))
        gone_since = None if running else (gone_since or now)
        reason = ""
        if gone_since is not None and now - gone_since >= _SETTLED and len(starts) >= _STARTS:
            reason = f"kube-apiserver ended by itself at each of {len(starts)} starts"
        elif now - began >= timeout:
            reason = f"after {timeout:.0f} s {missing}"
        if reason:
            logs = reversed(list_logs(places, expected.pod, expected.container))
            # the newest may be that of a start that has not said anything yet
            words = next(filter(None, map(last_words, logs)), [])
            return Waited(False, reason, now - began, tuple(words), seen)
        time.sleep(_PAUSE)
