# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Say what a run of the role has done, from the results that its tasks kept for each host. Runs on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.result import PlanResult, TaskResults
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._present.plan_summary import summarize
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._screen import is_verbose, show


def _results(variables: t.Mapping[str, t.Any], registered: t.Mapping[str, str]) -> TaskResults:
    found = {part: variables.get(registered[part]) for part in TaskResults.__annotations__}
    return t.cast(TaskResults, found)


class ActionModule(ActionBase):
    """Say what was done."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Gather, summarize, show."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "plan_var": {"type": "str", "required": True},
                "registered_vars": {"type": "dict", "required": True},
            }
        )
        hostvars, registered = variables["hostvars"], arguments["registered_vars"]
        results = {str(name): _results(hostvars[name], registered) for name in hostvars}
        lines = summarize(
            t.cast(PlanResult, variables.get(arguments["plan_var"]) or {}),
            {name: each for name, each in results.items() if each["observed"] is not None},
            checking=self._task.check_mode,
            verbose=is_verbose(),
        )
        show(lines)
        return {**result, "changed": False, "summary": [line.text for line in lines]}
