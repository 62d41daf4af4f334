# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module as it is, and say in a sentence why it could not even start."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._silence import explain_silence


class ActionModule(ActionBase):
    """Look at one master."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module; a Python that cannot run it prints no result, and the reason on its error output."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        done = self._execute_module(task_vars=task_vars)
        return {**result, **explain_silence(done)}
