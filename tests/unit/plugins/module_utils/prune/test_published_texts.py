# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts of the ConfigMap: what is found in them, and that all but what is taken out stays to the byte."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import (
    blocks_of,
    names_of,
    names_text,
    without_blocks,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_ca
from hypothesis import given
from hypothesis import strategies as st

A, B = make_ca("a", "a"), make_ca("b", "b")
BROKEN = "-----BEGIN CERTIFICATE-----\nno: base64\n-----END CERTIFICATE-----\n"


def test_certificates_are_found_by_their_bytes() -> None:
    text = f"# a\n{A.pem}between\n{BROKEN}{B.pem.strip()}"
    assert [block.fingerprint for block in blocks_of(text)] == [A.fingerprint, "", B.fingerprint]
    assert blocks_of("") == [] and blocks_of("-----BEGIN CERTIFICATE-----\n") == []


@pytest.mark.parametrize("end", ["", "\n", "\r\n", " \n", "\n\n"])
def test_what_stays_keeps_its_text(end: str) -> None:
    odd = B.pem.replace("\n", "\r\n").rstrip() + end
    assert without_blocks(f"# one\n{A.pem}# two\n{odd}", {A.fingerprint}) == f"# one\n# two\n{odd}"
    assert without_blocks(f"{odd}{A.pem}", {A.fingerprint}) == odd if end else True
    assert without_blocks(f"{A.pem}{BROKEN}", {A.fingerprint, ""}) == BROKEN
    assert without_blocks(f"{A.pem}{A.pem}{B.pem}", {A.fingerprint}) == B.pem


@given(st.lists(st.sampled_from([A.pem, B.pem, BROKEN, "text\n", "\n"])))
def test_nothing_but_the_blocks_goes(parts: t.List[str]) -> None:
    assert without_blocks("".join(parts), {A.fingerprint}) == "".join(part for part in parts if part != A.pem)


@pytest.mark.parametrize("value", ["x", "{}", '["a", 1]', "[" * 100000, "null", '"a"'])
def test_lists_that_cannot_be_read(value: str) -> None:
    assert names_of(value) is None


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)))))
def test_names_are_read_as_they_were_written(names: t.List[str]) -> None:
    assert names_of(names_text(names)) == names
    assert names_of("") == [] and names_of(None) == []


def test_names_are_written_as_go_writes_them() -> None:
    # encoding/json, Marshal: no blanks, and what HTML would take for its own as escapes
    assert names_text(["a", "<b>&", "ü\u2028"]) == '["a","\\u003cb\\u003e\\u0026","ü\\u2028"]'
    assert json.loads(names_text(["<b>&"])) == ["<b>&"]
