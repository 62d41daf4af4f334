# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As which user a manifest has kube-apiserver run."""

from __future__ import annotations

import typing as t

from .nodes import Node, compose, entries, is_mapping, is_scalar, is_sequence
from .pod import StaticPod

__all__ = ["StatedUser", "stated_user"]

# What lets a process read any file (capabilities(7)).
_OVERRIDES = ("ALL", "DAC_OVERRIDE", "DAC_READ_SEARCH")
_BASES = {"0b": 2, "0o": 8, "0x": 16}


class StatedUser(t.NamedTuple):
    """What the securityContext of container and pod says; None where it says nothing.

    groups: the further ones; overrides: whether root keeps the right to read any file.
    """

    uid: t.Optional[int]
    gid: t.Optional[int]
    groups: t.Tuple[int, ...]
    overrides: bool


def stated_user(pod: StaticPod) -> StatedUser:
    """Return the user of a manifest that `read_pod` took.

    What the container says goes before what the pod says. Source: SecurityContext and PodSecurityContext of
    staging/src/k8s.io/api/core/v1/types.go; fsGroup becomes a further group of the process.
    """
    spec = entries(compose(pod.text, pod.where).roots[0])["spec"]
    of_pod = _mapping(entries(spec).get("securityContext"))
    containers = entries(spec)["containers"].value
    node = next(item for item in containers if _text(entries(item).get("name")) == pod.container)
    own = _mapping(entries(node).get("securityContext"))
    groups = [_number(item) for item in _items(of_pod.get("supplementalGroups"))] + [_number(of_pod.get("fsGroup"))]
    return StatedUser(
        uid=_first(own, of_pod, "runAsUser"),
        gid=_first(own, of_pod, "runAsGroup"),
        groups=tuple(sorted({group for group in groups if group is not None})),
        overrides=_keeps_overrides(own),
    )


def _first(own: t.Mapping[str, Node], of_pod: t.Mapping[str, Node], key: str) -> t.Optional[int]:
    number = _number(own.get(key))
    return _number(of_pod.get(key)) if number is None else number


def _keeps_overrides(own: t.Mapping[str, Node]) -> bool:
    if _text(own.get("privileged")).lower() == "true":
        return True
    capabilities = _mapping(own.get("capabilities"))
    dropped = _capabilities(capabilities.get("drop"))
    return not dropped & {"ALL", "DAC_OVERRIDE"} or bool(_capabilities(capabilities.get("add")) & set(_OVERRIDES))


def _capabilities(node: t.Optional[Node]) -> t.Set[str]:
    # container runtimes take them in any case, and with the kernel's prefix, too
    return {_text(item).upper().replace("CAP_", "", 1) for item in _items(node)}


def _mapping(node: t.Optional[Node]) -> t.Mapping[str, Node]:
    return entries(node) if node is not None and is_mapping(node) else {}


def _items(node: t.Optional[Node]) -> t.Sequence[Node]:
    return node.value if node is not None and is_sequence(node) else ()


def _text(node: t.Optional[Node]) -> str:
    return str(node.value) if node is not None and is_scalar(node) else ""


def _number(node: t.Optional[Node]) -> t.Optional[int]:
    """Return a user's or group's number; None for what no kubelet takes for one."""
    text = _text(node).replace("_", "")
    octal = text.startswith("0") and text[1:].isdigit()  # YAML 1.1
    try:
        number = int(text, 8 if octal else _BASES.get(text[:2].lower(), 10))
    except ValueError:
        return None
    return number if 0 <= number < 2**32 - 1 else None
