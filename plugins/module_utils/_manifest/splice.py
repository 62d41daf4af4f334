# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps as spans of the text: every step becomes the smallest replacement that does it."""

from __future__ import annotations

import re
import typing as t
from functools import partial

from .errors import ManifestError
from .nodes import Node, duplicates, entries, is_mapping, is_null, is_scalar, is_sequence, line_of
from .places import Extent, NoPlace, Places, Span
from .pod import Located
from .render import Flow, Quoted, block_lines, flow, scalar
from .steps import (
    AddMount,
    AddVolume,
    Append,
    RemoveItem,
    SetAnnotation,
    SetItem,
    Step,
    mount_data,
    volume_data,
)

__all__ = ["splice"]


def splice(located: Located, steps: t.Sequence[Step]) -> str:
    """Return the text with the steps done.

    Removals must come alone, for what is added in the same place is found by what is there. Raises ManifestError if the
    layout is none that is handled, or an alias or a duplicate key makes the place ambiguous.
    """
    writer = _Writer(located)
    spans = writer.spans(steps)
    text = located.document.text
    position = 0
    parts: t.List[str] = []
    for start, end, new in sorted(spans, key=lambda span: (span[0], span[1])):
        if start < position:
            raise writer.refusal("two changes meet at one place", start)
        parts.extend((text[position:start], new))
        position = end
    return "".join(parts) + text[position:]


