# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How kube-apiserver reads a command line."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._argv import (
    BOOLEAN_FLAGS,
    flag_that_differs,
    flag_values,
    flags_in,
    last_value,
    normalize,
    same_value,
    server_index,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

WORDS = st.lists(
    st.one_of(
        st.text(max_size=12),
        st.sampled_from(["--", "-", "---", "--=", "--a", "--a=b=c", "--a_b", "kube-apiserver", "--profiling", "-v"]),
    ),
    max_size=15,
)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], []),
        (["--a=b"], [("a", "b", 0, 0)]),
        (["--a=b=c"], [("a", "b=c", 0, 0)]),
        (["--a="], [("a", "", 0, 0)]),
        (["--a", "b"], [("a", "b", 0, 1)]),
        (["--a", ""], [("a", "", 0, 1)]),
        (["--a", "-b"], [("a", "true", 0, 0), ("b", "true", 1, 1)]),
        (["--proxy-client-key-file", "-b"], [("proxy-client-key-file", "-b", 0, 1)]),
        (["--a"], [("a", "true", 0, 0)]),
        (["--a", "--b=c"], [("a", "true", 0, 0), ("b", "c", 1, 1)]),
        (["--profiling", "false"], [("profiling", "true", 0, 0)]),
        (["--enable_aggregator_routing", "x"], [("enable-aggregator-routing", "true", 0, 0)]),
        (["--profiling=false"], [("profiling", "false", 0, 0)]),
        (["--a=1", "--", "--b=2"], [("a", "1", 0, 0)]),
        (["--a", "--", "--b=2"], [("a", "true", 0, 0)]),
        (["-v=2", "x", "--a_b=c_d"], [("v", "2", 0, 0), ("a-b", "c_d", 2, 2)]),
        (["--a=1", "--a=2"], [("a", "1", 0, 0), ("a", "2", 1, 1)]),
    ],
)
def test_flags(words: t.List[str], wanted: t.List[t.Tuple[str, str, int, int]]) -> None:
    assert [flag[:4] for flag in flags_in(words)] == wanted


def test_places_count_from_the_whole_line() -> None:
    assert flags_in(["--x=y", "kube-apiserver", "--a", "b"], start=2) == [("a", "b", 2, 3, "")]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["--a=b"], "--a="),
        (["--a_b="], "--a_b="),
        (["--a", "b"], ""),
        (["--a"], None),
        (["-v2"], "-v"),
        (["-v=2"], "-v="),
        (["-v"], None),
    ],
)
def test_what_stands_before_a_value(words: t.List[str], wanted: str | None) -> None:
    assert [flag.prefix for flag in flags_in(words)] == [wanted]


@pytest.mark.parametrize(
    ("name", "one", "other", "wanted"),
    [
        ("profiling", "true", "True", True),
        ("profiling", "1", "t", True),
        ("profiling", "0", "FALSE", True),
        ("profiling", "true", "false", False),
        ("profiling", "yes", "true", False),
        ("v", "1", "true", False),
        ("v", "1", "1", True),
    ],
)
def test_values_that_mean_the_same(name: str, one: str, other: str, wanted: bool) -> None:
    assert same_value(name, one, other) is wanted


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["kube-apiserver", "--a"], 0),
        (["/usr/local/bin/kube-apiserver"], 0),
        (["/hyperkube", "apiserver"], 1),
        (["/go-runner", "--log-file=/x/kube-apiserver", "/bin/kube-apiserver", "--a"], 2),
        (["--a=/x/kube-apiserver"], None),
        (["kube-apiserver.sh"], None),
        ([], None),
        ([""], None),
    ],
)
def test_the_server(words: t.List[str], wanted: int | None) -> None:
    assert server_index(words) == wanted


def test_values() -> None:
    values = flag_values(["/go-runner", "--log-file=/x", "kube-apiserver", "--a=1", "--a_b", "2", "--a=3"])
    assert values == {"a": ["1", "3"], "a-b": ["2"]}
    assert last_value(values, "a") == "3" and last_value(values, "log-file") is None
    # only args are written: the image names the program
    assert flag_values(["--a=1"]) == {"a": ["1"]}


def test_names() -> None:
    assert normalize("--a_b-c") == normalize("a-b_c") == "a-b-c"
    assert all(normalize(name) == name for name in BOOLEAN_FLAGS)


@settings(max_examples=examples(100), deadline=None)
@given(WORDS, st.integers(0, 20))
def test_any_words(words: t.List[str], start: int) -> None:
    flags = flags_in(words, start=start)
    places = [place for flag in flags for place in (flag.first, flag.last)]
    assert places == sorted(places) and all(start <= place < len(words) for place in places)
    for flag in flags:
        assert words[flag.first].startswith("-") and flag.last - flag.first in (0, 1)
        assert "_" not in flag.name and not flag.name.startswith("-")
        assert flag.prefix is None or words[flag.last] == flag.prefix + flag.value
    assert sum(len(values) for values in flag_values(words).values()) <= len(words)


@given(st.dictionaries(st.from_regex(r"\A[a-z][a-z-]{0,8}\Z"), st.text(max_size=8), max_size=6))
def test_one_word_each(flags: t.Dict[str, str]) -> None:
    words = ["kube-apiserver", *(f"--{name}={value}" for name, value in flags.items())]
    assert flag_values(words) == {name: [value] for name, value in flags.items()}


def test_long_lines_take_no_time() -> None:
    assert len(flags_in(["--a"] * 100000)) == 100000


@pytest.mark.parametrize(
    ("words", "wanted", "different"),
    [
        (["kube-apiserver", "--a=1"], {"a": "1", "b": None}, None),
        (["kube-apiserver", "--a=1"], {"a": "2"}, "a"),
        (["kube-apiserver", "--a=1", "--a=2"], {"a": "2"}, "a"),
        (["kube-apiserver", "--a=1"], {"a": None}, "a"),
        (["kube-apiserver"], {"a": "1"}, "a"),
        # what a manifest builds from a variable runs with what that stands for
        (["kube-apiserver", "--a=192.0.2.11"], {"a": "$(POD_IP)"}, None),
        (["kube-apiserver"], {"a": "$(POD_IP)"}, "a"),
    ],
)
def test_the_flag_that_differs(
    words: t.List[str], wanted: t.Dict[str, t.Optional[str]], different: t.Optional[str]
) -> None:
    assert flag_that_differs(words, wanted) == different
