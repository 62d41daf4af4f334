# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for a kube-apiserver that runs, and going back where it does not serve as wanted."""

from __future__ import annotations

import os
import re
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import (
    install,
    serving,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.living import (
    BAD_TEXT,
    BEFORE,
    FLAGS,
    GOOD,
    NEW,
    OLD,
    Live,
    check_old,
    lively,
)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Live]:
    with lively(tmp_path, monkeypatch) as machine_that_runs:
        yield machine_that_runs


def test_it_serves(live: Live) -> None:
    result = change(live.order(NEW, GOOD), live.sandbox.places)
    assert {name: result[name] for name in ("changed", "manifest", "restarted", "rolled_back")} == {
        "changed": True,
        "manifest": True,
        "restarted": True,
        "rolled_back": False,
    }
    assert result["files"] == [support.BUNDLE, support.KEY, support.CERTIFICATE]
    assert result["probe"]["accepted"] is True and 0 <= result["seconds"] < 20
    assert f"--proxy-client-key-file={support.KEY}" in live.running
    assert ("/version", "kubeops:aggregation-layer:probe") in live.server.asked
    # one clean change, and never a second file for the kubelet
    assert live.kubelet.texts == [BEFORE, GOOD]
    assert live.kubelet.names == {"kube-apiserver.yaml"}
    assert live.sandbox.holders_of(OLD.key) == [] and live.sandbox.holders_of(NEW.key) == [support.KEY]


def test_nothing_else_is_ever_in_the_folder_of_manifests(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = live.sandbox.path(support.MANIFEST).parent
    order: t.List[str] = []
    seen: t.Set[str] = set()
    real: dict[str, t.Callable[..., t.Any]] = {
        name: getattr(os, name) for name in ("replace", "open", "unlink", "link")
    }

    def spy(name: str) -> t.Callable[..., t.Any]:
        def call(*arguments: t.Any, **options: t.Any) -> t.Any:
            result = real[name](*arguments, **options)
            seen.update(os.listdir(str(folder)))
            if name == "replace" and "front-proxy-backup" not in arguments[1]:
                order.append(os.path.basename(arguments[1]))
            return result

        return call

    for name in real:
        monkeypatch.setattr(os, name, spy(name))
    change(live.order(NEW, GOOD), live.sandbox.places)
    assert {name for name in seen if not name.startswith(".")} == {"kube-apiserver.yaml"}
    assert seen == {
        "kube-apiserver.yaml",
        ".kube-apiserver.yaml.front-proxy-new",
        ".kube-apiserver.yaml.front-proxy-old",
    }
    assert order == ["front-proxy-ca.crt", "front-proxy-client.key", "front-proxy-client.crt", "kube-apiserver.yaml"]


def test_it_dies_at_every_start(live: Live) -> None:
    state = live.sandbox.state()
    result = change(live.order(NEW, BAD_TEXT, wait=60), live.sandbox.places)
    assert result["failed"] and result["rolled_back"] and not result["changed"]
    assert result["last_words"] == ["starting", "Error: unknown flag: --no-such-flag"]
    assert re.search("kube-apiserver ended by itself at each of [3-6] starts", result["msg"])
    assert "Its last words: starting | Error: unknown flag: --no-such-flag" in result["msg"]
    assert result["msg"].startswith("The old state is back and serves again after ")
    assert result["seconds"] < 50
    check_old(live, state)
    assert live.kubelet.names == {"kube-apiserver.yaml"}


def test_starts_beside_the_old_server_do_not_count(live: Live) -> None:
    """Kubelets up to 1.22 do not wait for the old server, which holds the port for longer than three starts take."""
    live.kubelet.lingers = lambda text: 0.5 if text == GOOD else 0
    result = change(live.order(NEW, GOOD, wait=40), live.sandbox.places)
    assert not result.get("failed"), result.get("msg")
    assert live.kubelet.starts == live.kubelet.BESIDE + 1 and result["restarted"]


def test_a_log_that_is_there_before_its_process_is_no_start_that_died(live: Live) -> None:
    live.kubelet.lingers, live.kubelet.hesitates = (lambda text: 0.5 if text == GOOD else 0), 1.8
    result = change(live.order(NEW, GOOD, wait=40), live.sandbox.places)
    assert not result.get("failed"), result.get("msg")


def test_it_dies_without_a_word(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_SILENT", 0.5)
    state = live.sandbox.state()
    text = BAD_TEXT.replace("--no-such-flag", "--no-such-words")
    result = change(live.order(NEW, text, wait=60), live.sandbox.places)
    assert result["rolled_back"] and "ended by itself at each of" in result["msg"]
    check_old(live, state)


def test_the_last_words_are_not_those_of_the_old_server(live: Live) -> None:
    """It says goodbye when the new one is long dead."""
    live.kubelet.lingers = lambda text: 0.5 if text == BAD_TEXT else 0
    result = change(live.order(NEW, BAD_TEXT, wait=60), live.sandbox.places)
    assert result["rolled_back"] and "ended by itself at each of" in result["msg"]
    assert result["last_words"] == ["starting", "Error: unknown flag: --no-such-flag"]


def test_too_few_starts_are_waited_for(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "_STARTS", 7)
    state = live.sandbox.state()
    result = change(live.order(NEW, BAD_TEXT, wait=1.2), live.sandbox.places)
    assert "after 1 s no kube-apiserver is running." in result["msg"]
    check_old(live, state)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        ("trust", "after 1 s it does not accept the proxy-client pair (HTTP 401 instead of 200)"),
        ("ready", "after 1 s it answers, but /readyz says that it is not ready"),
        ("flags", "after 1 s the running kube-apiserver does not have --audit-log-path as wanted"),
    ],
)
def test_it_never_serves_as_wanted(live: Live, spoil: str, words: str) -> None:
    state = live.sandbox.state()
    flags = FLAGS
    if spoil == "trust":
        live.server.trusted_issuer = OLD
    elif spoil == "ready":
        live.server.ready = 500
    else:
        flags = {**FLAGS, "audit-log-path": "/x"}

    def react(text: str) -> None:
        if text == BEFORE:
            live.server.ready = 200

    live.kubelet.react = react
    result = change(live.order(NEW, GOOD, wait=1.2, flags=flags), live.sandbox.places)
    assert result["failed"] and words in result["msg"], result["msg"]
    assert result["rolled_back"]
    check_old(live, state)


