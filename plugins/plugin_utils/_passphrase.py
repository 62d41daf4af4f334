# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module that is given a passphrase, so that it gets into neither an event of the job nor a result."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import printable
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory

__all__ = ["PassphraseAction"]


def _without_what_was_given(done: dict[str, t.Any]) -> dict[str, t.Any]:
    """Take what a module was given, and what it printed when it was cut off, out of its result.

    From ansible-core 2.22 on both can hold the values of no_log options as they are.
    """
    kept = {name: value for name, value in done.items() if name not in ("invocation", "module_stdout", "module_stderr")}
    if "module_stdout" in done:
        said = [line.strip() for line in str(done.get("module_stderr") or "").splitlines() if line.strip()]
        why = f"; the last that it said: {printable(said[-1], longest=300)}" if said else ""
        kept["msg"] = f"The module was cut off, or could not begin (exit status {done.get('rc')}){why}; run again."
    return kept


class PassphraseAction(ActionBase):
    """An action that runs the module of the same name. option: the one that holds the passphrase.

    The option with ``_var`` behind it names a variable instead: the arguments of a task are in the events of a job with
    the values that they have when the task runs, whether or not they are secret.
    """

    module: str
    option: str

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module once."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        asked = dict(self._task.args)
        try:
            name = asked.pop(f"{self.option}_var", None)
            if name and asked.get(self.option):
                raise PlanError(f"Both {self.option} and {self.option}_var are given; give one of them.")
            if name and (task_vars or {}).get(name):
                asked[self.option] = self._templar.template((task_vars or {})[name])
            if asked.get(self.option):
                send_in_memory(self._connection, "the passphrase")
        except PlanError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error)}
        done = self._execute_module(module_name=self.module, module_args=asked, task_vars=task_vars)
        return {**result, **_without_what_was_given(done)}
