# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the aggregation layer from one master, with the credentials of a kubeconfig of the controller, if one is
given, and keep only what the contract knows of the answer.
"""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import read_survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._border import MasterAction, NoAnswer, unshown
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import (
    read_kubeconfig,
    refuse_for_several_clusters,
)
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._spec import take_spec

_MODULE = "kubeops.aggregation_layer.aggregation_layer_info"


class ActionModule(MasterAction):
    """Look at the aggregation layer as one master sees it."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module once."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        asked, spec = dict(self._task.args), {}
        try:
            spec = take_spec(asked)
            given = asked.pop("kubeconfig", None)
            if given:
                path = from_here(str(given))
                refuse_for_several_clusters(path, str(spec.get("cluster") or ""), task_vars or {})
                send_in_memory(self._connection, "the credentials of the kubeconfig")
                asked["user"], asked["credentials"] = read_kubeconfig(path)
            seen: t.Mapping[str, t.Any] = self.ask(_MODULE, asked, task_vars, read_survey)
        except PlanError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error), "spec": spec}
        except NoAnswer as problem:
            return {**result, **problem.as_result(), "spec": spec, **self.interpreter}
        return {**result, **seen, "changed": False, "spec": spec, **self.interpreter, **unshown(seen)}
