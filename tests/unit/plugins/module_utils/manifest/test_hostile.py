# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hostile and broken input gives a refusal in bounded time, and never another exception or a wrong edit."""

from __future__ import annotations

import os
import sys
import time
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import (
    defines_same_pod,
    host_path,
    read_pod,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.text import decode
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
SETTINGS = settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])

# as large as may be on the Python that takes all examples, and on the oldest one
SIZE = 1024 * 1024 if sys.version_info[:2] in ((3, 8), (3, 11)) else 128 * 1024

# What is asked of a text that is made up: one of each kind of change.
CHANGES = Changes(
    flags={"requestheader-client-ca-file": "/srv/ca.crt", "requestheader-allowed-names": "other", "secure-port": None},
    folders=("/srv",),
    annotations={"example.org/a": "b"},
)


def inputs() -> t.List[str]:
    """Return the manifests of the corpus that are text."""
    found = []
    for name in sorted(os.listdir(CORPUS)):
        folder = os.path.join(CORPUS, name)
        if not os.path.isdir(folder) or name.startswith("kubeadm"):
            continue
        (file,) = (file for file in os.listdir(folder) if file.startswith("input"))
        with open(os.path.join(folder, file), "rb") as stream:
            try:
                found.append(decode(stream.read()))
            except ManifestError:
                continue
    return found


INPUTS = inputs()
POD = read_pod(next(text for text in INPUTS if text.startswith("apiVersion: v1\nkind: Pod")))


def use(text: str) -> None:
    """Call all that takes a text; only a ManifestError may come out, and what comes back is right."""
    defines_same_pod(text, POD)
    try:
        pod = read_pod(text)
    except ManifestError as exc:
        assert str(exc).startswith(("the manifest ", "the manifest, container "))
        with pytest.raises(ManifestError):
            edit(text, CHANGES)
        return
    for folder in ("/srv", "/etc/kubernetes/pki"):
        try:
            host_path(pod, folder)
        except ManifestError as exc:
            assert str(exc).startswith(("the manifest ", "the manifest, container "))
    try:
        result = edit(text, CHANGES)
    except ManifestError as exc:
        assert str(exc).startswith(("the manifest ", "the manifest, container "))
        return
    edited = read_pod(result)
    for name, value in CHANGES.flags.items():
        assert edited.flag(name) == value
    assert host_path(edited, "/srv") == "/srv"
    assert edited.annotations["example.org/a"] == "b"
    assert edit(result, CHANGES) is result


@given(st.text(max_size=200))
@SETTINGS
def test_any_text(text: str) -> None:
    use(text)


@given(st.text(alphabet="-: \n\t{}[],&*#!|>'\"%@`?abk\\~<=\r", max_size=60))
@SETTINGS
def test_text_of_yaml_characters(text: str) -> None:
    use(text)


@given(st.binary(max_size=100))
@SETTINGS
def test_any_bytes(data: bytes) -> None:
    try:
        text = decode(data, "the file")
    except ManifestError as exc:
        assert str(exc).startswith("the file ")
        return
    assert text.encode("utf-8") == data


PIECES = st.one_of(
    st.text(alphabet="-: \n\t{}[],&*#!|>'\"%ab\\~<=\r", min_size=1, max_size=3),
    st.sampled_from(
        (
            "\r\n",
            "---\n",
            "...\n",
            "&a ",
            "*a",
            "<<: ",
            "? ",
            "|+\n",
            "!!str ",
            "\ufeff",
            "\x85",
            "\u2028",
            "\0",
            "'",
            '"',
        )
    ),
)


@given(st.sampled_from(INPUTS), st.lists(st.tuples(st.integers(0), st.integers(0, 12), PIECES), min_size=1, max_size=3))
@SETTINGS
def test_damaged_manifests(text: str, damages: t.List[t.Tuple[int, int, str]]) -> None:
    for place, length, piece in damages:
        start = place % (len(text) + 1)
        text = text[:start] + piece + text[start + length :]
    use(text)


@given(st.sampled_from(INPUTS), st.integers(0))
@SETTINGS
def test_cut_off_manifests(text: str, place: int) -> None:
    use(text[: place % (len(text) + 1)])


def filled(piece: str) -> str:
    return piece * (SIZE // len(piece))


BOMBS = {
    "open brackets": lambda: filled("["),
    "open braces": lambda: filled("{"),
    "open braces of YAML": lambda: "---\n" + filled("{")[4:],
    "dashes": lambda: filled("- "),
    "question marks": lambda: filled("? "),
    "items": lambda: filled("- x\n"),
    "comment": lambda: filled("#"),
    "comments": lambda: filled("#\n"),
    "words": lambda: filled("x "),
    "lines": lambda: filled("x\n"),
    "documents": lambda: filled("---\n"),
    "directives": lambda: filled("%A b\n"),
    "anchors": lambda: "".join(f"- &a{number} x\n" for number in range(60000)),
    "aliases": lambda: "- &a x\n" + filled("- *a\n")[7:],
    "block scalar": lambda: "a: |\n" + filled("\n")[5:],
    "nested blocks": lambda: "".join(" " * depth + "a:\n" for depth in range(1400)),
    "nested JSON": lambda: '{"a":' * (SIZE // 5),
    "tabs of JSON": lambda: "{" + "\t" * (SIZE - 2) + "}",
    "digits of JSON": lambda: '{"a":' + "9" * (SIZE - 6) + "}",
    "digits": lambda: "a: " + "1:" * (SIZE // 2 - 2),
    "alias bomb": lambda: "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 5000)),
    "deep aliases": lambda: "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 430)),
}


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_a_refusal_in_bounded_time(name: str) -> None:
    start = time.process_time()
    with pytest.raises(ManifestError) as caught:
        edit(BOMBS[name](), CHANGES)
    assert time.process_time() - start < 20
    assert len(str(caught.value)) < 400


def test_an_alias_bomb_beside_a_pod() -> None:
    bomb = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 200))
    with pytest.raises(ManifestError, match="more than 100000 values when its YAML aliases are followed"):
        edit(POD.text + bomb, CHANGES)


def test_deep_aliases_beside_a_pod() -> None:
    """Aliases can make the data deeper than the text is; that is refused or right, but nothing else."""
    use(POD.text + "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 430)))
