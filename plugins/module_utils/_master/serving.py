# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait until the kube-apiserver of this master runs as wanted, serves, and accepts the pair; or until it is lost."""

from __future__ import annotations

import os
import time
import typing as t

from .._argv import flag_that_differs
from .._contract.journal import ChangeNote
from .._contract.observation import Probe
from .containerlog import has_words, last_words, last_write, list_logs
from .places import Places
from .probe import Pair, ask
from .process import Process, endpoint, find_apiserver, is_alive, list_processes

__all__ = ["Expectation", "Waited", "complaint", "expected_by", "running", "ticks_now", "wait_until_serving"]

_PAUSE = 0.25
# A server that died at its third start will not live at the fourth, if its predecessor was gone at the third. Up to
# 1.22 the kubelet does not wait for the old one, which holds the port for as long as it takes to end: on a busy machine
# for more than three starts, which fail for no fault of the flags.
_STARTS = 3
_SETTLED = 2.0
# A log without a word is that of a container which is being made; on a busy machine that takes its time.
_SILENT = 30.0
# Where nobody may ask whether it is ready (401, 403), it must have answered for so long. A server answers before it
# knows its roles, and says 403 until then.
_UNTOLD = 10.0


class Expectation(t.NamedTuple):
    """What the running server is to be.

    flags: by name, its one value on the command line, None for absent; argv: its whole command line, where that is
    known; old: the process that must have ended first, if one must; pair: what it must accept, if anything;
    manifest: its text, to tell servers apart; pod: ``NAMESPACE_NAME``; container: its name; not_before: in clock ticks
    since boot, when it was started at the earliest, None for whenever.
    """

    flags: t.Mapping[str, str | None]
    argv: tuple[str, ...] | None
    old: Process | None
    pair: Pair | None
    manifest: str
    pod: str
    container: str
    not_before: int | None = None


class Waited(t.NamedTuple):
    """How the waiting ended. reason: why it failed (empty if it did not); seconds; words: the server's last lines."""

    serving: bool
    reason: str
    seconds: float
    words: tuple[str, ...]
    probe: Probe | None


def running(text: str, places: Places) -> Process | None:
    """Find the kube-apiserver that the manifest's text describes; None where nothing runs, or nothing is looked at."""
    return find_apiserver(list_processes(), text) if places.live else None


def ticks_now() -> int:
    """Give the time as the starts of processes are counted, in clock ticks since boot."""
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def expected_by(note: ChangeNote, places: Places, old: Process | None) -> Expectation:
    """Give what the server is to be when a change has been made. old: what must have ended then."""
    pair = None
    if note["certificate"] and note["key"] and note["bundle"]:
        paths = places.real(note["certificate"]), places.real(note["key"])
        pair = Pair(*paths, note["user_header"], note["group_header"])
    return Expectation(note["flags"], None, old, pair, note["manifest_text"], note["pod"], note["container"])


def complaint(outcome: Waited) -> str:
    """Say in sentences why waiting was in vain."""
    words = f" Its last words: {' | '.join(outcome.words)}" if outcome.words else ""
    return f"kube-apiserver does not run as wanted: {outcome.reason}.{words}"


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
    if expected.not_before is not None and process.start_ticks < expected.not_before:
        return "the kube-apiserver from before the old state came back is still running", process, None
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


def _predecessor_runs(expected: Expectation, process: Process | None) -> bool:
    """Tell whether the server that must have ended is there, and holds the port."""
    if expected.old is not None and is_alive(expected.old):
        return True
    return process is not None and expected.not_before is not None and process.start_ticks < expected.not_before


def _last_words(starts: t.Sequence[str], logs: t.Sequence[str]) -> tuple[str, ...]:
    """Take what was said last, of these starts if there were any: a predecessor may end later than they do."""
    ours = [log for log in logs if log in starts]
    # the newest may be that of a start that has not said anything yet
    return tuple(next(filter(None, map(last_words, reversed(ours or logs))), []))


def _died(starts: t.Sequence[str], free_since: float) -> bool:
    """Tell whether there were starts enough, the last one is over, and the port was free for it.

    starts: their logs; free_since: the time of day. What holds the port has ended some time before it is seen to be
    gone.
    """
    if len(starts) < _STARTS:
        return False
    newest = max(starts, key=last_write)
    quiet = time.time() - last_write(newest)
    return last_write(newest) > free_since and quiet >= (_SETTLED if has_words(newest) else _SILENT)


def wait_until_serving(expected: Expectation, places: Places, timeout: float) -> Waited:
    """Wait up to ``timeout`` seconds. Ends early if the server keeps dying at its start."""
    began = time.monotonic()
    known = set(list_logs(places, expected.pod, expected.container))
    starts: list[str] = []  # the logs of the starts since then, in order
    free_since = 0.0  # the time of day at which the predecessor was first seen to be gone; 0 while it is there
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
        predecessor_runs = _predecessor_runs(expected, process)
        free_since = 0.0 if predecessor_runs else (free_since or time.time())
        gone_since = None if process is not None or predecessor_runs else (gone_since or now)
        reason = ""
        if gone_since is not None and now - gone_since >= _SETTLED and _died(starts, free_since):
            reason = f"kube-apiserver ended by itself at each of {len(starts)} starts"
        elif now - began >= timeout:
            reason = f"after {timeout:.0f} s {missing}"
        if reason:
            words = _last_words(starts, list_logs(places, expected.pod, expected.container))
            return Waited(False, reason, now - began, words, seen)
        time.sleep(_PAUSE)
