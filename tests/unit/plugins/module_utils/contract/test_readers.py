# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The readers: what they take, what they refuse, and that each type has one that knows all of its keys."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract import (
    credentials,
    journal,
    observation,
    order,
    outcome,
    prune,
    readers,
    smoke,
    survey,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
READ: t.Dict[str, t.Callable[[t.Any], t.Any]] = {
    "observation": observation.read_observation,
    "survey": survey.read_survey,
    "outcome": outcome.read_outcome,
    "recovered": outcome.read_recovered,
    "begun": smoke.read_begun,
    "asked": smoke.read_asked,
    "ended": smoke.read_ended,
    "published": prune.read_published,
    "taken": prune.read_taken,
    "watched": prune.read_watched,
    "credentials": credentials.read_credentials,
}


@settings(max_examples=examples(300), deadline=None, database=None)
@given(st.sampled_from(sorted(READ)), JSON)
def test_whatever_is_no_answer_is_refused_in_a_sentence(name: str, value: t.Any) -> None:
    with pytest.raises(ContractError) as error:
        READ[name](value)
    assert str(error.value).isprintable()


@settings(max_examples=examples(300), deadline=None, database=None)
@given(st.binary(max_size=200))
def test_whatever_is_no_journal_is_none(data: bytes) -> None:
    assert journal.read_journal(data) is None


def known(reader: t.Any) -> t.Set[str]:
    """The keys that a record's reader knows, with those of the record within which it reads."""
    cells = dict(zip(reader.__code__.co_freevars, (cell.cell_contents for cell in reader.__closure__ or ())))
    return set(cells["fields"]) | (known(cells["within"]) if cells["within"] else set())


@pytest.mark.parametrize("module", [credentials, journal, observation, order, outcome, prune, smoke, survey])
def test_every_record_has_a_reader_for_each_of_its_keys(module: t.Any) -> None:
    """The annotation of a reader says of which type it is: ``Reader[Probe]``."""
    made = {
        vars(module)[annotation[len("Reader[") : -1]]: vars(module)[name]
        for name, annotation in module.__annotations__.items()
        if annotation.startswith("Reader[")
    }
    assert made
    for shape, reader in made.items():
        assert known(reader) == set(shape.__annotations__), shape


@pytest.mark.parametrize(
    ("reader", "good", "bad"),
    [
        (readers.text(3), ["", "abc"], ["abcd", 7, None, b"a"]),
        (readers.text(9, "[a-z]+"), ["a"], ["", "A", "a\n"]),
        (readers.path(), ["/", "/a b"], ["", "a", "/\0", "/" * 5000]),
        (readers.mode(), ["0644"], ["644", "0648", 420]),
        (readers.choice("a", "b.c"), ["a", "b.c"], ["bxc", "", None]),
        (readers.truth, [True, False], [0, 1, None, "true"]),
        (readers.integer(1, 3), [1, 3], [0, 4, True, 1.0, "1", None]),
        (readers.number(0, 2), [0, 1.5, 2], [-1, 3, float("nan"), float("inf"), True, "1", 10**400]),
        (readers.nullable(readers.truth), [None, True], [0]),
        (readers.listed(readers.truth, 2), [[], [True]], [[True] * 3, [0], {}, "ab", None]),
        (readers.table(readers.text(1), readers.truth, 1), [{}, {"a": True}], [{"ab": True}, {"a": 0}, [], None]),
    ],
)
def test_a_reader(reader: readers.Reader[t.Any], good: t.Sequence[t.Any], bad: t.Sequence[t.Any]) -> None:
    for value in good:
        assert reader(value, "x") == value
    for value in bad:
        with pytest.raises(ContractError, match=r"x"):
            reader(value, "x")


def test_json_that_is_too_deep_or_too_large() -> None:
    for document in ("[" * 100000, "{", "x" * (readers.LARGEST + 1), '{"a": 1} b'):
        with pytest.raises(ContractError, match=r"^it "):
            readers.parse_json(document, "it")


def test_an_order_comes_back_as_it_was_written() -> None:
    file = order.NewFile("/x", b"c\n", 0o640, 7, 8, "root", None, "1:2:3:4")
    given_ = order.Order(
        *("/m", "0" * 64, "text"),
        (file,),
        *(None, "/c", "/k"),
        {"v": "2", "w": None},
        *("U", "G", "p", "c"),
        *(1.0, 2.0),
    )
    assert order.read_order(order.write_order(given_)) == given_
    with pytest.raises(ContractError, match="bundle is missing"):
        order.read_order(json.dumps({"manifest": "/m", "manifest_seen": "0" * 64, "manifest_text": None}))


def test_a_refusal_does_not_quote_a_secret() -> None:
    with pytest.raises(ContractError) as error:
        credentials.read_credentials({"authority": "ca", "key": ["c2VjcmV0"]})
    assert "c2VjcmV0" not in str(error.value)
