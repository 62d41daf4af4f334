# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the kube-apiserver of one master, and keep only what the contract knows of its answer."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import read_observation
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.variables import read_timeout
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._border import MasterAction, NoAnswer, unshown
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._spec import take_spec

_MODULE = "kubeops.aggregation_layer.apiserver_info"


class ActionModule(MasterAction):
    """Look at one master."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module once."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        asked, spec = dict(self._task.args), {}
        try:
            spec = take_spec(asked)
            # the master needs it before the plan reads all of it
            read_timeout(spec)
            seen: t.Mapping[str, t.Any] = self.ask(_MODULE, asked, task_vars, read_observation)
        except PlanError as error:
            return {**result, "failed": True, "changed": False, "msg": str(error)}
        except NoAnswer as problem:
            return {**result, **problem.as_result(), "spec": spec, **self.interpreter}
        return {**result, **seen, "changed": False, "spec": spec, **self.interpreter, **unshown(seen)}
