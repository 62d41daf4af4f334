# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action plugin apiserver: how many round trips, what goes to a master, and what does not."""

from __future__ import annotations

import copy
import json
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play_context import PlayContext
from ansible.playbook.task import Task
from ansible.plugins.loader import connection_loader
from ansible.template import Templar
from ansible_collections.kubeops.aggregation_layer.plugins.action import apiserver
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile, read_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import Backup, prepare
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.observe import observe
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.owners import with_numbers
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.plugins.modules import apiserver as apiserver_module
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.runner import Runner

OLD, NEW = support.generation("old"), support.generation("new")
INFO, MODULE = "kubeops.aggregation_layer.apiserver_info", "kubeops.aggregation_layer.apiserver"
FLAGS = {
    "requestheader-client-ca-file": support.BUNDLE,
    "proxy-client-cert-file": support.CERTIFICATE,
    "proxy-client-key-file": support.KEY,
}
FILES = [
    {"path": support.BUNDLE, "content": NEW.bundle.decode()},
    {"path": support.KEY, "content": NEW.key.decode()},
    {"path": support.CERTIFICATE, "content": NEW.certificate.decode()},
]


DONE = {"changed": True, "files": [], "manifest": True, "restarted": False, "rolled_back": False}


class Play:
    """Runs the action against a sandboxed master, without a connection."""

    def __init__(self, master: support.Sandbox) -> None:
        self.master = master
        self.calls: list[tuple[str, dict[str, t.Any]]] = []
        self.answers: dict[str, dict[str, t.Any]] = {}
        self.connection: t.Any = None

    def execute(self, *, module_name: str, module_args: dict[str, t.Any], task_vars: t.Any) -> dict[str, t.Any]:
        """In place of the round trip."""
        # what goes to a master is JSON, and the action must not see changes that are made there
        self.calls.append((module_name, copy.deepcopy(module_args)))
        return {"answer": json.dumps(self._answer(module_name, module_args))}

    def _answer(self, module_name: str, module_args: dict[str, t.Any]) -> t.Mapping[str, t.Any]:
        """What the module would print."""
        if module_name in self.answers:
            return self.answers[module_name]
        try:
            if module_name == INFO:
                assert {"manifest", "root", "lock_timeout", "controller_clock"} <= set(module_args)
                asked = {"certificates_dir": None, **module_args}
                return {**observe(**asked), "changed": False, "invocation": {}}
            if module_args.get("recover"):
                return {**recover(self.master.places, 1), "invocation": {}}
            return {
                **change(with_numbers(read_order(module_args["order"])), self.master.places),
                "invocation": {},
            }
        except MasterError as error:
            return {"failed": True, "msg": str(error)}

    def __call__(self, *, check: bool = False, diff: bool = False, async_val: int = 0, **arguments: t.Any) -> t.Any:
        task = MagicMock(Task)
        task.action = MODULE
        task.args = {"root": str(self.master.root), **arguments}
        task.async_val = async_val
        task.check_mode = check
        task.diff = diff
        task.no_log = False
        context = PlayContext()
        context.shell = "sh"
        loader = DataLoader()
        self.connection = self.connection or connection_loader.get("local", context)
        action = apiserver.ActionModule(task, self.connection, context, loader, Templar(loader=loader), None)
        action._execute_module = self.execute
        action._load_name = MODULE
        self.calls.clear()
        return action.run(None, {})

    @property
    def names(self) -> list[str]:
        """The modules that were called."""
        return [name.rpartition(".")[2] for name, dummy in self.calls]

    def refused(self, **arguments: t.Any) -> str:
        """The sentence with which it fails."""
        try:
            result = self(**arguments)
        except AnsibleError as error:  # options that are none
            return str(error.message)
        assert result["failed"] and not result["changed"]
        return str(result["msg"])


@pytest.fixture
def play(tmp_path: Path) -> Play:
    master = support.old_master(tmp_path / "root", OLD)
    master.lay(support.MANIFEST, support.text_with(f"--client-ca-file={support.PKI}/ca.crt"), 0o600)
    return Play(master)


