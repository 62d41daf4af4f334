# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look at a master: what comes of a module that could not even start."""

from __future__ import annotations

import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.playbook.task import Task
from ansible_collections.kubeops.aggregation_layer.plugins.action import apiserver_info


def run(answer: t.Dict[str, t.Any]) -> t.Dict[str, t.Any]:
    """Run the action with a module that answers this."""
    task = MagicMock(spec=Task)
    task.args, task.async_val, task.check_mode, task.diff = {}, 0, False, False
    task.action = "kubeops.aggregation_layer.apiserver_info"
    action = apiserver_info.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
    action._execute_module = lambda **dummy: dict(answer)
    return dict(action.run(None, {}))


def test_what_the_module_says_goes_through() -> None:
    assert run({"changed": False, "format": 1})["format"] == 1
    assert run({"failed": True, "msg": "There is no manifest."})["msg"] == "There is no manifest."


def test_a_module_that_fails_unexpectedly_is_not_blamed_on_the_python() -> None:
    trace = 'Traceback (most recent call last):\n  File "x", line 1, in y\nValueError: odd\n'
    done = run({"failed": True, "module_stdout": "", "module_stderr": trace, "msg": "MODULE FAILURE"})
    assert "ended unexpectedly on this master (it said: ValueError: odd)" in done["msg"]
    assert "ansible_python_interpreter" not in done["msg"] and not {"module_stdout", "module_stderr"} & set(done)
    old = trace.replace("ValueError: odd", "ModuleNotFoundError: No module named 'dataclasses'")
    done = run({"failed": True, "module_stdout": "", "module_stderr": old, "msg": "MODULE FAILURE"})
    assert "ansible_python_interpreter" in done["msg"]


@pytest.mark.parametrize(
    ("stderr", "word"),
    [
        ('  File "<stdin>", line 3\nSyntaxError: future feature annotations is not defined\n', "it said: SyntaxError"),
        ("/bin/sh: 1: /usr/bin/python3: not found\n", "it said: /bin/sh: 1: /usr/bin/python3: not found"),
        ("", "on this master: its Python"),
    ],
)
def test_a_python_that_cannot_run_it_is_a_sentence_and_no_traceback(stderr: str, word: str) -> None:
    done = run({"failed": True, "module_stdout": "", "module_stderr": stderr, "msg": "No start of json char found"})
    assert done["failed"] and word in done["msg"] and "ansible_python_interpreter" in done["msg"]
    assert "\n" not in done["msg"] and not {"module_stdout", "module_stderr"} & set(done)
