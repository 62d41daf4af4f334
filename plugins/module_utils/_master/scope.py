# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leave the login session, so that systemd does not end this process with it.

With ``KillUserProcesses=yes`` (logind.conf(5)) everything that a session has started is killed when it ends: also what
sudo made root's, and also a process with a session of its own in the sense of setsid(2). What counts is the control
group. So systemd is asked for a scope (systemd.scope(5)) beside all sessions, with this process in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time

__all__ = ["leave_session"]

# There exactly where systemd is the init (sd_booted(3)).
_BOOTED = "/run/systemd/system"
_CGROUPS = "/proc/self/cgroup"
_PATH = "/usr/bin:/bin:/usr/local/bin:/sbin:/usr/sbin"
# In seconds: it takes some milliseconds, and where it does not work, the work must begin all the same.
_PATIENCE = 5.0
_PAUSE = 0.01


def _is_in(scope: str) -> bool:
    try:
        with open(_CGROUPS, encoding="utf-8", errors="replace") as stream:
            return any(line.rstrip("\n").endswith(f"/{scope}") for line in stream)
    except OSError:
        return False


def _ask_for(scope: str, program: str) -> bool:
    """Have systemd make a scope with this process in it (StartTransientUnit of org.freedesktop.systemd1(5))."""
    words = [
        *(program, "--system", "call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1"),
        *("org.freedesktop.systemd1.Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", scope, "fail", "2"),
        *("Description", "s", "A change of kube-apiserver's aggregation layer"),
        *("PIDs", "au", "1", str(os.getpid()), "0"),
    ]
    nothing = subprocess.DEVNULL
    try:
        done = subprocess.run(words, check=False, stdin=nothing, stdout=nothing, stderr=nothing, timeout=_PATIENCE)
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def leave_session() -> bool:
    """Move this process out of its login session. Tells whether that is so; False where no systemd can be asked."""
    program = shutil.which("busctl", path=_PATH)
    if program is None or not os.path.isdir(_BOOTED):
        return False
    scope = f"front-proxy-{os.getpid()}.scope"
    if not _ask_for(scope, program):
        return False
    deadline = time.monotonic() + _PATIENCE
    # systemd answers before it has done it
    while not _is_in(scope):
        if time.monotonic() >= deadline:
            return False
        time.sleep(_PAUSE)
    return True
