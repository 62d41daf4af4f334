# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Causes before symptoms: what one finding explains is a note, and one fix is shown that helps."""

from __future__ import annotations

import json
import re
import shlex
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.catalogue import CATALOGUE
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.explained import without_symptoms
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.model import (
    AT_RISK,
    BROKEN,
    UNTIDY,
    WILL_BREAK,
    Kind,
    finding,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    cluster_ca,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    kubeadm,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Layer,
    ids,
    look,
)

NAMES = "requestheader-allowed-names"
BOTH = ["front-proxy-client", "kube-apiserver"]


def kind(name: str, *explains: str) -> Kind:
    return Kind(name, BROKEN, "it is so", "It hurts.", "mend it", "do it", "seen", explains=explains)


@pytest.mark.parametrize(
    "cause, symptom, explained",
    [
        ((BROKEN, "a", ("m1", "m2")), (BROKEN, "a", ("m2",)), True),
        ((BROKEN, "a", ("m1",)), (BROKEN, "a", ("m2",)), False),
        ((BROKEN, "a", ("m1", "m2")), (BROKEN, "a", ("m2", "m3")), True),
        ((BROKEN, "a", ()), (BROKEN, "a", ("m2",)), True),
        ((BROKEN, "a", ("m1",)), (BROKEN, "a", ()), True),
        ((BROKEN, "a", ()), (BROKEN, "b", ()), False),
        ((BROKEN, "a", ("m1",)), (BROKEN, "b", ("m1",)), False),
        ((BROKEN, "a", ("m1",)), (AT_RISK, "a", ("m1",)), True),
        ((BROKEN, "a", ("m1",)), (UNTIDY, "a", ("m1",)), True),
        # what works explains nothing that fails
        ((AT_RISK, "a", ("m1",)), (BROKEN, "a", ("m1",)), False),
        ((WILL_BREAK, "a", ("m1",)), (BROKEN, "a", ("m1",)), False),
    ],
)
def test_a_cause_explains_what_it_names_at_the_same_masters(
    cause: t.Tuple[str, str, t.Sequence[str]], symptom: t.Tuple[str, str, t.Sequence[str]], explained: bool
) -> None:
    one = finding(kind("cause", "symptom"), (cause[1], cause[2]), "seen", severity=cause[0])
    other = finding(kind("symptom"), (symptom[1], symptom[2]), "seen", severity=symptom[0])
    stranger = finding(kind("stranger"), (symptom[1], symptom[2]), "seen")
    for order in ([one, other, stranger], [stranger, other, one]):
        kept, notes = without_symptoms(order)
        assert [each.kind.id for each in kept] == [
            each.kind.id for each in order if not explained or each.kind.id != "symptom"
        ]
        where = ", ".join(symptom[2]) or "cluster"
        assert notes == [f"{where}: it is so [symptom], which cause explains."] * explained


def test_kinds_explain_kinds_that_there_are_and_never_each_other() -> None:
    known = {each.id: each for each in CATALOGUE}
    for each in CATALOGUE:
        for name in each.explains:
            assert name in known, (each.id, name)
            assert each.id not in known[name].explains and name != each.id


def with_foreign_ca(name: str, **more: t.Any) -> FakeMaster:
    """A master that got the CA of somebody else beside its right pair."""
    return kubeadm(name, **more).put_ca(make_ca("foreign"))


@pytest.mark.parametrize("ill", ["m1", "m2", "m3"])
def test_a_foreign_ca_beside_a_right_pair_is_one_finding_whose_fix_works(ill: str) -> None:
    both = [make_ca(), make_ca("foreign")]
    masters = [
        Layer(with_foreign_ca(name) if name == ill else kubeadm(name), published=both) for name in ("m1", "m2", "m3")
    ]
    verdict = look(*masters)
    assert ids(verdict)[0] == "masters-hold-different-cas"
    assert "pair-not-signed-by-ca" not in ids(verdict)
    assert any(
        f"{ill}: " in note and "[pair-not-signed-by-ca], which masters-hold-different-cas explains" in note
        for note in verdict.notes
    )
    # the CA that counts is the one that the pairs are signed by, whoever stands first
    assert f"front_proxy_ca_from={ill}" not in verdict.findings[0].fix


