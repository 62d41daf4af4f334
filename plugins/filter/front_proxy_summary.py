# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role asks of the results that it keeps: who failed, and the summary that it ends with."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.result import TaskResults
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.summary import summarize


def _results(variables: t.Mapping[str, t.Any], registered: t.Mapping[str, str]) -> TaskResults:
    found = {part: variables.get(registered[part]) for part in TaskResults.__annotations__}
    return t.cast(TaskResults, found)


def front_proxy_summary(
    plan: t.Mapping[str, t.Any], hostvars: t.Mapping[str, t.Any], registered: t.Mapping[str, str], checking: bool
) -> list[str]:
    """See front_proxy_summary.yml beside this file."""
    results = {str(name): _results(hostvars[name], registered) for name in hostvars}
    seen = {name: each for name, each in results.items() if each["observed"] is not None}
    return summarize(t.cast(t.Any, plan), seen, checking=checking)


def front_proxy_failed(
    members: t.Sequence[str], hostvars: t.Mapping[str, t.Any], registered: t.Mapping[str, str]
) -> list[str]:
    """See front_proxy_failed.yml beside this file."""
    failed = []
    for name in members:
        found = [hostvars[name].get(variable) for part, variable in registered.items() if part != "proof"]
        if any(result and (result.get("failed") or result.get("unreachable")) for result in found):
            failed.append(str(name))
    return failed


def _why_down(name: str, variables: t.Mapping[str, t.Any], registered: t.Mapping[str, str]) -> str:
    """Say why the server of a master does not serve after a change that was cut off is finished; empty if it does."""
    observed = variables.get(registered["observed"])
    if not variables.get(registered["recovered"]) or not observed or observed.get("root"):
        return ""
    probe = observed.get("probe")
    if not probe:
        why = "no kube-apiserver is running"
    elif not probe["answers"]:
        why = f"its kube-apiserver does not answer ({probe['error']})"
    elif not probe["ready"] and probe["reload_hook"] is not None:
        why = "its kube-apiserver says that it is not ready"
    else:
        return ""
    return f"on {name} of the same cluster a change that was cut off has been finished, and {why}"


def front_proxy_down(
    members: t.Sequence[str],
    hostvars: t.Mapping[str, t.Any],
    registered: t.Mapping[str, str],
    playing: t.Container[str],
) -> list[str]:
    """See front_proxy_down.yml beside this file."""
    failed = [str(name) for name in members if name not in playing]
    failed += front_proxy_failed([name for name in members if name in playing], hostvars, registered)
    down = [_why_down(str(name), hostvars[name], registered) for name in members if name not in failed]
    return [*(f"{name} of the same cluster failed" for name in failed), *filter(None, down)]


class FilterModule:
    """Ansible's entry."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Name the filters."""
        return {
            "front_proxy_down": front_proxy_down,
            "front_proxy_failed": front_proxy_failed,
            "front_proxy_summary": front_proxy_summary,
        }
