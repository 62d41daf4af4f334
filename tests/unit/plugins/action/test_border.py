# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The border: whatever a master prints, Ansible and the controller get a typed answer, or one sentence.

What Ansible does with what is printed is its own; the integration target hostile_master has the rest of the way.
"""

from __future__ import annotations

import inspect
import json
import typing as t
from unittest.mock import MagicMock

import pytest
from ansible.errors import AnsibleConnectionFailure
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.kubeops.aggregation_layer.plugins.action import apiserver_info
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import FORMAT
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils import _border
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm

Answer = t.Dict[str, t.Any]
NAME = "kubeops.aggregation_layer.apiserver_info"
SPEC = {"cluster": "blue"}


class Master:
    """A master whose Python prints anything."""

    low_level: t.Any = None

    def prints(self, stdout: str, stderr: str = "", status: int = 0) -> Answer:
        """Ask it, and give the result of the task."""
        printed = {"stdout": stdout, "stderr": stderr, "rc": status, "stdout_lines": [], "stderr_lines": []}

        def execute(**dummy: t.Any) -> Answer:
            """The end of Ansible's own _execute_module, which is not of one shape in all its releases."""
            more = ["legacy"] if "profile" in inspect.signature(ActionBase._parse_returned_data).parameters else []
            parsed = self.action._parse_returned_data(printed, *more)
            found: Answer = parsed if isinstance(parsed, dict) else parsed.as_result_dict(for_round_trip=True)
            return found

        return self.run(execute)

    def answers(self, **changes: t.Any) -> Answer:
        """Ask it; it tells what an honest master does, but for these changes."""
        return self.prints(json.dumps({**kubeadm().observe(), **changes}))

    def run(self, execute: t.Callable[..., Answer], **arguments: t.Any) -> Answer:
        """Run the action; execute: in place of the round trip."""
        task = MagicMock(Task)
        task.action = task.resolved_action = NAME
        task.args = {"spec": SPEC, **arguments}
        task.async_val, task.check_mode, task.diff = 0, False, False
        self.action = apiserver_info.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        self.action._execute_module = execute
        self.action._low_level_execute_command = self.low_level or MagicMock()
        for context in (self.action._play_context, self.action._connection._play_context):
            context.no_log = False
        return dict(self.action.run(None, {}))


@pytest.fixture
def master() -> Master:
    return Master()


def refusal(result: Answer) -> str:
    """The one sentence of a refusal: nothing else comes out."""
    assert set(result) <= {"failed", "changed", "msg", "spec"} and result["failed"] and result["spec"] == SPEC
    said = str(result["msg"])
    assert said.isprintable() and len(said) < 5000
    return said


def test_an_honest_answer_comes_through_with_what_was_never_sent(master: Master) -> None:
    result = master.answers()
    assert result.pop("spec") == SPEC and result.pop("changed") is False
    assert json.loads(json.dumps(result)) == json.loads(json.dumps(kubeadm().observe()))


@pytest.mark.parametrize(
    "more",
    [
        {"ansible_facts": {"front_proxy_report": "/x"}},
        {"add_host": {"host_name": "b1"}},
        {"add_group": "masters"},
        {"ansible_stats": {"data": {"x": 1}}},
        {"warnings": ["\x1b[2J"]},
        {"deprecations": [{"msg": "x", "version": "1"}]},
        {"diff": {"before": "\x1b"}},
        {"invocation": {"module_args": {}}},
        {"exception": "Traceback"},
        {"spec": {"cluster": "green"}},
        {"carry": {"folder": "/green"}},
        {"skipped": True},
        {"unreachable": True},
        {"failed_when_result": True},
        {"rc": 1},
        {"results": [{"item": "b1"}]},
        {"_ansible_no_log": True},
        {"_ansible_verbose_always": True},
        {"_ansible_new_secrets": ["OK"]},
        {"_ansible_suppress_tmpdir_delete": True},
        {"__ansible_type": "x"},
    ],
)
def test_keys_that_ansible_would_obey_are_gone(
    master: Master, more: Answer, capsys: pytest.CaptureFixture[str]
) -> None:
    honest = master.answers()
    assert master.answers(**more) == honest
    said = capsys.readouterr()
    assert said.out + said.err == ""


