# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From wanted changes to single steps, and what the steps make of the pod as plain data."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass, field

from .._argv import Flag, normalize, same_value
from .errors import ManifestError
from .mounts import clean_path
from .nodes import Plain
from .pod import Located, StaticPod, host_path

__all__ = [
    "AddMount",
    "AddVolume",
    "Append",
    "Changes",
    "RemoveAnnotation",
    "RemoveItem",
    "SetAnnotation",
    "SetItem",
    "Step",
]
__all__ += ["apply_to_plain", "decide", "mount_data", "settled", "volume_data"]

_STR = "tag:yaml.org,2002:str"
_BOOL = "tag:yaml.org,2002:bool"
_NULL = "tag:yaml.org,2002:null"

_VOLUME_NAME = "front-proxy-pki"

_FLAG_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")
# Characters that no flag, path or annotation needs and that editors and terminals mistreat.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True)
class Changes:
    """What an edit is to reach.

    flags: a value, or None for absent; folders: paths that must show the host's folder of the same path (a hostPath
    volume and a read-only mount are added where the folder is not mounted yet); annotations: of the pod, None for
    absent.
    """

    flags: t.Mapping[str, t.Optional[str]] = field(default_factory=dict)
    folders: t.Tuple[str, ...] = ()
    annotations: t.Mapping[str, t.Optional[str]] = field(default_factory=dict)


class SetItem(t.NamedTuple):
    """An item of command or args gets another text."""

    key: str
    place: int
    text: str


class RemoveItem(t.NamedTuple):
    """An item of command or args goes."""

    key: str
    place: int


class Append(t.NamedTuple):
    """Command or args gets one more item."""

    key: str
    text: str


class AddVolume(t.NamedTuple):
    """The pod gets one more hostPath volume."""

    name: str
    path: str


class AddMount(t.NamedTuple):
    """The container gets one more read-only mount."""

    name: str
    path: str


class SetAnnotation(t.NamedTuple):
    """An annotation gets a value."""

    key: str
    value: str


class RemoveAnnotation(t.NamedTuple):
    """An annotation goes."""

    key: str


Step = t.Union[SetItem, RemoveItem, Append, AddVolume, AddMount, SetAnnotation, RemoveAnnotation]


def volume_data(step: AddVolume) -> t.Dict[str, t.Any]:
    """Return the volume as it is written."""
    return {"hostPath": {"path": step.path, "type": "DirectoryOrCreate"}, "name": step.name}


def mount_data(step: AddMount) -> t.Dict[str, t.Any]:
    """Return the mount as it is written."""
    return {"mountPath": step.path, "name": step.name, "readOnly": True}


def decide(located: Located, changes: Changes) -> t.List[Step]:
    """Return the steps that reach the changes, none if all is as wanted; ManifestError if that is not possible."""
    steps: t.List[Step] = []
    for name, wanted in changes.flags.items():
        steps.extend(_flag_steps(located, name, wanted))
    steps.extend(_folder_steps(located, changes.folders))
    for key, value in changes.annotations.items():
        _check_characters(f"annotation {key}", key + (value or ""), located.pod.where)
        current = located.pod.annotations.get(key)
        if value is not None and current != value:
            steps.append(SetAnnotation(key, value))
        elif value is None and current is not None:
            steps.append(RemoveAnnotation(key))
    return steps


def settled(pod: StaticPod, changes: Changes) -> bool:
    """Whether the pod has all flags that are asked for, and nothing else is: then decide() finds no step.

    It needs no nodes, so a manifest that has been read once need not be composed again.
    """
    if changes.folders or changes.annotations:
        return False
    for name, wanted in changes.flags.items():
        current = pod.flag(name)
        if wanted is None or current is None or not same_value(normalize(name), current, wanted):
            return False
        if _CONTROL.search(wanted) or not _FLAG_NAME.match(normalize(name)):
            return False
    return True


def _check_characters(what: str, text: str, where: str) -> None:
    if _CONTROL.search(text):
        raise ManifestError(
            f"{where} is not edited, because {what} as asked for contains control characters; give it without them."
        )


def _place(located: Located, index: int) -> t.Tuple[str, int]:
    """Return the list (command or args) and the index in it for an index into argv."""
    length = located.command_length
    return ("command", index) if index < length else ("args", index - length)


def _flag_steps(located: Located, asked: str, wanted: t.Optional[str]) -> t.Iterator[Step]:
    pod = located.pod
    name = normalize(asked)
    if not _FLAG_NAME.match(name):
        raise ManifestError(
            f"{pod.where} is not edited, because --{name!r} as asked for is no name of a flag; correct it."
        )
    current = pod.flag(name)  # refuses two different values
    if wanted is None and current is None:
        return
    if wanted is not None:
        _check_characters(f"the value of flag --{name}", wanted, pod.where)
        if current is not None and same_value(name, current, wanted):
            return
    found = [occurrence for occurrence in located.occurrences if occurrence.name == name]
    for occurrence in found:
        if "$(" in occurrence.value:
            raise ManifestError(
                f"{pod.where} builds the value of flag --{name} from a variable ({occurrence.value}), which is not "
                "changed; write the value out, or remove the flag."
            )
    if wanted is None:
        for occurrence in found:
            for index in range(occurrence.first, occurrence.last + 1):
                key, place = _place(located, index)
                yield RemoveItem(key, place)
        return
    for occurrence in found:
        yield _set_value(located, occurrence, wanted)
    if not found:
        # New flags go where the server's other arguments end.
        key = "args" if located.args is not None and located.args.value else "command"
        yield Append(key, f"--{name}={wanted}")


