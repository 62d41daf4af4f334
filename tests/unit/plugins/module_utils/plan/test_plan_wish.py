# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of the role: which are refused, and how what people write is read."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.variables import (
    read_flags,
    read_settings,
    read_timeout,
    read_wish,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import (
    Wish,
    check_release,
    parse_release,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import sentence


def carried(**more: t.Any) -> t.Dict[str, t.Any]:
    """What the role sends with an observation when nobody set anything."""
    return {
        "cluster": "kubernetes",
        "folder": "/pki/kubernetes",
        "container": "kube-apiserver",
        "renew_before": "1/3",
        "common_name": "",
        "allowed_names": None,
        "username_headers": ["X-Remote-User"],
        "group_headers": ["X-Remote-Group"],
        "extra_headers_prefix": ["X-Remote-Extra-"],
        "aggregator_routing": "auto",
        "extra_flags": {},
        "certificates_dir": "",
        "ca_from": "",
        "allow_shared_ca": False,
        **more,
    }


def refused(**more: t.Any) -> str:
    with pytest.raises(PlanError) as error:
        read_wish(carried(**more)).check()
    return str(error.value)


def test_nothing_set_is_the_usual() -> None:
    wish = read_wish(carried())
    wish.check()
    assert wish == Wish()


def test_the_settings_of_the_cluster() -> None:
    found = read_settings(carried(renew_before=30))
    assert (found.folder, found.renew_before, found.container) == ("/pki/kubernetes", "30", "kube-apiserver")


@pytest.mark.parametrize(
    ("variable", "value", "standard"),
    [
        ("username_headers", ["X-User"], "X-Remote-User"),
        ("username_headers", "", "X-Remote-User"),
        ("group_headers", [], "X-Remote-Group"),
        ("extra_headers_prefix", ["X-Remote-Extra"], "X-Remote-Extra-"),
    ],
)
def test_headers_without_the_standard_one_are_refused(variable: str, value: t.Any, standard: str) -> None:
    sentence(refused(**{variable: value}), f"front_proxy_{variable}", standard, "add it")


def test_headers_are_compared_as_headers_are() -> None:
    wish = read_wish(carried(username_headers="x-remote-user, X-User"))
    wish.check()
    assert wish.username_headers == ("x-remote-user", "X-User")


@pytest.mark.parametrize("value", [["X-Remote-User", ""], "X-Remote-User,"])
def test_an_empty_header_is_refused(value: t.Any) -> None:
    sentence(refused(username_headers=value), "front_proxy_username_headers", "empty name", "1.36", "take it out")


@pytest.mark.parametrize("value", [[""], ["a", " "], "a,,b"])
def test_an_empty_allowed_name_is_refused(value: t.Any) -> None:
    sentence(refused(allowed_names=value), "front_proxy_allowed_names", "empty name", "1.36", "take it out")


def test_a_common_name_that_is_not_allowed_is_refused() -> None:
    said = refused(common_name="aggregator", allowed_names=["a", "b"])
    sentence(said, "front_proxy_common_name is aggregator", "front_proxy_allowed_names", "a, b", "make them agree")


@pytest.mark.parametrize(
    ("value", "names"),
    [(None, None), ("", None), ([], ()), (["a", "b"], ("a", "b")), ("a, b", ("a", "b"))],
)
def test_allowed_names_are_a_list_or_a_text_or_not_set(value: t.Any, names: t.Optional[t.Tuple[str, ...]]) -> None:
    assert read_wish(carried(allowed_names=value)).allowed_names == names


@pytest.mark.parametrize("value", [7, {"a": 1}, [1]])
def test_names_that_are_no_names_are_refused(value: t.Any) -> None:
    sentence(refused(allowed_names=value), "front_proxy_allowed_names", "list of names")


@pytest.mark.parametrize(("value", "read"), [(True, "true"), (False, "false"), ("True", "true"), ("AUTO", "auto")])
def test_routing_is_read_as_people_write_it(value: t.Any, read: str) -> None:
    assert read_wish(carried(aggregator_routing=value)).routing == read


def test_routing_that_is_neither_is_refused() -> None:
    sentence(refused(aggregator_routing="maybe"), "front_proxy_aggregator_routing", "'maybe'", "auto, true or false")


def test_a_relative_folder_is_refused() -> None:
    sentence(refused(certificates_dir="pki"), "front_proxy_certificates_dir", "'pki'", "absolute path")


@pytest.mark.parametrize(
    ("value", "allowed"),
    [(True, True), (False, False), ("false", False), ("False", False), ("no", False), ("", False), (None, False),
     ("true", True), ("yes", True), (1, True), (0, False)],
)  # fmt: skip
def test_a_shared_ca_is_allowed_by_a_true_value_only(value: t.Any, allowed: bool) -> None:
    assert read_wish(carried(allow_shared_ca=value)).allow_shared_ca is allowed


def test_a_shared_ca_is_not_allowed_by_any_other_word() -> None:
    sentence(refused(allow_shared_ca="perhaps"), "front_proxy_allow_shared_ca", "'perhaps'", "true or false")


def test_numbers_where_texts_are_expected_become_texts() -> None:
    wish = read_wish(carried(common_name=7, ca_from=8, certificates_dir=9))
    assert (wish.common_name, wish.ca_from, wish.certificates_dir) == ("7", "8", "9")


# --- extra flags


def test_extra_flags_are_read_as_kube_apiserver_reads_them() -> None:
    given = {
        "v": 2,
        "profiling": False,
        "anonymous-auth": True,
        "feature-gates": ["A=true", "B=false"],
        "x": None,
        "y": "z",
    }
    assert read_flags(given) == {
        "v": "2",
        "profiling": "false",
        "anonymous-auth": "true",
        "feature-gates": "A=true,B=false",
        "x": None,
        "y": "z",
    }
    assert read_wish(carried(extra_flags=given)).extra_flags == read_flags(given)


def test_flags_have_one_name_however_they_are_written() -> None:
    assert read_flags({"--enable_aggregator_routing": True}) == {"enable-aggregator-routing": "true"}


def test_a_value_of_a_strange_kind_is_refused() -> None:
    with pytest.raises(PlanError) as error:
        read_flags({"v": {"a": 1}})
    sentence(str(error.value), "The flag v", "null for absent")


@pytest.mark.parametrize("value", ["v=2", ["v"]])
def test_extra_flags_that_are_no_mapping_are_refused(value: t.Any) -> None:
    sentence(refused(extra_flags=value), "front_proxy_extra_flags", "names of flags with their values")


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("requestheader-client-ca-file", "front_proxy_certificates_dir"),
        ("requestheader-allowed-names", "front_proxy_allowed_names"),
        ("requestheader-username-headers", "front_proxy_username_headers"),
        ("requestheader-group-headers", "front_proxy_group_headers"),
        ("requestheader-extra-headers-prefix", "front_proxy_extra_headers_prefix"),
        ("proxy-client-cert-file", "front_proxy_certificates_dir"),
        ("proxy-client-key-file", "front_proxy_certificates_dir"),
        ("enable-aggregator-routing", "front_proxy_aggregator_routing"),
    ],
)
@pytest.mark.parametrize("value", ["x", None])
def test_a_flag_that_the_role_decides_is_refused(name: str, variable: str, value: t.Optional[str]) -> None:
    sentence(refused(extra_flags={name: value}), "front_proxy_extra_flags", name, f"set {variable} instead")