def test_what_stands_around_the_answer_is_neither_read_nor_shown(
    master: Master, monkeypatch: pytest.MonkeyPatch
) -> None:
    warnings: t.List[str] = []
    monkeypatch.setattr(Display, "warning", lambda dummy_self, text, *dummy, **dummy_more: warnings.append(text))
    honest = master.answers()
    told = json.dumps(kubeadm().observe())
    assert master.prints(f"Last login: \x1b[31mtoday\n{told}\n\x1b[2J\x1b]0;title\x07\n") == honest
    assert warnings == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"siblings": None}, "siblings is no list"),
        ({"manifest": "x"}, "manifest is no mapping"),
        ({"format": FORMAT + 1}, "format is not between"),
        ({"clock": float("nan")}, "clock is not between"),
        ({"clock": 1e300}, "clock is not between"),
        ({"process": {"pid": "7"}}, "process.pid is no whole number"),
        ({"files": {"relative": {"exists": False, "is_link": False}}}, "is not written as it must be"),
        ({"service_routing": ["x" * 10_000_000]}, "has more than 300 characters"),
        ({"siblings": [{}] * 100_000}, "siblings has more than"),
        ({"pending": {"started": "now; reboot"}}, "pending.started is not written as it must be"),
    ],
)
def test_an_answer_of_another_shape_is_one_sentence(master: Master, changes: Answer, words: str) -> None:
    said = refusal(master.answers(**changes))
    assert words in said and "nothing of it is used" in said


@pytest.mark.parametrize("key", sorted(kubeadm().observe()))
@pytest.mark.parametrize("value", [None, 7, "x", [], {}, [[]], {"x": {}}, True, 1e999])
def test_each_key_with_a_value_of_another_kind(master: Master, key: str, value: t.Any) -> None:
    result = master.answers(**{key: value})
    # what may be missing may be null
    if result.get("failed"):
        assert key in refusal(result)
    else:
        assert result[key] == value


@pytest.mark.parametrize("key", sorted(kubeadm().observe()))
def test_a_key_that_is_missing(master: Master, key: str) -> None:
    told = kubeadm().observe()
    del told[key]
    assert f"{key} is missing" in refusal(master.prints(json.dumps(told)))


@pytest.mark.parametrize(
    "stdout",
    [
        "[" * 200_000,
        '{"a":' * 200_000 + "1" + "}" * 200_000,
        '{"manifest": ' + "x" * 100 + "}",
        "{}",
        "{} trailing}",
        '{"failed": false}',
        "\udcff\udcfe{\udcff}",
        '{"root": "' + "x" * (17 * 1024 * 1024) + '"}',
        "null",
        '"text"',
        "",
    ],
)
def test_what_is_no_answer_at_all(master: Master, stdout: str) -> None:
    refusal(master.prints(stdout))


def test_halves_of_characters_do_not_get_through(master: Master) -> None:
    told = json.dumps(kubeadm().observe()).replace('"device"', '"device"')
    result = master.prints(told.replace("the process kube-proxy runs", "a\\ud800b"))
    assert result["service_routing"] == ["a\ufffdb"]


def test_a_failure_is_its_sentence_and_nothing_else(master: Master) -> None:
    hostile = {
        "failed": True,
        "msg": "\x1b]0;t\x07{{ 7 * 7 }}\nb1: OK\u202e",
        "ansible_facts": {"x": 1},
        "changed": True,
    }
    assert refusal(master.prints(json.dumps(hostile))) == "?]0;t?{{ 7 * 7 }} b1: OK?"
    assert refusal(master.prints(json.dumps({"failed": True, "msg": {"a": "x" * 10_000}}))).endswith("...")
    assert refusal(master.prints(json.dumps({"failed": True}))) == "It failed without a word."


def test_a_module_that_fails_unexpectedly_is_not_blamed_on_the_python(master: Master) -> None:
    trace = 'Traceback (most recent call last):\n  File "x", line 1, in y\nValueError: odd\n'
    said = refusal(master.prints("", trace, 1))
    assert "ended unexpectedly on this master (it said: ValueError: odd)" in said
    assert "ansible_python_interpreter" not in said
    old = trace.replace("ValueError: odd", "ModuleNotFoundError: No module named 'dataclasses'")
    assert "ansible_python_interpreter" in refusal(master.prints("", old, 1))


