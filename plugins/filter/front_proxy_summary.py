# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role asks of the results that it keeps: who failed, and the summary that it ends with."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.summary import summarize

# Under these names the role registers what its tasks did on a host.
_RESULTS = {
    "observed": "front_proxy__observed",
    "recovered": "front_proxy__recovered",
    "ca": "front_proxy__ca",
    "client": "front_proxy__client",
    "applied": "front_proxy__applied",
    "proof": "front_proxy__proof",
}


def front_proxy_summary(plan: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any], checking: bool) -> list[str]:
    """See front_proxy_summary.yml beside this file."""
    results = {}
    for name in hostvars:
        variables = hostvars[name]
        found = {part: variables.get(variable) for part, variable in _RESULTS.items()}
        if found["observed"] is not None:
            results[str(name)] = found
    return summarize(plan, results, checking=checking)


def front_proxy_failed(members: t.Sequence[str], hostvars: t.Mapping[str, t.Any]) -> list[str]:
    """See front_proxy_failed.yml beside this file."""
    failed = []
    for name in members:
        found = [hostvars[name].get(variable) for part, variable in _RESULTS.items() if part != "proof"]
        if any(result and (result.get("failed") or result.get("unreachable")) for result in found):
            failed.append(str(name))
    return failed


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filters."""
        return {"front_proxy_failed": front_proxy_failed, "front_proxy_summary": front_proxy_summary}
