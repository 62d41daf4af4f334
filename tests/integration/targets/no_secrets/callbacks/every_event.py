# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write down all that a callback plugin is given with any event, and at the end all variables."""

from __future__ import annotations

import json
import os
import typing as t
from collections.abc import Mapping

from ansible.plugins.callback import CallbackBase

# What the user gives himself, and so stays where he put it.
OWN = ("front_proxy_ca_passphrase",)


def _task(task: t.Any) -> dict[str, t.Any]:
    """A task's name, arguments, and variables, as they are at the time of the event."""
    return {name: getattr(task, name, None) for name in ("name", "action", "args", "vars", "environment")}


def _told(thing: t.Any) -> t.Any:
    """All that can be read from something that comes with an event."""
    if hasattr(thing, "action") and hasattr(thing, "args"):
        return thing.action if "ONLY_RESULTS" in os.environ else _task(thing)
    if type(thing).__name__ in ("CallbackTaskResult", "TaskResult"):
        parts = {name: getattr(thing, name, None) for name in ("_result", "_task_fields", "result", "exception")}
        task = getattr(thing, "task", None) or thing._task
        if "ONLY_RESULTS" in os.environ:
            return parts["_result"]
        # beside what it offers also what it keeps to itself
        return {"task": _task(task), **parts, "kept": repr(vars(thing))}
    if type(thing).__name__ == "IncludedFile":
        return vars(thing)
    return thing


def _without_own(value: t.Any) -> t.Any:
    """The value, and whatever it holds, without what the user gives himself: all variables are also among "vars"."""
    if isinstance(value, Mapping):
        return {name: _without_own(inner) for name, inner in value.items() if name not in OWN}
    return [_without_own(inner) for inner in value] if isinstance(value, list) else value


class CallbackModule(CallbackBase):
    """Appends events to the file that EVENTS names, and writes the variables of all hosts into that of VARIABLES.

    With ONLY_RESULTS set, it leaves out what the tasks were given.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "every_event"
    CALLBACK_NEEDS_ENABLED = True

    play: t.Any = None

    def event(self, name: str, *words: t.Any, **options: t.Any) -> None:
        """Take note of one event."""
        if name == "v2_playbook_on_play_start":
            self.play = words[0]
        line = [name, [_told(word) for word in words], {key: _told(word) for key, word in options.items()}]
        with open(os.environ["EVENTS"], "a", encoding="utf-8") as stream:
            stream.write(json.dumps(line, default=repr) + "\n")
        if name == "v2_playbook_on_stats" and self.play is not None:
            self.write_variables()

    def write_variables(self) -> None:
        """Write the variables of every host: facts, what was registered, what was set, what the inventory says."""
        manager = self.play.get_variable_manager()
        found = {}
        inventory = manager._inventory
        hosts = inventory.get_hosts(ignore_limits=True, ignore_restrictions=True)
        for host in {*hosts, inventory.get_host("localhost")} - {None}:
            variables = manager.get_vars(play=self.play, host=host, include_hostvars=False)
            found[host.get_name()] = _without_own(variables)
        with open(os.environ["VARIABLES"], "w", encoding="utf-8") as stream:
            json.dump(found, stream, default=repr)


def _recorder(name: str) -> t.Callable[..., None]:
    """The method for one kind of event."""

    def record(self: CallbackModule, *words: t.Any, **options: t.Any) -> None:
        self.event(name, *words, **options)

    return record


for _name in dir(CallbackBase):
    # on_any comes with each of the others
    if _name.startswith("v2_") and _name != "v2_on_any":
        setattr(CallbackModule, _name, _recorder(_name))
