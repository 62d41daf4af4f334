# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of the editor on manifests that are made up, in every form that it handles.

The manifests are written by a small generator of its own, which shares nothing with the editor: it draws the arguments,
and how each of them is written. From the arguments alone follows what an edit must give.
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
from dataclasses import dataclass

import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import host_path, read_pod
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PARSER: t.Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

# all of them on one Python, and on the others enough to see that they work there, too
EXAMPLES = 100 if sys.version_info[:2] == (3, 11) else 10
SETTINGS = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)

#: Flags that the generator writes; those with a value each, and a boolean.
PRESENT = ("etcd-servers", "requestheader-allowed-names", "requestheader-group-headers", "tls-cert-file", "v-module")
#: Flags that it never writes, so that an edit adds them.
ABSENT = (
    "requestheader-client-ca-file",
    "proxy-client-cert-file",
    "proxy-client-key-file",
    "enable-aggregator-routing",
)

SAFE = re.compile(r"[A-Za-z0-9/_.=-]+\Z")


@dataclass(frozen=True)
class Manifest:
    """A text, and the arguments that were written into it."""

    text: str
    command: t.Tuple[str, ...]
    args: t.Tuple[str, ...]
    form: str
    folders: t.Tuple[str, ...]
    unique: t.Mapping[str, str]

    @property
    def argv(self) -> t.Tuple[str, ...]:
        """All arguments."""
        return self.command + self.args


def quoted(draw: t.Callable[..., t.Any], item: str, quotes: t.Sequence[str], json_only: bool) -> str:
    """Write a string in one of the ways."""
    style = '"' if json_only else draw(st.sampled_from(quotes))
    if style == "plain" and not (SAFE.match(item) and (item.startswith("--") or item[:1].isalpha())):
        style = "'"
    if style == "plain":
        return item
    if style == "'":
        return "'" + item.replace("'", "''") + "'"
    return json.dumps(item)


VALUES = st.one_of(
    st.sampled_from(
        ("", "a", "front-proxy-client", "X-Remote-User,X-User", "/etc/kubernetes/pki/x.crt", "https://[::1]:1")
    ),
    st.text(alphabet="abcXYZ019-_./=,:# '\"\\{}[]*&!%@`|>?~", min_size=1, max_size=12),
)


@st.composite
def arguments(draw: t.Callable[..., t.Any]) -> t.Tuple[t.List[str], t.Dict[str, str]]:
    """Draw the flags of a server, in some order, and the unique values that some of them have."""
    items: t.List[str] = []
    unique: t.Dict[str, str] = {}
    for number, name in enumerate(draw(st.lists(st.sampled_from(PRESENT), unique=True, max_size=5))):
        value = draw(VALUES)
        if draw(st.booleans()):
            value = f"unique-{number}-of-{name}"
            unique[name] = value
        spelled = draw(st.sampled_from((name, name.replace("-", "_"))))
        if draw(st.integers(0, 3)) == 0 and not value.startswith("-"):
            items.extend(("--" + spelled, value))
        else:
            items.append(f"--{spelled}={value}")
    if draw(st.integers(0, 3)) == 0:
        items.insert(0, "--allow-privileged")
    return items, unique


def block_list(draw: t.Callable[..., t.Any], items: t.Sequence[str], column: int, last_line: bool) -> t.List[str]:
    """Write a block list."""
    quotes = draw(st.sampled_from((("plain",), ("'",), ('"',), ("plain", "'", '"'), ("plain", "'", '"', "|"))))
    pad = " " * draw(st.integers(1, 3))
    lines = []
    for number, item in enumerate(items):
        if draw(st.integers(0, 5)) == 0:
            lines.append(draw(st.sampled_from(("", " " * column + "# about the next", "# at the margin"))))
        style = draw(st.sampled_from(quotes))
        final = number == len(items) - 1 and last_line
        if style == "|" and item and item == item.strip() and not final:
            lines.append(" " * column + "-" + pad + draw(st.sampled_from((">-", "|-"))))
            lines.append(" " * (column + 4) + item)
            continue
        comment = "" if draw(st.integers(0, 4)) else "  # about this"
        lines.append(" " * column + "-" + pad + quoted(draw, item, [style if style != "|" else "'"], False) + comment)
    return lines


