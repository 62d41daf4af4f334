# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that a static pod's manifest gives to kube-apiserver."""

from __future__ import annotations

import re
import typing as t

from .errors import ManifestError
from .pod import StaticPod, locate
from .reader import Reader

__all__ = ["Environment", "read_environment"]

# $(NAME) stands for another variable's value, and $$ for a dollar sign (third_party/forked/golang/expansion).
_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")


class Environment(t.NamedTuple):
    """values: of the variables that are written out; unread: those whose value stands elsewhere, ``envFrom`` for all
    of an object's."""

    values: t.Mapping[str, str]
    unread: t.Tuple[str, ...]


def _expand(value: str, known: t.Mapping[str, str]) -> str:
    def stand_in(found: t.Match[str]) -> str:
        return "$" if found.group(1) == "$" else known.get(found.group(2), found.group(0))

    return _REFERENCE.sub(stand_in, value)


def read_environment(pod: StaticPod) -> Environment:
    """Read the variables of the server's container, as the kubelet makes them; of one that is there twice, the last.

    Empty where they are written so that no kubelet runs the pod.
    """
    values: t.Dict[str, str] = {}
    unread: t.List[str] = []
    try:
        container = locate(pod.text, container=pod.container, where=pod.where).container
        reader = Reader(pod.text, pod.where)
        objects = reader.sequence(container, "envFrom", "")
        if objects is not None and objects.value:
            unread.append("envFrom")
        for item in reader.mappings(container, "env", ""):
            name = reader.string(item, "name", "")
            if reader.get(item, "valueFrom", "") is not None:
                values.pop(name, None)
                unread.append(name)
            else:
                values[name] = _expand(reader.string(item, "value", ""), values)
    except ManifestError:
        return Environment({}, ())
    return Environment(values, tuple(unread))