def test_it_is_not_back_either(live: Live) -> None:
    live.server.ready = 500
    state = live.sandbox.state()
    result = change(live.order(NEW, GOOD, wait=0.4), live.sandbox.places)
    assert result["rolled_back"] and "The old state is back, but kube-apiserver does not serve with it" in result["msg"]
    check_old(live, state)


def test_a_server_that_knows_no_roles_yet_does_not_serve(live: Live) -> None:
    """Just begun to answer, it says 403 to everybody, which some clusters say for good."""

    def begin(text: str) -> None:
        if text == GOOD:
            live.server.knows_roles, live.server.ready = False, 500
            threading.Timer(0.8, finish).start()

    def finish() -> None:
        live.server.knows_roles, live.server.ready = True, 200

    live.kubelet.react = begin
    result = change(live.order(NEW, GOOD), live.sandbox.places)
    assert not result.get("failed") and result["probe"]["ready"]
    assert live.server.ready == 200


@pytest.mark.parametrize("anonymous", [False, True])
def test_it_may_refuse_strangers(live: Live, anonymous: bool) -> None:
    """Who is known by the pair hears whether it is ready, also where anonymous requests are off (401)."""
    live.server.anonymous = anonymous
    assert change(live.order(NEW, GOOD), live.sandbox.places)["probe"]["ready"]


def test_where_nobody_may_ask_it_must_answer_for_a_while(live: Live) -> None:
    live.server.ready = 403
    result = change(live.order(NEW, GOOD), live.sandbox.places)
    assert not result.get("failed") and not result["probe"]["ready"]
    assert result["seconds"] >= serving._UNTOLD


