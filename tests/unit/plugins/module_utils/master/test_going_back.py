# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back, and changes that were cut off: whose word it is that a server serves."""

from __future__ import annotations

import re
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import (
    install,
    recovery,
    serving,
    way_back,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import (
    Backup,
    prepare,
    read_pending,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.serving import Waited
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.living import (
    BAD_TEXT,
    BEFORE,
    GOOD,
    NEW,
    OLD,
    Live,
    check_old,
    cut_off,
    lively,
)


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Iterator[Live]:
    with lively(tmp_path, monkeypatch) as machine_that_runs:
        yield machine_that_runs


def test_the_next_run_finishes_it(live: Live) -> None:
    cut_off(live, GOOD)
    done = recover(live.sandbox.places, 5)
    assert done["recovered"] == "finished" and done["msg"].startswith("Finished a change that began at ")
    assert live.sandbox.path(support.KEY).read_bytes() == NEW.key and "--profiling=false" not in live.running
    assert recover(live.sandbox.places, 5)["changed"] is False


def test_the_next_run_goes_back(live: Live) -> None:
    state = live.sandbox.state()
    cut_off(live, BAD_TEXT)
    done = recover(live.sandbox.places, 5)
    # the old state serves, so the run that found this goes on with what it wants itself
    assert not done["failed"] and done["recovered"] == "rolled back" and "unknown flag" in done["msg"]
    check_old(live, state)


def test_a_cut_off_change_is_not_waited_for_as_long_as_a_new_one(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []

    def wait(expected: t.Any, places: t.Any, timeout: float) -> Waited:
        waited.append(timeout)
        return Waited(bool(len(waited) > 1), "it does not serve", 0.0, (), None)

    cut_off(live, GOOD)
    note = read_pending(live.sandbox.places)
    monkeypatch.setattr(recovery, "_PATIENCE", 7.0)
    assert note and note["wait"] > 7
    for module in (recovery, way_back):
        monkeypatch.setattr(module, "wait_until_serving", wait)
    assert recover(live.sandbox.places, 5)["recovered"] == "rolled back"
    assert waited == [7.0, note["wait"]]


# the same command line, and yet another pod
ANNOTATED = BEFORE.replace("metadata:\n", "metadata:\n  annotations:\n    files: other\n")


def test_going_back_hears_the_server_that_came_back(live: Live) -> None:
    """The one of the new manifest has the same flags, and becomes ready while it is still there."""
    state = live.sandbox.state()

    def lag(text: str) -> float:
        live.server.ready = 500 if text == ANNOTATED else 200
        return 1.0 if text == BEFORE else 0.0

    live.kubelet.lag = lag
    result = change(live.order(OLD, ANNOTATED, wait=3, flags={}), live.sandbox.places)
    assert live.kubelet.texts == [BEFORE, ANNOTATED, BEFORE]
    assert result["rolled_back"] and "The old state is back and serves again after" in result["msg"]
    check_old(live, state)


def test_going_back_that_was_cut_off_hears_it_too(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when the old manifest was back: the next run knows which server is to go."""
    cut_off(live, ANNOTATED, flags={})
    deadline = time.monotonic() + 20
    while live.kubelet.texts[-1] != ANNOTATED or live.kubelet.running is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    live.kubelet.lag = lambda dummy: 1.0
    note = read_pending(live.sandbox.places)
    assert note
    backup = Backup(live.sandbox.places, note)
    assert way_back._end_first(backup, live.sandbox.places)
    backup.restore(backup.entries)
    assert recover(live.sandbox.places, 5)["recovered"] == "rolled back"
    assert live.kubelet.texts == [BEFORE, ANNOTATED, BEFORE]


def test_finishing_hears_the_new_server(live: Live) -> None:
    """Killed as soon as the new manifest was there: the old server would say that all is well."""
    live.kubelet.lag = lambda dummy: 1.0
    cut_off(live, ANNOTATED, flags={})
    assert recover(live.sandbox.places, 5)["recovered"] == "finished"
    assert live.kubelet.texts == [BEFORE, ANNOTATED]


def test_where_no_kubelet_acts_the_old_server_goes_on(live: Live) -> None:
    """It never ended, so nobody has to wait for another one."""
    live.kubelet.lag = lambda dummy: 60.0
    state = live.sandbox.state()
    began = time.monotonic()
    result = change(live.order(NEW, ANNOTATED, wait=2, flags={}), live.sandbox.places)
    assert result["rolled_back"] and "the old kube-apiserver is still running" in result["msg"]
    assert re.search(r"The old state is back and serves again after \d s\.", result["msg"])
    assert time.monotonic() - began < 30
    assert live.sandbox.state() == state


def test_a_server_of_before_is_not_one_that_was_started_since(live: Live) -> None:
    expected = serving.Expectation({}, None, None, None, BEFORE, "kube-system_kube-apiserver", "kube-apiserver")
    assert serving.wait_until_serving(expected, live.sandbox.places, 5).serving
    later = expected._replace(not_before=serving.ticks_now() + 1)
    outcome = serving.wait_until_serving(later, live.sandbox.places, 0.3)
    assert not outcome.serving and "from before the old state came back is still running" in outcome.reason


@pytest.mark.parametrize("cut", ["files are whole", "another client CA"])
def test_whoever_recovers_waits_for_the_server(live: Live, cut: str) -> None:
    """The next master of the cluster comes after this one, whatever had become of its change."""
    ca = f"{support.PKI}/ca.crt"
    live.sandbox.lay(ca, OLD.certificate)
    order = live.order(NEW, None, client_ca=ca)
    prepare(live.sandbox.places)
    staged = live.sandbox.stage(*order.files)
    known = change_module._known_client_ca(order, live.sandbox.places)
    note = change_module._note(order, BEFORE, serving.running(BEFORE, live.sandbox.places), known)
    Backup.begin(live.sandbox.places, staged=staged, manifest=None, note=note)
    install.discard(staged)
    if cut == "another client CA":
        live.sandbox.lay(ca, NEW.certificate)
    live.server.ready = 500
    timer = threading.Timer(1.0, lambda: setattr(live.server, "ready", 200))
    timer.start()
    assert recover(live.sandbox.places, 5)["recovered"] == "ended"
    assert live.server.ready == 200
