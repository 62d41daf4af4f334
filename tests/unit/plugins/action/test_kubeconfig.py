# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read a kubeconfig's credentials, and say nothing of them when it is not good."""

from __future__ import annotations

import base64
import json
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import (
    read_kubeconfig,
    refuse_for_several_clusters,
)

SECRET = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


CLUSTER = {"certificate-authority-data": encoded("the CA")}


def write(
    folder: Path, user: t.Mapping[str, t.Any], current: str = "here", cluster: t.Mapping[str, t.Any] | None = None
) -> str:
    path = folder / "config"
    context = {"name": "here", "context": {"user": "admin", "cluster": "c"}}
    clusters = [{"name": "c", "cluster": CLUSTER if cluster is None else cluster}]
    users = [{"name": "admin", "user": user}]
    document = {"current-context": current, "contexts": [context], "clusters": clusters, "users": users}
    path.write_text(json.dumps(document))
    return str(path)


def test_a_pair_within_it(tmp_path: Path) -> None:
    path = write(tmp_path, {"client-certificate-data": encoded("cert"), "client-key-data": encoded(SECRET)})
    assert read_kubeconfig(path) == ("admin", {"authority": "the CA", "certificate": "cert", "key": SECRET})


def test_a_pair_beside_it(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_text("cert")
    (tmp_path / "c.key").write_text(SECRET)
    user = {"client-certificate": "c.crt", "client-key": str(tmp_path / "c.key")}
    found = read_kubeconfig(write(tmp_path, user))[1]
    assert found["certificate"] == "cert" and found["key"] == SECRET


def test_a_token(tmp_path: Path) -> None:
    assert read_kubeconfig(write(tmp_path, {"token": "abc"})) == ("admin", {"authority": "the CA", "token": "abc"})
    (tmp_path / "token").write_text("def\n")
    assert read_kubeconfig(write(tmp_path, {"tokenFile": "token"}))[1]["token"] == "def"


@pytest.mark.parametrize(
    "user, current, said",
    [
        ({"exec": {"command": "aws"}}, "here", "neither a client certificate with a key nor a token"),
        ({"client-certificate-data": "cert"}, "here", "that can be read"),
        ({"client-certificate": "c.crt", "client-key": "c.key"}, "here", "No such file"),
        ({"token": "abc"}, "there", "has no context 'there'"),
    ],
)
def test_what_is_not_good_is_said(user: t.Mapping[str, t.Any], current: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=said):
        read_kubeconfig(write(tmp_path, user, current))


@pytest.mark.parametrize("text", ["- a\n", SECRET + "{", "\x00"])
def test_a_file_that_is_no_kubeconfig_is_not_quoted(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(PlanError) as error:
        read_kubeconfig(str(path))
    assert "c2VjcmV0" not in str(error.value) and str(path) in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"Cannot read .*/none: No such file"):
        read_kubeconfig(str(tmp_path / "none"))


@pytest.mark.parametrize("cluster", [{}, {"insecure-skip-tls-verify": True}, {"server": "https://192.0.2.1:6443"}])
def test_credentials_without_a_ca_are_not_sent_to_anybody(cluster: t.Mapping[str, t.Any], tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="does not say by which CA its server is known"):
        read_kubeconfig(write(tmp_path, {"token": "abc"}, cluster=cluster))


def play(**hosts: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    return {"ansible_play_hosts_all": list(hosts), "hostvars": hosts}


@pytest.mark.parametrize(
    "theirs",
    [
        {"front_proxy_cluster": "green"},
        {"front_proxy_cluster": "green", "front_proxy_kubeconfig": "config"},
        {"front_proxy_cluster": "green", "front_proxy_kubeconfig": "link"},
    ],
)
def test_one_kubeconfig_for_two_clusters_is_refused(
    theirs: t.Mapping[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, {"token": "abc"})
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(PlanError, match=r"for the clusters blue and green alike.*set front_proxy_kubeconfig in the"):
        refuse_for_several_clusters(path, "blue", play(b1={"front_proxy_cluster": "blue"}, g1=theirs))


def test_a_kubeconfig_for_each_cluster_is_fine(tmp_path: Path) -> None:
    path = write(tmp_path, {"token": "abc"})
    blue = {"front_proxy_cluster": "blue", "front_proxy_kubeconfig": path}
    green = {"front_proxy_cluster": "green", "front_proxy_kubeconfig": str(tmp_path / "other")}
    refuse_for_several_clusters(path, "blue", play(b1=blue, b2=blue, g1=green))
    # hosts that say nothing are of the cluster of this one
    refuse_for_several_clusters(path, "kubernetes", play(m1={}, m2={}))
