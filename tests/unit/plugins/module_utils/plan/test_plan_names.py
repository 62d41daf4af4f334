# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names of front proxies: a pair that works goes on working while names change, on every master."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.names import names_for, read_list
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    NOW,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    folder,
    plan,
    report,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FakeMaster,
    kubeadm,
    master,
    sentence,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = "requestheader-allowed-names"


def called(name: str, common_name: str, names: t.Optional[str] = None, **more: t.Any) -> FakeMaster:
    """A master whose pair has that name, and whose list is that value."""
    return kubeadm(name, flags={NAMES: names}, **more).put_pair(make_leaf(common_name=common_name), "client")


def lists(done: t.Mapping[str, t.Any]) -> t.Dict[str, t.Optional[str]]:
    assert all(not found["error"] for found in done["hosts"].values()), done["hosts"]
    return {name: found["flags"][NAMES] for name, found in done["hosts"].items()}


@pytest.mark.parametrize(
    ("lists", "wish", "name"),
    [
        ((None, None), Wish(), "front-proxy-client"),
        (("", '""'), Wish(), "front-proxy-client"),
        (("front-proxy-client", None), Wish(), "front-proxy-client"),
        (("aggregator", "aggregator,other"), Wish(), "aggregator"),
        (("other,aggregator", "aggregator"), Wish(), "aggregator"),
        (("front-proxy-client,aggregator", "aggregator"), Wish(), "aggregator"),
        (("aggregator,front-proxy-client", "front-proxy-client,aggregator"), Wish(), "front-proxy-client"),
        (("one", "two"), Wish(), "front-proxy-client"),
        (("one", "one"), Wish(common_name="mine"), "mine"),
        (("one", "one"), Wish(allowed_names=("first", "second")), "first"),
        (("one", "one"), Wish(allowed_names=()), "one"),
    ],
)
def test_a_new_pair_gets_a_name_for_which_no_flag_must_change(
    lists: t.Sequence[t.Optional[str]], wish: Wish, name: str
) -> None:
    masters = [kubeadm(f"m{place}", flags={NAMES: names}).read() for place, names in enumerate(lists)]
    assert names_for(masters, [], wish, all_seen=True, now=NOW).common_name == name


@pytest.mark.parametrize(
    ("seen", "name"),
    [
        (("aggregator", "aggregator"), "aggregator"),
        (("aggregator", "front-proxy-client"), "front-proxy-client"),
        (("kube-apiserver", "aggregator"), "aggregator"),
        (("--requestheader-client-ca-file=/ca", "-x"), "front-proxy-client"),
        (("$(NAME)", "a,b"), "front-proxy-client"),
    ],
)
def test_without_lists_a_new_pair_gets_a_name_that_a_pair_has(seen: t.Sequence[str], name: str) -> None:
    masters = [called(f"m{place}", common_name).read() for place, common_name in enumerate(seen)]
    assert names_for(masters, [], Wish(), all_seen=True, now=NOW).common_name == name


def test_a_working_pair_stays_whatever_its_name_is() -> None:
    masters = [called(f"m{place}", "kube-apiserver") for place in (1, 2, 3)]
    for pki in (folder(), folder(make_ca(), ca_key="plain")):
        done = plan(*masters, pki=pki)
        assert set(lists(done).values()) == {"kube-apiserver"}
        assert all(found["files"] == [] for found in done["hosts"].values())


def test_half_published_names_get_one_list() -> None:
    masters = [called("m1", "front-proxy-client", "front-proxy-client")]
    masters += [called(name, "kube-apiserver") for name in ("m2", "m3")]
    done = plan(*masters)
    assert all(
        set(read_list(value) or ()) == {"front-proxy-client", "kube-apiserver"} for value in lists(done).values()
    )
    assert all(found["files"] == [] for found in done["hosts"].values())


@pytest.mark.parametrize(
    ("fake", "kept"),
    [
        (called("m1", "aggregator", "front-proxy-client"), False),  # its own master refuses it
        (called("m1", "aggregator", "aggregator"), True),
        (called("m1", "aggregator", "aggregator,front-proxy-client"), True),
        (called("m1", "aggregator", ""), True),
        (called("m1", "aggregator", None), True),
        (called("m1", "Front-Proxy-Client", "front-proxy-client"), False),
        (called("m1", "a b", '"a b"'), True),
        (called("m1", "a.b:c@d/e+f-g_h", None), True),
        (called("m1", "x" * 64, None), True),
        (called("m1", "$(NAME)", ""), True),
        (called("m1", "-x", ""), True),
    ],
)
def test_a_pair_stays_where_its_name_is_allowed_or_any(fake: FakeMaster, kept: bool) -> None:
    done = plan(fake, pki=folder(make_ca(), ca_key="plain"))
    assert (done["hosts"]["m1"]["files"] == []) == kept


@pytest.mark.parametrize("name", ["$(NAME)", "-x", "--requestheader-client-ca-file=/ca", "a,b", 'a"b', "x;y", "x`y"])
def test_a_name_that_no_list_can_carry_leaves_the_flag_unset(name: str) -> None:
    done = plan(called("m1", name), called("m2", "aggregator"))
    assert lists(done) == {"m1": None, "m2": None} and done["waves"] == []
    sentence(done["hosts"]["m1"]["warnings"][0], f"--{NAMES} is not set", "front_proxy_allowed_names")


