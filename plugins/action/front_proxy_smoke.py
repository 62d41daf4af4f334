# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide for each master what it does in a step of the smoke test, and have it done."""

from __future__ import annotations

import secrets
import typing as t
from datetime import timedelta

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import Survey, read_survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.smoke_objects import (
    NAMESPACE,
    group_of,
    service_of,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.throw_away import throw_away_pair
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._border import MasterAction, NoAnswer
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import (
    read_kubeconfig,
    refuse_for_several_clusters,
)
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._smoke_steps import STEPS

_MODULE = "kubeops.aggregation_layer.front_proxy_smoke"
# A step takes half a minute at the most; forks do the masters in turns.
_LIFE, _LIFE_OF_A_MASTER = 120, 30


class _Member(t.NamedTuple):
    """A master that could be looked at. cluster: as the variables of its host say; seen: what was seen of it."""

    cluster: str
    seen: Survey


def _member(registered: t.Any) -> _Member | None:
    found = plain(registered or {})
    if not found or found.get("failed") or found.get("unreachable"):
        return None
    try:
        return _Member(str((found.get("spec") or {}).get("cluster") or ""), read_survey(found))
    except ContractError:
        return None


def _reads_the_api(seen: Survey) -> bool:
    return bool(seen["process"] and seen["layer"] and seen["layer"]["published"] is not None)


class ActionModule(MasterAction):
    """Do one step of the smoke test on one master."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module where this master has a part in the step."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "choices": list(STEPS), "required": True},
                "kubeconfig": {"type": "path"},
                "observed_var": {"type": "str", "required": True},
                "begun_var": {"type": "str"},
            }
        )
        try:
            if self._task.check_mode:
                return {**result, "changed": False, "took_part": False}
            return {**result, "changed": False, **self._step(arguments, variables), **self.interpreter}
        except NoAnswer as problem:
            return {**result, **problem.as_result(), **self.interpreter}
        except UserError as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "changed": False, "msg": str(error)}

    def _step(self, arguments: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        own, step = str(variables["inventory_hostname"]), arguments["step"]
        members = self._masters_of_its_cluster(own, variables, arguments["observed_var"])
        process = members[own].seen["process"] if own in members else None
        asked: dict[str, t.Any] = {"step": step, "process": process}
        if step == "begin":
            host = next((name for name, member in members.items() if _reads_the_api(member.seen)), "")
            asked.update(self._server(len(members)) if own == host else {})
        else:
            hostvars = variables["hostvars"]
            begun = {name: plain(hostvars[name].get(arguments["begun_var"]) or {}) for name in members}
            host = next((name for name in members if begun[name].get("took_part")), "")
            if host and (own == host if step == "end" else process):
                asked["test"] = begun[host]["test"]
        if "test" not in asked:
            return {"host": host, "took_part": False}
        if arguments["kubeconfig"] and step != "end":
            path = from_here(arguments["kubeconfig"])
            refuse_for_several_clusters(path, members[own].cluster, variables)
            asked["user"], asked["credentials"] = read_kubeconfig(path)
        if "key" in asked or "credentials" in asked:
            send_in_memory(self._connection, "a private key")
        told = self.ask(_MODULE, asked, variables, STEPS[step])
        # the test is known by what was made here, and not by what a master says
        named = {"host": host, "test": asked["test"], "group": group_of(asked["test"])}
        return {**told, **named, "took_part": True}

    def _masters_of_its_cluster(
        self, own: str, variables: t.Mapping[str, t.Any], observed_var: str
    ) -> dict[str, _Member]:
        """The masters of this master's cluster that could be looked at, as they were observed."""
        hostvars = variables["hostvars"]
        found = {str(name): _member(hostvars[name].get(observed_var)) for name in variables["ansible_play_batch"]}
        mine = found.get(own)
        return {name: member for name, member in found.items() if mine and member and member.cluster == mine.cluster}

    def _server(self, masters: int) -> dict[str, t.Any]:
        test, life = secrets.token_hex(4), _LIFE + _LIFE_OF_A_MASTER * masters
        host = f"{service_of(test)}.{NAMESPACE}.svc"
        certificate, key = throw_away_pair(host, life=timedelta(seconds=life), now=utc_now())
        return {"test": test, "certificate": certificate, "key": key, "life": life}
