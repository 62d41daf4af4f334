# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run nox sessions, some at a time, and say at the end what came of it."""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import pathlib
import queue
import signal
import subprocess
import threading
import time
import types
import typing as t

import tally
from environments import environment, with_environment
from home import save_pip_settings
from pins import NOX
from places import LOGS, ROOT, ToolError, locked
from pythons import survey

# A session that says nothing for so long hangs. How long it may take in all depends on the machine, and on what else
# is done there; the longest that one keeps silent, on two processors, is three minutes, when a program is linked.
SILENCE_SECONDS = 30 * 60
POLL_SECONDS = 2
TAIL_LINES = 100
LONGEST_LINE = 1000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How one session ended."""

    name: str
    succeeded: bool
    seconds: float
    counted: tally.Tally
    remark: str = ""


class Runner:
    """Runs sessions and keeps hold of the running ones, so that none outlives it."""

    def __init__(self, *, jobs: int, options: t.Sequence[str] = ()) -> None:
        _found, path = survey()
        folder = environment(*NOX)
        save_pip_settings(str(folder / "bin" / "python"))
        self._jobs = jobs
        self._options = list(options)
        self._nox = [str(folder / "bin" / "nox"), "--noxfile", str(ROOT / "noxfile.py")]
        self._env = with_environment(folder, path)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()
        self._stopping = False

    def sessions(self) -> dict[str, list[str]]:
        """Return the names of the sessions with their tags, the ones that take longest first."""
        done = subprocess.run(
            [*self._nox, "--list", "--json"],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise ToolError(f"nox cannot list the sessions of noxfile.py: {done.stderr.strip()}")
        return {entry["session"]: entry["tags"] for entry in json.loads(done.stdout)}

    def _run_one(self, name: str) -> Outcome:
        # its copy of the collection, its log and its results are there once
        with locked(f"session-{name}"):
            return self._run_locked(name)

    def _run_locked(self, name: str) -> Outcome:
        tally.forget(name)
        log = LOGS / f"{name}.log"
        started = time.monotonic()
        remark = ""
        with open(log, "wb") as output:
            with self._lock:
                if self._stopping:
                    return Outcome(name, False, 0, tally.Tally(), "not begun")
                process = subprocess.Popen(
                    [*self._nox, "--session", name, *(["--", *self._options] if self._options else [])],
                    cwd=ROOT,
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )  # fmt: skip
                self._processes[name] = process
            if not self._ends(process, log):
                remark = f"stopped after {SILENCE_SECONDS // 60} minutes of silence"
                self._kill(process)
            status = process.wait()
            with self._lock:
                del self._processes[name]
        return Outcome(name, status == 0, time.monotonic() - started, tally.load(name, succeeded=status == 0), remark)

    @staticmethod
    def _ends(process: subprocess.Popen[bytes], log: pathlib.Path) -> bool:
        """Wait until a session ends; False if it says nothing any more."""
        size, heard = -1, time.monotonic()
        while True:
            try:
                process.wait(timeout=POLL_SECONDS)
                return True
            except subprocess.TimeoutExpired:
                now = log.stat().st_size
                if now != size:
                    size, heard = now, time.monotonic()
                elif time.monotonic() - heard > SILENCE_SECONDS:
                    return False

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        """End a session with everything that it has started."""
        for number, patience in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            try:
                os.killpg(process.pid, number)
                process.wait(timeout=patience)
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue

    def stop(self) -> None:
        """Begin no further session and end the running ones."""
        with self._lock:
            self._stopping = True
            running = list(self._processes.values())
        for process in running:
            self._kill(process)

    def run(self, names: t.Sequence[str], report: t.Callable[[Outcome], None]) -> list[Outcome]:
        """Run these sessions, calling report (in this thread) as each one ends."""
        with locked("cache", shared=True):
            LOGS.mkdir(parents=True, exist_ok=True)
            waiting = collections.deque(names)
            ended: queue.Queue[Outcome] = queue.Queue()

            def work() -> None:
                while True:
                    with self._lock:
                        if not waiting or self._stopping:
                            return
                        name = waiting.popleft()
                    try:
                        ended.put(self._run_one(name))
                    except Exception as exc:  # a session's thread must not end silently
                        ended.put(Outcome(name, False, 0, tally.Tally(failed=1), str(exc)))

            for dummy in range(self._jobs):
                threading.Thread(target=work, daemon=True).start()
            outcomes: list[Outcome] = []
            try:
                while len(outcomes) < len(names):
                    outcome = ended.get()
                    outcomes.append(outcome)
                    report(outcome)
            finally:
                self.stop()
            return outcomes


def interrupt(number: int, _frame: types.FrameType | None) -> None:
    """Turn a request to end into an exception, so that what runs is ended too."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def tail(path: pathlib.Path) -> str:
    """Return the last lines of a log."""
    with open(path, encoding="utf-8", errors="replace") as stream:
        lines = collections.deque(stream, maxlen=TAIL_LINES)
    return "\n".join(line.rstrip() if len(line) <= LONGEST_LINE else f"{line[:LONGEST_LINE]} …" for line in lines)