def test_all_at_once(play: Play) -> None:
    result = play(flags=FLAGS, files=FILES, diff=True)
    assert not result.get("failed"), result
    assert play.names == ["apiserver_info", "apiserver"]
    assert result["changed"] and result["manifest_changed"] and result["reasons"] and result["restart"]
    assert result["files"] == [support.BUNDLE, support.KEY, support.CERTIFICATE]
    assert "invocation" not in result and "manifest" not in result
    text = play.master.path(support.MANIFEST).read_text()
    assert all(f"--{name}={value}" in text for name, value in FLAGS.items())
    assert play.master.path(support.KEY).read_bytes() == NEW.key
    assert play.master.path(support.KEY).stat().st_mode & 0o777 == 0o600
    # no secret in what people see
    assert "PRIVATE" not in repr(result) and support.secret_of(NEW.key) not in repr(result)
    assert any("CN=ca-new" in str(entry["after"]) for entry in result["diff"])
    again = play(flags=FLAGS, files=FILES, diff=True)
    assert play.names == ["apiserver_info"]
    assert again["changed"] is False and again["files"] == [] and not again["manifest_changed"]


def test_files_that_no_flag_names(play: Play) -> None:
    """They are there already, under names of their own: that is no other hand's change."""
    files = [{**FILES[0], "path": f"{support.PKI}/bundle-of-mine.crt"}]
    place = play.master.lay(f"{support.PKI}/bundle-of-mine.crt", OLD.bundle)
    result = play(files=files)
    assert not result.get("failed"), result
    assert result["changed"] and place.read_bytes() == NEW.bundle
    assert play(files=files)["changed"] is False


def test_an_observation_saves_a_round_trip(play: Play) -> None:
    observed = observe(
        manifest=support.MANIFEST,
        certificates_dir=None,
        root=str(play.master.root),
        lock_timeout=1,
        controller_clock=None,
    )
    assert play(flags={"profiling": False}, observed=observed)["changed"]
    assert play.names == ["apiserver"]
    result = play(flags={"profiling": True}, observed=observed)
    assert result["failed"] and "was changed by another hand since" in result["msg"] and not result["changed"]


def test_check_mode_only_looks(play: Play) -> None:
    before = play.master.everything()
    predicted = play(flags=FLAGS, files=FILES, check=True, diff=True)
    assert play.names == ["apiserver_info"] and play.master.everything() == before
    real = play(flags=FLAGS, files=FILES, diff=True)
    for name in ("changed", "files", "manifest_changed", "reasons", "restart", "diff"):
        assert predicted[name] == real[name]
    assert play(flags=FLAGS, files=FILES, check=True)["changed"] is False


def cut_off(play: Play) -> None:
    prepare(play.master.places)
    staged = play.master.stage(NewFile(support.KEY, NEW.key, 0o600))
    Backup.begin(
        play.master.places,
        staged=staged,
        manifest=None,
        note=support.note(certificate=support.CERTIFICATE, key=support.KEY),
    )
    install.put_all(staged)


def test_what_was_cut_off_is_finished_first(play: Play) -> None:
    cut_off(play)
    result = play(flags={}, check=True)
    assert play.names == ["apiserver_info"]
    assert result["changed"] and result["recovered"] == "A change that was cut off would be finished first."
    result = play(flags={})
    assert play.names == ["apiserver_info", "apiserver", "apiserver_info"] and play.calls[1][1]["recover"] is True
    assert result["changed"] and result["recovered"].startswith("Rolled back a change that began at ")
    assert play.master.path(support.KEY).read_bytes() == OLD.key
    cut_off(play)
    result = play(flags=FLAGS)
    assert play.names == ["apiserver_info", "apiserver", "apiserver_info", "apiserver"]
    assert result["changed"] and result["recovered"].startswith("Rolled back")


def test_what_the_master_says_is_handed_on(play: Play) -> None:
    refusal = {"failed": True, "changed": False, "msg": "No."}
    play.answers[INFO] = {"failed": True, "msg": "No."}
    assert play(flags=FLAGS) == refusal and play.names == ["apiserver_info"]
    del play.answers[INFO]
    play.answers[MODULE] = {"failed": True, "msg": "No."}
    assert play(flags=FLAGS, files=FILES) == refusal
    cut_off(play)
    assert play(flags=FLAGS) == refusal and play.names == ["apiserver_info", "apiserver"]


def test_a_failed_observation_is_none(play: Play) -> None:
    said = play.refused(flags=FLAGS, observed={"unreachable": True, "msg": "Gone."})
    assert said == "This master could not be looked at: Gone." and play.names == []
    assert "is no result of apiserver_info" in play.refused(flags=FLAGS, observed={"manifest": 7})


