# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run this machine's commands, and say in a failure what they said."""

from __future__ import annotations

import os
import subprocess
import typing as t
from pathlib import Path

__all__ = ["BedError", "lacking", "run", "succeeds"]


class BedError(Exception):
    """The testbed cannot do what it should; the message says what failed and what was printed last."""


def run(*command: str, seconds: float = 300, check: bool = True, given: str | None = None) -> str:
    """Run a command and return what it printed. Raises BedError if it fails or takes longer."""
    try:
        done = subprocess.run(
            command,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise BedError(f"{' '.join(command)}: not done after {seconds:g} s\n{_tail(exc.stdout)}") from exc
    except OSError as exc:
        raise BedError(f"{command[0]} cannot be run: {exc}") from exc
    if check and done.returncode:
        raise BedError(f"{' '.join(command)}: status {done.returncode}\n{_tail(done.stdout)}")
    return done.stdout


def succeeds(*command: str) -> bool:
    """Say whether a command succeeds."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def lacking(packages: t.Sequence[str]) -> str:
    """Say why there can be no cluster on this machine; empty if there can. packages: what is not installed."""
    if not Path("/etc/debian_version").exists():
        return "a cluster of real masters is made from Debian's packages, and this is not Debian"
    if os.geteuid() != 0:
        return "a cluster of real masters needs root: it makes namespaces, mounts and control groups"
    if packages:
        return f"not installed: apt-get install --no-install-recommends {' '.join(packages)}"
    return ""


def _tail(output: t.Union[str, bytes, None], lines: int = 30) -> str:
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    return "\n".join(text.splitlines()[-lines:])
