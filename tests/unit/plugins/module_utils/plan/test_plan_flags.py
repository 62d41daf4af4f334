# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which flags a master gets, which it keeps, and the reason for each."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.flags import (
    Flags,
    wanted_flags,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.names import (
    ClusterNames,
    read_list,
    write_list,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    kubeadm,
    master,
    sentence,
)

NAMES = "requestheader-allowed-names"
ROUTING = "enable-aggregator-routing"


def decide(fake: support.FakeMaster, wish: t.Optional[Wish] = None, common_name: str = "front-proxy-client") -> Flags:
    return wanted_flags(fake.read(), wish or Wish(), ClusterNames(common_name))


def refused(fake: support.FakeMaster, wish: t.Optional[Wish] = None) -> str:
    with pytest.raises(PlanError) as error:
        decide(fake, wish)
    return str(error.value)


def test_a_bare_master_gets_all_seven_in_one_sentence() -> None:
    flags = decide(master())
    assert flags.values == support.proxy_flags()
    assert len(flags.reasons) == 1 and flags.reasons[0].startswith("not set before: ")
    for name in support.proxy_flags():
        assert f"--{name}" in flags.reasons[0]


def test_a_configured_master_keeps_all_of_them() -> None:
    flags = decide(kubeadm())
    assert flags.values == support.proxy_flags() and flags.reasons == () and flags.warnings == ()


# --- allowed names


@pytest.mark.parametrize(
    ("now", "then", "reason"),
    [
        ("front-proxy-client", "front-proxy-client", ""),
        ("aggregator,front-proxy-client", "aggregator,front-proxy-client", ""),
        ("aggregator", "aggregator,front-proxy-client", f"--{NAMES} did not hold front-proxy-client"),
        (
            '""',
            "front-proxy-client",
            f"--{NAMES} held an empty name, which no certificate has and did not hold front-proxy-client",
        ),
        ("front-proxy-client,", "front-proxy-client", f"--{NAMES} held an empty name, which no certificate has"),
        ("Front-Proxy-Client", "Front-Proxy-Client,front-proxy-client", f"--{NAMES} did not hold front-proxy-client"),
        ('"a,b",front-proxy-client', '"a,b",front-proxy-client', ""),
        ('"a,b"', '"a,b",front-proxy-client', f"--{NAMES} did not hold front-proxy-client"),
    ],
)
def test_the_common_name_is_added_to_the_allowed_ones(now: str, then: str, reason: str) -> None:
    flags = decide(kubeadm(flags={NAMES: now}))
    assert flags.values[NAMES] == then
    assert flags.reasons == ((reason,) if reason else ())


def test_names_that_are_not_set_are_set() -> None:
    flags = decide(kubeadm(flags={NAMES: None}))
    assert flags.values[NAMES] == "front-proxy-client"
    assert flags.reasons == (f"not set before: --{NAMES}",)


def test_an_empty_list_is_kept_with_a_warning() -> None:
    flags = decide(kubeadm(flags={NAMES: ""}))
    assert flags.values[NAMES] == "" and flags.reasons == ()
    assert len(flags.warnings) == 1
    sentence(flags.warnings[0], f"--{NAMES} is empty", "front_proxy_allowed_names")


@pytest.mark.parametrize(
    ("now", "names", "then", "was"),
    [
        ("front-proxy-client", ("a", "b"), "a,b", "was front-proxy-client"),
        (None, ("a", "b"), "a,b", "was not set"),
        ("", ("a", "b"), "a,b", "was empty"),
        ("b,a", ("a", "b"), "b,a", ""),
        ("a,b,c", ("a", "b"), "a,b", "was a,b,c"),
        ("front-proxy-client", (), "", "was front-proxy-client"),
        ("a", ("a, b", 'c"d'), '"a, b","c""d"', "was a"),
    ],
)
def test_names_that_are_asked_for_replace_others(
    now: t.Optional[str], names: t.Tuple[str, ...], then: str, was: str
) -> None:
    flags = decide(kubeadm(flags={NAMES: now}), Wish(allowed_names=names), "a")
    assert flags.values[NAMES] == then
    assert len(flags.reasons) == bool(was)
    if was:
        assert was in flags.reasons[0] and "front_proxy_allowed_names" in flags.reasons[0]
    # the next run finds nothing to do
    again = decide(kubeadm(flags={NAMES: then}), Wish(allowed_names=names), "a")
    assert again.values[NAMES] == then and again.reasons == ()


