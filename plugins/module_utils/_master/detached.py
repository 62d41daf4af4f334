# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run work that must end even if the controller, the connection or the module's own process does."""

from __future__ import annotations

import json
import os
import signal
import sys
import typing as t

from .errors import MasterError

__all__ = ["run_detached"]


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


def _work_in_child(work: t.Callable[[], t.Mapping[str, t.Any]], answers: int) -> None:
    try:
        _become_independent(answers)
        try:
            answer: t.Mapping[str, t.Any] = {"result": work()}
        except MasterError as error:
            answer = {"error": str(error)}
        except Exception as error:
            answer = {
                "error": f"Unexpected {type(error).__name__} while changing the master: {error}; please report this."
            }
        data = json.dumps(answer).encode()
        while data:
            data = data[os.write(answers, data) :]
    except OSError:
        pass  # nobody listens any more: the work is done all the same
    finally:
        os._exit(0)  # nothing of the parent's (Ansible's) clean-up may run twice


def run_detached(work: t.Callable[[], t.Mapping[str, t.Any]]) -> dict[str, t.Any]:
    """Do the work in a process of its own session and give its result, which must be plain values for JSON.

    If this process is killed or its connection is cut, the work goes on to its end. Raises the work's MasterError.
    """
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
    os.waitpid(pid, 0)
    if not data:
        raise MasterError(
            "The process that was changing this master was killed from outside before it ended; run again: the next "
            "run finds what it left and finishes it."
        )
    answer = json.loads(data)
    if "error" in answer:
        raise MasterError(answer["error"])
    result: dict[str, t.Any] = answer["result"]
    return result
