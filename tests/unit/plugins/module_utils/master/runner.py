# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the modules of a master as Ansible does, in this process, and catches what they write to the system's log."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible.module_utils import basic

try:
    # where modules log from ansible-core 2.22 on
    from ansible.module_utils._internal import _logging as logs
except ImportError:
    logs = basic

__all__ = ["Runner"]


class Runner:
    """One module; works with every ansible-core from 2.18 on."""

    def __init__(
        self, main: t.Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._main, self._monkeypatch, self._capsys = main, monkeypatch, capsys
        self.output = ""
        self.log: list[str] = []

        def write(*words: t.Any, **fields: t.Any) -> None:
            self.log.append(repr((words, fields)))

        class Journal:
            send = staticmethod(write)

        class Syslog:
            LOG_INFO = LOG_USER = 0
            openlog = staticmethod(lambda *dummy: None)
            syslog = staticmethod(write)

        # both ways by which a module can log, whatever this machine has
        monkeypatch.setattr(logs, "has_journal", False)
        monkeypatch.setattr(logs, "journal", Journal, raising=False)
        monkeypatch.setattr(logs, "HAS_SYSLOG", True)
        monkeypatch.setattr(logs, "syslog", Syslog)

    def __call__(self, *, check: bool = False, **options: t.Any) -> dict[str, t.Any]:
        arguments = {
            **options,
            "_ansible_check_mode": check,
            "_ansible_remote_tmp": "/tmp",
            "_ansible_keep_remote_files": False,
        }
        self._monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        self._monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        self._capsys.readouterr()
        with pytest.raises(SystemExit):
            self._main()
        captured = self._capsys.readouterr()
        assert captured.err == ""
        result: dict[str, t.Any] = json.loads(captured.out)
        # so a module tells Ansible from 2.22 on what to mask; that takes it out of the result
        result.pop("_ansible_new_secrets", None)
        self.output = json.dumps(result)
        return result

    def refused(self, **options: t.Any) -> str:
        """The sentence with which the module fails."""
        result = self(**options)
        assert result.get("failed") and not result.get("changed"), result
        message = str(result["msg"])
        assert "Traceback" not in message and "\n" not in message and message.endswith(".")
        return message
