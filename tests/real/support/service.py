# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start a server as a process of its own, wait until it is ready, and stop it for sure."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
import typing as t
from pathlib import Path

__all__ = ["Service", "ServiceError", "free_port"]

PR_SET_PDEATHSIG = 1  # linux/prctl.h
READY_SECONDS = 90
LOG_LINES = 40

# Loaded before any fork: between fork and exec nothing may be loaded.
libc = ctypes.CDLL(None, use_errno=True)


class ServiceError(Exception):
    """A server did not start or did not become ready; the message ends with the last lines of its log."""


class Service:
    """A server process. It dies with the process that started it, even when that one is killed."""

    def __init__(
        self, title: str, argv: t.Sequence[str], log: Path, environment: t.Mapping[str, str] | None = None
    ) -> None:
        """Start it. environment: variables besides those of this process."""
        self.title = title
        self.log = log
        parent = os.getpid()

        def die_with_parent() -> None:
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os.kill(os.getpid(), signal.SIGKILL)

        with log.open("wb") as output:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def wait_until(self, ready: t.Callable[[], bool], *, seconds: float = READY_SECONDS) -> None:
        """Ask ``ready`` until it is true.

        Raises ServiceError, with the log's end, when the process ends or after ``seconds``.
        """
        deadline = time.monotonic() + seconds
        while not ready():
            if self.process.poll() is not None:
                raise ServiceError(f"{self.title} ended with status {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServiceError(f"{self.title} is not ready after {seconds:g} s:\n{self.tail()}")
            time.sleep(0.1)

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def stop(self) -> None:
        """Kill the process and what it started: its data is thrown away, so there is nothing to finish."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def free_port() -> int:
    """A TCP port of the loopback address that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
