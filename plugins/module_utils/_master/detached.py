# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run work that must end even if the controller, the connection, the login session or the module's own process does.

What it survives: the end of its parent, a hang-up, and SIGTERM; where systemd runs and can be asked, also that of the
login session or of the service that it was started from, see scope.py. What it does not: SIGKILL of its own, and the
machine's end. Then its notes are there, and the next run finishes it, see recovery.py.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import typing as t

from .errors import MasterError
from .scope import leave_session

__all__ = ["Tell", "run_detached", "start_detached"]

T = t.TypeVar("T")
#: Takes what is told to the process that waits, once: plain values for JSON.
Tell = t.Callable[[T], None]


def _become_independent(keep: int) -> None:
    os.setsid()  # no terminal, no hang-up
    for name in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(name, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)  # an open pipe of the connection would keep it from closing
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) != keep:
            try:
                os.close(int(entry))
            except OSError:
                continue  # the one that listed the folder
    os.chdir("/")


class _Answer:
    """What the process that waits is told, once."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._is_open = True

    def tell(self, result: object, error: str = "") -> None:
        if not self._is_open:
            return
        self._is_open = False
        data = json.dumps({"result": result, "error": error}).encode()
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.close(self._descriptor)
        except OSError:
            pass  # nobody listens any more: the work is done all the same


def _work_in_child(work: t.Callable[[Tell[T]], None], descriptor: int) -> None:
    answer = _Answer(descriptor)
    try:
        _become_independent(descriptor)
        leave_session()  # where that cannot be, the work is as safe as before
        work(answer.tell)
    except MasterError as error:
        answer.tell(None, str(error))
    except Exception as error:
        answer.tell(
            None, f"Unexpected {type(error).__name__} while working on the master: {error}; please report this."
        )
    finally:
        os._exit(0)  # nothing of the parent's (Ansible's) clean-up may run twice


def _start(work: t.Callable[[Tell[T]], None]) -> tuple[int, bytes]:
    sys.stdout.flush()
    sys.stderr.flush()
    answers, mine = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _work_in_child(work, mine)
    os.close(mine)
    with os.fdopen(answers, "rb") as stream:
        data = stream.read()
    if not data:
        os.waitpid(pid, 0)
        raise MasterError(
            "The process that was working on this master was killed from outside before it ended; run again: the next "
            "run finds what it left and finishes it."
        )
    return pid, data


def _result(data: bytes) -> t.Any:
    answer = json.loads(data)
    if answer["error"]:
        raise MasterError(answer["error"])
    return answer["result"]


def run_detached(work: t.Callable[[], T]) -> T:
    """Do the work in a process of its own session and give its result, which must be plain values for JSON.

    If this process is killed or its connection is cut, the work goes on to its end. Raises the work's MasterError.
    """

    def work_and_tell(tell: Tell[T]) -> None:
        tell(work())

    pid, data = _start(work_and_tell)
    os.waitpid(pid, 0)
    return t.cast(T, _result(data))


def start_detached(work: t.Callable[[Tell[T]], None]) -> T:
    """Start work that goes on after this process, and give what it tells first, which must be plain values for JSON.

    Raises the MasterError with which it ends before it tells anything.
    """
    return t.cast(T, _result(_start(work)[1]))