@pytest.mark.parametrize(
    "masters, chosen",
    [
        # most masters hold it
        ([("m1", "foreign"), ("m2", ""), ("m3", "")], "m2"),
        ([("m1", ""), ("m2", "foreign"), ("m3", "")], "m1"),
        # a key beside the CA decides where nothing else does
        ([("m1", ""), ("m2", "foreign key")], "m2"),
        ([("m1", "key"), ("m2", "foreign")], "m1"),
        # but a key makes no majority
        ([("m1", "foreign key"), ("m2", ""), ("m3", "")], "m2"),
        # its own pair is none of this CA
        ([("m1", "foreign only"), ("m2", "")], "m2"),
        ([("m1", "foreign only key"), ("m2", "")], "m2"),
        # the client CA never counts
        ([("m1", "client"), ("m2", "")], "m2"),
        ([("m1", "client"), ("m2", "client"), ("m3", "")], "m3"),
        ([("m1", ""), ("m2", "")], ""),
    ],
)
def test_whose_ca_counts(masters: t.Sequence[t.Tuple[str, str]], chosen: str) -> None:
    given = []
    for name, how in masters:
        fake = kubeadm(name)
        if "foreign" in how:
            fake.put_ca(make_ca("foreign"))
            if "only" not in how:
                fake.put_pair(make_leaf("foreign", owner=f"client {name}"), f"client {name}")
        if how == "client":
            fake.put_ca(cluster_ca()).put_pair(leaf_of(cluster_ca(), "cluster kubernetes"))
        more = {"ca_key_fits": [f"{PKI}/front-proxy-ca.crt"]} if "key" in how else {}
        given.append(Layer(fake, more=more))
    verdict = look(*given)
    found = [each for each in verdict.findings if each.kind.id == "masters-hold-different-cas"]
    assert [f"front_proxy_ca_from={chosen}" in each.fix for each in found] == [True] * bool(chosen)


def named(name: str, common_name: str, allowed: t.Optional[str]) -> FakeMaster:
    """A master whose pair has this name, and which allows these."""
    fake = kubeadm(name, flags={NAMES: allowed})
    return fake.put_pair(make_leaf(common_name=common_name, owner=f"client {name}"), f"client {name}")


def names_of(fix: str) -> t.List[str]:
    """The names that the command of a fix allows."""
    given = json.loads(shlex.split(fix.partition("run: ")[2], comments=True)[-1])
    return t.cast(t.List[str], given["front_proxy_allowed_names"])


