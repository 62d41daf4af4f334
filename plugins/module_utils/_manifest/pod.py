# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a static pod manifest says about kube-apiserver."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .._argv import Flag, normalize, same_value
from .errors import DEFAULT_WHERE, ManifestError
from .flags import find_server, parse_flags
from .mounts import Mount, clean_path, read_mounts
from .nodes import Document, Node, compose, entries, is_mapping, is_scalar, merges
from .reader import Reader

__all__ = [
    "DEFAULT_CONTAINER",
    "Located",
    "StaticPod",
    "defines_same_pod",
    "host_path",
    "locate",
    "read_pod",
]

DEFAULT_CONTAINER = "kube-apiserver"
# What the API shows of a static pod, and its manifest does not say.
_OF_THE_API = ("kubernetes.io/config.mirror", "kubernetes.io/config.source")


@dataclass(frozen=True)
class StaticPod:
    """The parts of a static pod manifest that matter here.

    argv: command and args; flags: of kube-apiserver, by normalized name without dashes, every value in its order, a
    boolean without a value as "true".
    """

    text: str
    namespace: str
    name: str
    container: str
    image: t.Optional[str]
    argv: t.Tuple[str, ...]
    flags: t.Mapping[str, t.Tuple[str, ...]]
    mounts: t.Tuple[Mount, ...]
    annotations: t.Mapping[str, str]
    where: str = field(default=DEFAULT_WHERE, compare=False)

    def flag(self, name: str) -> t.Optional[str]:
        """Return the value of a flag, None if it is absent; ManifestError if it is there with two different values."""
        name = normalize(name)
        values = self.flags.get(name, ())
        for value in values[1:]:
            if not same_value(name, value, values[0]):
                raise ManifestError(two_values(name, values[0], value, self.container, self.where))
        return values[0] if values else None


def two_values(name: str, one: str, other: str, container: str, where: str) -> str:
    """Return the sentence about a flag that is there twice."""
    return (
        f'{where} gives container {container} the flag --{name} twice, with "{one}" and with "{other}", so it'
        " is unclear"
        " which one is meant; remove one of them."
    )


@dataclass(frozen=True)
class Located:
    """The pod and the nodes that an edit needs."""

    pod: StaticPod
    document: Document
    root: Node
    container: Node
    command: t.Optional[Node]
    args: t.Optional[Node]
    occurrences: t.Tuple[Flag, ...]
    volume_names: t.Tuple[str, ...]

    @property
    def command_length(self) -> int:
        """The number of items of argv that are in command."""
        return 0 if self.command is None else len(self.command.value)


def read_pod(text: str, *, container: str = DEFAULT_CONTAINER, where: str = DEFAULT_WHERE) -> StaticPod:
    """Return what the manifest says; raises ManifestError if it is not one that can be read and edited safely."""
    return locate(text, container=container, where=where).pod


def locate(text: str, *, container: str, where: str) -> Located:
    """Return the pod with its nodes; raises ManifestError for all that read_pod() refuses."""
    document = compose(text, where)
    root = _pod_document(document, where)
    reader = Reader(text, where)
    metadata = reader.mapping(root, "metadata", "")
    if metadata is None:
        raise ManifestError(
            f"{where} has no metadata, so the pod has no name and no kubelet runs it; add metadata.name."
        )
    name = reader.string(metadata, "name", "metadata.")
    if not name:
        raise ManifestError(f"{where} has no metadata.name, and no kubelet runs a pod without a name; add it.")
    if reader.string(metadata, "uid", "metadata."):
        raise ManifestError(
            f"{where} sets metadata.uid, and with it the kubelet takes a changed manifest for the same pod and ignores "
            "new flags (1.31 and newer); remove metadata.uid."
        )
    annotations = _annotations(reader, metadata)
    _refuse_copy(reader, root, annotations)
    spec = reader.mapping(root, "spec", "")
    if spec is None:
        raise ManifestError(
            f"{where} has no spec, so there is no container in it; put the API server's pod manifest there."
        )
    node = _find_container(reader, spec, container)
    path = f"spec.containers[{container}]."
    command = reader.sequence(node, "command", path)
    args = reader.sequence(node, "args", path)
    command_items = reader.strings(command, path + "command")
    args_items = reader.strings(args, path + "args")
    argv = command_items + args_items
    server = find_server(command_items, args_items, container, where)
    occurrences = parse_flags(argv, server, container, where)
    flags: t.Dict[str, t.Tuple[str, ...]] = {}
    for occurrence in occurrences:
        flags[occurrence.name] = flags.get(occurrence.name, ()) + (occurrence.value,)
    pod = StaticPod(
        text=text,
        namespace=reader.string(metadata, "namespace", "metadata.") or "default",
        name=name,
        container=container,
        image=reader.string(node, "image", path) or None,
        argv=tuple(argv),
        flags=flags,
        mounts=read_mounts(reader, spec, node, path, flags),
        annotations=annotations,
        where=where,
    )
    volumes = tuple(
        reader.string(volume, "name", "spec.volumes[].") for volume in reader.mappings(spec, "volumes", "spec.")
    )
    return Located(pod, document, root, node, command, args, occurrences, volumes)


def _is_pod(root: Node) -> bool:
    if not is_mapping(root):
        return False
    found = entries(root)
    return all(
        key in found and is_scalar(found[key]) and found[key].value == value
        for key, value in (("apiVersion", "v1"), ("kind", "Pod"))
    )