def _set_value(located: Located, occurrence: Flag, wanted: str) -> Step:
    key, index = _place(located, occurrence.last)
    if occurrence.prefix is None:
        return SetItem(key, index, f"{located.pod.argv[occurrence.first]}={wanted}")
    return SetItem(key, index, occurrence.prefix + wanted)


def _folder_steps(located: Located, folders: t.Sequence[str]) -> t.Iterator[Step]:
    pod = located.pod
    taken = _volume_names(located)
    added: t.List[str] = []
    for asked in folders:
        _check_characters("a folder", asked, pod.where)
        folder = clean_path(asked)
        if not folder.startswith("/") or folder == "/" or ":" in folder:
            raise ManifestError(
                f"{pod.where} is not edited, because {asked!r} as asked for is no folder that can be mounted; give a "
                "whole path."
            )
        found = host_path(pod, folder)
        if found == folder or any(folder == path or folder.startswith(path + "/") for path in added):
            continue
        if found is not None:
            raise ManifestError(
                f"{pod.where} mounts {folder} in container {pod.container} from {found} on the host, so that folder of "
                "the host cannot be mounted there as well; use the folder that is mounted."
            )
        name = _VOLUME_NAME
        number = 1
        while name in taken:
            number += 1
            name = f"{_VOLUME_NAME}-{number}"
        taken.add(name)
        added.append(folder)
        yield AddVolume(name, folder)
        yield AddMount(name, folder)


def _volume_names(located: Located) -> t.Set[str]:
    names = {mount.volume for mount in located.pod.mounts}
    names.update(located.volume_names)
    return names


# What follows works on plain data only and knows nothing of places in the text, so that it can judge the edited text.


def apply_to_plain(root: Plain, container: str, steps: t.Sequence[Step]) -> None:
    """Change the pod, given as plain data, in place."""
    spec = _member(root, "spec")
    node = next(item for item in _member(spec, "containers")[1:] if _member(item, "name")[1] == container)
    for step in steps:
        if isinstance(step, SetItem):
            _member(node, step.key)[1 + step.place] = (_STR, step.text)
        elif isinstance(step, Append):
            _member(node, step.key).append((_STR, step.text))
        elif isinstance(step, AddVolume):
            _list(spec, "volumes").append(_as_plain(volume_data(step)))
        elif isinstance(step, AddMount):
            _list(node, "volumeMounts").append(_as_plain(mount_data(step)))
        elif isinstance(step, SetAnnotation):
            _set_annotation(_member(root, "metadata"), step)
        elif isinstance(step, RemoveAnnotation):
            _remove_annotation(_member(root, "metadata"), step)
    # From the back, so that no index moves under a later one.
    for removal in sorted((step for step in steps if isinstance(step, RemoveItem)), reverse=True):
        del _member(node, removal.key)[1 + removal.place]


def _as_plain(value: t.Any) -> Plain:
    if isinstance(value, dict):
        return ["map"] + [[(_STR, key), _as_plain(item)] for key, item in value.items()]
    if isinstance(value, bool):
        return (_BOOL, "true" if value else "false")
    return (_STR, value)


def _pair(mapping: Plain, key: str) -> t.Optional[Plain]:
    found = None
    for pair in mapping[1:]:
        if pair[0][1] == key and isinstance(pair[0], tuple):
            found = pair
    return found


def _member(mapping: Plain, key: str) -> Plain:
    pair = _pair(mapping, key)
    return None if pair is None else pair[1]


def _child(mapping: Plain, key: str, kind: str) -> Plain:
    """Return a list or mapping; if it is missing or null, make it."""
    pair = _pair(mapping, key)
    if pair is None:
        pair = [(_STR, key), [kind]]
        mapping.append(pair)
    elif pair[1][0] == _NULL:
        pair[1] = [kind]
    return pair[1]


def _list(mapping: Plain, key: str) -> Plain:
    return _child(mapping, key, "seq")


def _set_annotation(metadata: Plain, step: SetAnnotation) -> None:
    annotations = _child(metadata, "annotations", "map")
    pair = _pair(annotations, step.key)
    if pair is None:
        annotations.append([(_STR, step.key), (_STR, step.value)])
    else:
        pair[1] = (_STR, step.value)


def _remove_annotation(metadata: Plain, step: RemoveAnnotation) -> None:
    annotations = _member(metadata, "annotations")
    annotations.remove(_pair(annotations, step.key))
    if len(annotations) == 1:
        metadata.remove(_pair(metadata, "annotations"))