def _result(outcome: Outcome) -> str:
    if not outcome.succeeded:
        return "failed"
    return "skipped" if outcome.counted.skipped and not outcome.counted.passed else "passed"


def report_end(outcome: Outcome) -> None:
    """Print a session's log as it ends."""
    print(f"\n━━━ {outcome.name} ━━━", flush=True)
    print((LOGS / f"{outcome.name}.log").read_text(encoding="utf-8", errors="replace").rstrip())
    print(f"━━━ {outcome.name}: {_result(outcome)}, {outcome.seconds:.0f} s {outcome.remark}".rstrip(), flush=True)


def summary(outcomes: t.Sequence[Outcome], seconds: float) -> str:
    """Return the closing text: failures, the table, what was left out, and the totals on a line of their own."""
    lines: list[str] = []
    for outcome in outcomes:
        if not outcome.succeeded:
            lines += [
                "",
                f"━━━ {outcome.name} failed {outcome.remark}".rstrip()
                + f"; the last {TAIL_LINES} lines of its log: ━━━",
            ]
            lines += [tail(LOGS / f"{outcome.name}.log")]
    width = max([len(outcome.name) for outcome in outcomes] + [7])
    lines += ["", f"{'session':{width}}  result   tests  seconds"]
    for outcome in sorted(outcomes, key=lambda item: item.name):
        count = outcome.counted.passed + outcome.counted.failed
        lines.append(f"{outcome.name:{width}}  {_result(outcome):7}  {count:5}  {outcome.seconds:7.0f}")
    lines += ["", f"took {seconds:.0f} s; logs are in {LOGS}"]
    left_out = [f"{outcome.name}: {text}" for outcome in outcomes for text in outcome.counted.left_out]
    lines += ["left out: nothing"] if not left_out else ["left out:", *(f"  {text}" for text in left_out)]
    passed, failed, skipped = (
        sum(getattr(outcome.counted, key) for outcome in outcomes) for key in ("passed", "failed", "skipped")
    )
    lines.append(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return "\n".join(lines)


def run_sessions(wanted: t.Sequence[str], *, jobs: int, options: t.Sequence[str] = ()) -> int:
    """Run the sessions of those names or tags, all if none is given; return the exit status."""
    started = time.monotonic()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGHUP, interrupt)
    runner = Runner(jobs=jobs, options=options)
    known = runner.sessions()
    unknown = [item for item in wanted if item not in known and not any(item in tags for tags in known.values())]
    if unknown:
        raise ToolError(f"There is no session or tag called {', '.join(unknown)}: there are {', '.join(known)}.")
    names = [name for name, tags in known.items() if not wanted or name in wanted or set(tags) & set(wanted)]
    print(f"{len(names)} sessions, {jobs} at a time: {', '.join(names)}", flush=True)
    outcomes = runner.run(names, report_end)
    print(summary(outcomes, time.monotonic() - started), flush=True)
    return 0 if all(outcome.succeeded for outcome in outcomes) else 1
