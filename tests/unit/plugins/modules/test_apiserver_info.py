# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module apiserver_info: what it returns, and its sentences."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import read_observation
from ansible_collections.kubeops.aggregation_layer.plugins.modules import apiserver_info
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.runner import Runner

OLD = support.generation("old")


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    sandbox = support.old_master(tmp_path / "root", OLD)
    sandbox.lay(support.MANIFEST, support.NEW_TEXT, 0o600)
    return sandbox


@pytest.fixture
def info(master: support.Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> t.Any:
    runner = Runner(apiserver_info.main, monkeypatch, capsys)

    def look(**options: t.Any) -> t.Any:
        runner.result = runner(**{"root": str(master.root), **options})  # type: ignore[attr-defined]
        return runner

    return look


@pytest.mark.parametrize("check", [False, True])
def test_it_looks(master: support.Sandbox, info: t.Any, check: bool) -> None:
    before = master.everything()
    result = info(check=check, controller_clock=1.0).result
    assert result["changed"] is False and result["clock_skew"] > 1e6
    assert result["manifest"]["text"] == support.NEW_TEXT
    assert result["files"][support.KEY]["loads_with"] == [support.CERTIFICATE]
    assert master.everything() == before


def test_what_it_returns_is_documented(info: t.Any) -> None:
    result = info().result
    # the action adds what was never sent here
    assert set(yaml.safe_load(apiserver_info.RETURN)) - {"spec"} == set(result) - {"changed", "invocation"}
    read_observation(result)


def test_no_key_is_in_its_output_or_log(info: t.Any) -> None:
    runner = info()
    shown = runner.output + "".join(runner.log)
    assert runner.log and "PRIVATE" not in shown
    for line in OLD.key.decode().splitlines()[1:-1]:
        assert line not in shown


def test_names_that_are_no_text(master: support.Sandbox, info: t.Any) -> None:
    folder = os.fsencode(str(master.path(support.MANIFEST).parent))
    Path(os.fsdecode(folder + b"/\xff")).write_text("kube-apiserver")
    assert len(info().result["siblings"]) == 1


def test_sentences(
    master: support.Sandbox, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = Runner(apiserver_info.main, monkeypatch, capsys)
    root = str(master.root)
    assert "is not a folder; make it first" in runner.refused(root=root + "/none")
    assert runner.refused(root=root, manifest="/none").startswith("There is no manifest at /none: ")
    master.lay(support.MANIFEST, b"\xff")
    assert "is not UTF-8 text" in runner.refused(root=root)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert "run with become: true" in runner.refused()
    assert json.loads(runner.output)["failed"] is True