@pytest.mark.parametrize("values", [(), ("a",), ("a", "b"), ("a,b", "c"), ('a"b',), ("",), ("", "a")])
def test_lists_are_read_as_they_are_written(values: t.Tuple[str, ...]) -> None:
    assert read_list(write_list(values)) == values


@pytest.mark.parametrize(("text", "values"), [(None, None), ("", ()), ('"a', ('"a',)), ("a,,b", ("a", "", "b"))])
def test_lists_that_are_not_set_or_odd(text: t.Optional[str], values: t.Optional[t.Tuple[str, ...]]) -> None:
    assert read_list(text) == values


# --- headers


@pytest.mark.parametrize(
    ("flag", "now", "then", "reason"),
    [
        ("requestheader-username-headers", "X-User", "X-User,X-Remote-User", "did not hold X-Remote-User"),
        ("requestheader-username-headers", "x-remote-user", "x-remote-user", ""),
        ("requestheader-group-headers", "X-Remote-Group,X-Group", "X-Remote-Group,X-Group", ""),
        # what CaaS Platform wrote
        (
            "requestheader-extra-headers-prefix",
            "X-Remote-Extra",
            "X-Remote-Extra,X-Remote-Extra-",
            "did not hold X-Remote-Extra-",
        ),
        ("requestheader-group-headers", "X-Remote-Group,", "X-Remote-Group", "held an empty name"),
        ("requestheader-group-headers", "", "X-Remote-Group", "did not hold X-Remote-Group"),
    ],
)
def test_the_standard_header_is_added_to_others(flag: str, now: str, then: str, reason: str) -> None:
    flags = decide(kubeadm(flags={flag: now}))
    assert flags.values[flag] == then
    assert flags.reasons == ((f"--{flag} {reason}",) if reason else ())


def test_headers_that_are_asked_for_are_added_and_others_stay() -> None:
    wish = Wish(username_headers=("X-Remote-User", "X-Mine"))
    flags = decide(kubeadm(flags={"requestheader-username-headers": "X-Theirs,x-remote-user"}), wish)
    assert flags.values["requestheader-username-headers"] == "X-Theirs,x-remote-user,X-Mine"
    assert flags.reasons == ("--requestheader-username-headers did not hold X-Mine",)
    assert decide(master(), wish).values["requestheader-username-headers"] == "X-Remote-User,X-Mine"


# --- paths


def test_paths_are_kept_where_they_are() -> None:
    places = {"proxy-client-cert-file": "/opt/c.crt", "requestheader-client-ca-file": "/opt/bundle.pem"}
    flags = decide(kubeadm(flags=places), Wish(certificates_dir="/elsewhere"))
    assert {name: flags.values[name] for name in places} == places and flags.reasons == ()


@pytest.mark.parametrize("path", ["pki/front-proxy-ca.crt", "$(PKI)/front-proxy-ca.crt", "/$(PKI)/ca.crt"])
def test_a_path_that_cannot_be_found_is_refused(path: str) -> None:
    said = refused(kubeadm(flags={"requestheader-client-ca-file": path}))
    sentence(said, "--requestheader-client-ca-file", path, "correct it in the manifest")


def test_the_folder_is_that_of_the_client_ca() -> None:
    flags = decide(master(pki="/etc/kubernetes/ssl"))
    assert flags.values["proxy-client-key-file"] == "/etc/kubernetes/ssl/front-proxy-client.key"


def test_the_folder_that_is_asked_for() -> None:
    flags = decide(master(), Wish(certificates_dir="/opt/pki"))
    assert flags.values == support.proxy_flags("/opt/pki")


# --- routing


