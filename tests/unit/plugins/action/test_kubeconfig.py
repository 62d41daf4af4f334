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
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._kubeconfig import read_kubeconfig

SECRET = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def write(folder: Path, user: t.Mapping[str, t.Any], current: str = "here") -> str:
    path = folder / "config"
    context = {"name": "here", "context": {"user": "admin", "cluster": "c"}}
    document = {"current-context": current, "contexts": [context], "users": [{"name": "admin", "user": user}]}
    path.write_text(json.dumps(document))
    return str(path)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_a_pair_within_it(tmp_path: Path) -> None:
    path = write(tmp_path, {"client-certificate-data": encoded("cert"), "client-key-data": encoded(SECRET)})
    assert read_kubeconfig(path) == ("admin", {"certificate": "cert", "key": SECRET})


def test_a_pair_beside_it(tmp_path: Path) -> None:
    (tmp_path / "c.crt").write_text("cert")
    (tmp_path / "c.key").write_text(SECRET)
    user = {"client-certificate": "c.crt", "client-key": str(tmp_path / "c.key")}
    found = read_kubeconfig(write(tmp_path, user))[1]
    assert found["certificate"] == "cert" and found["key"] == SECRET


def test_a_token(tmp_path: Path) -> None:
    assert read_kubeconfig(write(tmp_path, {"token": "abc"})) == ("admin", {"token": "abc"})
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
