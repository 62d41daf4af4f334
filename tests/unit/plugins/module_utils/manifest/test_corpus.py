# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every manifest of the corpus becomes exactly the text beside it, or is refused with exactly that sentence.

A case is a folder: input.* (.bin where a tool would take offence at its bytes), case.json (why it is here, the asked
changes, what is expected in other words, or the refusal), and output.* with the new text. What is expected is checked a
second time without the editor: both texts are parsed by another parser and compared.
"""

from __future__ import annotations

import json
import os
import typing as t

import pytest
import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import host_path, read_pod
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.steps import settled
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.text import decode

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
CASES = sorted(entry for entry in os.listdir(CORPUS) if os.path.isdir(os.path.join(CORPUS, entry)))

# libyaml's parser is the model of the kubelet's (yaml.v2 is a translation of it), so it judges where it is there.
PARSER: t.Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class Case:
    """One folder of the corpus."""

    def __init__(self, name: str) -> None:
        self.folder = os.path.join(CORPUS, name)
        self.files = sorted(os.listdir(self.folder))
        with open(os.path.join(self.folder, "case.json"), encoding="utf-8") as stream:
            self.data: t.Dict[str, t.Any] = json.load(stream)
        asked = self.data["changes"]
        self.changes = Changes(asked["flags"], tuple(asked["folders"]), asked["annotations"])
        self.container: str = self.data.get("container", "kube-apiserver")

    def read(self, stem: str) -> bytes:
        """Return the bytes of input or output."""
        (name,) = (name for name in self.files if name.startswith(stem + "."))
        with open(os.path.join(self.folder, name), "rb") as stream:
            return stream.read()

    def edit(self) -> str:
        """Return the edited input."""
        return edit(decode(self.read("input")), self.changes, container=self.container)


def load(text: str) -> t.List[t.Any]:
    """Parse a text as the kubelet would, every scalar as a string where it is YAML."""
    if text.lstrip().startswith("{"):
        return [json.loads(text)]
    return list(yaml.load_all(text.encode("utf-8"), Loader=PARSER))


def take_out(documents: t.List[t.Any], container: str) -> t.Dict[str, t.Any]:
    """Take all that an edit may change out of the pod, in place, and return it."""
    pod = documents[0]
    (node,) = (item for item in pod["spec"]["containers"] if item["name"] == container)
    return {
        "argv": (node.pop("command", None) or []) + (node.pop("args", None) or []),
        "mounts": node.pop("volumeMounts", None) or [],
        "volumes": pod["spec"].pop("volumes", None) or [],
        "annotations": pod["metadata"].pop("annotations", None) or {},
    }


def listed(value: t.Any) -> t.List[t.Any]:
    """Return what BaseLoader makes of a list or of null."""
    return value if isinstance(value, list) else []


def test_there_are_enough_cases_and_every_file_is_used() -> None:
    assert len(CASES) >= 40
    assert sorted(set(os.listdir(CORPUS)) - set(CASES)) == [".editorconfig", ".gitattributes"]
    for name in CASES:
        case = Case(name)
        stems = sorted(file.split(".")[0] for file in case.files)
        edited = "refusal" not in case.data and not case.data.get("same")
        assert stems == (["case", "input", "output"] if edited else ["case", "input"]), name
        assert case.data["about"], name
        assert ("refusal" in case.data) + ("same" in case.data) + ("expect" in case.data) == 1, name


@pytest.mark.parametrize("name", [name for name in CASES if "refusal" in Case(name).data])
def test_refusals(name: str) -> None:
    case = Case(name)
    with pytest.raises(ManifestError) as caught:
        case.edit()
    message = str(caught.value)
    assert message == case.data["refusal"]
    assert message.startswith("the manifest ")
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize("name", [name for name in CASES if "same" in Case(name).data])
def test_nothing_to_do(name: str) -> None:
    case = Case(name)
    text = decode(case.read("input"))
    assert edit(text, case.changes, container=case.container) is text


def test_what_is_settled_needs_no_edit() -> None:
    """And what needs one, or is refused, is not settled."""
    found = []
    for case in map(Case, CASES):
        try:
            pod = read_pod(decode(case.read("input")), container=case.container)
            if settled(pod, case.changes):
                found.append(case)
        except ManifestError:
            continue
    assert len(found) >= 2
    assert all("same" in case.data for case in found)


@pytest.mark.parametrize(("item", "name", "value"), [('"--v=2\\u0007"', "v", "2\u0007"), ("--v&=2", "v&", "2")])
def test_what_an_edit_refuses_is_not_settled_even_where_it_is_there(item: str, name: str, value: str) -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver\nspec:\n  containers:\n"
        f"  - name: kube-apiserver\n    command:\n    - kube-apiserver\n    - {item}\n"
    )
    pod = read_pod(text)
    assert pod.flag(name) == value
    assert not settled(pod, Changes(flags={name: value}))
    with pytest.raises(ManifestError):
        edit(text, Changes(flags={name: value}))


@pytest.mark.parametrize("name", [name for name in CASES if "expect" in Case(name).data])
def test_edits(name: str) -> None:
    case = Case(name)
    text = decode(case.read("input"))
    edited = case.edit()
    assert edited.encode("utf-8") == case.read("output")
    assert edit(edited, case.changes, container=case.container) is edited
    pod = read_pod(edited, container=case.container)
    for flag, value in case.changes.flags.items():
        assert pod.flag(flag) == value or value in ("true", "false") or flag == "log-file"
    for folder in case.changes.folders:
        assert host_path(pod, folder) == folder.rstrip("/")
    for key, value in case.changes.annotations.items():
        assert pod.annotations.get(key) == value
    # The first text has what the edit should find, so that the case is not vacuous.
    assert text != edited


@pytest.mark.parametrize("name", [name for name in CASES if "expect" in Case(name).data])
def test_the_outputs_mean_what_the_cases_say(name: str) -> None:
    """The editor has no part in this."""
    case = Case(name)
    expect = case.data["expect"]
    before = load(case.read("input").decode("utf-8"))
    after = load(case.read("output").decode("utf-8"))
    old, new = take_out(before, case.container), take_out(after, case.container)
    # All else is the same in every document.
    assert after == before

    argv = [expect["replaced"].get(item, item) for item in listed(old["argv"])]
    for item in expect["removed"]:
        argv.remove(item)
    assert new["argv"] == argv + expect["added"]

    old_mounts, old_volumes = listed(old["mounts"]), listed(old["volumes"])
    assert new["mounts"][: len(old_mounts)] == old_mounts
    assert new["volumes"][: len(old_volumes)] == old_volumes
    added = list(zip(new["mounts"][len(old_mounts) :], new["volumes"][len(old_volumes) :]))
    assert len(new["mounts"]) - len(old_mounts) == len(new["volumes"]) - len(old_volumes) == len(expect["mounts"])
    for path, (mount, volume) in zip(expect["mounts"], added):
        assert mount == {"mountPath": path, "name": volume["name"], "readOnly": mount["readOnly"]}
        assert mount["readOnly"] in (True, "true")
        assert volume == {"hostPath": {"path": path, "type": "DirectoryOrCreate"}, "name": volume["name"]}
    names = [volume["name"] for volume in new["volumes"]]
    assert len(set(names)) == len(names)

    annotations = dict(old["annotations"])
    for key, value in case.changes.annotations.items():
        annotations.pop(key, None)
        if value is not None:
            annotations[key] = value
    assert new["annotations"] == annotations


def test_too_large() -> None:
    for size in (1024 * 1024 + 1, 10 * 1024 * 1024):
        with pytest.raises(ManifestError, match=f"the file has {size} bytes, more than the 1048576 that are read"):
            decode(b"#" * size, "the file")
    with pytest.raises(ManifestError, match="more than the 1048576 that are read"):
        read_pod("#" * (1024 * 1024 + 1))


def test_the_largest_that_is_read() -> None:
    text = decode(Case("args-only").read("input"))
    filled = text + "#" * (1024 * 1024 - len(text) - 1) + "\n"
    assert read_pod(decode(filled.encode("utf-8"))).argv == read_pod(text).argv


def test_the_name_of_the_manifest_is_in_the_message() -> None:
    with pytest.raises(ManifestError, match=r"^/etc/x\.yaml of host m1 is no Pod of v1"):
        edit("a: b", Changes({"v": "2"}), where="/etc/x.yaml of host m1")
