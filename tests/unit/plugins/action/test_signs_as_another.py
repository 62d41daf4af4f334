# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is set with -e and would keep the role from signing as the one who runs Ansible."""

from __future__ import annotations

import sys
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._refusals import signs_as_another

NOTHING: t.Dict[str, t.Any] = {"make_ca": False, "adopt": None, "sign": ""}
SIGNED = [{**NOTHING, "make_ca": True}, {**NOTHING, "adopt": "-----"}, {**NOTHING, "sign": "it had none"}]


def ask(cluster: t.Mapping[str, t.Any], **extra: t.Any) -> t.Optional[str]:
    return signs_as_another({"refused": {"error": "no"}, "blue": cluster}, extra, lambda value: value)


@pytest.mark.parametrize("cluster", SIGNED)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ansible_become", True),
        ("ansible_become", "yes"),
        ("ansible_connection", "ssh"),
        ("ansible_python_interpreter", "/nowhere/python3"),
    ],
)
def test_refused(cluster: t.Mapping[str, t.Any], name: str, value: t.Any) -> None:
    said = ask(cluster, **{name: value})
    assert said is not None
    assert said.startswith(f"{name} is {value} on the command line (-e)")
    assert "group of the masters in the inventory." in said
    assert ask(NOTHING, **{name: value}) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ansible_become", "false"),
        ("ansible_become", False),
        ("ansible_connection", "local"),
        ("ansible_connection", "ansible.builtin.local"),
        ("ansible_python_interpreter", sys.executable),
        ("ansible_python_interpreter", "auto_silent"),
        ("ansible_user", "root"),
    ],
)
def test_harmless(name: str, value: t.Any) -> None:
    assert ask(SIGNED[0], **{name: value}) is None


def test_a_template() -> None:
    said = signs_as_another({"blue": SIGNED[0]}, {"ansible_become": "{{ x }}"}, lambda value: value == "{{ x }}")
    assert said is not None
    assert "ansible_become is True" in said
