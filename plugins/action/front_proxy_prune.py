# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide for each cluster what no master has any more, and have one master take it out of what is published."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.prune import (
    Published,
    read_published,
    read_taken,
    read_watched,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.decide import (
    Decision,
    decide,
    longest_wait,
    read_uses,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.told import (
    as_result,
    diff,
    refuse_what_came_back,
    summary,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.use import Use
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.published import NAMESPACE_AND_NAME
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._border import MasterAction, NoAnswer
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import (
    read_kubeconfig,
    refuse_for_several_clusters,
)
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._surveys import CLUSTER, read_seen

T = t.TypeVar("T")

_MODULE = "kubeops.aggregation_layer.front_proxy_prune"
# So often a change that comes between a look and the order is looked at anew.
_TRIES = 5


@dataclass(frozen=True)
class _Cluster:
    """All masters of a cluster, and the one through which its API is asked."""

    name: str
    uses: t.Sequence[Use]
    host: str
    process: t.Mapping[str, t.Any]


def _reads_the_api(seen: Seen) -> bool:
    layer = seen.facts["layer"] if seen.facts else None
    return bool(layer and layer["published"] is not None)


def _why_unread(seen: Seen) -> str:
    layer = seen.facts["layer"] if seen.facts else None
    return f"{seen.name}: {(layer and layer['error']) or 'no pair to ask with'}"


def _doubt(arguments: t.Mapping[str, t.Any], active: t.Iterable[str], hostvars: t.Mapping[str, t.Any]) -> str:
    """Say why the masters that were named may not be all of them; empty if they are."""
    members, pattern = arguments["members"], arguments["pattern"]
    stray = [name for name in active if name not in members]
    alone = pattern in hostvars and [name for name in hostvars[pattern].get("group_names") or () if name != "ungrouped"]
    if not stray and not alone:
        return ""
    what = f"which is one host of {', '.join(alone)}" if alone else f"which does not hold {', '.join(stray)}"
    return (
        f"front_proxy_hosts is {pattern}, {what}, so it is not known which other masters the cluster has, one of which "
        "may hold what the others do not have; set front_proxy_hosts to the group of all masters."
    )


class ActionModule(MasterAction):
    """Take what no master of this master's cluster has any more out of what is published."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Look at all masters of the cluster as they were observed; one of them then does it."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "members": {"type": "list", "elements": "str", "required": True},
                "pattern": {"type": "str", "default": "masters"},
                "observed_var": {"type": "str", "required": True},
                "kubeconfig": {"type": "path"},
                "watch": {"type": "int", "default": 70},
                "may_wait": {"type": "bool", "default": False},
            }
        )
        own = str(variables["inventory_hostname"])
        nothing = {"changed": False, "took_part": False, "host": "", "wait": 0}
        try:
            require()
            cluster = self._cluster(own, arguments, variables)
            wait, why = longest_wait(cluster.uses)
            if wait and not self._task.check_mode and not arguments["may_wait"]:
                raise PlanError(f"{why[:1].upper()}{why[1:]}; run again then.")
            ahead = {**result, **nothing, "host": cluster.host, "wait": wait, "why_wait": why}
            if own != cluster.host or (wait and not self._task.check_mode):
                return ahead
            return {**ahead, "wait": 0, **self._prune(cluster, arguments, variables, why), **self.interpreter}
        except NoAnswer as problem:
            return {**result, **nothing, **problem.as_result(), **self.interpreter}
        except UserError as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, **nothing, "failed": True, "msg": str(error)}

    def _cluster(self, own: str, arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> _Cluster:
        """Give the cluster of this master. Raises PlanError where one of its masters is not known for sure."""
        hostvars, active = variables["hostvars"], [str(name) for name in variables["ansible_play_batch"]]
        names = dict.fromkeys(map(str, [*arguments["members"], *variables["ansible_play_hosts_all"]]))
        seen = {
            name: read_seen(name, hostvars[name], arguments["observed_var"], active=name in active)
            for name in names
            if name in hostvars
        }
        cluster = seen[own].cluster
        # one that is left out and does not say which cluster it belongs to may be of any
        mine = [
            each
            for name, each in seen.items()
            if each.cluster == cluster or (each.left_out and not hostvars[name].get(CLUSTER))
        ]
        try:
            doubt = _doubt(arguments, active, hostvars)
            if doubt:
                raise PlanError(doubt)
            uses = read_uses(cluster, mine)
        except PlanError as error:
            raise PlanError(f"Nothing is taken out of {NAMESPACE_AND_NAME} of {cluster}: {error}") from None
        asked = next((each for each in mine if each.name in active and _reads_the_api(each)), None)
        if asked is None or asked.facts is None:
            why = "; ".join(map(_why_unread, mine))
            raise PlanError(
                f"{NAMESPACE_AND_NAME} of {cluster} could not be read through any of its masters ({why}); see what "
                "kubeops.aggregation_layer.verify says of them, or give front_proxy_kubeconfig, and run again."
            )
        return _Cluster(cluster, uses, asked.name, t.cast("t.Mapping[str, t.Any]", asked.facts["process"]))

    def _asked(
        self, cluster: _Cluster, arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Give what every step needs to ask the API with. Raises PlanError."""
        asked: dict[str, t.Any] = {"process": cluster.process}
        if arguments["kubeconfig"]:
            path = from_here(arguments["kubeconfig"])
            refuse_for_several_clusters(path, cluster.name, variables)
            asked["user"], asked["credentials"] = read_kubeconfig(path)
        return asked

    def _step(
        self, step: str, asked: t.Mapping[str, t.Any], variables: dict[str, t.Any], reader: t.Callable[[t.Any], T]
    ) -> T:
        if "credentials" in asked:
            send_in_memory(self._connection, "the credentials of the kubeconfig")
        return self.ask(_MODULE, {**asked, "step": step}, variables, reader)

    def _take_out(
        self, cluster: _Cluster, asked: t.Mapping[str, t.Any], variables: dict[str, t.Any]
    ) -> tuple[Decision, int]:
        """Read, decide, and take out; from the beginning where somebody changes it meanwhile.

        Gives what was decided, and how often. Raises PlanError, NoAnswer.
        """
        published: Published | None = self._step("look", asked, variables, read_published)
        for tries in range(1, _TRIES + 1):
            if published is None:
                break
            decision = decide(cluster.uses, published)
            if self._task.check_mode or not decision.any:
                return decision, tries
            order = {**asked, **decision.order, "version": published["version"]}
            done = self._step("take_out", order, variables, read_taken)
            if done["taken"]:
                return decision, tries
            published = done["now"]
        raise PlanError(
            f"{NAMESPACE_AND_NAME} of {cluster.name} was changed by somebody else {_TRIES} times between the look at "
            "it and the change, so nothing was taken out; find out who does (metadata.managedFields), and run again."
        )

    def _prune(
        self, cluster: _Cluster, arguments: t.Mapping[str, t.Any], variables: dict[str, t.Any], not_yet: str
    ) -> dict[str, t.Any]:
        """Take out, and see that it stays out. not_yet: why it would have to wait, in check mode."""
        asked = self._asked(cluster, arguments, variables)
        decision, tries = self._take_out(cluster, asked, variables)
        told: dict[str, t.Any] = {
            **as_result(decision),
            "changed": decision.any,
            "took_part": True,
            "cluster": cluster.name,
            "tries": tries,
            "watched": 0,
        }
        if self._task.diff and decision.any:
            told["diff"] = diff(decision)
        if decision.any and not self._task.check_mode and arguments["watch"] > 0:
            order = {**asked, **decision.order, "seconds": arguments["watch"]}
            try:
                watched = self._step("watch", order, variables, read_watched)
                refuse_what_came_back(decision, watched)
            except UserError as error:
                # it was changed all the same
                return {**told, "failed": True, "msg": str(error)}
            told["watched"] = watched["seconds"]
        notes = [f"not yet: {not_yet}"] if not_yet and decision.any else []
        notes += [f"decided {tries} times, because somebody changed it meanwhile"] if tries > 1 else []
        notes += [f"still out after {told['watched']} s"] if told["watched"] else []
        lines = summary(cluster.name, cluster.host, decision, checking=bool(self._task.check_mode), notes=notes)
        return {**told, "summary": lines}