@pytest.mark.parametrize(
    ("stderr", "word"),
    [
        ('  File "<stdin>", line 3\nSyntaxError: future feature annotations is not defined\n', "it said: SyntaxError"),
        ("/bin/sh: 1: /usr/bin/python3: not found\n", "it said: /bin/sh: 1: /usr/bin/python3: not found"),
        ("\x1b[2Jx\n", "it said: ?[2Jx"),
        ("", "on this master: its Python"),
    ],
)
def test_a_python_that_cannot_run_it_is_a_sentence_and_no_traceback(master: Master, stderr: str, word: str) -> None:
    said = refusal(master.prints("", stderr, 127))
    assert word in said and "ansible_python_interpreter" in said


def test_a_master_that_cannot_be_reached_is_unreachable(master: Master) -> None:
    def fail(**dummy: t.Any) -> Answer:
        raise AnsibleConnectionFailure("ssh: \x1b[31mno\x1b[0m")

    result = master.run(fail)
    assert result["unreachable"] is True and "failed" not in result and result["spec"] == SPEC
    assert result["msg"].isprintable() and result["msg"].startswith("It cannot be reached: ")


def test_an_option_that_is_none_is_a_sentence(master: Master) -> None:
    assert "The option spec is no mapping" in master.run(dict, spec="blue")["msg"]


WITH_SECRET = "    env:\n    - {name: VAULT, value: geheim-4711}\n    image:"


@pytest.mark.parametrize("where", ["nowhere", "manifest", "sibling", "process"])
def test_a_result_with_a_secret_is_not_shown(master: Master, where: str) -> None:
    """It stays whole: the later steps read it where it is registered."""
    seen = kubeadm().observe()
    manifest, siblings, process = dict(seen["manifest"]), [], dict(seen["process"])
    if where == "manifest":
        manifest["text"] = manifest["text"].replace("    image:", WITH_SECRET)
    elif where == "sibling":
        siblings = [{"name": "old", "size": 1, "text": manifest["text"].replace("    image:", WITH_SECRET)}]
    elif where == "process":
        process["argv"] = [*process["argv"], "--token", "geheim-4711"]
    result = master.answers(manifest=manifest, siblings=siblings, process=process)
    assert result.get("_ansible_no_log", False) == (where != "nowhere")
    assert ("geheim-4711" in json.dumps(result)) == (where != "nowhere")
    assert result["manifest"] == manifest


def test_a_refusal_is_shown(master: Master) -> None:
    assert "_ansible_no_log" not in master.prints(json.dumps({"failed": True, "msg": "No, because."}))


@pytest.mark.parametrize("verbosity", [0, 2, 3, 5])
def test_what_is_printed_is_not_shown_by_the_connection(
    master: Master, monkeypatch: pytest.MonkeyPatch, verbosity: int
) -> None:
    """From -vvv on, ssh shows it unless it is told not to."""
    monkeypatch.setattr(_border.display, "verbosity", verbosity)
    told: t.List[t.Tuple[bool, bool]] = []
    contexts: t.List[t.Any] = []

    def execute(**dummy: t.Any) -> Answer:
        contexts[:] = [master.action._play_context, master.action._connection._play_context]
        told.append((contexts[0].no_log, contexts[1].no_log))
        return {"answer": json.dumps(kubeadm().observe())}

    assert not master.run(execute).get("failed")
    assert told == [(verbosity >= 3, verbosity >= 3)]
    assert [context.no_log for context in contexts] == [False, False]


def test_why_a_connection_failed_is_said_all_the_same(master: Master, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_border.display, "verbosity", 3)

    def execute(**dummy: t.Any) -> Answer:
        raise AnsibleConnectionFailure("Failed to connect to the host via ssh: <error censored due to no log>")

    def again(*dummy: t.Any, **dummies: t.Any) -> t.NoReturn:
        assert master.action._play_context.no_log is False
        raise AnsibleConnectionFailure("Failed to connect to the host via ssh: No route to host")

    master.low_level = again
    result = master.run(execute)
    assert result["unreachable"] and result["msg"].endswith("via ssh: No route to host")
    master.low_level = None  # it is back meanwhile
    assert "the connection was lost while the module ran" in master.run(execute)["msg"]