def test_a_key_does_not_lie_on_the_masters_disk_on_its_way(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    play(flags=FLAGS, files=FILES, check=True)
    connection = MagicMock(wraps=play.connection)
    connection.has_pipelining = True
    play.connection = connection
    play(flags={"profiling": False})
    connection.set_option.assert_called_with("pipelining", True)
    connection.has_pipelining = False
    connection.transport = "carrier_pigeon"
    before = play.master.everything()
    words = play.refused(flags=FLAGS, files=FILES)
    assert words.startswith("The connection plugin carrier_pigeon cannot pipeline, so a private key would lie in")
    assert play.names == ["apiserver_info"]
    connection.has_pipelining = True
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", True)
    assert play.refused(flags=FLAGS, files=FILES).startswith("ANSIBLE_KEEP_REMOTE_FILES is set, so ")
    monkeypatch.setattr(C, "DEFAULT_KEEP_REMOTE_FILES", False)
    monkeypatch.setattr(C, "DEFAULT_DEBUG", True)
    assert play.refused(flags=FLAGS, files=FILES).startswith("ANSIBLE_DEBUG is set, so ")
    assert play.names == [] and play.master.everything() == before


def test_a_key_is_not_in_the_masters_log(
    play: Play, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ansible logs the options of every module there, and of a nested one it hides only a secret without line ends."""
    play.answers[MODULE] = DONE
    play(flags=FLAGS, files=FILES)
    name, arguments = play.calls[1]
    module = Runner(apiserver_module.main, monkeypatch, capsys)
    assert module(**{key: value for key, value in arguments.items() if value is not None})["changed"]
    assert play.master.path(support.KEY).read_bytes() == NEW.key
    assert module.log
    for line in NEW.key.decode().splitlines()[1:-1]:
        assert line not in "".join(module.log) + module.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"order": {}}, "Unsupported parameters"),
        ({"recover": True}, "Unsupported parameters"),
        ({"files": [{"path": support.BUNDLE}]}, f"The file {support.BUNDLE} needs either content or src"),
        ({"files": [{"path": "relative", "content": "x"}]}, "which is not absolute"),
        ({"files": [{"path": support.KEY, "content": NEW.key.decode(), "mode": "0644"}]}, "would let everybody read"),
        ({"flags": {"a": {"b": 1}}}, "The flag a is to have the value"),
        ({"container": "other"}, "other"),
        ({"files": [{"path": support.BUNDLE, "src": "/none"}]}, "the source of"),
    ],
)
def test_bad_input(play: Play, arguments: dict[str, t.Any], words: str) -> None:
    before = play.master.everything()
    message = play.refused(**arguments)
    assert words in message and support.secret_of(NEW.key) not in message
    assert play.master.everything() == before and "apiserver" not in play.names


def test_it_cannot_run_in_the_background(play: Play) -> None:
    assert "async" in play.refused(flags=FLAGS, async_val=10)


def test_a_manifest_that_is_refused(play: Play) -> None:
    play.master.lay(support.MANIFEST, "kind: [")
    assert support.MANIFEST in play.refused(flags=FLAGS)


def test_how_long_it_waits(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    """Below a root nothing runs, so nothing is waited for; and a live master's times are those of the task."""
    play.answers[MODULE] = DONE
    play(flags=FLAGS, files=FILES, lock_timeout=7)
    order = json.loads(play.calls[1][1]["order"])
    assert order["wait"] == 0 and order["lock_timeout"] == 7
    live = observe(
        manifest=support.MANIFEST,
        certificates_dir=None,
        root=str(play.master.root),
        lock_timeout=1,
        controller_clock=None,
    )
    play.answers[INFO] = {**live, "root": ""}
    for arguments, wanted in (({"wait_timeout": 9}, 9), ({"wait": False}, 0), ({}, 300)):
        play(flags=FLAGS, files=FILES, **arguments)
        assert json.loads(play.calls[1][1]["order"])["wait"] == wanted


def test_what_no_kubelet_would_take_up_is_not_sent(play: Play) -> None:
    play.answers[MODULE] = DONE
    seen = observe(
        manifest=support.MANIFEST,
        certificates_dir=None,
        root=str(play.master.root),
        lock_timeout=1,
        controller_clock=None,
    )
    other = {"pid": 7, "program": "kubelet", "folder": "/srv/pods", "told_by": "--pod-manifest-path", "reads": False}
    for kubelets, words in (([], "No kubelet runs"), ([other], "/srv/pods (as --pod-manifest-path says)")):
        play.answers[INFO] = {**seen, "root": "", "kubelets": kubelets}
        for check in (False, True):
            message = play.refused(flags=FLAGS, files=FILES, check=check)
            assert words in message and "so nothing is written" in message
            assert play.names == ["apiserver_info"]
        # who does not wait may start the kubelet later
        assert not play(flags=FLAGS, files=FILES, wait=False).get("failed")