def _pod_document(document: Document, where: str) -> Node:
    """Return the document with the pod: the first, for the kubelet decodes no other.

    Source: sigs.k8s.io/yaml, which calls Unmarshal of yaml.v2.
    """
    if not document.roots:
        hint = "only comments" if document.text.strip("\ufeff \t\r\n") else "nothing"
        raise ManifestError(
            f"{where} is empty ({hint} in it), so there is no pod; put the API server's pod manifest there."
        )
    root = document.roots[0]
    if _is_pod(root):
        return root
    for number, other in enumerate(document.roots[1:], start=2):
        if _is_pod(other):
            raise ManifestError(
                f"{where} has its pod in YAML document {number}, but the kubelet reads only the first document of a "
                "file; put the pod first."
            )
    if not is_mapping(root):
        raise ManifestError(
            f"{where} is no Pod of v1 but plain text or a list; put the API server's pod manifest there."
        )
    found = entries(root)
    said = []
    for key in ("apiVersion", "kind"):
        value = found.get(key)
        if value is None:
            said.append(f"no {key}")
        else:
            said.append(f"{key} {value.value}" if is_scalar(value) else f"a strange {key}")
    raise ManifestError(
        f"{where} is no Pod of v1 (it has {' and '.join(said)}); put the API server's pod manifest there."
    )


def _refuse_copy(reader: Reader, root: Node, annotations: t.Mapping[str, str]) -> None:
    """Raise ManifestError for what was read out of the API: what the kubelet makes of a manifest is none.

    Source: ConfigMirrorAnnotationKey and ConfigSourceAnnotationKey of pkg/kubelet/types/pod_update.go; kubeadm writes
    an empty status.
    """
    found = [f"the annotation {name}" for name in _OF_THE_API if name in annotations]
    status = reader.get(root, "status", "")
    if status is not None and is_mapping(status) and entries(status):
        found.append("a status")
    if found:
        raise ManifestError(
            f"{reader.where} is a copy from the API, for it has {' and '.join(found)}: it is not what runs, and "
            "a kubelet takes no such file for a manifest of its own; put the pod's own manifest there."
        )


def _find_container(reader: Reader, spec: Node, container: str) -> Node:
    nodes = reader.mappings(spec, "containers", "spec.")
    if not nodes:
        raise ManifestError(
            f"{reader.where} has no containers, so no API server is in it (is the file cut off?); put the API server's "
            "pod manifest there."
        )
    names = [reader.string(node, "name", "spec.containers[].") for node in nodes]
    found = [node for node, name in zip(nodes, names) if name == container]
    if not found:
        listed = ", ".join(name or "(unnamed)" for name in names)
        raise ManifestError(
            f"{reader.where} has no container {container} (its containers: {listed}); name the container that runs "
            "kube-apiserver."
        )
    if len(found) > 1:
        raise ManifestError(
            f"{reader.where} has {len(found)} containers with the name {container}, and no kubelet runs such a pod; "
            "remove or rename one."
        )
    return found[0]


def _annotations(reader: Reader, metadata: Node) -> t.Dict[str, str]:
    node = reader.mapping(metadata, "annotations", "metadata.")
    if node is None:
        return {}
    if merges(node):
        raise ManifestError(
            f"{reader.where} has a YAML merge key (<<) in metadata.annotations (line {reader.line(node)}), which is "
            "not followed; write the keys out."
        )
    return {key: str(value.value) for key, value in entries(node).items() if is_scalar(value)}


def host_path(pod: StaticPod, path_in_container: str) -> t.Optional[str]:
    """Return where on the host a path of the container is; None if no mount covers it.

    The mount with the longest path wins. Raises ManifestError if that mount is no hostPath, or if the path is built
    from a variable or is relative.
    """
    if "$(" in path_in_container:
        raise ManifestError(
            f"{pod.where} builds the path {path_in_container} from a variable, so it is unclear which file it is; "
            "write the path out."
        )
    if not path_in_container.startswith("/"):
        raise ManifestError(
            f"{pod.where} names the path {path_in_container} without a leading slash, so it is unclear which file it "
            "is; write the whole path."
        )
    path = clean_path(path_in_container)
    best: t.Optional[Mount] = None
    for mount in pod.mounts:
        covers = path == mount.mount_path or path.startswith(mount.mount_path.rstrip("/") + "/")
        if covers and (best is None or len(mount.mount_path) >= len(best.mount_path)):
            best = mount
    if best is None:
        return None
    if best.host_path is None:
        raise ManifestError(
            f"{pod.where} mounts {best.mount_path} in container {pod.container} from volume {best.volume}, which is no "
            f"plain hostPath, so {path} is no file of the host; mount a folder of the host there, or choose another "
            "folder."
        )
    rest = path[len(best.mount_path.rstrip("/")) :]
    return clean_path(best.host_path + rest)


def defines_same_pod(text: str, pod: StaticPod) -> bool:
    """Whether a kubelet takes the text of another file for the same pod (namespace and name); False if it is none."""
    try:
        document = compose(text, "the file")
        if not document.roots or not _is_pod(document.roots[0]):
            return False
        reader = Reader(text, "the file")
        metadata = reader.mapping(document.roots[0], "metadata", "")
        if metadata is None:
            return False
        name = reader.string(metadata, "name", "metadata.")
        namespace = reader.string(metadata, "namespace", "metadata.") or "default"
    except ManifestError:
        return False
    return (namespace, name) == (pod.namespace, pod.name)
