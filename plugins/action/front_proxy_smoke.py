# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide for each master what it does in a step of the smoke test, and have it done."""

from __future__ import annotations

import secrets
import typing as t
from datetime import timedelta

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.smoke_objects import (
    NAMESPACE,
    service_of,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.throw_away import throw_away_pair
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import read_kubeconfig
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._silence import explain_silence

_MODULE = "kubeops.aggregation_layer.front_proxy_smoke"
# Under these names the role keeps what was observed, and what came of the first step.
_OBSERVED, _BEGUN = "front_proxy__surveyed", "front_proxy__smoke_begun"
# A step takes half a minute at the most; forks do the masters in turns.
_LIFE, _LIFE_OF_A_MASTER = 120, 30


def _observed(variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    found: dict[str, t.Any] = plain(variables.get(_OBSERVED) or {})
    return {} if found.get("failed") or found.get("unreachable") else found


def _reads_the_api(found: t.Mapping[str, t.Any]) -> bool:
    return bool(found.get("process")) and (found.get("layer") or {}).get("published") is not None


class ActionModule(ActionBase):
    """Do one step of the smoke test on one master."""

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Run the module where this master has a part in the step."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "step": {"type": "str", "choices": ["begin", "ask", "end"], "required": True},
                "kubeconfig": {"type": "path"},
            }
        )
        try:
            if self._task.check_mode:
                return {**result, "changed": False, "skipped": True}
            return {**result, "changed": False, **self._step(arguments, variables)}
        except (PkiError, PlanError) as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "changed": False, "msg": str(error)}

    def _step(self, arguments: t.Mapping[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        own, step = str(variables["inventory_hostname"]), arguments["step"]
        members = self._masters_of_its_cluster(own, variables)
        found = members.get(own, {})
        asked: dict[str, t.Any] = {"step": step, "process": found.get("process")}
        if step == "begin":
            host = next((name for name in members if _reads_the_api(members[name])), "")
            asked.update(self._server(len(members)) if own == host else {})
        else:
            begun = {name: plain(variables["hostvars"][name].get(_BEGUN) or {}) for name in members}
            host = next((name for name in members if begun[name].get("group")), "")
            if host and (own == host if step == "end" else found.get("process")):
                asked["test"] = begun[host]["test"]
        if "test" not in asked:
            return {"host": host}
        if arguments["kubeconfig"] and step != "end":
            asked["user"], asked["credentials"] = read_kubeconfig(from_here(arguments["kubeconfig"]))
        if "key" in asked or "credentials" in asked:
            send_in_memory(self._connection, "a private key")
        done = self._execute_module(module_name=_MODULE, module_args=asked, task_vars=variables)
        done.pop("invocation", None)
        return {**explain_silence(done), "host": host, "test": asked["test"]}

    def _masters_of_its_cluster(self, own: str, variables: t.Mapping[str, t.Any]) -> dict[str, dict[str, t.Any]]:
        """The masters of this master's cluster that could be looked at, as they were observed."""
        found = {str(name): _observed(variables["hostvars"][name]) for name in variables["ansible_play_batch"]}
        clusters = {name: (seen.get("carry") or {}).get("cluster") for name, seen in found.items()}
        return {name: seen for name, seen in found.items() if seen and clusters[name] == clusters.get(own)}

    def _server(self, masters: int) -> dict[str, t.Any]:
        test, life = secrets.token_hex(4), _LIFE + _LIFE_OF_A_MASTER * masters
        host = f"{service_of(test)}.{NAMESPACE}.svc"
        certificate, key = throw_away_pair(host, life=timedelta(seconds=life), now=utc_now())
        return {"test": test, "certificate": certificate, "key": key, "life": life}
