# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module, with the credentials of a kubeconfig of the controller if one is named."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import read_kubeconfig
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._silence import explain_silence

_MODULE = "kubeops.aggregation_layer.aggregation_layer_info"


class ActionModule(ActionBase):
    """Look at the aggregation layer as one master sees it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module once."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        asked = dict(self._task.args)
        try:
            if asked.get("kubeconfig"):
                send_in_memory(self._connection, "the credentials of the kubeconfig")
                asked["user"], asked["credentials"] = read_kubeconfig(from_here(str(asked["kubeconfig"])))
        except PlanError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error)}
        done = self._execute_module(module_name=_MODULE, module_args=asked, task_vars=task_vars)
        if "credentials" in asked:
            done.pop("invocation", None)
        return {**result, **explain_silence(done)}
