# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose new files are: kube-apiserver reads them, whoever it is, and of a key as few others as can be."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import Reading
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.access import Access, access_for
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import decide_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.order import build_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.server_user import (
    ServerUser,
    server_user,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    key_pem,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    plan,
    report,
    wished,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    File,
    kubeadm,
    master,
    sentence,
)
from hypothesis import given
from hypothesis import strategies as st

KEY, CRT, CA = f"{PKI}/front-proxy-client.key", f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-ca.crt"
OWN_KEY = f"{PKI}/apiserver.key"
NOBODY, KAS = 65534, 990


def states(fake: FakeMaster, *, of_pod: str = "", own: str = "") -> FakeMaster:
    """Write a securityContext into the pod, and one into the container."""
    if of_pod:
        fake.text = fake.text.replace("spec:\n", f"spec:\n  securityContext: {{{of_pod}}}\n", 1)
    if own:
        fake.text = fake.text.replace("    name: kube-api", f"    securityContext: {{{own}}}\n    name: kube-api", 1)
    return fake


def own_key(fake: FakeMaster, mode: str, uid: int, gid: int) -> FakeMaster:
    return fake.put(OWN_KEY, key_pem("server"), mode, uid=uid, gid=gid)


# --- who it is


@pytest.mark.parametrize(
    ("fake", "user"),
    [
        (kubeadm(), ServerUser(0, 0, frozenset(), True)),
        (kubeadm(user=(NOBODY, NOBODY)), ServerUser(NOBODY, NOBODY, frozenset(), False)),
        (kubeadm(user=(0, 0), overrides=False), ServerUser(0, 0, frozenset(), True)),
        (states(kubeadm(), own=f"runAsUser: {KAS}"), ServerUser(KAS, 0, frozenset(), False)),
        (states(kubeadm(), of_pod=f"runAsUser: {KAS}, runAsGroup: 7"), ServerUser(KAS, 7, frozenset(), False)),
        (states(kubeadm(), of_pod="runAsUser: 1", own="runAsUser: 2"), ServerUser(2, 0, frozenset(), False)),
        (
            states(kubeadm(user=(KAS, 7, 7, 11)), of_pod=f"runAsUser: {KAS}, fsGroup: 9"),
            ServerUser(KAS, 7, frozenset({7, 9, 11}), False),
        ),
        # what runs is another user than the manifest says from the next start on
        (states(kubeadm(user=(5, 6, 7)), own="runAsUser: 8"), ServerUser(8, 0, frozenset(), False)),
        (states(kubeadm(), own="capabilities: {drop: [ALL]}"), ServerUser(0, 0, frozenset(), False)),
        (states(kubeadm(running=False), own=f"runAsUser: {KAS}"), ServerUser(KAS, 0, frozenset(), False)),
        (kubeadm(running=False), None),
        (states(kubeadm(root="/sandbox"), own=f"runAsUser: {KAS}"), ServerUser(KAS, 0, frozenset(), False)),
    ],
)
def test_the_user_is_the_manifests_or_else_the_containers(fake: FakeMaster, user: t.Optional[ServerUser]) -> None:
    assert server_user(fake.read()) == user


@pytest.mark.parametrize(
    ("mode", "uid", "gid", "reads"),
    [
        (0o600, KAS, 0, True),
        (0o200, KAS, 0, False),
        (0o040, KAS, 7, False),  # the owner's bits alone count for the owner
        (0o640, 0, 7, True),
        (0o640, 0, 11, True),
        (0o640, 0, 12, False),
        (0o604, 0, 7, False),
        (0o604, 0, 12, True),
        (0o600, 0, 0, False),
    ],
)
def test_what_a_user_can_read(mode: int, uid: int, gid: int, reads: bool) -> None:
    assert ServerUser(KAS, 7, frozenset({11}), False).reads(mode, uid, gid) is reads


# --- new files


@pytest.mark.parametrize(
    ("fake", "expected"),
    [
        (master(), (0o600, 0, 0)),
        (master(user=(NOBODY, NOBODY)), (0o600, NOBODY, NOBODY)),
        (own_key(master(user=(NOBODY, NOBODY)), "0644", 0, 0), (0o600, NOBODY, NOBODY)),
        (own_key(master(user=(NOBODY, 7)), "0600", NOBODY, 5), (0o600, NOBODY, 5)),
        (own_key(master(user=(KAS, KAS)), "0640", 0, KAS), (0o600, KAS, KAS)),
        (own_key(master(), "0600", 77, 77), (0o600, 0, 0)),  # root reads it, and 77 need not
        (own_key(master(running=False), "0600", 77, 78), (0o600, 77, 78)),
        (states(master(running=False), own=f"runAsUser: {KAS}"), (0o600, KAS, 0)),
        (states(master(), own="capabilities: {drop: [ALL]}"), (0o600, 0, 0)),
        (own_key(states(master(), own="capabilities: {drop: [ALL]}"), "0600", 77, 77), (0o600, 0, 0)),
    ],
)
def test_a_new_key_is_for_the_server_alone(fake: FakeMaster, expected: t.Tuple[int, int, int]) -> None:
    found = fake.read()
    assert access_for(found.seen(KEY), found, is_key=True, mode=None, named=False) == Access(*expected)


