# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the result of every task on every host as a line of JSON, so that a test can look at it."""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase


def _part(result: t.Any, name: str) -> t.Any:
    """A part of a task's result: ansible-core names them without an underscore from 2.19 on."""
    return getattr(result, name) if hasattr(result, name) else getattr(result, "_" + name)


class CallbackModule(CallbackBase):
    """Appends to the file that the variable TASK_RESULTS names."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_results"
    CALLBACK_NEEDS_ENABLED = True

    def _write(self, status: str, result: t.Any, ignored: bool = False) -> None:
        task = _part(result, "task")
        line = {
            "host": _part(result, "host").get_name(),
            "task": task.get_name(),
            "action": task.action,
            "status": status,
            "ignored": ignored,
            "result": _part(result, "result"),
        }
        with open(os.environ["TASK_RESULTS"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=str) + "\n")

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._write("ok", result)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._write("failed", result, ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        self._write("unreachable", result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        self._write("skipped", result)