def test_an_answer_that_does_not_tell_is_not_enough(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    live.server.ready = 403
    monkeypatch.setattr(serving, "_UNTOLD", 60.0)
    live.kubelet.react = lambda text: text == BEFORE and setattr(live.server, "ready", 200)
    result = change(live.order(NEW, GOOD, wait=2), live.sandbox.places)
    assert result["rolled_back"] and "it answers, but does not say whether it is ready" in result["msg"]


def test_nobody_thought_of_it(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong while waiting: the way back stays open."""
    state = live.sandbox.state()
    real = serving.ask

    def ask(*arguments: t.Any) -> t.Any:
        if live.sandbox.path(support.MANIFEST).read_text() == GOOD:
            raise RuntimeError("surprise")
        return real(*arguments)

    monkeypatch.setattr(serving, "ask", ask)
    result = change(live.order(NEW, GOOD, wait=1), live.sandbox.places)
    assert result["rolled_back"] and "it cannot be looked at (RuntimeError: surprise)" in result["msg"]
    check_old(live, state)


def test_another_hand_edits_while_it_waits(live: Live) -> None:
    live.server.ready = 500
    theirs = GOOD + "# mine\n"
    live.kubelet.react = lambda text: text == GOOD and live.sandbox.lay(support.MANIFEST, theirs, 0o600)
    result = change(live.order(NEW, GOOD, wait=1.0), live.sandbox.places)
    assert result["failed"] and not result["rolled_back"] and result["changed"]
    kept = live.sandbox.backups[-1]
    assert result["msg"].startswith(
        f"The manifest was edited by another hand meanwhile and is left as it is; the old state lies in {kept}."
    )
    assert live.sandbox.path(support.MANIFEST).read_text() == theirs
    # their text was made of ours, so it needs the new files
    assert live.sandbox.path(support.KEY).read_bytes() == NEW.key and live.sandbox.pair_loads()
    assert not os.path.exists(live.sandbox.places.pending)


def test_another_hand_edits_just_before_the_manifest_is_put(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    state = live.sandbox.state()
    theirs = BEFORE + "# mine\n"
    real = install.rename

    def rename(staged: t.Any) -> None:
        real(staged)
        if staged.path.endswith("front-proxy-client.crt") and "backup" not in staged.path:
            monkeypatch.undo()
            live.sandbox.lay(support.MANIFEST, theirs, 0o600)

    monkeypatch.setattr(install, "rename", rename)
    with pytest.raises(change_module.MasterError, match=r"changed by another hand in this moment; that change is kept"):
        change(live.order(NEW, GOOD), live.sandbox.places)
    # nothing of ours stays: their text was made of the old one
    assert live.sandbox.state() == {**state, support.MANIFEST: (theirs.encode(), 0o600)}


def test_files_alone(live: Live, tmp_path: Path) -> None:
    """No restart; and this manifest's server is asked, not a newer one of another cluster on this machine."""
    live.server.trusted_issuer = OLD
    live.sandbox.lay(support.MANIFEST, GOOD, 0o600)
    deadline = time.monotonic() + 20
    while live.kubelet.texts[-1] != GOOD or live.kubelet.running is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    # a server of another cluster: the newest one, on a port where nobody answers
    with machine.process("--secure-port=1", "--bind-address=127.0.0.1", f"--marker={tmp_path}", "--a", "--b"):
        threading.Timer(0.3, lambda: setattr(live.server, "trusted_issuer", NEW)).start()
        result = change(live.order(NEW, None), live.sandbox.places)
        assert not result.get("failed"), result.get("msg")
        assert result["changed"] and not result["manifest"] and not result["restarted"]
        assert result["probe"]["port"] == live.server.port and result["probe"]["accepted"]
        again = change(live.order(NEW, None), live.sandbox.places)
    assert again["changed"] is False and again["files"] == [] and again["probe"]["port"] == live.server.port


@pytest.mark.parametrize("flags", [("--secure-port=1", "--a"), ("--bind-address=127.0.0.1", "--profiling=false")])
def test_a_repair_where_only_another_server_runs(live: Live, tmp_path: Path, flags: t.Tuple[str, ...]) -> None:
    """Ours is down. The other one is not the old one that must end, nor is it asked in place of ours."""
    live.sandbox.lay(support.MANIFEST, BAD_TEXT, 0o600)
    deadline = time.monotonic() + 20
    while live.kubelet.texts[-1] != BAD_TEXT or live.kubelet.starts < 6:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    with machine.process(f"--marker={tmp_path}", *flags) as other:
        result = change(live.order(NEW, GOOD), live.sandbox.places)
        assert other.poll() is None
    assert not result.get("failed"), result.get("msg")
    assert result["restarted"] and result["probe"]["port"] == live.server.port


def test_another_server_is_not_taken_for_ours_that_does_not_start(live: Live, tmp_path: Path) -> None:
    state = live.sandbox.state()
    other = machine.start(f"--marker={tmp_path}", f"--secure-port={live.server.port}", "--bind-address=127.0.0.1")
    try:
        result = change(live.order(NEW, BAD_TEXT, wait=60), live.sandbox.places)
    finally:
        other.kill()
        other.wait()
    assert result["rolled_back"] and "ended by itself at each of" in result["msg"]
    check_old(live, state)


def test_nothing_to_do_but_it_does_not_run_as_wanted(live: Live) -> None:
    result = change(live.order(OLD, None, wait=0.3, flags={}), live.sandbox.places)
    assert result["failed"] and not result["changed"] and not result["rolled_back"]
    assert result["msg"].startswith(
        "Nothing had to be changed, but kube-apiserver does not run as wanted: after 0 s it "
    )
    assert "HTTP 401" in result["msg"] and result["last_words"] == ["serving"]
