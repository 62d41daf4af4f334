# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look values up in the nodes of a manifest; what is not as the kubelet wants it is refused with its place."""

from __future__ import annotations

import typing as t

from .errors import ManifestError
from .nodes import Node, entries, is_mapping, is_null, is_sequence, is_text, line_of, merges

__all__ = ["Reader"]


class Reader:
    """Looks values up in mappings; every refusal names the path and the line."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where

    def get(self, mapping: Node, key: str, path: str) -> t.Optional[Node]:
        """Return the value of a key; None if it is missing or null."""
        if merges(mapping):
            raise ManifestError(
                f"{self.where} has a YAML merge key (<<) in {path.rstrip('.') or 'the pod'} (line "
                f"{self.line(mapping)}), which is not followed; write the keys out."
            )
        value = entries(mapping).get(key)
        return None if value is None or is_null(value) else value

    def mapping(self, parent: Node, key: str, path: str) -> t.Optional[Node]:
        """Return a value that must be a mapping, or None."""
        value = self.get(parent, key, path)
        if value is not None and not is_mapping(value):
            raise self.wrong(value, path + key, "a mapping")
        return value

    def sequence(self, parent: Node, key: str, path: str) -> t.Optional[Node]:
        """Return a value that must be a list, or None."""
        value = self.get(parent, key, path)
        if value is not None and not is_sequence(value):
            raise self.wrong(value, path + key, "a list")
        return value

    def mappings(self, parent: Node, key: str, path: str) -> t.List[Node]:
        """Return the items of a list of mappings."""
        value = self.sequence(parent, key, path)
        if value is None:
            return []
        for item in value.value:
            if not is_mapping(item):
                raise self.wrong(item, path + key, "a list of mappings only")
        return list(value.value)

    def string(self, parent: Node, key: str, path: str) -> str:
        """Return a value that must be a string, "" if it is missing."""
        value = self.get(parent, key, path)
        if value is None:
            return ""
        if not is_text(value):
            raise self.wrong(value, path + key, "a string")
        return str(value.value)

    def strings(self, sequence: t.Optional[Node], path: str) -> t.List[str]:
        """Return the items of a list of strings."""
        if sequence is None:
            return []
        for item in sequence.value:
            if not is_text(item):
                raise ManifestError(
                    f"{self.where} has an item in {path} that is no string (line {self.line(item)}), and no kubelet "
                    "runs such a pod; put it in quotes."
                )
        return [str(item.value) for item in sequence.value]

    def wrong(self, node: Node, path: str, wanted: str) -> ManifestError:
        """Return the refusal of a value of a wrong kind."""
        return ManifestError(
            f"{self.where} has something else than {wanted} at {path} (line {self.line(node)}), so no kubelet runs it; "
            "correct it."
        )

    def line(self, node: Node) -> int:
        """Return the line of a node, counted from 1."""
        return line_of(self.text, node.start_mark.index)[0]