def flow_list(draw: t.Callable[..., t.Any], items: t.Sequence[str], column: int) -> t.List[str]:
    """Write a flow list, on one line or several; the first line is meant to stand after a key."""
    quotes = draw(st.sampled_from((("plain",), ("'",), ('"',), ("plain", "'", '"'))))
    written = [quoted(draw, item, quotes, False) for item in items]
    # In flow style a plain scalar may not have some characters that are fine in block style.
    form = draw(st.sampled_from(("inline", "lines", "comma", "hanging")))
    if form == "inline":
        space = draw(st.sampled_from(("", " ")))
        return ["[" + space + draw(st.sampled_from((", ", ",  "))).join(written) + space + "]"]
    if form == "hanging":
        joined = "[" + (",\n" + " " * (column + 2)).join(written) + "]"
        return joined.split("\n")
    lines = ["["]
    for number, item in enumerate(written):
        comma = "," if number < len(written) - 1 or form == "comma" else ""
        comment = "" if draw(st.integers(0, 4)) else " # about this"
        lines.append(" " * (column + 2) + item + comma + comment)
    return [*lines, " " * column + "]"]


@st.composite
def yaml_manifests(draw: t.Callable[..., t.Any]) -> Manifest:
    """Draw a manifest in YAML."""
    flags, unique = draw(arguments())
    launcher = draw(
        st.sampled_from(
            (
                ["kube-apiserver"],
                ["/usr/local/bin/kube-apiserver"],
                ["/hyperkube", "apiserver"],
                ["/go-runner", "--also-stdout", "/bin/kube-apiserver"],
            )
        )
    )
    where = draw(st.sampled_from(("command", "args", "both", "split")))
    if where == "command":
        command, args = launcher + flags, []
    elif where == "args" and flags and flags[0].startswith("-"):
        # Something must be left when all the others are removed.
        command, args = [], [*flags, "--secure-port=6443"]
    elif where == "split":
        command, args = launcher, flags
    else:
        cut = draw(st.integers(0, len(flags)))
        command, args = launcher + flags[:cut], flags[cut:]
    step = draw(st.sampled_from((2, 4)))
    offset = draw(st.sampled_from((0, 2, 4)))
    # Columns: spec's keys, the dash of the container, the container's keys.
    dash = step + offset
    column = dash + 2
    volumes_form = draw(st.sampled_from(("none", "block", "flow", "null", "empty")))
    folders = ("/etc/kubernetes/pki",) if volumes_form in ("block", "flow") else ()

    parts: t.List[t.Tuple[str, t.List[str]]] = []
    forms = []
    for key, items in (("command", command), ("args", args)):
        if not items:
            continue
        form = draw(st.sampled_from(("block", "flow")))
        forms.append(form)
        if form == "block":
            shift = draw(st.sampled_from((0, 2)))
            comment = "" if draw(st.integers(0, 4)) else "   # how it starts"
            parts.append((key, [f"{key}:{comment}", *block_list(draw, items, column + shift, False)]))
        else:
            lines = flow_list(draw, items, column)
            parts.append((key, [f"{key}: {lines[0]}", *lines[1:]]))
    parts.append(("name", ["name: kube-apiserver"]))
    parts.append(
        ("image", [draw(st.sampled_from(("image: registry.example.org/kube-apiserver:v1.30.4", 'image: "x"')))])
    )
    if volumes_form == "block":
        parts.append(
            (
                "volumeMounts",
                ["volumeMounts:", " " * column + "- mountPath: /etc/kubernetes/pki", " " * column + "  name: pki"],
            )
        )
    elif volumes_form == "flow":
        parts.append(("volumeMounts", ["volumeMounts: [{mountPath: /etc/kubernetes/pki, name: pki}]"]))
    elif volumes_form in ("null", "empty"):
        parts.append(
            (
                "volumeMounts",
                ["volumeMounts:" + draw(st.sampled_from(("", " ~"))) if volumes_form == "null" else "volumeMounts: []"],
            )
        )
    order = draw(st.permutations(parts))
    container: t.List[str] = []
    for number, (dummy, lines) in enumerate(order):
        container.append((" " * dash + "- " if number == 0 else " " * column) + lines[0])
        container.extend(lines[1:])

    other = [" " * dash + "- name: other", " " * column + "command: [sh, -c, 'kube-apiserver --v=1']"]
    containers = [" " * step + "containers:"]
    for block in draw(st.sampled_from(((container,), (other, container), (container, other)))):
        containers.extend(block)
    volumes = {
        "none": [],
        "block": [
            " " * step + "volumes:",
            " " * step + "- name: pki",
            " " * step + "  hostPath:",
            " " * step + "    path: /etc/kubernetes/pki",
        ],
        "flow": [" " * step + "volumes: [{name: pki, hostPath: {path: /etc/kubernetes/pki}}]"],
        "null": [" " * step + "volumes:"],
        "empty": [" " * step + "volumes: [ ]"],
    }[volumes_form]
    network = [" " * step + "hostNetwork: true"]
    spec = ["spec:"]
    for block in draw(st.permutations((containers, volumes, network))):
        spec.extend(block)
    metadata = ["metadata:", " " * step + "name: kube-apiserver", " " * step + "namespace: kube-system"]
    if draw(st.booleans()):
        metadata.extend([" " * step + "annotations:", " " * (step + 2) + "example.org/kept: 'yes'"])
    lines = draw(st.sampled_from(([], ["# made up"], ["---"], ["%YAML 1.1", "---"])))
    lines = list(lines) + ["apiVersion: v1", "kind: Pod"]
    for block in draw(st.permutations((metadata, spec))):
        lines.extend(block)
    lines.extend(draw(st.sampled_from(([], ["# the end"], ["", ""], ["---", "a: [1, 2]  # kept"], ["..."]))))
    # A blank line or a comment for a list that is not at the end is what it was; the last line decides about the end.
    eol = draw(st.sampled_from(("\n", "\r\n")))
    text = draw(st.sampled_from(("", "", "", "\ufeff"))) + eol.join(lines)
    if draw(st.booleans()):
        text += eol
    return Manifest(text, tuple(command), tuple(args), "/".join(forms), folders, unique)


