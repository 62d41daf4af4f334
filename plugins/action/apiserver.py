# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide on the controller what one master needs, and send it in one round trip. The master only reads and writes."""

from __future__ import annotations

import time
import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import (
    Observation,
    read_observation,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import write_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.outcome import (
    Outcome,
    read_outcome,
    read_recovered,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import BACKDATE, utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import MasterChange, decide_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.kubelet import refuse_unread
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.master import Master, read_master
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.order import build_order, show_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.proof import unproven
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.variables import read_flags
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wanted import read_files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError, printable
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._border import MasterAction, NoAnswer
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._refusals import leak

T = t.TypeVar("T")

_MODULE = "kubeops.aggregation_layer.apiserver"
_INFO = "kubeops.aggregation_layer.apiserver_info"


def _impatience(arguments: t.Mapping[str, t.Any]) -> str | None:
    for name in ("wait_timeout", "lock_timeout"):
        if arguments[name] < (1 if name == "wait_timeout" and arguments["wait"] else 0):
            return f"{name} is {arguments[name]}, and nothing could be waited for in that; give a number of seconds."
    return None


class ActionModule(MasterAction):
    """Bring one master to a wanted state."""

    TRANSFERS_FILES = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Look (or take what was looked at), decide, and have it done."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "flags": {"type": "dict", "default": {}},
                "files": {"type": "list", "elements": "dict", "default": []},
                "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
                "container": {"type": "str", "default": "kube-apiserver"},
                "wait": {"type": "bool", "default": True},
                "wait_timeout": {"type": "int", "default": 300},
                "lock_timeout": {"type": "int", "default": 300},
                "root": {"type": "path"},
                "observed": {"type": "dict"},
            }
        )
        try:
            require()
            problem = leak() or _impatience(arguments)
            if problem:
                raise PlanError(problem)
            return {**result, **self._work(arguments, variables), **self.interpreter}
        except NoAnswer as error:
            return {**result, **error.as_result(), **self.interpreter}
        except UserError as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "changed": False, "msg": str(error)}

    def _work(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        seen = self._given(arguments["observed"]) if arguments["observed"] else self._observe(arguments, variables)
        recovered: dict[str, t.Any] = {}
        if seen["pending"] and not self._task.check_mode:
            told = self._send({"recover": True}, arguments, variables, read_recovered)
            if told.get("failed"):
                return {"failed": True, "changed": told["changed"], "msg": printable(told["msg"])}
            recovered = {"recovered": printable(told["msg"]), "changed": True}
            seen = self._observe(arguments, variables)
        master = self._read(seen, arguments)
        flags = read_flags(arguments["flags"])
        wishes, contents = read_files(arguments["files"], self._find_source, checking=self._task.check_mode)
        change = decide_change(master, flags, wishes, container=arguments["container"])
        waits = arguments["wait"] and master.live
        if waits:
            refuse_unread(master, flags, changes=change.text is not None)
        result = {**self._report(master, change), **recovered}
        if seen["pending"] and self._task.check_mode:
            result.update(changed=True, recovered="A change that was cut off would be finished first.")
        if self._task.check_mode or (change.empty and not (waits and unproven(master, flags))):
            return result
        order = build_order(
            master,
            change,
            flags,
            contents,
            wait=arguments["wait_timeout"] if waits else 0,
            lock_timeout=arguments["lock_timeout"],
        )
        outcome = self._send({"order": write_order(order)}, arguments, variables, read_outcome)
        return self._merge(result, outcome)

    def _given(self, observed: t.Mapping[str, t.Any]) -> Observation:
        """Read an observation that an earlier task registered. Raises PlanError."""
        found = plain(observed)
        if found.get("failed") or found.get("unreachable"):
            raise PlanError(f"This master could not be looked at: {found.get('msg') or 'no reason was given'}")
        try:
            return read_observation(found)
        except ContractError as error:
            raise PlanError(
                f"The option observed is no result of apiserver_info of this release of the collection ({error}); give "
                "one, or leave it out."
            ) from None

    def _observe(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> Observation:
        asked = {name: arguments[name] for name in ("manifest", "root", "lock_timeout")}
        asked["controller_clock"] = time.time()
        asked["paths"] = [file["path"] for file in arguments["files"] if str(file.get("path")).startswith("/")]
        return self.ask(_INFO, asked, variables, read_observation)

    def _read(self, seen: Observation, arguments: dict[str, t.Any]) -> Master:
        return read_master(
            "this master", seen, container=arguments["container"], now=utc_now(), backdate=BACKDATE.total_seconds()
        )

    def _find_source(self, source: str) -> str:
        path: str = self._loader.path_dwim(source)
        return path

    def _send(
        self,
        what: dict[str, t.Any],
        arguments: dict[str, t.Any],
        variables: dict[str, t.Any],
        reader: t.Callable[[t.Any], T],
    ) -> T:
        """Have the module do its work. What it may get, a private key, must not touch the master's disk on its way."""
        send_in_memory(self._connection, "a private key")
        asked = {"root": arguments["root"], "lock_timeout": arguments["lock_timeout"], **what}
        cut_off = (
            "The module on the master was cut off; what it began goes on there by itself: run again, and the next run "
            "waits for it, or finishes it."
        )
        return self.ask(_MODULE, asked, variables, reader, silence=cut_off, reads_failures=True)

    def _report(self, master: Master, change: MasterChange) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {
            "changed": not change.empty,
            "reasons": [*change.reasons, *change.flag_reasons],
            "files": [write.seen.host for write in change.files],
            "manifest_changed": change.text is not None,
            "restart": change.restart,
        }
        if self._task.diff:
            result["diff"] = show_change(master, change)
        return result

    @staticmethod
    def _merge(result: dict[str, t.Any], outcome: Outcome) -> dict[str, t.Any]:
        """Put what was decided and what came of it together."""
        merged = {
            **result,
            "changed": bool(outcome["changed"] or result.get("recovered")),
            "files": outcome["files"],
            "restarted": outcome["restarted"],
            "rolled_back": outcome["rolled_back"],
        }
        for name in ("seconds", "backup"):
            if name in outcome:
                merged[name] = outcome[name]  # type: ignore[literal-required]
        if "last_words" in outcome:
            merged["last_words"] = [printable(line) for line in outcome["last_words"]]
        if outcome.get("failed"):
            merged.update(failed=True, msg=printable(outcome.get("msg") or "It failed without a word."))
        return merged
