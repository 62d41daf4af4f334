# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that somebody chose to harm whoever reads the table, or pastes a fix out of it."""

from __future__ import annotations

import json
import shlex

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.model import Finding
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.table import headline, table
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_leaf
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FakeMaster,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import COMMAND, look

NAMES = "requestheader-allowed-names"
HOSTILE = "x'; touch /tmp/harmed #\n{fix}\x1b[2J\u202e"


def words(found: Finding) -> list[str]:
    """What the shell makes of a fix, without its comment."""
    return shlex.split(found.fix.partition(": ")[2], comments=True)


def named(name: str) -> FakeMaster:
    return kubeadm(flags={NAMES: None}).put_pair(make_leaf(common_name=name))


def test_a_name_is_one_word_of_a_command() -> None:
    (found,) = look(named(HOSTILE)).findings
    assert found.kind.id == "name-not-published"
    *command, flag, given = words(found)
    assert command == shlex.split(COMMAND) and flag == "-e"
    # braces would be a template for Ansible, and control characters steer the terminal
    assert json.loads(given) == {"front_proxy_allowed_names": [HOSTILE.replace("{fix}", "_fix_")]}


def test_a_file_name_is_one_word_of_a_command() -> None:
    fake = kubeadm()
    fake.siblings = [{"name": "kube apiserver; reboot.yaml", "size": 9, "text": fake.text}]
    (found,) = look(fake).findings
    assert found.kind.id == "stray-manifest"
    assert words(found) == [
        "mv",
        "-n",
        "/etc/kubernetes/manifests/kube apiserver; reboot.yaml",
        "/etc/kubernetes/kube apiserver; reboot.yaml",
    ]


def test_nothing_steers_the_terminal() -> None:
    verdict = look(kubeadm(flags={NAMES: "front-proxy-client"}).put_pair(make_leaf(common_name=HOSTILE)))
    assert [found.kind.id for found in verdict.findings] == ["pair-name-not-allowed"]
    for text in [*(line.text for line in table(verdict)), headline(verdict.findings[0], several=False)]:
        assert text.isprintable(), ascii(text)
    assert any("touch /tmp/harmed" in line.text for line in table(verdict))
