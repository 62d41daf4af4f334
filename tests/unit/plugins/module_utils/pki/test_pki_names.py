# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects: what is refused, how they are written into a certificate, and how they are shown."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import names
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import NameOID, x509
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from hypothesis import given
from hypothesis import strategies as st

FULL = names.Subject.of(
    common_name="front-proxy-ca",
    country="DE",
    state="Bayern",
    locality="München",
    organization=["One", "Two"],
    organizational_unit=["A", "B"],
)


def test_all_parts_in_the_order_of_cfssl() -> None:
    assert [item.oid.dotted_string for item in FULL.to_name()] == [
        "2.5.4.6", "2.5.4.8", "2.5.4.7", "2.5.4.10", "2.5.4.10", "2.5.4.11", "2.5.4.11", "2.5.4.3",
    ]  # fmt: skip
    assert str(FULL) == "CN=front-proxy-ca,OU=B,OU=A,O=Two,O=One,L=München,ST=Bayern,C=DE"


def test_only_a_common_name() -> None:
    assert str(names.Subject.of(common_name="front-proxy-ca")) == "CN=front-proxy-ca"


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"common_name": ""}, "common_name is empty"),
        ({"common_name": "  "}, "common_name is empty"),
        ({"common_name": "a" * 65}, "65 characters long"),
        ({"common_name": "a\nb"}, "control character"),
        ({"common_name": "a\x7fb"}, "control character"),
        ({"common_name": "a", "country": "Germany"}, "two letters"),
        ({"common_name": "a", "country": "D1"}, "two letters"),
        ({"common_name": "a", "state": "s" * 129}, "129 characters"),
        ({"common_name": "a", "locality": ""}, "locality is empty"),
        ({"common_name": "a", "organization": ["x", "o" * 65]}, "65 characters"),
        ({"common_name": "a", "organizational_unit": [""]}, "organizational_unit is empty"),
    ],
)
def test_what_no_certificate_can_hold(values: dict[str, t.Any], word: str) -> None:
    with pytest.raises(PkiError, match=word):
        names.Subject.of(**values)


def test_administrators_are_refused() -> None:
    FULL.refuse_privileged()
    with pytest.raises(PkiError, match="system:masters is refused"):
        names.Subject.of(common_name="x", organization=["a", "system:masters"]).refuse_privileged()


def test_of_several_common_names_the_last_counts() -> None:
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "first"), x509.NameAttribute(NameOID.COMMON_NAME, "last")]
    )
    assert names.common_name(name) == "last"
    assert names.common_name(x509.Name([])) is None


def test_special_characters_are_escaped() -> None:
    subject = names.Subject.of(common_name=' #a,b+c"d\\e<f>g;h ')
    assert str(subject) == 'CN=\\ #a\\,b\\+c\\"d\\\\e\\<f\\>g\\;h\\ '


def test_unknown_attributes_show_their_number() -> None:
    name = x509.Name([x509.NameAttribute(x509.ObjectIdentifier("1.2.3.4"), "v")])
    assert names.readable_name(name) == "1.2.3.4=v"


PRINTABLE = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40
)


@given(PRINTABLE, st.lists(PRINTABLE, max_size=3))
def test_any_name_survives(common_name: str, organizations: list[str]) -> None:
    try:
        subject = names.Subject.of(common_name=common_name, organization=organizations)
    except PkiError:
        assert not common_name.strip() or not all(value.strip() for value in organizations)
        return
    name = subject.to_name()
    assert names.common_name(name) == common_name
    assert names.organizations(name) == tuple(organizations)
