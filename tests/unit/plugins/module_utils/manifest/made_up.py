# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests that are made up, in every form that the editor handles.

The generator shares nothing with the editor: it draws the arguments, and how each of them is written.
"""

from __future__ import annotations

import json
import re
import typing as t
from dataclasses import dataclass

from hypothesis import strategies as st

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


def readable(name: str, value: str) -> str:
    """Return the value, or one like it that kube-apiserver reads as it seems: no second flag in it, a path bare."""
    value = value.replace("--", "-")
    return value.strip(" '\"") if name.endswith("-file") else value


@st.composite
def arguments(draw: t.Callable[..., t.Any]) -> t.Tuple[t.List[str], t.Dict[str, str]]:
    """Draw the flags of a server, in some order, and the unique values that some of them have."""
    items: t.List[str] = []
    unique: t.Dict[str, str] = {}
    for number, name in enumerate(draw(st.lists(st.sampled_from(PRESENT), unique=True, max_size=5))):
        value = readable(name, draw(VALUES))
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
