# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module as it is, and say in a sentence why it could not even start."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Look at one master."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module; a Python that cannot run it prints no result, and the reason on its error output."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        done = self._execute_module(task_vars=task_vars)
        if done.get("failed") and "module_stdout" in done:
            done.pop("module_stdout")
            said = [line.strip() for line in str(done.pop("module_stderr", None) or "").splitlines() if line.strip()]
            why = f" (it said: {said[-1]})" if said else ""
            done["msg"] = (
                f"The module gave no result on this master{why}: its Python is missing, older than 3.8, or broken; set "
                "ansible_python_interpreter to one that is 3.8 or newer."
            )
        return {**result, **done}
