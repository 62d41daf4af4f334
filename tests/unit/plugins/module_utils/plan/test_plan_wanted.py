# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option ``files`` of the action: what is taken, and each thing that is refused."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wanted import read_files
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import sentence


def read(*, checking: bool = False, **file: t.Any) -> t.Tuple[t.Any, t.Dict[str, str]]:
    wishes, contents = read_files([{"path": "/pki/a.crt", **file}], str, checking=checking)
    return wishes[0], contents


def refused(**file: t.Any) -> str:
    with pytest.raises(PlanError) as error:
        read(**file)
    return str(error.value)


def test_a_certificate_is_taken_with_the_usual_mode() -> None:
    wish, contents = read(content=make_ca().pem)
    assert (wish.path, wish.text, wish.mode, wish.is_key, wish.key_of) == (
        "/pki/a.crt",
        make_ca().pem,
        None,
        False,
        None,
    )
    assert (wish.owner, wish.group) == (None, None) and contents == {"/pki/a.crt": make_ca().pem}


def test_a_key_is_known_by_its_public_half_alone() -> None:
    wish, contents = read(content=certificates.key_pem("client"), owner=7, group="kube")
    assert (wish.text, wish.mode, wish.is_key) == (None, None, True)
    assert wish.key_of == certificates.key("client").fingerprint
    assert (wish.owner, wish.group) == ("7", "kube") and list(contents.values()) == [certificates.key_pem("client")]
    assert "PRIVATE KEY" not in repr(wish)


def test_a_source_is_read_where_the_finder_says(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text(make_ca().pem)
    files = [{"path": "/pki/a.crt", "src": "ca.crt"}]
    wishes, dummy = read_files(files, lambda name: str(tmp_path / name), checking=False)
    assert wishes[0].text == make_ca().pem


@pytest.mark.parametrize("given", [{}, {"content": "x", "src": "y"}, {"content": None, "src": None}])
def test_a_file_needs_content_or_source(given: t.Dict[str, t.Any]) -> None:
    sentence(refused(**given), "/pki/a.crt", "either content or src")


@pytest.mark.parametrize("path", ["", None, "pki/a.crt"])
def test_a_path_must_be_absolute(path: t.Optional[str]) -> None:
    sentence(refused(path=path, content="x"), "not absolute", "content, group, made_anew, mode")


def test_an_unknown_option_is_refused() -> None:
    sentence(refused(content="x", contents="y", dest="z"), "unknown options contents, dest", "it takes content")


@pytest.mark.parametrize(
    ("mode", "read_as"), [("0640", 0o640), ("644", 0o644), (0o600, 0o600), (0o44, 0o44), ("0000", 0)]
)
def test_modes(mode: t.Any, read_as: str) -> None:
    assert read(content=make_ca().pem, mode=mode)[0].mode == read_as


@pytest.mark.parametrize("mode", ["u=rw", "0999", "0888", "01644", 644, 0o1777, -1, "", "²44", True, "0o644"])
def test_what_is_no_mode_is_refused(mode: t.Any) -> None:
    sentence(refused(content=make_ca().pem, mode=mode), repr(mode), "/pki/a.crt", "octal digits in quotes")


@pytest.mark.parametrize("mode", ["0644", "0604", "0601", 0o777])
def test_a_key_that_everybody_could_read_is_refused(mode: t.Any) -> None:
    sentence(refused(content=certificates.key_pem("client"), mode=mode), "/pki/a.crt", "everybody", "0600 or 0640")


def test_a_key_for_its_group_is_taken() -> None:
    assert read(content=certificates.key_pem("client"), mode="0640")[0].mode == 0o640


def test_a_missing_source_is_refused_but_in_check_mode() -> None:
    sentence(refused(src="/not/there.crt"), "/not/there.crt", "on the controller", "/pki/a.crt", "make it first")
    wish, contents = read(src="/not/there.crt", checking=True)
    assert (wish.text, wish.is_key, contents) == (None, False, {})
    wish, contents = read(path="/pki/a.key", src="/not/there.key", checking=True)
    assert (wish.text, wish.is_key, wish.key_of, wish.mode) == (None, True, None, None)


def test_a_source_that_is_no_pem_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    sentence(refused(src=str(tmp_path / "a")), str(tmp_path / "a"), "not PEM", "/pki/a.crt")


def test_a_source_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    sentence(refused(src=str(tmp_path)), str(tmp_path), "Is a directory", "/pki/a.crt")


def test_what_is_made_anew_does_not_count_in_check_mode(tmp_path: Path) -> None:
    old = tmp_path / "old.crt"
    old.write_text(make_ca().pem, encoding="ascii")
    wish, contents = read(src=str(old), made_anew=True, checking=True)
    assert wish.text is None and contents == {}
    wish, contents = read(src=str(old), made_anew=True)
    assert wish.text == make_ca().pem and contents