@pytest.mark.parametrize("name", ["--v", "a=b", "a b", "", "requestheader_uid_headers"])
def test_a_strange_name_of_a_flag_is_refused(name: str) -> None:
    sentence(refused(extra_flags={name: "1"}), "front_proxy_extra_flags", repr(name), "without the dashes")


@pytest.mark.parametrize(
    ("name", "release", "known"),
    [
        ("requestheader-uid-headers", (1, 31), False),
        ("requestheader-uid-headers", (1, 32), True),
        ("requestheader-uid-headers", None, True),
        ("aggregator-reject-forwarding-redirect", (1, 25), False),
        ("aggregator-reject-forwarding-redirect", (1, 26), True),
        ("peer-ca-file", (1, 27), False),
        ("peer-advertise-ip", (1, 27), False),
        ("peer-advertise-port", (1, 28), True),
        ("no-flag-of-anybody", (1, 20), True),
    ],
)
def test_an_extra_flag_must_be_known_to_the_release(
    name: str, release: t.Optional[t.Tuple[int, int]], known: bool
) -> None:
    check_release({name: None}, release)
    if known:
        check_release({name: "x"}, release)
        return
    with pytest.raises(PlanError) as error:
        check_release({name: "x"}, release)
    sentence(str(error.value), "front_proxy_extra_flags", name, f"runs 1.{(release or (0, 0))[1]}", "take the flag out")


@pytest.mark.parametrize(
    ("text", "release"),
    [("v1.36.2", (1, 36)), ("1.20.2+vendor", (1, 20)), ("1.28+", (1, 28)), ("", None), (None, None), ("v1", None),
     ("one.two", None), ("1.two", None)],
)  # fmt: skip
def test_releases(text: t.Optional[str], release: t.Optional[t.Tuple[int, int]]) -> None:
    assert parse_release(text) == release


@pytest.mark.parametrize(("value", "seconds"), [(300, 300), ("60", 60), (" 90 ", 90)])
def test_the_timeout_is_a_number_of_seconds(value: t.Any, seconds: int) -> None:
    assert (
        read_timeout(carried(wait_timeout=value)) == seconds == read_settings(carried(wait_timeout=value)).wait_timeout
    )


@pytest.mark.parametrize("value", ["abc", "", True, "5m", -1, 1.5, [300], "1" * 7])
def test_a_timeout_that_is_none_is_refused(value: t.Any) -> None:
    with pytest.raises(PlanError) as error:
        read_timeout(carried(wait_timeout=value))
    sentence(str(error.value), "front_proxy_wait_timeout", "whole number of seconds")
