# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items that kube-apiserver reads otherwise than they seem, and those that it reads as they are."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._argv import BOOLEAN_FLAGS
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.misread import misread
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import read_pod
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.value_flags import VALUE_FLAGS

CA = "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt"


@pytest.mark.parametrize(
    ("items", "clause"),
    [
        (["--requestheader-allowed-names", CA], "--requestheader-allowed-names has no value, so kube-apiserver takes"),
        (["--audit-log-path", CA], "--audit-log-path has no value"),
        (["--oidc_issuer_url", "--v=2"], "--oidc_issuer_url has no value"),
        (["--feature-gates", "--anonymous-auth=false"], "--feature-gates has no value"),
        (["--v=2", "--tls-cert-file"], "--tls-cert-file is the last item and has no value"),
        (["--proxy-client-cert-file", "=/x"], "so the value begins with =; write --proxy-client-cert-file=/x"),
        ([f"--proxy-client-cert-file=/x {CA}"], "holds a second flag (--requestheader-client-ca-file=)"),
        (["--requestheader-allowed-names=a --v 2"], "holds a second flag (--v)"),
        (["--proxy-client-key-file", f"/x\t{CA}"], "holds a second flag"),
        (
            ["--requestheader-allowed-names front-proxy-client"],
            "write --requestheader-allowed-names=VALUE, or two items",
        ),
        (["--requestheader-allowed-names =a"], "--requestheader-allowed-names =a"),
        (["-requestheader-allowed-names=a"], "begins with one dash"),
        (["-enable-aggregator-routing"], "write --enable-aggregator-routing"),
        (["--requestheader-allowed-names=a,--v=2"], "is a flag (a,--v=2)"),
        (["--client-ca-file= /x"], "begins or ends with a blank"),
        (["--client-ca-file=/x "], "begins or ends with a blank"),
        (["--client-ca-file", "/x\n"], "begins or ends with a blank"),
        (['--requestheader-client-ca-file="/x"'], "is in quotes"),
        (["--proxy-client-key-file='/x'"], "is in quotes"),
        (["--tls-private-key-file", "'/x'"], "is in quotes"),
    ],
)
def test_what_is_read_otherwise_is_told(items: t.List[str], clause: str) -> None:
    said = misread(["kube-apiserver", *items], start=1)
    assert said is not None and clause in said, said
    # it is part of a sentence, and of a length that fits into one
    assert not said.endswith(".") and len(said) < 400


@pytest.mark.parametrize(
    "items",
    [
        [CA, "--requestheader-allowed-names="],
        ["--requestheader-allowed-names", "front-proxy-client", CA],
        ['--requestheader-allowed-names=""', CA],  # told by verify, and put right by configure
        ["--enable-aggregator-routing", CA],
        ["--enable-aggregator-routing", "--anonymous-auth", "--v=2"],
        ["--a-flag-of-tomorrow", CA],
        ["-v", "2", "-v=3", "-h"],
        ["--service-account-issuer=https://a b", "--external-hostname=a-b --"],
        ["--client-ca-file", "-x"],
        ["--etcd-servers=https://a,https://b", "--feature-gates=A=true,B=false"],
        ["--", "--tls-cert-file"],
    ],
)
def test_what_is_read_as_it_is(items: t.List[str]) -> None:
    assert misread(items, start=0) is None


def test_what_stands_before_the_server_is_its_launchers() -> None:
    assert misread(["/go-runner", "--log-file", "--also-stdout=false", "kube-apiserver", CA], start=4) is None


def test_no_flag_is_both() -> None:
    assert not VALUE_FLAGS & BOOLEAN_FLAGS


def test_a_manifest_is_refused_in_a_sentence() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\n"
        "spec:\n  containers:\n  - name: kube-apiserver\n    command:\n    - kube-apiserver\n"
        f"    - --requestheader-allowed-names\n    - {CA}\n"
    )
    with pytest.raises(ManifestError) as error:
        read_pod(text, where="/etc/kubernetes/manifests/kube-apiserver.yaml")
    assert str(error.value) == (
        "/etc/kubernetes/manifests/kube-apiserver.yaml, container kube-apiserver: --requestheader-allowed-names has no "
        "value, so kube-apiserver takes the next item (--requestheader-client-ca-file=/etc/kubernetes/pki/front-pro…) "
        "for it; give it one, or remove it."
    )
