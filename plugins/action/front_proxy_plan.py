# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collect what was observed of all masters, look at the controller's PKI folders, and plan. Runs on the controller."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import read_observation
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import read_folder
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.clusters import Report, plan_clusters
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.variables import read_settings, read_wish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._refusals import (
    leak,
    signs_as_another,
    unfit_strategy,
)

# By this variable hosts tell which cluster they belong to.
_CLUSTER = "front_proxy_cluster"


def _report(
    name: str,
    variables: t.Mapping[str, t.Any],
    observed: t.Mapping[str, t.Any] | None,
    active: bool,
    lost: bool,
    looked: t.Mapping[str, t.Any] | None,
) -> Report:
    fresh = bool(observed)
    found = plain(observed or looked or {})
    failure = ""
    if found.get("unreachable"):
        why = found.get("msg", "no reason given")
        failure = f"{name} is unreachable ({why}); make it reachable, or leave it out with --limit '!{name}'."
    elif found.get("failed"):
        failure = str(found.get("msg", "it could not be observed"))
    elif lost:
        failure = (
            f"{name} failed earlier in this run; mend that, or leave it out with --limit '!{name}', and run again."
        )
    # the option spec of the task that looked: it has never been on a master
    spec = found.get("spec") or {}
    facts = wish = settings = None
    if found and not failure:
        try:
            facts = read_observation(found)
            if spec:
                wish, settings = read_wish(spec), read_settings(spec)
        except ContractError as error:
            failure = f"What was registered for {name} is no result of apiserver_info of this release ({error})."
        except PlanError as error:
            facts, failure = None, str(error)
    return Report(
        name=name,
        cluster=str(spec.get("cluster") or variables.get(_CLUSTER) or ""),
        # one that failed is no longer active, and stops its cluster all the same; an active one that was not observed
        # has no part in this call of the role, which is in a rescue
        targeted=(active and fresh) or lost or (fresh and bool(failure)),
        facts=facts,
        failure=failure or f"{name} was not looked at; run again without leaving it out.",
        wish=wish,
        settings=settings,
    )


def _doubt(pattern: str, members: t.Sequence[str], active: t.Sequence[str], hostvars: t.Mapping[str, t.Any]) -> str:
    """Say why the masters that were named may not be all of them; empty if they are."""
    stray = [name for name in active if name not in members]
    alone = pattern in hostvars and [
        group for group in hostvars[pattern].get("group_names") or () if group != "ungrouped"
    ]
    if not stray and not alone:
        return ""
    what = f"which is one host of {', '.join(alone)}" if alone else f"which does not hold {', '.join(stray)}"
    return (
        f"No front-proxy CA was found, and front_proxy_hosts is {pattern}, {what}: so it is not known which other "
        "masters the cluster has, one of which may hold the CA; set front_proxy_hosts to the group of all masters "
        "(and use --limit to leave some out)."
    )


class ActionModule(ActionBase):
    """Plan for all masters of the play and their clusters."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Return the plan; a refusal is a part of it, not a failure of this task."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "members": {"type": "list", "elements": "str", "required": True},
                "pattern": {"type": "str", "default": "masters"},
                "looked": {"type": "list", "elements": "dict", "default": []},
                "observed_var": {"type": "str", "required": True},
            }
        )
        active = list(variables["ansible_play_batch"])
        # in an earlier task of this play, or an earlier batch of it
        lost = set(variables["ansible_play_hosts_all"]) - set(variables["ansible_play_hosts"])
        hostvars = variables["hostvars"]
        looked = {result["item"]: result for result in arguments["looked"] if result.get("item")}
        members = dict.fromkeys([*arguments["members"], *variables["ansible_play_hosts_all"]])
        problem = leak() or unfit_strategy(self._task)
        try:
            require()
            if problem:
                raise PlanError(problem)
            reports = [
                _report(
                    str(name),
                    hostvars[name],
                    hostvars[name].get(arguments["observed_var"]),
                    name in active,
                    name in lost,
                    looked.get(name),
                )
                for name in members
                if name in hostvars
            ]
            doubt = _doubt(arguments["pattern"], arguments["members"], active, hostvars)
            plan = plan_clusters(reports, read_folder=read_folder, now=utc_now(), doubt=doubt)
            problem = signs_as_another(plan["clusters"], load_extra_vars(self._loader), self._templar.template)
            if problem:
                raise PlanError(problem)
        except UserError as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "msg": str(error)}
        return {**result, "changed": False, **plan}
