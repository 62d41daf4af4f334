# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Editing the manifest of a static pod as text, and the proof that the new text means what was wanted."""

from __future__ import annotations

import typing as t

from .errors import DEFAULT_WHERE, ManifestError
from .nodes import Document, Plain, plain
from .pod import DEFAULT_CONTAINER, Located, locate
from .splice import splice
from .steps import Changes, RemoveAnnotation, RemoveItem, Step, apply_to_plain, decide

__all__ = ["Changes", "edit"]


def edit(text: str, changes: Changes, *, container: str = DEFAULT_CONTAINER, where: str = DEFAULT_WHERE) -> str:
    """Return the manifest with the changes made, the same text if there is nothing to do.

    Nothing but the characters that must change differ. The result is composed again and compared with what the steps
    make of the plain data of the first text; ManifestError if it differs, if the manifest cannot be read, or if a place
    in it cannot be edited safely.
    """
    try:
        return _edit(text, changes, container, where)
    except RecursionError:
        raise ManifestError(f"{where} is nested too deeply to be edited; write it more simply.") from None


def _edit(text: str, changes: Changes, container: str, where: str) -> str:
    located = locate(text, container=container, where=where)
    steps = decide(located, changes)
    if not steps:
        return text
    if sum(isinstance(step, RemoveItem) for step in steps) == len(located.pod.argv):
        raise ManifestError(
            f"{where} would have no argument left in container {container}, so nothing would say that it is "
            "kube-apiserver; keep one flag, or write kube-apiserver into command."
        )
    wanted = _wanted(located.document, container, steps)
    removals = [step for step in steps if isinstance(step, (RemoveItem, RemoveAnnotation))]
    others = [step for step in steps if not isinstance(step, (RemoveItem, RemoveAnnotation))]
    result = text
    if others:
        result = splice(located, others)
    if removals:
        # The first pass only changes items in their places and adds some at the end, so the indexes still hold.
        between = _again(result, container, where) if others else located
        result = splice(between, removals)
    edited = _again(result, container, where)
    got = [plain(root) for root in edited.document.roots]
    if _comparable(got) != _comparable(wanted) or decide(edited, changes):
        raise _unproven(where)
    return result


def _again(text: str, container: str, where: str) -> Located:
    try:
        return locate(text, container=container, where=where)
    except ManifestError:
        raise _unproven(where) from None


def _unproven(where: str) -> ManifestError:
    return ManifestError(
        f"{where} is not edited, because the edited text would not mean exactly what was wanted: its layout is an "
        "unusual one; write command, volumes and annotations the way kubeadm does."
    )


def _wanted(document: Document, container: str, steps: t.Sequence[Step]) -> t.List[Plain]:
    data = [plain(root) for root in document.roots]
    apply_to_plain(data[0], container, steps)
    return data


def _comparable(data: t.List[Plain]) -> t.List[Plain]:
    """Return the data in a form in which the order of a mapping's keys does not count, unless a key is a duplicate."""
    return [_sorted(item) for item in data]


def _sorted(item: Plain) -> Plain:
    if isinstance(item, tuple):
        return item
    if item[0] == "seq":
        return ["seq"] + [_sorted(child) for child in item[1:]]
    pairs = [[_sorted(key), _sorted(value)] for key, value in item[1:]]
    keys = [repr(pair[0]) for pair in pairs]
    if len(set(keys)) == len(keys):
        pairs.sort(key=lambda pair: repr(pair[0]))
    return ["map"] + pairs