@pytest.mark.parametrize(
    ("routing", "evidence", "root", "now", "then", "words"),
    [
        ("auto", (support.KUBE_PROXY,), "", None, None, "left unset: the process kube-proxy runs"),
        ("auto", ("one", "two"), "", None, None, "left unset: one; two"),
        ("auto", (support.KUBE_PROXY,), "", "true", "true", "left as it is: the process kube-proxy runs"),
        ("auto", (support.KUBE_PROXY,), "", "false", "false", "left as it is: the process kube-proxy runs"),
        ("auto", (), "", "true", "true", "true: no kube-proxy"),
        ("auto", (), "", "True", "True", "true: no kube-proxy"),
        ("auto", (), "/sandbox", None, None, "cannot be seen below a root; set front_proxy_aggregator_routing"),
        ("auto", (), "/sandbox", "false", "false", "cannot be seen below a root"),
        ("true", (support.KUBE_PROXY,), "", "true", "true", "true, as front_proxy_aggregator_routing says"),
        ("true", (), "", "1", "1", "true, as front_proxy_aggregator_routing says"),
        ("false", (), "", None, None, "false, as front_proxy_aggregator_routing says"),
        ("false", (), "", "False", "False", "false, as front_proxy_aggregator_routing says"),
    ],
)
def test_routing_that_stays(
    routing: str, evidence: t.Sequence[str], root: str, now: t.Optional[str], then: t.Optional[str], words: str
) -> None:
    flags = decide(kubeadm(flags={ROUTING: now}, evidence=evidence, root=root), Wish(routing=routing))
    assert flags.values.get(ROUTING) == then and flags.reasons == ()
    assert words in flags.routing


@pytest.mark.parametrize(
    ("routing", "evidence", "now", "then", "words"),
    [
        ("auto", (), None, "true", "since no kube-proxy, no trace of its chains and no replacement was seen"),
        ("auto", (), "false", "true", "since no kube-proxy"),
        ("true", (support.KUBE_PROXY,), None, "true", "as front_proxy_aggregator_routing says"),
        ("true", (support.KUBE_PROXY,), "false", "true", "as front_proxy_aggregator_routing says"),
        ("false", (), "true", "false", "as front_proxy_aggregator_routing says"),
    ],
)
def test_routing_that_changes(
    routing: str, evidence: t.Sequence[str], now: t.Optional[str], then: str, words: str
) -> None:
    flags = decide(kubeadm(flags={ROUTING: now}, evidence=evidence), Wish(routing=routing))
    assert flags.values[ROUTING] == then
    assert len(flags.reasons) == 1 and flags.reasons[0].startswith(f"--{ROUTING} is set to {then}, ")
    assert words in flags.reasons[0]


def test_routing_by_choice_works_below_a_root() -> None:
    assert decide(kubeadm(root="/sandbox"), Wish(routing="true")).values[ROUTING] == "true"


# --- extra flags


def test_extra_flags_are_set_and_taken_out() -> None:
    fake = kubeadm(flags={"profiling": "true", "v": "2"})
    flags = decide(fake, Wish(extra_flags={"profiling": None, "v": "4", "audit-log-path": "/x", "not-there": None}))
    assert {name: flags.values[name] for name in ("profiling", "v", "audit-log-path", "not-there")} == {
        "profiling": None,
        "v": "4",
        "audit-log-path": "/x",
        "not-there": None,
    }
    assert flags.reasons == (
        "--profiling is taken out, as front_proxy_extra_flags says",
        "--v is set, as front_proxy_extra_flags says",
        "--audit-log-path is set, as front_proxy_extra_flags says",
    )


def test_an_extra_flag_that_is_right_already_keeps_its_spelling() -> None:
    flags = decide(kubeadm(flags={"profiling": "False"}), Wish(extra_flags={"profiling": "false"}))
    assert flags.values["profiling"] == "False" and flags.reasons == ()


def test_an_extra_flag_that_the_release_does_not_know_is_refused() -> None:
    wish = Wish(extra_flags={"requestheader-uid-headers": "X-Remote-Uid"})
    sentence(refused(kubeadm(), wish), "requestheader-uid-headers", "1.32", "1.28")
    assert decide(kubeadm(release="v1.32.0"), wish).values["requestheader-uid-headers"] == "X-Remote-Uid"
    unknown = kubeadm(release=None, image="kube-apiserver:latest")
    assert decide(unknown, wish).values["requestheader-uid-headers"] == "X-Remote-Uid"
