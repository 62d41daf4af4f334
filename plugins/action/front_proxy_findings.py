# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge what was observed of all masters, show it to people as a table, and write it down. Runs on the controller."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
import typing as t
from dataclasses import replace

from ansible import constants as C
from ansible import context
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import iso, utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import Shell, UserError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen, Verdict, judge
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.model import SEVERITIES, rank
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.table import headline, table
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.view import CONFIGURE
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._hosts import GROUPS
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._smoke_steps import read_smoke
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._surveys import read_seen

display = Display()

# The variable that names the hosts, and options of the command line that the next call needs, too.
_HOSTS = "front_proxy_hosts"
_OPTIONS = {"become": "-b", "become_ask_pass": "-K", "ask_pass": "-k"}
_COLOURS = {"broken": C.COLOR_ERROR, "at_risk": C.COLOR_CHANGED, "will_break": C.COLOR_CHANGED, "ok": C.COLOR_OK}


def _seen(name: str, variables: t.Mapping[str, t.Any], arguments: t.Mapping[str, t.Any], active: bool) -> Seen:
    seen = read_seen(name, variables, arguments["observed_var"], active=active)
    return replace(seen, smoke=read_smoke(variables, arguments)) if seen.facts else seen


def _command(variables: t.Mapping[str, t.Any], pattern: str, extra: t.Mapping[str, t.Any]) -> Shell:
    """The command line that configures the masters of this run in the way in which it was called, to be pasted.

    Of extra variables only the group of hosts: others may be secrets. pattern: of the hosts; extra: those variables.
    """
    given = context.CLIARGS
    words = ["ansible-playbook"]
    words += [f"-i {shlex.quote(str(source))}" for source in variables.get("ansible_inventory_sources") or ()]
    words += [option for name, option in _OPTIONS.items() if given.get(name)]
    words += [f"-u {shlex.quote(given['remote_user'])}"] if given.get("remote_user") else []
    words.append(CONFIGURE)
    # a group that the playbook finds by itself need not be named
    named = _HOSTS in extra or pattern not in GROUPS
    words += [f"-e {_HOSTS}={shlex.quote(pattern)}"] if named else []
    return Shell(" ".join(words))


def _failing(verdict: Verdict, fail_on: str, active: t.AbstractSet[str]) -> dict[str, str]:
    """By active host, the headline of its cluster's worst finding, where that is as bad as fail_on or worse.

    So what is wrong with one cluster, or is said to be by one of its masters, stops no host of another. Only a cluster
    without an active host, for which nobody could fail, fails them all.
    """
    several, found = len(verdict.clusters) > 1, dict[str, str]()
    for worst in verdict.findings if fail_on != "never" else ():
        if rank(worst.severity) <= rank(fail_on):
            hosts = active & set(verdict.clusters.get(worst.cluster, ())) or active
            found = {**dict.fromkeys(sorted(hosts), headline(worst, several=several)), **found}
    return found


def _report(verdict: Verdict, result: t.Mapping[str, t.Any]) -> str:
    document = {
        "format": 1,
        "time": iso(utc_now()),
        "clusters": {cluster: list(names) for cluster, names in verdict.clusters.items()},
        **result,
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _write(path: str, text: str) -> None:
    """Write a file in one step. Raises PlanError."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", prefix=".front-proxy-report-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise PlanError(f"Cannot write front_proxy_report {path}: {error.strerror}; name another place.") from None


class ActionModule(ActionBase):
    """Find what is wrong with the aggregation layer of all masters of the play."""

    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Judge, show, write."""
        result: dict[str, t.Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        dummy, arguments = self.validate_argument_spec(
            argument_spec={
                "fail_on": {"type": "str", "default": "will_break", "choices": [*SEVERITIES, "never"]},
                "target_release": {"type": "str", "default": ""},
                "report": {"type": "path"},
                "show": {"type": "bool", "default": True},
                "members": {"type": "list", "elements": "str", "default": []},
                "pattern": {"type": "str", "default": "masters"},
                "observed_var": {"type": "str", "required": True},
                "smoke_vars": {"type": "dict", "default": {}},
            }
        )
        try:
            require()
            return {**result, "changed": False, **self._judge(arguments, variables)}
        except UserError as error:
            # not raised: ansible-core 2.18 would show a traceback with it
            return {**result, "failed": True, "msg": str(error)}

    def _judge(self, arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
        hostvars = variables["hostvars"]
        active = {str(name) for name in variables["ansible_play_batch"]}
        names = dict.fromkeys(map(str, [*arguments["members"], *variables["ansible_play_hosts_all"]]))
        seen = [_seen(name, hostvars[name], arguments, name in active) for name in names if name in hostvars]
        command = _command(variables, arguments["pattern"], load_extra_vars(self._loader))
        verdict = judge(seen, command=command, target_release=arguments["target_release"])
        findings, worst = verdict.findings, verdict.findings[0] if verdict.findings else None
        failing = _failing(verdict, arguments["fail_on"], active)
        result: dict[str, t.Any] = {
            "findings": [found.as_dict() for found in findings],
            "notes": list(verdict.notes),
            "worst": worst.severity if worst else "",
            "headline": headline(worst, several=len(verdict.clusters) > 1) if worst else "",
            "failing": failing,
            "wrong": bool(failing),
        }
        if arguments["show"]:
            for line in table(verdict):
                display.display(line.text, color=_COLOURS.get(line.severity))
        if arguments["report"] and not self._task.check_mode:
            _write(from_here(arguments["report"]), _report(verdict, result))
        return result