def test_a_master_that_was_not_seen_may_have_a_pair_with_another_name() -> None:
    seen = [report(called("m1", "aggregator")), report("m2", targeted=False)]
    done = plan(*seen)
    assert lists(done) == {"m1": None} and done["waves"] == []


def test_a_master_that_is_only_looked_at_counts() -> None:
    others = report(called("m2", "kube-apiserver"), targeted=False)
    done = plan(report(master("m1")), others, pki=folder(make_ca(), ca_key="plain"))
    assert read_list(lists(done)["m1"]) == ("kube-apiserver",)


@pytest.mark.parametrize("broken", [make_leaf("other", common_name="x"), make_leaf(common_name="x", validity=9 * DAY)])
def test_a_pair_that_does_not_work_takes_no_name_along(broken: t.Any) -> None:
    fake = kubeadm("m1", flags={NAMES: None}).put_pair(broken, "client")
    done = plan(fake, pki=folder(make_ca(), ca_key="plain"))
    assert lists(done) == {"m1": "front-proxy-client"} and len(done["hosts"]["m1"]["files"]) == 2


def test_lists_without_a_common_name_get_what_a_new_pair_needs() -> None:
    masters = [called("m1", "one", "one"), called("m2", "two", "two")]
    done = plan(*masters)
    assert {name: set(read_list(value) or ()) for name, value in lists(done).items()} == {
        "m1": {"one", "two"},
        "m2": {"one", "two"},
    }
    broken = kubeadm("m3", flags={NAMES: "three"}).put_pair(make_leaf("other"), "client")
    done = plan(*masters, broken, pki=folder(make_ca(), ca_key="plain"))
    assert all({"one", "two", "front-proxy-client"} <= set(read_list(value) or ()) for value in lists(done).values())


# --- names that are asked for


def test_a_name_that_is_listed_goes_at_once_since_it_stays_published() -> None:
    masters = [called(f"m{place}", "old", "old") for place in (1, 2)]
    done = plan(*masters, wish=Wish(allowed_names=("new",)), pki=folder(make_ca(), ca_key="plain"))
    assert lists(done) == {"m1": "new", "m2": "new"}
    assert all(len(found["files"]) == 2 for found in done["hosts"].values())


@pytest.mark.parametrize("names", [None, ""])
def test_a_name_that_no_list_holds_goes_when_no_pair_has_it(names: t.Optional[str]) -> None:
    masters = [called(f"m{place}", "old", names) for place in (1, 2)]
    wish = Wish(allowed_names=("new",))
    done = plan(*masters, wish=wish, pki=folder(make_ca(), ca_key="plain"))
    assert lists(done) == {"m1": "new,old", "m2": "new,old"}
    sentence(done["hosts"]["m1"]["warnings"][0], f"old stays in --{NAMES} for now", "run again")
    assert all(len(found["files"]) == 2 for found in done["hosts"].values())


ROLLS = st.lists(
    st.tuples(
        st.sampled_from(("front-proxy-client", "one", "two", "$(X)")),
        st.sampled_from((None, "", "one", "front-proxy-client", "one,two")),
        st.booleans(),
    ),
    min_size=1,
    max_size=4,
)
ASKED = st.sampled_from((None, (), ("one",), ("new",), ("two", "front-proxy-client")))


@settings(deadline=None, max_examples=examples(150), suppress_health_check=list(HealthCheck))
@given(ROLLS, ASKED)
def test_no_step_of_a_roll_takes_a_right_from_a_pair(
    seen: t.List[t.Tuple[str, t.Optional[str], bool]], asked: t.Optional[t.Tuple[str, ...]]
) -> None:
    """What is published is the union of all lists, and nothing is taken out; no name at all allows all."""
    fakes = [called(f"m{place}", name, names) for place, (name, names, dummy) in enumerate(seen)]
    published = {name for dummy, names, more in seen for name in read_list(names) or ()}
    lets_in = {
        fake.name
        for fake, (name, names, dummy) in zip(fakes, seen)
        if (not published or name in published) and (not names or name in names.split(","))
    }
    targets = [report(fake, wish=Wish(allowed_names=asked)) for fake, each in zip(fakes, seen) if each[2]]
    others = [report(fake, targeted=False) for fake, each in zip(fakes, seen) if not each[2]]
    if not targets:
        return
    done = plan(*targets, *others, pki=folder(make_ca(), ca_key="plain"))
    error = done["clusters"]["kubernetes"]["error"]
    if error:
        sentence(error, "first list of this cluster", "'$(X)'")
        assert asked and not published and done["waves"] == []
    pairs = {fake.name: name for fake, (name, dummy, more) in zip(fakes, seen)}
    for wave in done["waves"]:
        for name in wave:
            found = done["hosts"][name]
            if any(each["path"].endswith(".crt") and "client" in each["path"] for each in found["files"]):
                pairs[name] = done["clusters"]["kubernetes"]["common_name"]
            published |= set(read_list(found["flags"][NAMES]) or ())
            refused = {each for each in lets_in if published and pairs[each] not in published}
            assert not refused, (wave, published, pairs)
