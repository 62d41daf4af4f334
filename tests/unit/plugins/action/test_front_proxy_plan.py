# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The action front_proxy_plan: whom it takes for a master of which cluster, and what it makes of a failed look."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
from ansible import constants as C
from ansible.playbook.task import Task
from ansible_collections.kubeops.aggregation_layer.plugins.action import front_proxy_plan
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import planning, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    kubeadm,
    master,
    sentence,
)

Variables = t.Dict[str, t.Any]


def spec(folder: str, of: str = "kubernetes", **more: t.Any) -> Variables:
    """What the role says of a master beside its observation."""
    return {
        "cluster": of,
        "folder": f"{folder}/{of}",
        "container": "kube-apiserver",
        "renew_before": "1/3",
        "common_name": "",
        "allowed_names": None,
        "username_headers": ["X-Remote-User"],
        "group_headers": ["X-Remote-Group"],
        "extra_headers_prefix": ["X-Remote-Extra-"],
        "aggregator_routing": "auto",
        "extra_flags": {},
        "certificates_dir": "",
        "ca_from": "",
        "allow_shared_ca": False,
        **more,
    }


class Play:
    """The hosts of a play with their variables, and the action run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder / "pki")
        self.hosts: t.Dict[str, Variables] = {}
        self.active: t.List[str] = []
        self.play: t.List[str] = []
        self.waiting: t.List[str] = []  # in a later batch of the play
        self.task = MagicMock(spec=Task)
        self.task._parent = None

    def observed(self, fake: support.FakeMaster, of: str = "kubernetes", **more: t.Any) -> None:
        """This master was observed in this run."""
        facts = {**fake.observe(), "spec": spec(self.folder, of, **more), "changed": False}
        self.failed(fake.name, facts, of)
        self.active.append(fake.name)

    def failed(self, name: str, result: Variables, cluster: str = "kubernetes") -> None:
        """This master was not observed, with this result of its task."""
        self.hosts[name] = {"front_proxy__observed": result, "front_proxy_cluster": cluster}
        self.play.append(name)

    def unseen(self, name: str, **variables: t.Any) -> None:
        """This master is in the inventory, and not part of this run."""
        self.hosts[name] = variables

    def run(
        self,
        *,
        members: t.Optional[t.Sequence[str]] = None,
        looked: t.Sequence[Variables] = (),
        pattern: str = "masters",
    ) -> Variables:
        task = self.task
        task.args = {"members": list(self.hosts) if members is None else list(members), "looked": list(looked)}
        task.args["pattern"] = pattern
        task.args["observed_var"] = "front_proxy__observed"
        task.async_val = 0
        task.check_mode = task.diff = False
        task.action = "kubeops.aggregation_layer.front_proxy_plan"
        action = front_proxy_plan.ActionModule(task, MagicMock(), MagicMock(), MagicMock(), MagicMock(), MagicMock())
        variables = {
            "ansible_play_batch": self.active,
            "ansible_play_hosts_all": self.play,
            "ansible_play_hosts": [name for name in self.play if name in self.active or name in self.waiting],
            "hostvars": self.hosts,
        }
        done = action.run(None, variables)
        if done.get("failed"):
            return done
        assert done["changed"] is False
        json.dumps(done)  # nothing in it but plain values
        return done


@pytest.fixture
def play(tmp_path: Path) -> Play:
    return Play(tmp_path)


def test_all_observed_masters_of_a_cluster_are_planned_for(play: Play) -> None:
    play.observed(master("m1"))
    play.observed(master("m2"))
    done = play.run()
    assert done["waves"] == [["m1"], ["m2"]]
    assert done["clusters"]["kubernetes"]["folder"] == f"{play.folder}/kubernetes"


def test_clusters_are_told_apart_by_what_each_host_says(play: Play) -> None:
    play.observed(kubeadm("a1", evidence=()), of="a")
    play.observed(kubeadm("b1", evidence=()), of="b")
    assert play.run()["waves"] == [["a1", "b1"]]


def test_the_variables_of_each_host_count(play: Play) -> None:
    play.observed(kubeadm("m1"), aggregator_routing=True)
    play.observed(kubeadm("m2"))
    done = play.run()
    assert done["hosts"]["m1"]["flags"]["enable-aggregator-routing"] == "true" and done["waves"] == [["m1"]]


def test_an_unreachable_master_stops_its_cluster_with_a_sentence(play: Play) -> None:
    play.observed(master("m1"))
    play.failed("m2", {"unreachable": True, "changed": False, "msg": "Connection timed out"})
    play.observed(master("x1", cluster="x"), of="x")
    done = play.run()
    said = planning.refusal(done, "m2")
    sentence(said, "m2 is unreachable (Connection timed out)", "--limit '!m2'")
    assert done["waves"] == [["x1"]]


def test_a_master_whose_look_failed_stops_its_cluster_with_its_message(play: Play) -> None:
    play.observed(master("m1"))
    play.failed("m2", {"failed": True, "msg": "There is no manifest at /x; name the right path."})
    assert planning.refusal(play.run(), "m2") == "There is no manifest at /x; name the right path."


def test_a_master_that_was_not_looked_at_asks_for_a_look_where_no_ca_is_known(play: Play) -> None:
    play.observed(master("m1"))
    play.unseen("m2")  # in the cluster by default
    play.unseen("x1", front_proxy_cluster="x")
    done = play.run()
    assert done["clusters"]["kubernetes"]["look_at"] == ["m2"] and list(done["clusters"]) == ["kubernetes"]


def test_what_the_look_found_counts(play: Play) -> None:
    play.observed(master("m1"))
    play.unseen("m2")
    done = play.run(looked=[{"item": "m2", **master("m2").observe()}])
    assert done["clusters"]["kubernetes"]["make_ca"] and list(done["hosts"]) == ["m1"]
    done = play.run(looked=[{"item": "m2", **kubeadm("m2").observe()}])
    assert "front-proxy-ca.key is not there" in planning.refusal(done, "m1")


@pytest.mark.parametrize("result", [{"unreachable": True, "msg": "no"}, {"failed": True, "msg": "no"}, {}])
def test_a_look_that_failed_is_refused_with_the_ways_out(play: Play, result: Variables) -> None:
    play.observed(master("m1"))
    play.unseen("m2")
    done = play.run(looked=[{"item": "m2", **result}])
    sentence(planning.refusal(done, "m1"), "m2 of this cluster could not be looked at", "--limit")


def test_a_master_of_the_play_counts_though_the_inventory_group_lacks_it(play: Play) -> None:
    play.observed(kubeadm("m1", evidence=()))
    assert play.run(members=[])["waves"] == [["m1"]]


def test_a_name_that_is_no_host_is_left_out(play: Play) -> None:
    play.observed(kubeadm("m1"))
    assert list(play.run(members=["m1", "ghost"])["hosts"]) == ["m1"]


def test_a_master_of_an_earlier_batch_is_known_and_not_targeted(play: Play) -> None:
    play.observed(kubeadm("m1"))
    play.observed(kubeadm("m2", evidence=()))
    play.active.remove("m1")
    play.waiting.append("m1")
    done = play.run()
    assert list(done["hosts"]) == ["m2"] and done["clusters"]["kubernetes"]["leader"] == "m2"


def test_a_master_that_failed_earlier_in_the_play_stops_its_cluster(play: Play) -> None:
    play.observed(kubeadm("m1"))
    play.observed(kubeadm("m2", evidence=()))
    play.active.remove("m1")
    done = play.run()
    sentence(planning.refusal(done, "m1"), "m1 failed earlier in this run", "--limit '!m1'")
    assert done["hosts"]["m2"]["error"] and done["waves"] == []


@pytest.mark.parametrize("name", ["free", "ansible.builtin.free", "host_pinned", "community.other.mine"])
def test_a_strategy_that_holds_no_waves_apart_is_refused(play: Play, name: str) -> None:
    play.observed(kubeadm("m1", evidence=()))
    play.task._parent = SimpleNamespace(_parent=SimpleNamespace(_play=SimpleNamespace(strategy=name)))
    done = play.run()
    assert done["failed"] and "waves" not in done
    sentence(done["msg"], f"strategy {name}", "strategy: linear")


@pytest.mark.parametrize("name", ["linear", "ansible.builtin.linear", "debug"])
def test_a_strategy_that_goes_task_by_task_is_fine(play: Play, name: str) -> None:
    play.observed(kubeadm("m1", evidence=()))
    play.task._parent = SimpleNamespace(_play=SimpleNamespace(strategy=name))
    assert play.run()["waves"] == [["m1"]]


@pytest.mark.parametrize("setting", ["DEFAULT_DEBUG", "DEFAULT_KEEP_REMOTE_FILES"])
def test_settings_that_give_secrets_away_are_refused(play: Play, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    play.observed(kubeadm("m1"))
    monkeypatch.setattr(C, setting, True)
    done = play.run()
    assert done["failed"] and "hosts" not in done
    sentence(done["msg"], setting.replace("DEFAULT", "ANSIBLE"), "unset it")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"validity": "soon"}, "front_proxy_validity"),
        ({"ca_validity": "0d"}, "front_proxy_ca_validity"),
        ({"renew_before": "400d"}, "renew_before"),
        ({"validity": "10d", "renew_before": "11d"}, "renew_before"),
        ({"cluster": "../elsewhere"}, "front_proxy_cluster"),
    ],
)
def test_what_could_not_be_signed_later_is_refused_now(play: Play, wrong: Variables, words: str) -> None:
    play.observed(master("m1"), **wrong)
    sentence(planning.refusal(play.run(), "m1", wrong.get("cluster", "kubernetes")), words)


def test_a_folder_that_everybody_can_read_refuses_its_cluster(play: Play, tmp_path: Path) -> None:
    (tmp_path / "pki" / "kubernetes").mkdir(parents=True)
    (tmp_path / "pki" / "kubernetes").chmod(0o755)
    play.observed(kubeadm("m1"))
    sentence(planning.refusal(play.run(), "m1"), f"{play.folder}/kubernetes", "0700")


def test_a_variable_of_the_wrong_kind_fails_with_a_sentence(play: Play) -> None:
    play.observed(kubeadm("m1"), extra_flags=["v"])
    play.observed(kubeadm("m2"))
    play.observed(kubeadm("x1", evidence=()), of="x")
    done = play.run()
    sentence(planning.refusal(done, "m1"), "front_proxy_extra_flags")
    assert done["waves"] == [["x1"]]


def test_a_missing_library_fails_with_a_sentence(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise PkiError("For this Python cryptography is not installed; install it.")

    monkeypatch.setattr(front_proxy_plan, "require", missing)
    play.observed(kubeadm("m1"))
    done = play.run()
    assert done["failed"] and "cryptography is not installed" in done["msg"]


def test_containers_of_ansible_become_plain(play: Play) -> None:
    class Tagged(dict):  # type: ignore[type-arg]
        """As Ansible's own containers are: a dict, and not quite."""

    plain = front_proxy_plan.plain(Tagged(a=Tagged(b=(1, Tagged()))))
    assert plain == {"a": {"b": [1, {}]}}
    assert not any(isinstance(part, Tagged) for part in (plain, plain["a"], plain["a"]["b"][1]))