@pytest.mark.parametrize(
    "masters, published, hosts, allowed",
    [
        # one by name, the others allow any
        ([("a", "a"), ("b", None), ("b", None)], "a", "m2 m3", "a b"),
        ([("a", "a"), ("b", ""), ("b", "")], "a", "m2 m3", "a b"),
        ([("b", None), ("a", "a"), ("a", "a")], "a", "m1", "a b"),
        ([("a", "a"), ("b", None), ("c", None)], "a", "m2 m3", "a b c"),
        # what was published once is published for ever
        ([("b", None), ("b", None)], "a", "m1 m2", "b"),
        ([("b", None), ("c", None)], "a", "m1 m2", "b c"),
        # a flag holds it, and it is not published yet
        ([("a", "a"), ("b", "a,b")], "a", "m2", "a b"),
        ([("a", "a"), ("b", "b"), ("b", "b")], "a", "m2 m3", "a b"),
        # no list, no check
        ([("a", "a"), ("b", None)], "", "", ""),
        # all is published
        ([("a", "a"), ("b", None)], "a b", "", ""),
        # its own master refuses it: another finding
        ([("a", "a"), ("b", "a")], "a", "", ""),
    ],
)
def test_a_name_that_is_not_published_is_the_cause_with_one_fix(
    masters: t.Sequence[t.Tuple[str, t.Optional[str]]], published: str, hosts: str, allowed: str
) -> None:
    fakes = [named(f"m{number}", *given) for number, given in enumerate(masters, start=1)]
    refused = Extension(status=401, body="Unauthorized")
    layers = [
        Layer(fake, names=published.split() or [], extension=refused if fake.name in hosts.split() else Extension())
        for fake in fakes
    ]
    for layer in layers:
        facts = layer.facts()["layer"]
        if facts["published"]:
            facts["published"][NAMES] = json.dumps(published.split())
        layer.more = {"layer": facts}
    verdict = look(*layers)
    found = [each for each in verdict.findings if each.kind.id == "name-not-published"]
    assert [each.hosts for each in found] == [tuple(hosts.split())] * bool(hosts)
    assert "extension-refuses-the-pair" not in ids(verdict)
    if found:
        assert ids(verdict) == ["name-not-published"], ids(verdict)
        assert names_of(found[0].fix) == allowed.split()
        listed = {name for dummy, names in masters for name in (names or "").split(",")}
        waits = {masters[int(host[1:]) - 1][0] for host in hosts.split()} <= listed
        assert found[0].fix.startswith("look again after a minute; then run: " if waits else "run: ansible-playbook")
        assert any("does not work through" in note for note in verdict.notes)


def test_names_that_differ_are_all_allowed_by_the_fix() -> None:
    one, two = named("m1", "a", "a"), named("m2", "b", None)
    verdict = look(*[Layer(fake, names=["a", "b"]) for fake in (one, two)])
    fixes = {found.kind.id: names_of(found.fix) for found in verdict.findings}
    assert fixes == {"allowed-names-differ": ["a", "b"], "allowed-names-any": ["a", "b"]}


def test_nothing_published_explains_every_refusal() -> None:
    for status in (401, 403):
        layer = Layer(kubeadm(), published=[], extension=Extension(status=status))
        verdict = look(layer)
        assert ids(verdict) == ["nothing-published"]
        assert "which nothing-published explains" in verdict.notes[-1]


def pod_with_a_secret(release: t.Optional[str], *, running: bool) -> FakeMaster:
    fake = kubeadm(running=running, **({"release": release} if release else {}))
    fake.text = fake.text.replace("spec:\n", "spec:\n  serviceAccountName: kube-apiserver\n", 1)
    # of a server that does not run only the image tells
    fake.text = re.sub(r"(image: \S+?):v[0-9.]+", rf"\1:{release}" if release else r"\1", fake.text)
    return fake


@pytest.mark.parametrize(
    "release, running, expected",
    [
        ("v1.20.2", True, [("pod-names-api-objects", "will_break")]),
        ("v1.33.9", True, [("pod-names-api-objects", "will_break")]),
        ("v1.34.0", True, [("pod-names-api-objects", "will_break")]),
        ("v1.37.2", True, [("pod-names-api-objects", "will_break")]),
        ("v1.16.1", False, [("server-not-running", "broken"), ("pod-names-api-objects", "will_break")]),
        ("v1.20.2", False, [("server-not-running", "broken"), ("pod-names-api-objects", "will_break")]),
        ("v1.33.9", False, [("server-not-running", "broken"), ("pod-names-api-objects", "will_break")]),
        ("v1.34.0", False, [("pod-names-api-objects", "broken")]),
        ("v1.37.2", False, [("pod-names-api-objects", "broken")]),
        # nobody knows which one
        (None, False, [("pod-names-api-objects", "broken")]),
    ],
)
def test_a_pod_that_names_objects_is_judged_by_the_release_as_configure_does(
    release: t.Optional[str], running: bool, expected: t.Sequence[t.Tuple[str, str]]
) -> None:
    verdict = look(pod_with_a_secret(release, running=running))
    assert [(found.kind.id, found.severity) for found in verdict.findings] == expected
