# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``spec`` of the modules that look at a master: it stays on the controller."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError

__all__ = ["take_spec"]


def take_spec(arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """Take the option out of a task's arguments, so that it is not sent to the master. Raises PlanError."""
    spec = arguments.pop("spec", None)
    if spec is None:
        return {}
    if not isinstance(spec, dict):
        raise PlanError("The option spec is no mapping; give one, or leave it out.")
    return spec
