# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML or JSON text as nodes with their places in the text, in bounded time, and as plain data for comparison."""

from __future__ import annotations

import json
import re
import typing as t

from .errors import ManifestError
from .text import MAX_BYTES

try:
    import yaml

    _Base: t.Any = yaml.SafeLoader
    HAS_YAML = True
except ImportError:
    _Base = object
    HAS_YAML = False

__all__ = [
    "BREAKS",
    "Document",
    "HAS_YAML",
    "Node",
    "Plain",
    "compose",
    "duplicates",
    "entries",
    "is_json",
    "is_mapping",
    "is_null",
    "is_scalar",
    "is_sequence",
    "is_text",
    "line_of",
    "merges",
    "place_key",
    "plain",
]

#: A node of PyYAML (ScalarNode, SequenceNode, MappingNode). Typed loosely, for PyYAML may be missing.
Node = t.Any

#: A node without its places: (tag, value) of a scalar, ["seq", items...], ["map", [key, value]...].
Plain = t.Any

#: Characters that end a line in YAML 1.1.
BREAKS = "\r\n\x85\u2028\u2029"

_MAX_DEPTH = 64
_MAX_NODES = 20000
_MAX_EXPANDED = 100000

_STRING_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:value", "tag:yaml.org,2002:timestamp")
_NUMBER_TAGS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_MERGE_TAG = "tag:yaml.org,2002:merge"
_NULL_TAG = "tag:yaml.org,2002:null"

# JSON: a string (kept) or a tab outside of one.
_JSON_STRING_OR_TAB = re.compile(r'"(?:[^"\\]|\\.)*"|\t', re.DOTALL)


class _Loader(_Base):  # type: ignore[misc]
    """PyYAML's pure-Python loader up to the nodes, with bounds on their number and their depth."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.depth = 0
        self.count = 0
        self.aliases: t.Dict[t.Tuple[int, int], t.Tuple[int, int]] = {}

    def compose_node(self, parent: Node, index: t.Any) -> Node:
        self.depth += 1
        self.count += 1
        if self.depth > _MAX_DEPTH:
            raise _Bound(f"is nested more than {_MAX_DEPTH} levels deep")
        if self.count > _MAX_NODES:
            raise _Bound(f"has more than {_MAX_NODES} values")
        if parent is not None and self.check_event(yaml.AliasEvent):
            # The node that an alias gives has the marks of its anchor.
            event = self.peek_event()
            self.aliases[place_key(parent, index)] = (event.start_mark.index, event.end_mark.index)
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Bound(Exception):
    """A bound of the reader is passed; the message is the rest of a sentence."""


def place_key(parent: Node, index: t.Any) -> t.Tuple[int, int]:
    """Return the key of Document.aliases: the parent, and the index in a list or the key node in a mapping."""
    return id(parent), index if isinstance(index, int) else id(index)


class Document(t.NamedTuple):
    """The composed text.

    roots: the root node of each document; uses: how often each node (by id) is used; aliases: the extents of aliases,
    by place_key(); json: the kubelet reads it as JSON.
    """

    text: str
    roots: t.Tuple[Node, ...]
    uses: t.Dict[int, int]
    aliases: t.Dict[t.Tuple[int, int], t.Tuple[int, int]]
    json: bool

    def shared(self, node: Node) -> bool:
        """Whether an alias makes the node appear at more than one place."""
        return self.uses.get(id(node), 0) > 1


def compose(text: str, where: str) -> Document:
    """Return the nodes of every document in the text; the marks are indexes into the text.

    Raises ManifestError if the text does not parse, with line and column, or is too large, too deep or an alias bomb.
    """
    if not HAS_YAML:
        raise ManifestError("PyYAML is missing where Ansible runs, and no manifest is read without it; install PyYAML.")
    # A character is at least a byte, and the bound is about time.
    if len(text) > MAX_BYTES:
        raise ManifestError(
            f"{where} has {len(text)} characters, more than the {MAX_BYTES} that are read: this is no pod manifest of "
            "an API server; put the right file there."
        )
    as_json = _looks_like_json(text)
    source = text
    if as_json:
        _check_json(text, where)
        # PyYAML takes no tab as a separator; one space for one tab keeps every place.
        source = _JSON_STRING_OR_TAB.sub(lambda match: " " if match.group() == "\t" else match.group(), text)
    roots: t.List[Node] = []
    try:
        loader = _Loader(source)
        try:
            while loader.check_node():
                roots.append(loader.get_node())
        finally:
            loader.dispose()
    except _Bound as exc:
        raise ManifestError(
            f"{where} {exc}, which no pod manifest needs; it is not read, write it more simply."
        ) from None
    except RecursionError:
        raise ManifestError(f"{where} is nested too deeply to be read; write it more simply.") from None
    except yaml.YAMLError as exc:
        raise ManifestError(_syntax_message(exc, text, where)) from None
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError) as exc:
        # PyYAML's scanner lets a few of these out for broken escapes and directives.
        raise ManifestError(f"{where} does not parse as YAML ({type(exc).__name__}: {exc}); correct it.") from None
    uses: t.Dict[int, int] = {}
    total = 0
    for root in roots:
        total += _expanded(root, uses, where)
        if total > _MAX_EXPANDED:
            raise ManifestError(
                f"{where} becomes more than {_MAX_EXPANDED} values when its YAML aliases are followed; it is not read, "
                "write it without so many aliases."
            )
    return Document(text, tuple(roots), uses, loader.aliases, as_json)


def _looks_like_json(text: str) -> bool:
    # k8s.io/apimachinery pkg/util/yaml ToJSON: text that begins with "{" after white space is JSON and never YAML.
    # Go's unicode.IsSpace and str.lstrip differ in U+001C to U+001F only, and none of those parse anyway.
    return text.lstrip().startswith("{")


def _no_constant(name: str) -> t.Any:
    raise ValueError(f"{name} is no JSON")


def is_json(text: str) -> bool:
    """Whether the text is strict JSON."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return False
    return True