@st.composite
def json_manifests(draw: t.Callable[..., t.Any]) -> Manifest:
    """Draw a manifest in JSON."""
    flags, unique = draw(arguments())
    split = draw(st.booleans())
    command = ["kube-apiserver"] if split else ["kube-apiserver", *flags]
    args = flags if split else []
    container: t.Dict[str, t.Any] = {"name": "kube-apiserver", "command": command}
    if args:
        container["args"] = args
    spec: t.Dict[str, t.Any] = {"containers": [container], "hostNetwork": True}
    folders: t.Tuple[str, ...] = ()
    if draw(st.booleans()):
        container["volumeMounts"] = [{"mountPath": "/etc/kubernetes/pki", "name": "pki"}]
        spec["volumes"] = [{"name": "pki", "hostPath": {"path": "/etc/kubernetes/pki"}}]
        folders = ("/etc/kubernetes/pki",)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kube-apiserver"}, "spec": spec}
    form = draw(st.sampled_from(("compact", "line", "2", "4", "tab")))
    text = {
        "compact": lambda: json.dumps(pod, separators=(",", ":")),
        "line": lambda: json.dumps(pod),
        "2": lambda: json.dumps(pod, indent=2),
        "4": lambda: json.dumps(pod, indent=4),
        "tab": lambda: json.dumps(pod, indent="\t"),
    }[form]()
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n")
    text += draw(st.sampled_from(("", "\n", "\r\n", "\t\n")))
    return Manifest(text, tuple(command), tuple(args), "json", folders, unique)


MANIFESTS = st.one_of(yaml_manifests(), yaml_manifests(), json_manifests())

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
    return "true" if name == "enable-aggregator-routing" else value


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
