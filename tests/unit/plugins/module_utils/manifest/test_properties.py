# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the editor on manifests that are made up: from the arguments alone follows what an edit must give."""

from __future__ import annotations

import json
import re
import typing as t

import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import host_path, read_pod
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.manifest.made_up import (
    ABSENT,
    MANIFESTS,
    PRESENT,
    VALUES,
    Manifest,
    readable,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PARSER: t.Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

SETTINGS = settings(
    max_examples=examples(100), deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

NEW_VALUES = st.one_of(VALUES, st.just("true"))
ADDED = st.dictionaries(st.sampled_from(ABSENT), NEW_VALUES, min_size=1, max_size=4)


def documents(text: str) -> t.List[t.Any]:
    """Parse without the editor's own reader."""
    if text.lstrip().startswith("{"):
        return [json.loads(text)]
    return list(yaml.load_all(text.encode("utf-8"), Loader=PARSER))


def server(pod: t.Any) -> t.Any:
    """Return the container of the server."""
    (found,) = (item for item in pod["spec"]["containers"] if item["name"] == "kube-apiserver")
    return found


def with_arguments(manifest: Manifest, command: t.Sequence[str], args: t.Sequence[str]) -> t.List[t.Any]:
    """Return the parsed first text with other arguments."""
    result = documents(manifest.text)
    for key, items in (("command", command), ("args", args)):
        if items or key in server(result[0]):
            server(result[0])[key] = list(items)
    return result


def boolean_of(name: str, value: str) -> str:
    """Return the value to ask for: a boolean flag gets none but the two."""
    return "true" if name == "enable-aggregator-routing" else readable(name, value)


@given(MANIFESTS)
@SETTINGS
def test_what_is_read_is_what_was_written(manifest: Manifest) -> None:
    pod = read_pod(manifest.text)
    assert pod.argv == manifest.argv
    for name, value in manifest.unique.items():
        assert pod.flag(name) == value
    for name in ABSENT:
        assert pod.flag(name) is None
    assert tuple(folder for folder in ("/etc/kubernetes/pki",) if host_path(pod, folder)) == manifest.folders


@given(MANIFESTS, ADDED)
@SETTINGS
def test_added_flags(manifest: Manifest, added: t.Dict[str, str]) -> None:
    added = {name: boolean_of(name, value) for name, value in added.items()}
    result = edit(manifest.text, Changes(flags=added))
    new = [f"--{name}={value}" for name, value in added.items()]
    if manifest.args:
        wanted = with_arguments(manifest, manifest.command, [*manifest.args, *new])
    else:
        wanted = with_arguments(manifest, [*manifest.command, *new], manifest.args)
    assert documents(result) == wanted
    # One stretch of text was put in, but for a comma that JSON and flow lists need before it; all else stays.
    assert_only_insertions(manifest.text, result)
    # Again: nothing to do.
    assert edit(result, Changes(flags=added)) is result
    # Undone: the first text.
    undone = edit(result, Changes(flags=dict.fromkeys(added)))
    assert undone == manifest.text


def assert_only_insertions(old: str, new: str) -> None:
    """The old text is the new one with one stretch taken out, and perhaps one comma more before it."""
    start = 0
    while start < len(old) and start < len(new) and old[start] == new[start]:
        start += 1
    end = 0
    while end < len(old) - start and end < len(new) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    rest = old[start : len(old) - end]
    if rest:
        # The comma after the last item comes before the item's comment or line end.
        assert new[start] == ","
        assert new[start + 1 :].startswith(rest)
        assert re.match(r"\s*(#[^\r\n]*)?\s*\Z", rest)


@given(MANIFESTS, st.data())
@SETTINGS
def test_changed_values(manifest: Manifest, data: st.DataObject) -> None:
    if not manifest.unique:
        return
    names = data.draw(st.lists(st.sampled_from(sorted(manifest.unique)), unique=True, min_size=1))
    changes = {name: f"other.{number}" for number, name in enumerate(names)}
    result = edit(manifest.text, Changes(flags=changes))
    # A unique value stands in the text once, and the new one needs the same quotes: nothing else may differ.
    expected = manifest.text
    for name, value in changes.items():
        assert expected.count(manifest.unique[name]) == 1
        expected = expected.replace(manifest.unique[name], value)
    if "|-" not in manifest.text and ">-" not in manifest.text:
        assert result == expected
        assert edit(result, Changes(flags={name: manifest.unique[name] for name in names})) == manifest.text
    assert documents(result) == documents(expected)
    assert edit(result, Changes(flags=changes)) is result


@given(MANIFESTS, st.data())
@SETTINGS
def test_any_change_of_a_value(manifest: Manifest, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(PRESENT))
    value = data.draw(VALUES)
    old = read_pod(manifest.text).flag(name)
    result = edit(manifest.text, Changes(flags={name: value}))
    assert read_pod(result).flag(name) == value
    argv = list(server(documents(result)[0]).get("command", [])) + list(server(documents(result)[0]).get("args", []))
    expected = []
    found = False
    items = iter(manifest.argv)
    for item in items:
        word = item.split("=")[0]
        if word.lstrip("-").replace("_", "-") != name or not item.startswith("--"):
            expected.append(item)
            continue
        found = True
        if "=" in item:
            expected.append(f"{word}={value}")
        else:
            next(items)
            expected.extend((word, value))
    assert found == (old is not None)
    assert argv == (expected if found else [*expected, f"--{name}={value}"])
    assert edit(result, Changes(flags={name: value})) is result


@given(MANIFESTS, st.sets(st.sampled_from(PRESENT), min_size=1))
@SETTINGS
def test_removed_flags(manifest: Manifest, names: t.Set[str]) -> None:
    result = edit(manifest.text, Changes(flags=dict.fromkeys(sorted(names))))
    pod = read_pod(result) if documents(result) != [] else None
    assert pod is not None
    left = []
    items = iter(manifest.argv)
    for item in items:
        if item.startswith("--") and item.split("=")[0].lstrip("-").replace("_", "-") in names:
            if "=" not in item:
                next(items)
            continue
        left.append(item)
    found = server(documents(result)[0])
    assert list(found.get("command") or []) + list(found.get("args") or []) == left
    old, new = documents(manifest.text), documents(result)
    for pods in (old, new):
        for key in ("command", "args"):
            server(pods[0]).pop(key, None)
    assert old == new
    # Something is taken out and nothing else happens, but that an emptied list must be written.
    emptied = [key for key in ("command", "args") if found.get(key) == []]
    if not emptied:
        assert is_subsequence(result, manifest.text)


def is_subsequence(short: str, long: str) -> bool:
    """Whether the short text is the long one with characters taken out."""
    rest = iter(long)
    return all(character in rest for character in short)


@given(MANIFESTS, st.booleans(), ADDED)
@SETTINGS
def test_folders_and_annotations(manifest: Manifest, several: bool, added: t.Dict[str, str]) -> None:
    flags = {name: boolean_of(name, value) for name, value in added.items()}
    folders = ("/srv/front-proxy", "/etc/kubernetes/pki") if several else ("/srv/front-proxy",)
    changes = Changes(flags=flags, folders=folders, annotations={"example.org/new": "1", "example.org/kept": "no: no"})
    result = edit(manifest.text, changes)
    pod = read_pod(result)
    assert all(host_path(pod, folder) == folder for folder in folders)
    assert all(pod.flag(name) == value for name, value in flags.items())
    assert pod.annotations == {"example.org/new": "1", "example.org/kept": "no: no"}
    assert edit(result, changes) is result
    old, new = documents(manifest.text), documents(result)
    assert new[1:] == old[1:]
    mounts = server(new[0])["volumeMounts"]
    volumes = new[0]["spec"]["volumes"]
    expected = [folder for folder in folders if folder not in manifest.folders]
    assert [mount["mountPath"] for mount in mounts] == [*manifest.folders, *expected]
    assert [volume["hostPath"]["path"] for volume in volumes] == [*manifest.folders, *expected]
    assert [mount["name"] for mount in mounts] == [volume["name"] for volume in volumes]
    # The line ends are those of the first text.
    assert bool(re.search("(?<!\r)\n", result)) <= bool(
        re.search("(?<!\r)\n", manifest.text) or "\n" not in manifest.text
    )
    for pods in (old, new):
        pods[0]["metadata"].pop("annotations", None)
        pods[0]["spec"].pop("volumes", None)
        for key in ("command", "args", "volumeMounts"):
            server(pods[0]).pop(key, None)
    assert old == new
