# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lookup front_proxy_hosts: whom the playbooks work on, and when they must not begin."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible_collections.kubeops.aggregation_layer.plugins.lookup import front_proxy_hosts
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils import _hosts

NAME = "kubeops.aggregation_layer.front_proxy_hosts"
WORKERS = {"workers": ["w1"]}
Groups = t.Dict[str, t.List[str]]

# as Ansible's loader does it
C.config.initialize_plugin_configuration_definitions(
    "lookup", NAME, yaml.safe_load(front_proxy_hosts.DOCUMENTATION)["options"]
)


def ask(
    groups: Groups,
    *,
    limit: str = "",
    everywhere: t.Any = None,
    running: bool = True,
    tell: str = "pattern",
    **own: t.Any,
) -> str:
    """Run the lookup. everywhere: the variable for all hosts; own: for single ones; running: a play has begun."""
    hosts = sorted({host for members in groups.values() for host in members})
    variables: t.Dict[str, t.Any] = {"groups": {"all": hosts, "ungrouped": [], **groups}}
    if limit:
        variables["ansible_limit"] = limit
    if running:
        wishes = {host: own.get(host, everywhere) for host in (*hosts, "localhost")}
        variables["hostvars"] = {
            host: {} if wish is None else {"front_proxy_hosts": wish} for host, wish in wishes.items()
        }
    plugin = front_proxy_hosts.LookupModule(loader=DataLoader())
    plugin._load_name = NAME
    (found,) = plugin.run([], variables, tell=tell)
    return str(found)


def refused(groups: Groups, **keywords: t.Any) -> str:
    """What it says when it fails: the same in both ways."""
    with pytest.raises(AnsibleLookupError) as caught:
        ask(groups, **keywords)
    problem = ask(groups, tell="problem", **keywords)
    assert problem and problem in str(caught.value)
    assert problem.endswith(".")
    return problem


@pytest.mark.parametrize(
    ("groups", "wanted"),
    [
        ({"kube_master": ["m1"], **WORKERS}, "kube_master"),
        ({"kube_master": ["m1"], "kube_control_plane": ["m1"]}, "kube_control_plane"),
        ({"kube_control_plane": ["m1"], "masters": ["m2"]}, "masters"),
    ],
)
def test_the_first_group_that_exists(groups: Groups, wanted: str) -> None:
    assert ask(groups) == wanted
    assert ask(groups, tell="problem") == ""


def test_the_roles_default_names_the_same_groups() -> None:
    role = Path(_hosts.__file__).parents[2] / "roles" / "front_proxy"
    default = yaml.safe_load((role / "defaults" / "main.yml").read_text(encoding="utf-8"))["front_proxy_hosts"]
    assert re.findall(r"'(\w+)'", default) == [*_hosts.GROUPS, "in", _hosts.GROUPS[0]]
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text(encoding="utf-8"))["argument_specs"]
    assert {spec["options"]["front_proxy_hosts"]["default"] for spec in specs.values()} == {default}


def test_what_is_set_for_all_hosts_counts_first() -> None:
    groups = {"masters": ["m1"], "control": ["m2"]}
    assert ask(groups, everywhere="control") == "control"
    assert ask(groups, everywhere="m1:m2") == "m1:m2"


@pytest.mark.parametrize("value", ["", " ", ["m1"], 7, {}])
def test_what_is_no_pattern(value: t.Any) -> None:
    assert "is no pattern" in refused({"masters": ["m1"]}, everywhere=value)


def test_what_hosts_say_of_themselves() -> None:
    groups = {"control": ["m1", "m2"], "more": ["m3"]}
    assert ask(groups, m1="control", m2="control") == "control"
    assert "front_proxy_hosts is control for m1, more for m3; set" in refused(groups, m1="control", m3="more")
    # in a group that is known it must not be less than what they say
    known = {"masters": ["m1", "m2"], "blue": ["m1"], "green": ["m2"], "more": ["m3"]}
    assert ask(known, m1="blue", m2="green") == "masters"
    assert "front_proxy_hosts is masters:more for m1" in refused(known, m1="masters:more")


def test_nothing_tells() -> None:
    assert "none of the groups masters, kube_control_plane, kube_master" in refused(WORKERS)
    assert "none of the groups" in refused({})


def test_nobody_is_there() -> None:
    assert "no hosts in masters" in refused({"masters": [], "kube_master": ["m1"]})
    assert "no hosts in nobody" in refused({"masters": ["m1"]}, everywhere="nobody")
    assert "no hosts in ~(" in refused({"masters": ["m1"]}, everywhere="~(")


def test_nobody_is_left(tmp_path: Path) -> None:
    groups = {"masters": ["m1", "m2"], **WORKERS}
    for limit in ("m1", "m1,w1", "!m1", "mas*", "masters[0]"):
        assert ask(groups, limit=limit) == "masters"
    for limit in ("w1", "!masters", "all:!m1:!m2"):
        assert f"--limit {limit} leaves none of the masters (masters)" in refused(groups, limit=limit)
    retry = tmp_path / "retry"
    for host, left in (("m2", True), ("w1", False)):
        retry.write_text(f"{host}\n", encoding="utf-8")
        assert bool(ask(groups, limit=f"@{retry}", tell="problem")) is not left


def test_before_a_play_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """A syntax check and a listing know no variables of groups, and need no hosts."""
    given: t.Dict[str, t.Any] = {}
    monkeypatch.setattr(_hosts, "load_extra_vars", lambda _loader: given)
    assert ask({}, running=False) == "masters"
    assert ask({"kube_master": ["m1"]}, running=False, limit="w1") == "kube_master"
    given["front_proxy_hosts"] = "control"
    assert ask({"masters": ["m1"]}, running=False) == "control"
    # with a limit and no host at all, no play begins before the one that looks
    assert "no hosts in control" in refused({}, running=False, limit="m1")