def _check_json(text: str, where: str) -> None:
    try:
        json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ManifestError(f"{where} is nested too deeply to be read; write it more simply.") from None
    except json.JSONDecodeError as exc:
        raise ManifestError(
            f"{where} begins with a brace, so the kubelet reads it as JSON, but it is no JSON (line {exc.lineno}, "
            f"column {exc.colno}: {_lower_first(exc.msg)}); correct it, or begin the file with a line --- if it is "
            "meant as YAML."
        ) from None
    except ValueError as exc:
        raise ManifestError(
            f"{where} begins with a brace, so the kubelet reads it as JSON, but it is no JSON ({exc}); correct it."
        ) from None


def _lower_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _syntax_message(exc: Exception, text: str, where: str) -> str:
    mark = getattr(exc, "problem_mark", None) or getattr(exc, "context_mark", None)
    problem = getattr(exc, "problem", None) or getattr(exc, "reason", None) or "it is no YAML"
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
    else:
        line, column = line_of(text, getattr(exc, "position", 0))
    found = str(problem)
    if found == "second occurrence":
        found = str(exc.context).replace("; first occurrence", "")  # type: ignore[attr-defined]
    found = found.replace("'\\x00'", "the end of the text").replace("'<stream end>'", "the end of the text")
    if "'\\t'" in found:
        found = "a tab stands where only spaces are allowed"
    return f"{where} does not parse as YAML (line {line}, column {column}: {found}); correct that line."


def line_of(text: str, position: int) -> t.Tuple[int, int]:
    """Return line and column, counted from 1, of a position in the text."""
    before = text[:position].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _children(node: Node) -> t.List[Node]:
    if is_sequence(node):
        return list(node.value)
    if is_mapping(node):
        return [part for pair in node.value for part in pair]
    return []


def _expanded(root: Node, uses: t.Dict[int, int], where: str) -> int:
    """Count the nodes of the tree that the graph stands for, in time linear in the graph; note each one's uses."""
    sizes: t.Dict[int, int] = {}
    pending: t.Set[int] = set()
    stack: t.List[t.Tuple[Node, bool]] = [(root, False)]
    uses[id(root)] = uses.get(id(root), 0) + 1
    while stack:
        node, done = stack.pop()
        key = id(node)
        if done:
            pending.discard(key)
            sizes[key] = 1 + sum(sizes[id(child)] for child in _children(node))
            continue
        if key in sizes:
            continue
        pending.add(key)
        stack.append((node, True))
        for child in _children(node):
            uses[id(child)] = uses.get(id(child), 0) + 1
            if id(child) in pending:
                line = child.start_mark.line + 1
                raise ManifestError(
                    f"{where} has a YAML alias inside its own anchor (line {line}), which no reader can follow; "
                    "correct it."
                )
            if id(child) not in sizes:
                stack.append((child, False))
    return sizes[id(root)]


def is_scalar(node: Node) -> bool:
    """Whether the node is a single value."""
    return isinstance(node, yaml.ScalarNode)


def is_sequence(node: Node) -> bool:
    """Whether the node is a list."""
    return isinstance(node, yaml.SequenceNode)


def is_mapping(node: Node) -> bool:
    """Whether the node is a mapping."""
    return isinstance(node, yaml.MappingNode)


def is_null(node: Node) -> bool:
    """Whether the node is null, written or left out."""
    return is_scalar(node) and node.tag == _NULL_TAG


def is_text(node: Node) -> bool:
    """Whether a kubelet takes the node as a string.

    The kubelet's reader (yaml.v2) knows no sexagesimal numbers, hands dates on as strings, and has no special value
    "=".
    """
    if not is_scalar(node):
        return False
    if node.tag in _NUMBER_TAGS:
        return ":" in node.value
    return node.tag in _STRING_TAGS


def entries(mapping: Node) -> t.Dict[str, Node]:
    """Return the values of a mapping by key; of a duplicate key the last, as in the kubelet."""
    return {key.value: value for key, value in mapping.value if is_scalar(key)}


def duplicates(mapping: Node) -> t.List[str]:
    """Return the keys that a mapping has more than once."""
    seen: t.Dict[str, int] = {}
    for key in (pair[0] for pair in mapping.value):
        if is_scalar(key):
            seen[key.value] = seen.get(key.value, 0) + 1
    return [key for key, count in seen.items() if count > 1]


def merges(mapping: Node) -> bool:
    """Whether the mapping takes keys from another one by a merge key (<<)."""
    return any(key.tag == _MERGE_TAG for key, dummy in mapping.value)


def plain(node: Node) -> Plain:
    """Return the node as fresh lists and tuples without places or styles: what the verification compares.

    Aliases are expanded; compose() has bounded the size.
    """
    if is_scalar(node):
        return (node.tag, node.value)
    if is_sequence(node):
        return ["seq"] + [plain(item) for item in node.value]
    return ["map"] + [[plain(key), plain(value)] for key, value in node.value]
