# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the playbooks work on: the one place that knows, for their plays and for the role in them."""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.utils.vars import load_extra_vars
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError

__all__ = ["GROUPS", "find_pattern", "see_hosts"]

# The role's default of the variable names the same groups in the same order: ours, kubespray's, kubeasz's.
GROUPS = ("masters", "kube_control_plane", "kube_master")
_VARIABLE = "front_proxy_hosts"
_SET_IT = f"set {_VARIABLE} to the group of all masters in group_vars/all, or with -e {_VARIABLE}=GROUP"


def _hosts(pattern: str, variables: t.Mapping[str, t.Any], loader: t.Any, limit: str | None = None) -> list[str]:
    """The hosts of the inventory that match, as ansible.builtin.inventory_hostnames finds them."""
    manager = InventoryManager(loader, parse=False)
    for group, hosts in variables["groups"].items():
        manager.add_group(group)
        for host in hosts:
            manager.add_host(host, group=group)
    try:
        if limit:
            manager.subset(limit)
        return [str(host.name) for host in manager.get_hosts(pattern)]
    except AnsibleError:
        return []


def _text(value: t.Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise PlanError(f"{_VARIABLE} is {value!r} for {where}, which is no pattern; {_SET_IT}.")
    return str(value)


def find_pattern(variables: t.Mapping[str, t.Any], loader: t.Any) -> str:
    """Give the pattern of the hosts to work on. Raises PlanError if nothing tells it, or if it is not clear.

    What holds for all hosts counts first, then the groups. A host's own variables cannot choose hosts, so they are
    looked at to refuse, or where nothing else tells.
    """
    groups, hostvars = variables["groups"], variables.get("hostvars")
    group = next((name for name in GROUPS if name in groups), "")
    if hostvars is None:
        # no play has begun: a syntax check or a listing, in which Ansible knows no variables of groups
        return str(load_extra_vars(loader).get(_VARIABLE) or group or GROUPS[0])
    everywhere = hostvars["localhost"].get(_VARIABLE)
    if everywhere is not None:
        return _text(everywhere, "all hosts")
    own: dict[str, str] = {}
    for name in groups[group or "all"]:
        wish = hostvars[name].get(_VARIABLE)
        if wish is not None:
            own.setdefault(_text(wish, name), str(name))
    if group:
        for pattern, name in own.items():
            if not set(_hosts(pattern, variables, loader)) <= set(groups[group]):
                raise PlanError(
                    f"{_VARIABLE} is {pattern} for {name}, which holds hosts that the group {group} does not; the "
                    f"hosts of a play are chosen before variables of their own count, so {_SET_IT}."
                )
        return group
    if len(own) > 1:
        wishes = ", ".join(f"{pattern} for {name}" for pattern, name in own.items())
        raise PlanError(f"{_VARIABLE} is {wishes}; {_SET_IT}.")
    if not own:
        raise PlanError(f"The inventory has none of the groups {', '.join(GROUPS)}; {_SET_IT}.")
    return next(iter(own))


def see_hosts(pattern: str, variables: t.Mapping[str, t.Any], loader: t.Any) -> None:
    """Raise PlanError if a run on this pattern would look at nobody, which Ansible calls a success."""
    limit = variables.get("ansible_limit")
    if "hostvars" not in variables and not (limit and not variables["groups"].get("all")):
        # a syntax check or a listing; in a run without any host, --limit keeps even the first play from beginning
        return
    if not _hosts(pattern, variables, loader):
        raise PlanError(f"The inventory has no hosts in {pattern}; put the masters there, or {_SET_IT}.")
    if limit and not _hosts(pattern, variables, loader, limit):
        raise PlanError(
            f"--limit {limit} leaves none of the masters ({pattern}), so nothing would be looked at; name one of them "
            "in it, or leave it out."
        )
