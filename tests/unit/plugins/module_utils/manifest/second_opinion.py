# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A second opinion on edited manifests: another editor, in Rust, adds the same flag, and the API's schema judges.

yaml-edit (https://github.com/jelmer/yaml-edit-py) parses YAML by itself; it quotes what it adds in its own way, so
meanings are compared, not texts. kubernetes-validate holds the schemas that Kubernetes publishes.
"""

from __future__ import annotations

import functools
import typing as t

import kubernetes_validate.utils as schemas
import pytest
import yaml
import yaml_edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.text import decode
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.manifest.made_up import (
    MANIFESTS,
    VALUES,
    Manifest,
    readable,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.manifest.test_corpus import (
    CASES,
    Case,
    load,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.manifest.test_properties import (
    SETTINGS,
)
from hypothesis import given

__all__ = [
    "quick",
    "test_made_up_manifests",
    "test_the_corpus_is_large_enough",
    "test_the_other_editor_adds_the_same_flag",
    "test_the_other_parser_reads_what_the_editor_wrote",
    "test_the_schema_of_the_api_takes_what_the_editor_wrote",
    "test_the_schema_takes_a_folder_that_is_added",
]

# A flag that no case and no made-up manifest has.
FLAG = "requestheader-uid-headers"
# The oldest and the newest schema that the package has of a release that is supported.
RELEASES = ("1.25", "1.37")
# By case, what the schema says against a manifest as it came: the editor keeps what is not its business.
NOT_VALID = {
    "key-order-and-unknown-fields": "'unknownField', 'zzz' were unexpected",
    "sexagesimal-item": "630 is not of type 'string', 'null'",
}


def accepted(name: str) -> t.Optional[str]:
    """The text of a case's input, if the editor takes it."""
    case = Case(name)
    try:
        text = decode(case.read("input"))
        edit(text, Changes({FLAG: "X"}), container=case.container)
    except ManifestError:
        return None
    return text


ACCEPTED = {name: text for name in CASES for text in [accepted(name)] if text is not None}


@functools.lru_cache(maxsize=None)
def read_schema(name: str, release: str) -> t.Any:
    """Read a schema once: the definitions have a mebibyte."""
    return _read_schema(name, release)


_read_schema = schemas.schema_contents


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "schema_contents", read_schema)


def complaint(text: str, release: str) -> str:
    """What the API's schema says against the pod of a manifest; empty if it is valid."""
    loader: t.Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    documents = yaml.load_all(text.lstrip("\ufeff"), Loader=loader)
    (pod,) = [each for each in documents if isinstance(each, dict) and each.get("kind") == "Pod"]
    try:
        schemas.validate(pod, release, strict=True)
    except schemas.ValidationError as error:
        return str(error.message)
    return ""


def plain(node: t.Any) -> t.Any:
    """What the other parser has read: mappings, lists and strings."""
    if node is None:
        return ""
    mapping, sequence = node.as_mapping(), node.as_sequence()
    if mapping is not None:
        return {key: plain(value) for key, value in mapping.items()}
    if sequence is not None:
        return [plain(item) for item in sequence]
    return node.as_scalar().as_string()


class Other:
    """A manifest, as the other editor has it."""

    def __init__(self, text: str, container: str = "kube-apiserver") -> None:
        self.file = yaml_edit.YamlFile.parse(text)
        (pod,) = (document for document in self.file.documents() if document.get("kind") == "Pod")
        containers = pod["spec"].as_mapping()["containers"].as_sequence()
        (self.container,) = (each.as_mapping() for each in containers if plain(each.as_mapping()["name"]) == container)

    def items(self, key: str) -> t.List[str]:
        """The items of command or args."""
        return [plain(item) for item in self._list(key) or ()]

    def _list(self, key: str) -> t.Any:
        """The list, which is false if it is empty; None if there is none."""
        return self.container[key].as_sequence() if key in self.container else None

    @property
    def argv(self) -> t.List[str]:
        return [*self.items("command"), *self.items("args")]

    def with_flag(self, value: str) -> str:
        """The text with the flag at the end."""
        (self._list("args") or self._list("command")).append(f"--{FLAG}={value}")
        return str(self.file)


def argv_of(text: str, container: str) -> t.List[str]:
    """The arguments of a container, as libyaml reads them."""
    (pod,) = (document for document in load(text) if isinstance(document, dict) and document.get("kind") == "Pod")
    (found,) = (each for each in pod["spec"]["containers"] if each["name"] == container)
    return [*(found.get("command") or ()), *(found.get("args") or ())]


def test_the_corpus_is_large_enough() -> None:
    assert len(ACCEPTED) >= 100 and set(NOT_VALID) <= set(ACCEPTED)
    assert not [name for name, text in ACCEPTED.items() if FLAG in text]


@pytest.mark.parametrize("name", sorted(ACCEPTED))
def test_the_other_editor_adds_the_same_flag(name: str) -> None:
    text, container = ACCEPTED[name], Case(name).container
    ours = edit(text, Changes({FLAG: "X-Remote-Uid"}), container=container)
    theirs = Other(text, container).with_flag("X-Remote-Uid")
    assert theirs != text and ours != text
    assert load(theirs) == load(ours)
    if "*" not in text:  # what an alias stands for is its own matter
        assert Other(ours, container).argv == Other(theirs, container).argv == argv_of(ours, container)


@pytest.mark.parametrize("name", [name for name in CASES if "expect" in Case(name).data])
def test_the_other_parser_reads_what_the_editor_wrote(name: str) -> None:
    case = Case(name)
    edited = case.edit()
    if "*" not in edited:
        assert Other(edited, case.container).argv == argv_of(edited, case.container)
    assert str(Other(edited, case.container).file) == edited


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("name", [name for name in CASES if "expect" in Case(name).data or name in ACCEPTED])
def test_the_schema_of_the_api_takes_what_the_editor_wrote(name: str, release: str) -> None:
    case = Case(name)
    texts = [case.edit()] if "expect" in case.data else []
    if name in ACCEPTED:
        texts += [ACCEPTED[name], edit(ACCEPTED[name], Changes({FLAG: "X-Remote-Uid"}), container=case.container)]
    for text in texts:
        found = complaint(text, release)
        assert (NOT_VALID[name] in found) if name in NOT_VALID else found == ""


@given(MANIFESTS, VALUES)
@SETTINGS
def test_made_up_manifests(manifest: Manifest, value: str) -> None:
    value = readable(FLAG, value)
    ours = edit(manifest.text, Changes({FLAG: value}))
    assert load(Other(manifest.text).with_flag(value)) == load(ours)
    assert Other(ours).argv == [*manifest.argv, f"--{FLAG}={value}"]
    assert str(Other(ours).file) == ours


@given(MANIFESTS)
@SETTINGS
def test_the_schema_takes_a_folder_that_is_added(manifest: Manifest) -> None:
    edited = edit(manifest.text, Changes({FLAG: "X"}, ("/srv/front-proxy",), {"example.org/new": "1"}))
    assert complaint(edited, RELEASES[-1]) == complaint(manifest.text, RELEASES[-1])