def test_a_group_that_does_not_hold_the_hosts_of_the_play_makes_no_ca(play: Play) -> None:
    play.observed(master("m1"))
    sentence(planning.refusal(play.run(members=[]), "m1"), "front_proxy_hosts is masters", "m1", "--limit")


def test_a_host_in_place_of_its_group_makes_no_ca(play: Play) -> None:
    play.observed(master("m1"))
    play.hosts["m1"]["group_names"] = ["kube_control_plane"]
    done = play.run(members=["m1"], pattern="m1")
    sentence(planning.refusal(done, "m1"), "front_proxy_hosts is m1", "one host of kube_control_plane")


def test_neither_matters_where_a_ca_is_known(play: Play) -> None:
    play.observed(kubeadm("m1", evidence=()))
    assert play.run(members=[])["waves"] == [["m1"]]


def test_an_active_master_that_has_no_part_in_this_call(play: Play) -> None:
    """In a rescue: what an earlier call found of it is forgotten, so it is like one that was left out."""
    play.observed(kubeadm("m3", evidence=()))
    play.hosts["m1"] = {"front_proxy__observed": None, "front_proxy_cluster": "kubernetes"}
    play.play.append("m1")
    play.active.append("m1")
    done = play.run()
    assert done["clusters"]["kubernetes"]["members"] == ["m3"]
    assert done["clusters"]["kubernetes"]["leader"] == "m3"
    assert "m1" not in done["hosts"]
