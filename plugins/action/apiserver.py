# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide on the controller what one master needs, and send it in one round trip. The master only reads and writes."""

from __future__ import annotations

import json
import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import BACKDATE, utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.carried import read_flags
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import MasterChange, decide_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.master import Master, read_master
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.order import build_order, show_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.proof import unproven
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wanted import read_files
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._refusals import leak

_MODULE = "kubeops.aggregation_layer.apiserver"
_INFO = "kubeops.aggregation_layer.apiserver_info"


def _impatience(arguments: t.Mapping[str, t.Any]) -> str | None:
    for name in ("wait_timeout", "lock_timeout"):
        if arguments[name] < (1 if name == "wait_timeout" and arguments["wait"] else 0):
            return f"{name} is {arguments[name]}, and nothing could be waited for in that; give a number of seconds."
    return None


class ActionModule(ActionBase):
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
            return {**result, **self._work(arguments, variables)}
        except (ManifestError, PkiError, PlanError) as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "changed": False, "msg": str(error)}

    def _work(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        facts = arguments["observed"] or self._observe(arguments, variables)
        if facts.get("failed") or facts.get("unreachable"):
            return facts
        recovered: dict[str, t.Any] = {}
        if facts.get("pending") and not self._task.check_mode:
            done = self._send({"recover": True}, arguments, variables)
            if done.get("failed") or done.get("unreachable"):
                return done
            recovered = {"recovered": done["msg"], "changed": True}
            facts = self._observe(arguments, variables)
            if facts.get("failed") or facts.get("unreachable"):
                return facts
        master = self._read(facts, arguments)
        flags = read_flags(arguments["flags"])
        wishes, contents = read_files(arguments["files"], self._find_source, checking=self._task.check_mode)
        change = decide_change(master, flags, wishes, container=arguments["container"])
        result = {**self._report(master, change), **recovered}
        if facts.get("pending") and self._task.check_mode:
            result.update(changed=True, recovered="A change that was cut off would be finished first.")
        waits = arguments["wait"] and master.live
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
        done = self._send({"order": json.dumps(order)}, arguments, variables)
        return self._merge(result, done)

    def _observe(self, arguments: dict[str, t.Any], variables: dict[str, t.Any]) -> dict[str, t.Any]:
        asked = {name: arguments[name] for name in ("manifest", "root", "lock_timeout")}
        asked["controller_clock"] = time.time()
        asked["paths"] = [str(file["path"]) for file in arguments["files"] if file.get("path")]
        result: dict[str, t.Any] = self._execute_module(module_name=_INFO, module_args=asked, task_vars=variables)
        return result

    def _read(self, facts: dict[str, t.Any], arguments: dict[str, t.Any]) -> Master:
        return read_master(
            "this master", facts, container=arguments["container"], now=utc_now(), backdate=BACKDATE.total_seconds()
        )

    def _find_source(self, source: str) -> str:
        path: str = self._loader.path_dwim(source)
        return path

    def _send(
        self, what: dict[str, t.Any], arguments: dict[str, t.Any], variables: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Have the module do its work. What it may get, a private key, must not touch the master's disk on its way."""
        send_in_memory(self._connection, "a private key")
        asked = {"root": arguments["root"], "lock_timeout": arguments["lock_timeout"], **what}
        result: dict[str, t.Any] = self._execute_module(module_name=_MODULE, module_args=asked, task_vars=variables)
        result.pop("invocation", None)
        if result.get("failed") and "module_stdout" in result:
            result["msg"] = (
                f"The module on the master was cut off (exit status {result.get('rc')}); what it began goes on there "
                "by itself: run again, and the next run waits for it, or finishes it."
            )
        return result

    def _report(self, master: Master, change: MasterChange) -> dict[str, t.Any]:
        result: dict[str, t.Any] = {
            "changed": not change.empty,
            "reasons": [*change.reasons, *change.flag_reasons],
            "files": [write.host for write in change.files],
            "manifest_changed": change.text is not None,
            "restart": change.restart,
        }
        if self._task.diff:
            result["diff"] = show_change(master, change)
        return result

    @staticmethod
    def _merge(result: dict[str, t.Any], done: dict[str, t.Any]) -> dict[str, t.Any]:
        changed = bool(done.get("changed") or result.get("recovered"))
        done.pop("manifest", None)
        return {**result, **done, "changed": changed}
