# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a master: the order is carried out exactly, or not at all, and what comes back is seen."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.prune import (
    read_published,
    read_taken,
    read_watched,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import prune
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import CA, NAMES
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import sentence
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.prune.fake_api import FakeApi

OWN, OLD = make_ca(), make_ca("old")
WHO: t.Dict[str, t.Any] = {
    "process": {"pid": 1, "argv": ["kube-apiserver"], "start_ticks": 1, "started": 1.0, "mounts": []},
    "user": None,
    "credentials": None,
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    made = FakeApi(OLD, OWN, names=["front-proxy-client", "old"], servers=["192.0.2.2", "192.0.2.1"])
    monkeypatch.setattr(prune, "_ask", lambda *dummy: made)
    monkeypatch.setattr(prune, "_PAUSE", 0.01)
    return made


def take_out(version: str = "7", cas: t.Sequence[str] = (OLD.fingerprint,), names: t.Sequence[str] = ("old",)) -> t.Any:
    return read_taken(prune.take_out(**WHO, version=version, cas=cas, names=names))


def watch(seconds: float = 0.1) -> t.Any:
    return read_watched(prune.watch(**WHO, cas=[OLD.fingerprint], names=["old"], seconds=seconds))


def test_it_tells_what_is_published(api: FakeApi) -> None:
    assert read_published(prune.look(**WHO)) == {**api.published, "servers": ["192.0.2.1", "192.0.2.2"]}
    api.there = False
    assert read_published(prune.look(**WHO))["version"] is None


def test_exactly_that_goes(api: FakeApi) -> None:
    before = dict(api.data)
    assert take_out() == {"taken": True, "now": None}
    assert api.data == {**before, CA: OWN.pem, NAMES: '["front-proxy-client"]'}
    assert api.asked == ["GET", "PATCH"]


def test_only_what_is_ordered_is_written(api: FakeApi) -> None:
    before = dict(api.data)
    take_out(names=[])
    assert api.data == {**before, CA: OWN.pem}
    take_out("8", cas=[])
    assert api.data == {**before, CA: OWN.pem, NAMES: '["front-proxy-client"]'}


@pytest.mark.parametrize("moment", ["GET", "PATCH"])
def test_what_was_changed_meanwhile_is_told_and_not_touched(api: FakeApi, moment: str) -> None:
    """Before it is looked at here, or between that and the write."""

    def somebody(method: str) -> None:
        if method == moment and api.version == 7:
            api.write(**{CA: OWN.pem + OLD.pem})

    api.react = somebody
    assert take_out() == {"taken": False, "now": {**api.published, "servers": ["192.0.2.1", "192.0.2.2"]}}
    assert api.data[CA] == OWN.pem + OLD.pem and api.version == 8
    assert take_out("8")["taken"] and api.data[CA] == OWN.pem


def test_the_last_one_is_not_taken_out_whoever_orders_it(api: FakeApi) -> None:
    for order, words in (
        ({"cas": [OWN.fingerprint, OLD.fingerprint]}, "No front-proxy CA would be left"),
        ({"names": ["front-proxy-client", "old"]}, "No name would be left"),
    ):
        with pytest.raises(MasterError, match=words):
            take_out(**order)  # type: ignore[arg-type]
    assert "PATCH" not in api.asked


def test_a_refusal_is_a_sentence(api: FakeApi) -> None:
    api.status = 403
    for act in (lambda: prune.look(**WHO), take_out, watch):
        with pytest.raises(MasterError) as caught:
            act()
        assert "cannot be read through this master (HTTP 403: " in sentence(str(caught.value))

    def forbid(method: str) -> None:
        api.status = 200 if method == "GET" else 403

    api.react, api.status = forbid, 200
    with pytest.raises(MasterError) as caught:
        take_out()
    assert "cannot be changed through this master (HTTP 403: " in sentence(str(caught.value))


class TestWatch:
    def test_nothing_comes_back(self, api: FakeApi) -> None:
        take_out()
        assert watch() == {"cas": [], "names": [], "seconds": 0} and len(api.asked) > 4

    def test_what_comes_back_ends_it(self, api: FakeApi) -> None:
        take_out()
        looks: t.List[str] = []

        def resync(method: str) -> None:
            looks.append(method)
            if len(looks) == 3:
                api.write(**{CA: OWN.pem + OLD.pem, NAMES: '["front-proxy-client","old"]'})

        api.react = resync
        assert watch(60) == {"cas": [OLD.fingerprint], "names": ["old"], "seconds": 0}

    def test_a_server_that_starts_anew_is_asked_again(self, api: FakeApi) -> None:
        take_out()
        looks: t.List[str] = []

        def restart(method: str) -> None:
            looks.append(method)
            api.status = 503 if len(looks) == 2 else 200

        api.react = restart
        assert watch()["cas"] == [] and len(looks) > 3
