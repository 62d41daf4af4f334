# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what the steps of the smoke test registered for a host."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.smoke import (
    read_asked,
    read_begun,
    read_ended,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.smoke import Smoke
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain

__all__ = ["STEPS", "read_smoke"]

#: The steps, in their order, with the reader of what a master tells of each.
STEPS: t.Mapping[str, t.Callable[[t.Any], t.Any]] = {"begin": read_begun, "ask": read_asked, "end": read_ended}


def read_smoke(variables: t.Mapping[str, t.Any], arguments: t.Mapping[str, t.Any]) -> Smoke | None:
    """Read what came of the smoke test on a master; None if there was none.

    arguments: with ``smoke_vars``, the variables in which the results of the steps are registered.
    """
    told: dict[str, t.Any] = {}
    failures: dict[str, str] = {}
    ran = False
    for step, reader in STEPS.items():
        result = plain(variables.get(arguments["smoke_vars"].get(step) or "") or {})
        failed = bool(result.get("failed") or result.get("unreachable"))
        # in check mode nothing is done, and no host is chosen
        ran = ran or failed or "host" in result
        if failed:
            failures[step] = str(result.get("msg") or "no reason was given").strip()
        elif result.get("took_part"):
            try:
                told[step] = reader(result)
            except ContractError as error:
                failures[step] = f"what was registered is no result of front_proxy_smoke ({error})"
    return Smoke(told.get("begin"), told.get("ask"), told.get("end"), failures) if ran else None
