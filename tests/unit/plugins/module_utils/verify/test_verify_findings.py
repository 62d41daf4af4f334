# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of finding: what causes it, and that nothing else is found with it."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from datetime import timedelta

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.catalogue import CATALOGUE
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.model import Kind
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_leaf
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import MANIFEST, kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.cluster_cases import (
    CLUSTER_CASES,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.master_cases import (
    MASTER_CASES,
    flags,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.smoke_cases import SMOKE_CASES
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Layer,
    ids,
    look,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.way_cases import WAY_CASES

CASES = {**MASTER_CASES, **CLUSTER_CASES, **SMOKE_CASES, **WAY_CASES}


def test_every_kind_has_a_case() -> None:
    assert sorted(CASES) == sorted(kind.id for kind in CATALOGUE)


@pytest.mark.parametrize("kind", sorted(CATALOGUE, key=lambda kind: kind.id), ids=lambda kind: kind.id)
def test_no_shell_obeys_what_stands_behind_a_command(kind: Kind) -> None:
    """In zsh a # begins no comment unless one asks for it, so a semicolon behind it ends the command before it."""
    command, dummy, note = kind.fix.partition("  # ")
    assert re.fullmatch(r"[A-Za-z0-9 .,:/@_+{}-]*", note), kind.fix


@pytest.mark.parametrize("kind", sorted(CASES))
def test_a_cause_has_its_finding_and_no_other(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "weak-signature":
        weak = replace(make_leaf(owner="client m1"), signature_hash="sha1")
        place = "ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.view.View.leaf"
        monkeypatch.setattr(place, property(lambda dummy: weak))
    verdict = look(*CASES[kind]())
    expected = [kind] if kind != "no-start-from-1-35" else ["any-client-is-a-front-proxy", kind]
    assert ids(verdict) == expected, [found.as_dict() for found in verdict.findings]
    found = verdict.findings[-1]
    for text in (found.title, found.consequence, found.fix, *found.evidence):
        assert text and "None" not in text and not re.search(r"\{\w+\}", text), text
        assert "PRIVATE KEY" not in text
    assert all(name in ("m1", "m2") for name in found.hosts)
    # a command can be pasted as it is: what is said about it is a comment
    where, dummy, command = found.fix.partition(": ")
    if where == "run" or where.startswith("run on m"):
        words = shlex.split(command, comments=True)
        tools = ("ansible-playbook", "chmod", "chown", "kubeadm", "kubectl", "mv", "rm", "sh", "systemctl")
        assert words[0] in tools, command
        assert not [word for word in words if word.startswith("(") or word.endswith((",", ";", ")"))], command


@pytest.mark.parametrize("release", ["v1.16.1", "v1.20.2", "v1.28.4", "v1.36.2"])
def test_a_healthy_cluster_has_no_finding(release: str) -> None:
    masters = [Layer(kubeadm(f"m{number}", release=release), extension=Extension()) for number in (1, 2, 3)]
    verdict = look(*masters)
    assert ids(verdict) == [] and verdict.notes == ()


def test_a_manifest_is_named_in_what_is_seen() -> None:
    (found,) = look(flags(proxy_client_key_file=None)).findings
    assert MANIFEST in found.evidence[0] and "no --proxy-client-key-file" in found.evidence[0]


def test_half_a_minute_of_clock_is_nothing() -> None:
    assert ids(look(kubeadm(skew=timedelta(seconds=30).total_seconds()))) == []