@pytest.mark.parametrize(
    ("file", "user", "expected"),
    [
        (("0600", 0, 0), (0, 0), (0o600, 0, 0)),
        (("0640", 0, KAS), (KAS, KAS), (0o640, 0, KAS)),
        (("0640", 0, 11), (KAS, KAS, 11), (0o640, 0, 11)),
        (("0640", 0, KAS), (0, 0), (0o640, 0, KAS)),
        (("0440", KAS, 0), (KAS, KAS), (0o440, KAS, 0)),
        (("0644", 0, 0), (0, 0), (0o600, 0, 0)),
        (("0644", 0, 0), (NOBODY, NOBODY), (0o600, NOBODY, NOBODY)),
        (("0600", 0, 0), (NOBODY, NOBODY), (0o600, NOBODY, NOBODY)),
        (("0640", 0, 0), (NOBODY, 7), (0o600, NOBODY, 7)),
        (("0604", NOBODY, 0), (NOBODY, 7), (0o600, NOBODY, 0)),
    ],
)
def test_a_key_that_is_there_keeps_what_lets_the_server_read_and_not_all(
    file: t.Tuple[str, int, int], user: t.Tuple[int, ...], expected: t.Tuple[int, int, int]
) -> None:
    mode, uid, gid = file
    found = kubeadm(user=user).put(KEY, key_pem("client m1"), mode, uid=uid, gid=gid).read()
    assert access_for(found.seen(KEY), found, is_key=True, mode=None, named=False) == Access(*expected)


@pytest.mark.parametrize(
    ("file", "user", "expected"),
    [
        (("0644", 0, 0), (0, 0), (0o644, 0, 0)),
        (("0640", 0, KAS), (KAS, KAS), (0o640, 0, KAS)),
        (("0640", 0, 0), (KAS, KAS), (0o644, 0, 0)),
        (("0664", 7, 8), (0, 0), (0o644, 7, 8)),
    ],
)
def test_a_certificate_is_for_all(
    file: t.Tuple[str, int, int], user: t.Tuple[int, ...], expected: t.Tuple[int, int, int]
) -> None:
    mode, uid, gid = file
    found = kubeadm(user=user).put(CA, make_ca().pem, mode, uid=uid, gid=gid).read()
    assert access_for(found.seen(CA), found, is_key=False, mode=None, named=False) == Access(*expected)


def test_a_mode_that_is_asked_for_gets_the_owner_who_can_read_with_it() -> None:
    found = kubeadm(user=(NOBODY, 7)).read()
    assert access_for(found.seen(KEY), found, is_key=True, mode=0o600, named=False) == Access(0o600, NOBODY, 7)
    assert access_for(found.seen(KEY), found, is_key=True, mode=0o600, named=True) == Access(0o600, 0, 0)


IDS = st.sampled_from((0, 1, 7, KAS, NOBODY))


@given(
    st.tuples(st.integers(0, 0o777), IDS, IDS),
    st.lists(IDS, min_size=2, max_size=4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_the_server_always_reads_and_no_key_is_open(
    file: t.Tuple[int, int, int], user: t.List[int], overrides: bool, is_key: bool, there: bool
) -> None:
    fake = kubeadm(user=tuple(user))
    if not overrides:
        states(fake, own="capabilities: {drop: [ALL]}")
    path = KEY if is_key else CA
    content = fake.files[path].content
    fake.files[path] = File(content, f"{file[0]:04o}", file[1], file[2])
    if not there:
        fake.without(path)
    found = fake.read()
    access = access_for(found.seen(path), found, is_key=is_key, mode=None, named=False)
    reader = server_user(found)
    assert reader and reader.reads(*access)
    assert not (is_key and access.mode & 0o007)
    if there and reader.reads(*file) and not file[0] & (0o007 if is_key else 0o022):
        assert access == file


@pytest.mark.parametrize("readable, expected", [(True, (0o640, 0, 0)), (False, (0o600, NOBODY, 7))])
def test_the_kernels_word_counts_more_than_the_mode(readable: bool, expected: t.Tuple[int, int, int]) -> None:
    fake = kubeadm(user=(NOBODY, 7)).put(KEY, key_pem("client m1"), "0640", readable=readable)  # by an ACL, say
    found = fake.read()
    assert access_for(found.seen(KEY), found, is_key=True, mode=None, named=False) == Access(*expected)
    warnings = plan(report(fake))["hosts"]["m1"]["warnings"]
    assert bool([each for each in warnings if KEY in each]) is not readable


# --- what follows


def test_only_the_owner_is_another() -> None:
    fake = kubeadm(user=(NOBODY, 7))
    change = decide_change(fake.read(), {}, [wished(KEY, key_pem("client m1"))], container="kube-apiserver")
    assert change.reasons == (f"{KEY} belongs to root:root, not to {NOBODY}:7",)


@pytest.mark.parametrize(
    ("fake", "reader"),
    [
        (kubeadm(), None),
        (kubeadm(user=(NOBODY, 7, 9, 8)), Reading(NOBODY, 7, (8, 9))),
        (states(kubeadm(), own=f"runAsUser: {KAS}"), Reading(KAS, 0, ())),
        (kubeadm(running=False), None),
        (kubeadm(root="/sandbox", user=(NOBODY, 7)), None),
    ],
)
def test_the_order_says_who_must_be_able_to_read(fake: FakeMaster, reader: t.Optional[Reading]) -> None:
    change = decide_change(fake.read(), {}, [wished(CRT, make_leaf().pem)], container="kube-apiserver")
    order = build_order(fake.read(), change, {}, {CRT: make_leaf().pem}, wait=1, lock_timeout=1)
    assert order.reader == reader


def test_a_file_that_stays_and_cannot_be_read_is_warned_of() -> None:
    host = plan(report(kubeadm(user=(NOBODY, 7))))["hosts"]["m1"]
    assert host["action"] == "nothing"
    (warning,) = host["warnings"]
    sentence(warning, "m1", f"user {NOBODY}", KEY, "mode 0600, root:root", "not start again", "chown")
