# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the results of a smoke test."""

from __future__ import annotations

from dataclasses import replace

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.smoke import Asked
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.smoke import Smoke
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    YEAR,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.smoke_cases import (
    BEGUN,
    CALLER,
    ENDED,
    asked,
    failed,
    left_over,
    smoked,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Layer,
    ids,
    look,
)


def test_what_was_shown_is_said() -> None:
    verdict = look(*smoked(asked(), asked(), asked()))
    assert ids(verdict) == []
    assert verdict.notes == (
        "smoke test: through m1, m2, m3 an extension API server saw the certificate CN=front-proxy-client, the user "
        "kubeops:aggregation-layer:smoke-test and the groups system:masters, system:authenticated.",
    )


def test_without_a_smoke_test_nothing_is_said_of_it() -> None:
    assert look(kubeadm()).notes == ()


def test_a_broken_master_explains_a_call_that_fails() -> None:
    one, two = smoked(asked(), failed())
    broken = Layer(kubeadm("m2").put_pair(make_leaf(start=NOW - 2 * YEAR))).seen()
    verdict = look(one, replace(broken, smoke=two.smoke))
    assert ids(verdict) == ["pair-expired"]
    assert "The smoke test does not work through m2, which the finding above explains." in verdict.notes


def test_a_call_that_could_not_be_made_is_no_fault_of_the_layer() -> None:
    one, two = smoked(asked(), None)
    verdict = look(one, replace(two, smoke=Smoke(failures={"ask": "ssh: timed out"})))
    assert ids(verdict) == ["smoke-test-not-run"] and verdict.findings[0].hosts == ("m2",)
    assert verdict.findings[0].evidence == ("through m2: ssh: timed out",)


def test_what_could_not_be_removed_is_told() -> None:
    verdict = look(*smoked(asked(), ended={**ENDED, "left": ["the Service is still there (HTTP 500)"]}))
    assert ids(verdict) == ["smoke-test-not-run"] and "still there" in verdict.findings[0].evidence[0]
    verdict = look(*smoked(asked(), ended=None, failures={"end": "The server does not run any more."}))
    assert ids(verdict) == ["smoke-test-not-run"]


def test_what_an_earlier_test_left_is_told() -> None:
    verdict = look(*smoked(asked(), begun={**BEGUN, "swept": ["cd"]}))
    assert ids(verdict) == [] and "smoke test: what was left of an earlier one was removed (cd)." in verdict.notes


def test_what_was_just_removed_is_no_finding() -> None:
    (dead,) = left_over()
    assert isinstance(dead, Seen)
    assert ids(look(dead)) == ["smoke-test-left-over"]
    assert ids(look(replace(dead, smoke=Smoke({**BEGUN, "swept": ["ab"]}, asked(), ENDED)))) == []
    assert ids(look(dead, replace(dead, name="m2"))) == ["smoke-test-left-over"]  # once for the cluster


def test_a_user_of_a_kubeconfig_is_whoever_it_is() -> None:
    own: Asked = {**asked({**CALLER, "user": "kubernetes-admin"}), "asked_as": None}
    assert ids(look(*smoked(own))) == []
    nobody: Asked = {**asked({**CALLER, "user": ""}), "asked_as": None}
    assert ids(look(*smoked(nobody))) == ["smoke-test-other-caller"]


def test_no_master_reads_the_api() -> None:
    seen = replace(Layer(kubeadm()).seen(), smoke=Smoke())
    (found,) = look(seen).findings
    assert found.kind.id == "smoke-test-not-run" and found.evidence == ("no master reads the API",)


def test_groups_that_do_not_arrive() -> None:
    (found,) = look(*smoked(asked({**CALLER, "groups": []}))).findings
    assert found.kind.id == "smoke-test-other-caller" and "arrive as none" in found.evidence[0]


def test_only_the_master_that_was_refused_is_told_so() -> None:
    ended = {**ENDED, "refused": [{"from": "192.0.2.2", "why": "no certificate is shown"}]}
    verdict = look(*smoked(asked(), failed(), failed("i/o timeout"), ended=ended))
    assert {found.kind.id: found.hosts for found in verdict.findings} == {
        "smoke-test-refused": ("m2",),
        "smoke-test-not-reached": ("m3",),
    }


def test_one_who_was_refused_at_an_address_that_nobody_tells_may_be_any_master() -> None:
    ended = {**ENDED, "refused": [{"from": "198.51.100.9", "why": "no certificate is shown"}]}
    (found,) = look(*smoked(asked(), failed(), ended=ended)).findings
    assert found.kind.id == "smoke-test-refused" and found.hosts == ("m2",)
