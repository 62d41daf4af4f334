# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaving the login session: what systemd is asked, and that the work begins whatever it answers."""

from __future__ import annotations

import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import scope
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.detached import run_detached

SESSION = "0::/user.slice/user-1000.slice/session-3.scope\n"
# It does what systemd does: some time after its answer the process is in the scope.
MOVES = (
    'printf "%s\\n" "$@" > {folder}/asked; (sleep 0.2; echo "1:name=systemd:/x" > {folder}/new; '
    'echo "0::/system.slice/$8" >> {folder}/new; mv {folder}/new {folder}/cgroup) & exit 0'
)


class Machine(t.NamedTuple):
    """A machine with a systemd that is pretended."""

    folder: Path

    def answer(self, script: str) -> None:
        """Have its busctl do this."""
        program = self.folder / "busctl"
        program.write_text(f"#!/bin/sh\n{script.format(folder=self.folder)}\n")
        program.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    (tmp_path / "cgroup").write_text(SESSION)
    monkeypatch.setattr(scope, "_BOOTED", str(tmp_path))
    monkeypatch.setattr(scope, "_CGROUPS", str(tmp_path / "cgroup"))
    monkeypatch.setattr(scope, "_PATH", str(tmp_path))
    monkeypatch.setattr(scope, "_PATIENCE", 2.0)
    return Machine(tmp_path)


def test_systemd_is_asked_for_a_scope_of_its_own(machine: Machine) -> None:
    machine.answer(MOVES)
    assert scope.leave_session()
    asked = (machine.folder / "asked").read_text().split("\n")
    name = f"front-proxy-{os.getpid()}.scope"
    assert asked[:2] == ["--system", "call"] and "StartTransientUnit" in asked
    assert asked[asked.index("PIDs") :] == ["PIDs", "au", "1", str(os.getpid()), "0", ""]
    assert asked[asked.index("ssa(sv)a(sa(sv))") + 1 :][:3] == [name, "fail", "2"]
    assert name in (machine.folder / "cgroup").read_text()


def test_the_work_is_in_it_before_it_begins(machine: Machine) -> None:
    machine.answer(MOVES)
    found = run_detached(lambda: {"cgroup": (machine.folder / "cgroup").read_text(), "pid": os.getpid()})
    assert f"/system.slice/front-proxy-{found['pid']}.scope" in found["cgroup"] and found["pid"] != os.getpid()


@pytest.mark.parametrize("script", ["exit 1", "exit 0", "exec sleep 60", "kill -9 $$"])
def test_the_work_begins_whatever_it_answers(machine: Machine, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(scope, "_PATIENCE", 0.3)
    machine.answer(script)
    began = time.monotonic()
    assert not scope.leave_session()
    assert run_detached(lambda: {"a": 1}) == {"a": 1} and time.monotonic() - began < 40


@pytest.mark.parametrize("missing", ["systemd", "busctl", "proc"])
def test_nothing_is_asked_where_nobody_answers(machine: Machine, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    if missing != "busctl":
        machine.answer(MOVES if missing == "systemd" else "exit 0")
    if missing == "systemd":
        monkeypatch.setattr(scope, "_BOOTED", str(machine.folder / "gone"))
    if missing == "proc":
        monkeypatch.setattr(scope, "_CGROUPS", str(machine.folder / "gone"))
        monkeypatch.setattr(scope, "_PATIENCE", 0.3)
    assert not scope.leave_session()
    assert not (machine.folder / "asked").exists()