class _Writer:
    """Turns steps into spans for one located pod."""

    def __init__(self, located: Located) -> None:
        self.located = located
        self.places = Places(located.document)
        self.text = located.document.text
        self.where = located.pod.where

    def refusal(self, why: str, position: int) -> ManifestError:
        """Return the refusal of a layout."""
        line = line_of(self.text, position)[0]
        return ManifestError(
            f"{self.where} has a layout at line {line} that is not edited ({why}); write that part the way kubeadm "
            "does."
        )

    def spans(self, steps: t.Sequence[Step]) -> t.List[Span]:
        """Return the spans of all steps."""
        spans: t.List[Span] = []
        appended: t.Dict[str, t.List[str]] = {}
        removed: t.Dict[str, t.Set[int]] = {}
        volumes: t.List[t.Dict[str, t.Any]] = []
        mounts: t.List[t.Dict[str, t.Any]] = []
        annotations: t.Dict[str, str] = {}
        removed_annotations: t.Set[str] = set()
        for step in steps:
            if isinstance(step, SetItem):
                spans.append(self._set_item(step))
            elif isinstance(step, Append):
                appended.setdefault(step.key, []).append(step.text)
            elif isinstance(step, RemoveItem):
                removed.setdefault(step.key, set()).add(step.place)
            elif isinstance(step, AddVolume):
                volumes.append(volume_data(step))
            elif isinstance(step, AddMount):
                mounts.append(mount_data(step))
            elif isinstance(step, SetAnnotation):
                annotations[step.key] = step.value
            else:
                removed_annotations.add(step.key)
        root = self.located.root
        for key, texts in appended.items():
            spans.extend(self._guarded(partial(self._append_strings, texts=texts), self._items(key)))
        for key, indexes in removed.items():
            spans.extend(self._guarded(partial(self._remove_strings, indexes=indexes), self._items(key)))
        # What is nested deeper comes first: where two things are added at one place, it must also stand first.
        if mounts:
            self._check_container()
            spans.extend(self._add_to_list(self.located.container, "volumeMounts", mounts))
        if volumes:
            spans.extend(self._add_to_list(self._child(root, "spec"), "volumes", volumes))
        if annotations or removed_annotations:
            metadata = self._child(root, "metadata")
            if annotations:
                spans.extend(self._set_annotations(metadata, annotations))
            if removed_annotations:
                spans.extend(self._remove_annotations(metadata, removed_annotations))
        return spans

    def _guarded(self, work: t.Callable[[Node], t.List[Span]], node: Node) -> t.List[Span]:
        try:
            return work(node)
        except NoPlace as exc:
            raise self.refusal(str(exc), node.start_mark.index) from None

    # --- the way to a node

    def _check(self, node: Node, what: str) -> None:
        if self.located.document.shared(node):
            line = line_of(self.text, node.start_mark.index)[0]
            raise ManifestError(
                f"{self.where} uses {what} at more than one place through a YAML alias (line {line}), so a change "
                "there would change the other places too; write it out without the alias."
            )

    def _child(self, mapping: Node, key: str) -> Node:
        self._check_key(mapping, key)
        child = entries(mapping)[key]
        self._check(child, key)
        return child

    def _check_key(self, mapping: Node, key: str) -> None:
        if key in duplicates(mapping):
            line = line_of(self.text, mapping.start_mark.index)[0]
            raise ManifestError(
                f"{self.where} has the key {key} twice in one mapping (it begins at line {line}), so it is unclear "
                "which one is meant; remove one of them."
            )

    def _check_container(self) -> None:
        spec = self._child(self.located.root, "spec")
        self._child(spec, "containers")
        self._check(self.located.container, "the container")

    def _items(self, key: str) -> Node:
        """Return the list of command or args."""
        self._check_container()
        return self._child(self.located.container, key)

    # --- command and args

    def _set_item(self, step: SetItem) -> Span:
        sequence = self._items(step.key)
        node = sequence.value[step.place]
        self._check(node, "an argument")
        start, end = self.places.content(node)
        style = node.style if node.style in ("'", '"') else None
        if self.located.document.json:
            style = '"'
        return start, end, scalar(step.text, style, bool(sequence.flow_style))

    def _append_strings(self, sequence: Node, texts: t.Sequence[str]) -> t.List[Span]:
        last = sequence.value[-1]
        style = last.style if last.style in ("'", '"') else None
        if self.located.document.json:
            style = '"'
        written = [scalar(text, style, bool(sequence.flow_style)) for text in texts]
        if sequence.flow_style:
            comma = self._style(sequence).comma
            return self.places.append_flow(self.places.items(sequence), sequence.end_mark.index - 1, written, comma)
        column, pad = self._dash(sequence)
        return [self.places.append_lines(sequence, column, ["-" + " " * pad + item for item in written])]

    def _dash(self, sequence: Node) -> t.Tuple[int, int]:
        """Return the column of the dashes of a block list, and the number of spaces after one."""
        for item in reversed(sequence.value):
            if self.located.document.shared(item):
                continue
            prefix = self.places.prefix(item.start_mark.index)
            pad = len(prefix) - len(prefix.rstrip(" "))
            if pad and prefix.rstrip(" ").endswith("-"):
                return len(prefix) - pad - 1, pad
        if self.text.startswith("-", sequence.start_mark.index):
            return sequence.start_mark.column, 1
        raise NoPlace("the dashes of the list are not where they usually are")

    def _remove_strings(self, sequence: Node, indexes: t.Set[int]) -> t.List[Span]:
        for index in indexes:
            self._check(sequence.value[index], "an argument")
        extents = self.places.items(sequence)
        if sequence.flow_style:
            return self.places.remove_flow(extents, indexes)
        lines = []
        for index in sorted(indexes):
            start, end = extents[index]
            prefix = self.places.prefix(start).rstrip(" ")
            if not prefix.endswith("-"):
                raise NoPlace("the dash is not on the line of the item")
            lines.append((self.places.line_start(start) + len(prefix) - 1, end))
        if len(indexes) < len(sequence.value):
            return self.places.remove_lines(lines)
        # Nothing is left: an empty list must be written after the key, for a key without a value is null.
        spans = self.places.remove_lines(lines)
        key = next(key for key, value in self.located.container.value if value is sequence)
        colon = re.compile(r"[ \t]*:").match(self.text, key.end_mark.index)
        if colon is None:
            raise NoPlace("the colon is not beside its key")
        return [(colon.end(), colon.end(), " []"), *spans]

    # --- volumes, mounts, annotations

    def _style(self, node: Node, eol: str = "\n") -> Flow:
        """Return the flow style that a collection and what surrounds it have."""
        json = self.located.document.json
        quoted, compact = json, False
        for holder in (node, self.located.container, self.located.root):
            if is_mapping(holder) and holder.flow_style and holder.value:
                key, value = holder.value[0]
                quoted = json or key.style == '"'
                between = self.text[key.end_mark.index : value.start_mark.index]
                compact = between == ":" and quoted
                break
        return Flow(quoted, compact, None, "  ", eol)

    def _pretty(self, style: Flow, item: t.Optional[Extent]) -> Flow:
        """Return the style with one entry per line if the neighbour is written so."""
        if item is None or not self.places.owns_lines(item):
            return style
        lines = self.text[item[0] : item[1]].splitlines()
        if len(lines) < 2:
            return style
        prefix = self.places.prefix(item[0])
        first = lines[1][: len(lines[1]) - len(lines[1].lstrip(" \t"))]
        unit = first[len(prefix) :] if first.startswith(prefix) and len(first) > len(prefix) else "  "
        return style._replace(indent=prefix, unit=unit, eol=self.places.eol(self.places.line_start(item[0])))

    def _add_pair(self, mapping: Node, key: str, value: t.Any) -> t.List[Span]:
        """Add a key that is not there to a mapping, as its last."""
        if mapping.flow_style:
            extents = self.places.items(mapping)
            style = self._style(mapping)
            pretty = style
            if extents and self.places.owns_lines(extents[-1]):
                start = extents[-1][0]
                prefix = self.places.prefix(start)
                outer = self.places.prefix(mapping.start_mark.index)
                unit = prefix[len(outer) - len(outer.lstrip(" \t")) :] or "  "
                pretty = style._replace(indent=prefix, unit=unit, eol=self.places.eol(self.places.line_start(start)))
            written = flow(key, style) + style.colon + flow(value, pretty)
            return self.places.append_flow(extents, mapping.end_mark.index - 1, [written], style.comma)
        column = mapping.value[0][0].start_mark.column
        lines = block_lines({key: value}, offset=self._list_offset())
        return [self._after_or_before(mapping, column, lines)]

    def _after_or_before(self, mapping: Node, column: int, lines: t.List[str]) -> Span:
        """Add lines after a block mapping, or, if its end cannot be told, before its first key."""
        try:
            return self.places.append_lines(mapping, column, lines)
        except NoPlace:
            start = mapping.value[0][0].start_mark.index
            eol = self.places.eol(start)
            return start, start, "".join(line + eol + " " * column for line in lines)

    def _list_offset(self) -> int:
        """Return by how many columns lists stand to the right of their keys in this manifest."""
        spec = entries(self.located.root)["spec"]
        for key, value in spec.value:
            if is_scalar(key) and key.value == "containers" and is_sequence(value) and not value.flow_style:
                offset = self._dash(value)[0] - key.start_mark.column
                return offset if 0 <= offset <= 8 else 2
        return 2

    def _fill_null(self, mapping: Node, key: str, value: t.Any) -> t.List[Span]:
        """Give a key whose value is null, written or not, a value."""
        node = entries(mapping)[key]
        self._check(node, key)
        start, end = self.places.content(node)
        written = flow(value, self._style(mapping))
        return [(start, end, written if end > start else " " + written)]

    def _add_to_list(self, mapping: Node, key: str, values: t.List[t.Dict[str, t.Any]]) -> t.List[Span]:
        self._check_key(mapping, key)
        node = entries(mapping).get(key)
        if node is None:
            return self._guarded(lambda parent: self._add_pair(parent, key, values), mapping)
        if is_null(node):
            return self._fill_null(mapping, key, values)
        self._check(node, key)
        return self._guarded(lambda sequence: self._append_mappings(sequence, values), node)

    def _append_mappings(self, sequence: Node, values: t.List[t.Dict[str, t.Any]]) -> t.List[Span]:
        if sequence.flow_style:
            extents = self.places.items(sequence)
            style = self._style(sequence.value[-1] if sequence.value else sequence)
            pretty = self._pretty(style, extents[-1] if extents else None)
            written = [flow(value, pretty) for value in values]
            return self.places.append_flow(extents, sequence.end_mark.index - 1, written, style.comma)
        column, pad = self._dash(sequence)
        return [self.places.append_lines(sequence, column, block_lines(values, pad))]

    def _set_annotations(self, metadata: Node, annotations: t.Dict[str, str]) -> t.List[Span]:
        self._check_key(metadata, "annotations")
        node = entries(metadata).get("annotations")
        if node is None:
            return self._guarded(
                lambda parent: self._add_pair(parent, "annotations", Quoted.values(annotations)), metadata
            )
        if is_null(node):
            return self._fill_null(metadata, "annotations", Quoted.values(annotations))
        self._check(node, "annotations")
        spans: t.List[Span] = []
        new: t.Dict[str, str] = {}
        for key, value in annotations.items():
            self._check_key(node, key)
            found = entries(node).get(key)
            if found is None:
                new[key] = value
                continue
            self._check(found, f"annotation {key}")
            start, end = self.places.content(found)
            style = '"' if self.located.document.json or found.style in ("|", ">") else found.style
            written = scalar(value, style, bool(node.flow_style))
            spans.append((start, end, written if end > start else " " + written))
        if new:
            spans.extend(self._guarded(lambda parent: self._new_annotations(parent, new), node))
        return spans

    def _new_annotations(self, node: Node, new: t.Dict[str, str]) -> t.List[Span]:
        if node.flow_style:
            style = self._style(node)
            written = [flow(key, style) + style.colon + scalar(value, '"', True) for key, value in new.items()]
            return self.places.append_flow(self.places.items(node), node.end_mark.index - 1, written, style.comma)
        column = node.value[0][0].start_mark.column
        return [self._after_or_before(node, column, block_lines(Quoted.values(new)))]

    def _remove_annotations(self, metadata: Node, gone: t.Set[str]) -> t.List[Span]:
        node = self._child(metadata, "annotations")
        for key in gone:
            self._check_key(node, key)
        if len(gone) == len(node.value):
            # An empty mapping says nothing, so its key goes too.
            return self._guarded(lambda parent: self._remove_pairs(parent, {"annotations"}), metadata)
        return self._guarded(lambda parent: self._remove_pairs(parent, gone), node)

    def _remove_pairs(self, mapping: Node, keys: t.Set[str]) -> t.List[Span]:
        indexes = {index for index, (key, dummy) in enumerate(mapping.value) if is_scalar(key) and key.value in keys}
        extents = self.places.items(mapping)
        if mapping.flow_style:
            return self.places.remove_flow(extents, indexes)
        return self.places.remove_lines([extents[index] for index in sorted(indexes)])
