# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module apiserver on a master: what its action plugin sends, and its sentences."""

from __future__ import annotations

import base64
import json
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install, lock
from ansible_collections.kubeops.aggregation_layer.plugins.modules import apiserver
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.runner import Runner

OLD, NEW = support.generation("old"), support.generation("new")


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    return support.old_master(tmp_path / "root", OLD)


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(apiserver.main, monkeypatch, capsys)


def sent(master: support.Sandbox, made: support.Generation, text: str | None = support.NEW_TEXT, **other: t.Any) -> str:
    """An order as the action plugin sends it."""
    order = master.order(made, text)._asdict()
    order["files"] = [
        {
            "path": file.path,
            "content": file.content.decode(),
            "mode": f"{file.mode:04o}",
            "uid": None,
            "gid": None,
            "owner": None,
            "group": None,
            "seen": file.seen,
        }
        for file in order["files"]
    ]
    return json.dumps({**order, **other})


def test_it_changes_a_master(master: support.Sandbox, module: Runner) -> None:
    result = module(root=str(master.root), order=sent(master, NEW))
    assert result["changed"] is True and result["manifest"] is True and not result.get("failed")
    assert result["files"] == [support.BUNDLE, support.KEY, support.CERTIFICATE]
    assert master.path(support.KEY).read_bytes() == NEW.key
    assert master.path(support.MANIFEST).read_text() == support.NEW_TEXT
    again = module(root=str(master.root), order=sent(master, NEW, None))
    assert again["changed"] is False


def test_no_key_is_in_its_output_or_log(master: support.Sandbox, module: Runner) -> None:
    module(root=str(master.root), order=sent(master, NEW))
    shown = module.output + "".join(module.log)
    assert "Invoked with" in shown
    assert base64.b64encode(NEW.key).decode() not in shown and "PRIVATE" not in shown
    for line in NEW.key.decode().splitlines()[1:-1]:
        assert line not in shown


def test_a_relative_root_is_the_one_that_was_looked_at(
    master: support.Sandbox, module: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change is made by a process whose working folder is another one."""
    master.root.rename(master.root.parent / "an-image")
    master = support.Sandbox(master.root.parent / "an-image")
    monkeypatch.chdir(str(master.root.parent))
    assert module(root=master.root.name, order=sent(master, NEW))["changed"]
    assert master.path(support.KEY).read_bytes() == NEW.key
    assert not os.path.exists("/an-image")


def test_it_finishes_what_was_cut_off(master: support.Sandbox, module: Runner) -> None:
    change_module.prepare(master.places)
    order = master.order(NEW)
    staged = master.stage(*order.files, NewFile(support.MANIFEST, support.NEW_TEXT.encode(), 0o600))
    change_module.Backup.begin(
        master.places,
        staged=staged,
        manifest=master.places.real(support.MANIFEST),
        note=change_module._note(order, support.NEW_TEXT, None),
    )
    install.put(next(file for file in staged if file.path.endswith(".key")))
    result = module(root=str(master.root), recover=True)
    assert result["recovered"] == "rolled back" and master.path(support.KEY).read_bytes() == OLD.key
    assert module(root=str(master.root), recover=True) == {
        **module(root=str(master.root), recover=True),
        "recovered": "ended",
        "changed": False,
    }


def test_sentences(master: support.Sandbox, module: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(master.root)
    direct = "This module does its work through its action plugin; call it from a task, not directly."
    assert module.refused(root=root) == direct
    assert module.refused(root=root, check=True, order=sent(master, NEW)) == direct
    assert module.refused(root=root, check=True, recover=True) == direct
    order = sent(master, NEW).replace('"owner": null', '"owner": "nobody-at-all"', 1)
    if os.geteuid() == 0:
        assert module.refused(root=root, order=order).startswith("There is no user nobody-at-all on this master; ")
    before = master.state()
    order = sent(master, NEW, manifest_seen="0" * 64)
    assert "was changed by another hand since it was looked at" in module.refused(root=root, order=order)
    assert master.state() == before


def test_another_run_holds_the_lock(master: support.Sandbox, module: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    change_module.prepare(master.places)
    with lock.exclusive(master.places, 0):
        order = sent(master, NEW, lock_timeout=0)
        assert module.refused(root=str(master.root), order=order).startswith("Another run has been changing this")
        assert module.refused(root=str(master.root), recover=True, lock_timeout=0).startswith("Another run has been")


def test_a_change_that_was_put_back(master: support.Sandbox, module: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"failed": True, "changed": False, "rolled_back": True, "msg": "It did not serve.", "last_words": ["x"]}
    monkeypatch.setattr(apiserver, "change", lambda *dummy: answer)
    result = module(root=str(master.root), order=sent(master, NEW))
    assert {name: result[name] for name in answer} == answer
