# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action front_proxy_prune: who does it, when nobody does, and that a change meanwhile is decided about anew."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from unittest.mock import MagicMock

import pytest
import yaml
from ansible.playbook.task import Task
from ansible_collections.kubeops.aggregation_layer.plugins.action import front_proxy_prune
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import prune
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import CA, NAMES
from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_prune as module
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.runner import Runner
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    make_ca,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    kubeadm,
    sentence,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.prune.fake_api import FakeApi
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Layer

OWN, OLD = make_ca(), make_ca("old")
Variables = t.Dict[str, t.Any]
# what ansible-core 2.22 takes out of everything that is said later in this process
GIVEN = {"authority": "the authority of a kubeconfig", "token": "the token of a kubeconfig"}


def well(name: str = "m1", cluster: str = "kubernetes", **more: t.Any) -> Variables:
    layer = Layer(kubeadm(name, cluster=cluster), **more)
    return {**layer.facts(), "spec": {"cluster": cluster, "container": "kube-apiserver"}}


class Play:
    """Runs the action on each host in turn, and the module with a ConfigMap in memory."""

    def __init__(self, api: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.api = api
        self.steps: t.List[str] = []
        self.sent: t.List[Variables] = []
        self.vars: t.Dict[str, Variables] = {}
        self.group = "masters"
        monkeypatch.setattr(prune, "_ask", lambda *dummy: api)
        monkeypatch.setattr(prune, "_PAUSE", 0.01)
        self.runner = Runner(module.main, monkeypatch, capsys)

    def execute(self, *, module_name: str, module_args: Variables, task_vars: t.Any) -> Variables:
        self.steps.append(module_args["step"])
        self.sent.append(module_args)
        given = json.loads(json.dumps(module_args))
        return {"answer": json.dumps(self.runner(check=self.check, **given))}

    def __call__(
        self, hosts: t.Mapping[str, Variables], *, check: bool = False, diff: bool = False, **arguments: t.Any
    ) -> t.Dict[str, Variables]:
        """Give the result of each host. hosts: what was registered; of an empty one nothing, it is left out."""
        self.check = check
        self.steps.clear()
        active = [name for name, found in hosts.items() if found]
        registered = {name: {"seen": found, **self.vars.get(name, {})} for name, found in hosts.items()}
        results = {}
        for name in active:
            task = MagicMock(spec=Task)
            task.async_val, task.check_mode, task.diff, task.no_log = False, check, diff, False
            task.action = "front_proxy_prune"
            defaults = {"members": list(hosts), "pattern": self.group, "observed_var": "seen", "watch": 0}
            task.args = {**defaults, **arguments}
            action = front_proxy_prune.ActionModule(
                task=task,
                connection=MagicMock(),
                play_context=MagicMock(),
                loader=MagicMock(),
                templar=MagicMock(),
                shared_loader_obj=None,
            )
            action._execute_module = self.execute
            variables = {
                "inventory_hostname": name,
                "hostvars": registered,
                "ansible_play_hosts_all": active,
                "ansible_play_batch": active,
            }
            results[name] = action.run(task_vars=variables)
        return results

    def refused(self, hosts: t.Mapping[str, Variables], **arguments: t.Any) -> t.Dict[str, str]:
        """The sentence of each host that fails; nothing was asked."""
        results = self(hosts, **arguments)
        return {name: sentence(str(result["msg"])) for name, result in results.items() if result.get("failed")}


@pytest.fixture
def api() -> FakeApi:
    return FakeApi(OLD, OWN, names=["front-proxy-client", "old"])


@pytest.fixture
def play(api: FakeApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Play:
    return Play(api, monkeypatch, capsys)


def test_one_master_does_it(play: Play, api: FakeApi) -> None:
    results = play({"m1": well(), "m2": well("m2")})
    assert results["m1"]["changed"] and results["m1"]["took_part"]
    assert not results["m2"]["changed"] and not results["m2"]["took_part"] and results["m2"]["host"] == "m1"
    assert play.steps == ["look", "take_out"] and api.data[CA] == OWN.pem
    (ca,) = results["m1"]["cas"]
    assert ca["fingerprint"] == OLD.fingerprint and ca["why"] == "no master has it, in its files or loaded"
    assert results["m1"]["names"] == [{"name": "old", "why": "no master allows it"}]
    head, *lines = results["m1"]["summary"]
    assert head == "cluster kubernetes: taken out of kube-system/extension-apiserver-authentication, through m1"
    assert lines[0].startswith("  CA CN=front-proxy-ca (key ") and lines[1] == "  name 'old': no master allows it"


def test_a_second_run_changes_nothing(play: Play, api: FakeApi) -> None:
    hosts = {"m1": well(), "m2": well("m2")}
    play(hosts)
    version = api.version
    again = play(hosts)["m1"]
    assert not again["changed"] and again["cas"] == [] and api.version == version and play.steps == ["look"]
    assert again["summary"] == [
        "cluster kubernetes: nothing to take out of kube-system/extension-apiserver-authentication"
    ]


def test_check_mode_tells_and_changes_nothing(play: Play, api: FakeApi) -> None:
    before = dict(api.data)
    result = play({"m1": well()}, check=True, diff=True, watch=60)["m1"]
    assert result["changed"] and "would be taken out of" in result["summary"][0]
    assert api.data == before and api.asked == ["GET"] and play.steps == ["look"]
    assert result["diff"]["before"].startswith("CA CN=front-proxy-ca") and result["diff"]["after"] == ""


def test_what_changes_meanwhile_is_decided_about_anew(play: Play, api: FakeApi) -> None:
    """Somebody takes the CA out himself and publishes another name, while we want to."""

    def somebody(method: str) -> None:
        if method == "PATCH" and api.version == 7:
            api.write(**{CA: OWN.pem, NAMES: '["front-proxy-client","old","new"]'})
            api.annotate("edit")

    api.react = somebody
    result = play({"m1": well()})["m1"]
    assert result["cas"] == [] and [each["name"] for each in result["names"]] == ["old", "new"]
    assert result["tries"] == 2 and "decided 2 times" in result["summary"][-1]
    assert play.steps == ["look", "take_out", "take_out"] and api.annotations == {"edit": "kept"}
    # and where that leaves nothing to do, nothing is done
    api.write(**{CA: OLD.pem + OWN.pem})
    api.react = lambda method: api.write(**{CA: OWN.pem}) if method == "PATCH" else None
    assert not play({"m1": well()})["m1"]["changed"]


def test_it_gives_up_where_somebody_always_changes_it(play: Play, api: FakeApi) -> None:
    before = dict(api.data)
    api.react = lambda method: api.annotate(str(api.version)) if method == "PATCH" else None
    refused = play.refused({"m1": well()})
    assert "was changed by somebody else 5 times" in refused["m1"] and api.data == before


def test_it_watches_whether_it_stays_out(play: Play, api: FakeApi) -> None:
    result = play({"m1": well()}, watch=1)["m1"]
    assert result["watched"] == 1 and result["summary"][-1] == "  still out after 1 s" and play.steps[-1] == "watch"
    api.write(**{CA: OLD.pem + OWN.pem})
    api.asked.clear()

    def resync(method: str) -> None:
        if method == "GET" and "PATCH" in api.asked:
            api.write(**{CA: OLD.pem + OWN.pem})

    api.react = resync
    back = play({"m1": well()}, watch=60)["m1"]
    assert back["failed"] and back["changed"]
    assert "came back after 0 s, so a kube-apiserver still has it loaded" in sentence(back["msg"])


class TestClusters:
    def test_each_by_itself(self, play: Play) -> None:
        hosts = {"g1": well("g1", "green"), "b1": well("b1", "blue"), "b2": {"unreachable": True, "msg": "no route"}}
        hosts["b2"]["spec"] = {"cluster": "blue"}
        results = play(hosts)
        assert results["g1"]["changed"] and results["b1"]["failed"] and results["b2"]["failed"]
        assert "of blue: b2 could not be looked at (unreachable: no route)" in results["b1"]["msg"]

    def test_who_does_not_say_which_it_is_of_may_be_of_any(self, play: Play) -> None:
        hosts: t.Dict[str, Variables] = {"g1": well("g1", "green"), "out": {}}
        assert "out is left out of this run" in play.refused(hosts)["g1"]
        play.vars["out"] = {"front_proxy_cluster": "blue"}
        assert play.refused(hosts) == {}


class TestRefusals:
    def test_a_master_that_is_left_out(self, play: Play, api: FakeApi) -> None:
        assert "m2 is left out of this run (--limit" in play.refused({"m1": well(), "m2": {}})["m1"]
        assert api.asked == []

    def test_a_pattern_that_may_not_hold_all(self, play: Play) -> None:
        play.vars["m1"], play.group = {"group_names": ["masters"]}, "m1"
        assert "front_proxy_hosts is m1, which is one host of masters" in play.refused({"m1": well()})["m1"]
        play.group = "masters"
        assert "which does not hold m1" in play.refused({"m1": well()}, members=[])["m1"]

    def test_an_api_that_nobody_can_read(self, play: Play) -> None:
        hosts = {"m1": well(readable=False), "m2": well("m2", readable=False)}
        refused = play.refused(hosts)
        assert set(refused) == {"m1", "m2"} and "could not be read through any of its masters (m1: {" in refused["m1"]
        # one is enough
        assert play({"m1": well(readable=False), "m2": well("m2")})["m2"]["changed"]

    def test_what_the_api_forbids(self, play: Play, api: FakeApi) -> None:
        api.status = 403
        assert "cannot be read through this master (HTTP 403" in play.refused({"m1": well()})["m1"]

    def test_a_master_that_says_nonsense(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        for said in ({"version": 7}, {"version": "7", "cas": "x", "names": None, "servers": ["$(id)"]}, []):
            monkeypatch.setattr(
                play, "execute", lambda said=said, **dummy: {"answer": json.dumps({"x": 1, **dict(said)})}
            )
            assert "is not one that this release of the collection gives" in play.refused({"m1": well()})["m1"]

    def test_what_a_master_says_is_shown_without_what_steers(self, play: Play, api: FakeApi) -> None:
        api.write(**{NAMES: '["front-proxy-client", "\\u001b]0;x\\u202e"]'})
        result = play({"m1": well()}, diff=True)["m1"]
        for text in (
            *result["summary"],
            result["diff"]["before"].rstrip("\n").replace("\n", ""),
            result["names"][0]["name"],
        ):
            assert text.isprintable(), text


def new_file() -> Variables:
    found = well("m2")
    found["files"][f"{PKI}/front-proxy-ca.crt"]["stamp"] = f"1:2:3:{int(NOW.timestamp() * 1e9)}"
    return found


def test_new_files_are_waited_for(play: Play, api: FakeApi) -> None:
    hosts = {"m1": well(), "m2": new_file()}
    results = play(hosts, may_wait=True)
    assert [(each["wait"], each["took_part"]) for each in results.values()] == [(66, False)] * 2 and api.asked == []
    assert "front-proxy-ca.crt on m2 is new" in results["m1"]["why_wait"]
    assert "may need 66 s more to load it; run again then" in play.refused(hosts)["m1"]
    result = play(hosts, may_wait=True, check=True)["m1"]
    assert (
        result["wait"] == 0
        and "  not yet: /etc/kubernetes/pki/front-proxy-ca.crt on m2 is new" in result["summary"][-1]
    )


def test_a_kubeconfig_is_read_here_and_its_user_is_sent(
    play: Play, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sent: t.List[str] = []
    monkeypatch.setattr(front_proxy_prune, "read_kubeconfig", lambda dummy: ("admin", GIVEN))
    monkeypatch.setattr(front_proxy_prune, "send_in_memory", lambda dummy, secret: sent.append(secret))
    assert play({"m1": well()}, kubeconfig=str(tmp_path / "config"))["m1"]["changed"]
    assert sent == ["the credentials of the kubeconfig"] * 2
    assert {each["user"] for each in play.sent} == {"admin"}


def test_what_it_returns_is_documented(play: Play) -> None:
    result = play({"m1": well()})["m1"]
    assert set(yaml.safe_load(module.RETURN)) == set(result) - {"changed"}


class TestModule:
    def test_it_tells_whether_it_changed_something(self, play: Play, api: FakeApi) -> None:
        play.check = False
        asked = {"process": {"pid": 1, "argv": ["kube-apiserver"]}, "version": "7", "cas": [OLD.fingerprint]}
        assert play.runner(step="take_out", check=True, **asked)["changed"] is False and api.asked == []
        assert play.runner(step="take_out", **asked)["changed"] is True
        again = play.runner(step="take_out", **asked)
        assert again["changed"] is False and again["now"]["version"] == "8"

    def test_sentences(self, play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*dummy: t.Any) -> t.Any:
            raise MasterError("The kube-apiserver of this master has no front-proxy pair to ask with.")

        monkeypatch.setattr(prune, "_ask", refuse)
        asked = {"process": {"pid": 1, "argv": ["kube-apiserver"]}}
        assert "no front-proxy pair" in play.runner.refused(step="look", **asked)
        bad = play.runner(step="look", **asked, credentials={"token": GIVEN["token"]})
        assert bad["failed"] and GIVEN["token"] not in bad["msg"]
