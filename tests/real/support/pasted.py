# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paste what verify says into a shell, while somebody does what a kubelet does: it runs what the manifest says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from support.ansible_run import Ansible, environment_for
from support.live import LiveMaster

__all__ = ["Paste", "Shell", "is_command", "run_on_controller"]

_COMMAND = re.compile(r"run(?: on (\S+))?: (.+)", re.DOTALL)
# What is kept of a change lies in /etc/kubernetes: here in a layer over /etc, which ends with the shell.
_OVER_ETC = """\
mount -t tmpfs tmpfs "$1" && mkdir "$1/upper" "$1/work" &&
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc || exit 97
mkdir -p /etc/kubernetes && exec sh -c "$2"
"""
# The tool by which the kubelet is started: the test does it when the file is there.
_SYSTEMCTL = """\
#!/bin/sh
[ "$*" = "start kubelet" ] || exit 1
touch "$(dirname "$0")/kubelet-is-wanted"
"""
_SECONDS = 240


def is_command(fix: str) -> bool:
    """Whether a fix is one that is pasted."""
    return _COMMAND.fullmatch(fix) is not None


class Shell:
    """The shell of the one who reads the findings. programs: a search path with kubeadm and kubectl."""

    def __init__(self, ansible: Ansible, folder: Path, programs: str) -> None:
        self._folder = folder
        self._ansible = ansible
        self._programs = programs
        self._tools = folder / "tools"
        self._tools.mkdir()
        (self._tools / "systemctl").write_text(_SYSTEMCTL)
        (self._tools / "systemctl").chmod(0o755)
        (folder / "layer").mkdir()

    def paste(self, fix: str, *masters: LiveMaster) -> str:
        """Do what a fix says, and return what was printed. Raises AssertionError if it is no command, or fails."""
        found = _COMMAND.fullmatch(fix)
        assert found, f"this is no command: {fix}"
        assert found.group(1) in (None, *(master.name for master in masters)), fix
        environment = environment_for(self._ansible.collections, self._ansible.home)
        folders = [str(self._tools), str(Path(sys.executable).parent), self._programs]
        environment["PATH"] = os.pathsep.join(folders)
        before = {master.name: master.manifest.read_bytes() for master in masters}
        log = self._folder / "pasted.log"
        words = ("unshare", "--mount", "sh", "-c", _OVER_ETC, "sh", str(self._folder / "layer"), found.group(2))
        with log.open("wb") as output:
            running = subprocess.Popen(
                words,
                cwd=self._ansible.home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            self._follow(running, masters, before)
        printed = log.read_text(errors="replace")
        assert running.returncode == 0, f"{fix}\nended with status {running.returncode}:\n{printed}"
        return printed

    def _follow(
        self, running: subprocess.Popen[bytes], masters: t.Sequence[LiveMaster], before: dict[str, bytes]
    ) -> None:
        """Restart each server whose manifest becomes another one, until the command has ended."""
        deadline = time.monotonic() + _SECONDS
        while running.poll() is None:
            for master in masters:
                text = master.manifest.read_bytes() if master.manifest.exists() else b""
                if text and text != before[master.name]:
                    before[master.name] = text
                    master.restart()
            if time.monotonic() > deadline:
                running.kill()
                running.wait()
            time.sleep(0.1)
        wanted = self._tools / "kubelet-is-wanted"
        if wanted.exists():
            wanted.unlink()
            for master in masters:
                if master.kubelet is None:
                    master.start_kubelet()


class Paste(t.Protocol):
    """The type of the fixture ``paste``."""

    def __call__(self, fix: str, *masters: LiveMaster) -> str:
        """Do what a fix says."""


def run_on_controller(ansible: Ansible, found: t.Mapping[str, t.Any], *more: str) -> str:
    """Run a fix that is a playbook and restarts nothing; more: words typed behind it. Gives what it printed."""
    where, _colon, command = found["fix"].partition(": ")
    program, *words = shlex.split(command, comments=True)
    assert where == "run" and program == "ansible-playbook", found
    return ansible.run(program, *words, *more)
