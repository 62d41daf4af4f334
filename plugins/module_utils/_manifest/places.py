# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Places in a manifest's text: lines, ends of nodes, and the spans that add to or take from a list or mapping."""

from __future__ import annotations

import re
import typing as t

from .nodes import BREAKS, Document, Node, is_mapping, is_scalar, place_key

__all__ = ["Extent", "NoPlace", "Places", "Span"]

#: (start, end, new text): what replaces text[start:end].
Span = t.Tuple[int, int, str]

#: (start, end) of an item of a list, or of a key with its value.
Extent = t.Tuple[int, int]

_BREAK = re.compile(f"[{BREAKS}]")
_REST_OF_LINE = re.compile(r"[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?=[\r\n\x85\u2028\u2029]|\Z)")
_COMMA_OR_REST = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\r\n\x85\u2028\u2029]*)?(?=[\r\n\x85\u2028\u2029]|\Z)")
_COMMA = re.compile(r"(?:[ \t\r\n\x85\u2028\u2029]|#[^\r\n\x85\u2028\u2029]*)*,")
_PROPERTIES = re.compile(r"(?:[&!][^ \t\r\n]*[ \t\r\n]+)+")


class NoPlace(Exception):
    """The layout of the text at this place is none that is handled; the message says what it is."""


class Places:
    """Finds places in one composed text."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.text = document.text

    def line_start(self, position: int) -> int:
        """Return where the line of a position begins."""
        position = 1 + max(self.text.rfind(character, 0, position) for character in BREAKS)
        # A byte order mark is no part of the first line.
        return position + 1 if position == 0 and self.text.startswith("\ufeff") else position

    def line_end(self, position: int) -> int:
        """Return where the line of a position ends, before its line break."""
        match = _BREAK.search(self.text, position)
        return match.start() if match else len(self.text)

    def after_break(self, position: int) -> int:
        """Return the position after the line break at a position (the same if there is none)."""
        if self.text.startswith("\r\n", position):
            return position + 2
        return position + 1 if position < len(self.text) else position

    def before_break(self, position: int) -> int:
        """Return the position before the line break that ends at a position (the same if there is none)."""
        if position >= 2 and self.text[position - 2 : position] == "\r\n":
            return position - 2
        return position - 1 if position > 0 and self.text[position - 1] in BREAKS else position

    def eol(self, position: int) -> str:
        """Return the line break that is in use around a position."""
        end = self.line_end(position)
        if end == len(self.text):
            # The last line has none: take the one before it.
            end = self.before_break(self.line_start(position))
        found = self.text[end : self.after_break(end)]
        return found if found in ("\n", "\r\n", "\r") else "\n"

    def prefix(self, position: int) -> str:
        """Return what stands on the line before a position."""
        return self.text[self.line_start(position) : position]

    def content(self, node: Node) -> Extent:
        """Return the extent of a scalar's text, without anchor or tag and without the line end of a block scalar."""
        start, end = node.start_mark.index, node.end_mark.index
        match = _PROPERTIES.match(self.text, start, end)
        if match:
            start = match.end()
        if node.style in ("|", ">"):
            end = start + len(self.text[start:end].rstrip(BREAKS + " "))
        return start, end

    def items(self, collection: Node) -> t.List[Extent]:
        """Return the extents of a list's items, or of a mapping's keys with their values."""
        extents = []
        for number, item in enumerate(collection.value):
            key, value = item if is_mapping(collection) else (None, item)
            alias = self.document.aliases.get(place_key(collection, number if key is None else key))
            start, end = alias if alias else (int(value.start_mark.index), self._last(value)[1])
            if key is not None:
                if self.document.shared(key):
                    raise NoPlace("a key is a YAML alias or has one")
                start = key.start_mark.index
            extents.append((start, end))
        return extents

    def _last(self, node: Node) -> t.Tuple[t.Optional[Node], int]:
        """Return the last leaf of a node and its end; None for the leaf if it is an alias.

        The end marks of block collections are not used: they stand where the next token begins.
        """
        while not is_scalar(node) and not node.flow_style and node.value:
            last = node.value[-1]
            index = last[0] if is_mapping(node) else len(node.value) - 1
            alias = self.document.aliases.get(place_key(node, index))
            if alias:
                return None, alias[1]
            node = last[1] if is_mapping(node) else last
        if is_scalar(node):
            return node, self.content(node)[1]
        return node, int(node.end_mark.index)

    def line_after(self, node: Node) -> int:
        """Return the end of the line on which a block node ends, a comment on that line included."""
        leaf, end = self._last(node)
        if leaf is not None and is_scalar(leaf) and leaf.style in ("|", ">"):
            # The lines of a block scalar are text to their end; empty ones after it may belong to it.
            stop = int(leaf.end_mark.index)
            return self.before_break(stop) if stop > end else self.line_end(end)
        match = _REST_OF_LINE.match(self.text, end)
        if match is None:
            raise NoPlace("something follows it on its line")
        return match.end()

    # --- adding

    def append_lines(self, node: Node, column: int, lines: t.Sequence[str]) -> Span:
        """Add lines, at a column, after a block node."""
        position = self.line_after(node)
        eol = self.eol(position)
        return position, position, "".join(eol + " " * column + line for line in lines)

    def append_flow(self, items: t.Sequence[Extent], closing: int, texts: t.Sequence[str], comma: str) -> t.List[Span]:
        """Add items, one per text, after the last of a flow collection; closing is the place of its closing bracket.

        They come on lines of their own if the last one has its own.
        """
        if not items:
            return [(closing, closing, comma.join(texts))]
        start, end = items[-1]
        prefix = self.prefix(start)
        trailing = _COMMA.match(self.text, end, closing)
        if prefix.strip(" \t") == "":
            eol = self.eol(self.line_start(start))
            rest = _COMMA_OR_REST.match(self.text, end)
            if rest and rest.end() <= closing and bool(rest.group(1)) == bool(trailing):
                separator = "," + eol + prefix
                added = eol + prefix + separator.join(texts) + ("," if trailing else "")
                spans: t.List[Span] = [] if trailing else [(end, end, ",")]
                return spans + [(rest.end(), rest.end(), added)]
            return [(end, end, "".join("," + eol + prefix + text for text in texts))]
        if len(items) > 1:
            between = self.text[items[-2][1] : start]
            if re.match(r"[ \t]*,[ \t]*\Z", between):
                comma = between
        return [(end, end, "".join(comma + text for text in texts))]

    def owns_lines(self, extent: Extent) -> bool:
        """Whether nothing else stands on the lines of a flow item but its comma and a comment."""
        return self.prefix(extent[0]).strip(" \t") == "" and _COMMA_OR_REST.match(self.text, extent[1]) is not None

    # --- removing

    def remove_lines(self, extents: t.Sequence[Extent]) -> t.List[Span]:
        """Remove the whole lines from each start to each end, with the comment after it."""
        spans: t.List[t.List[int]] = []
        for start, end in extents:
            first = self.line_start(start)
            if self.prefix(start).strip(" ") != "":
                raise NoPlace("something stands before it on its line")
            match = _REST_OF_LINE.match(self.text, end)
            if match is None:
                raise NoPlace("something follows it on its line")
            after = self.after_break(match.end())
            if spans and spans[-1][1] == first:
                spans[-1][1] = after
            else:
                spans.append([first, after])
        for span in spans:
            if span[1] == len(self.text) and self.text[-1:] not in BREAKS:
                # The text ended without a line break, and so it does afterwards.
                span[0] = self.before_break(span[0])
        return [(start, end, "") for start, end in spans]

    def remove_flow(self, items: t.Sequence[Extent], gone: t.Collection[int]) -> t.List[Span]:
        """Remove items, by index, from a flow collection."""
        spans: t.List[Span] = []
        runs: t.List[t.List[int]] = []
        for index in sorted(gone):
            if runs and runs[-1][1] == index - 1:
                runs[-1][1] = index
            else:
                runs.append([index, index])
        for first, last in runs:
            spans.extend(self._remove_run(items, first, last))
        return spans

    def _remove_run(self, items: t.Sequence[Extent], first: int, last: int) -> t.List[Span]:
        is_last = last == len(items) - 1
        trailing = _COMMA.match(self.text, items[last][1]) if is_last else None
        before = items[first - 1][1] if first else None
        if all(self.owns_lines(items[index]) for index in range(first, last + 1)):
            spans = self.remove_lines_of_flow(items[first : last + 1])
            if is_last and not trailing and before is not None:
                comma = _COMMA.match(self.text, before)
                if comma is None:
                    raise NoPlace("a comma is missing before it")
                spans.insert(0, (comma.end() - 1, comma.end(), ""))
            return spans
        start, end = items[first][0], items[last][1]
        if not is_last:
            following = items[last + 1][0]
            if "#" not in self.text[end:following]:
                return [(start, following, "")]
            comma = _COMMA.match(self.text, end)
            return [(start, comma.end() if comma else end, "")]
        if before is None:
            return [(start, trailing.end() if trailing else end, "")]
        if "#" not in self.text[before:start]:
            return [(before, end, "")]
        raise NoPlace("a comment stands before it")

    def remove_lines_of_flow(self, extents: t.Sequence[Extent]) -> t.List[Span]:
        """Remove the whole lines of flow items that own them."""
        spans: t.List[Span] = []
        for start, end in extents:
            match = _COMMA_OR_REST.match(self.text, end)
            after = self.after_break(match.end() if match else end)
            spans.append((self.line_start(start), after, ""))
        return spans
