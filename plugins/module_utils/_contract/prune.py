# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master tells of the published front-proxy CAs and names: the results of the module ``front_proxy_prune``."""

from __future__ import annotations

import typing as t

from .readers import DIGEST, Reader, integer, listed, nullable, record, text, truth

__all__ = ["Published", "Taken", "Watched", "read_published", "read_taken", "read_watched"]

_CONFIGMAP = 2 * 1024 * 1024  # characters; the API takes no object above 1.5 MiB
_MANY = 20000  # certificates or names; far more than a ConfigMap holds
_NAME = text(4096)


class Published(t.TypedDict):
    """What the ConfigMap holds. version: its resourceVersion, None if there is no ConfigMap; cas: PEM; names: JSON;
    servers: the addresses of all kube-apiservers that the cluster knows."""

    version: t.Optional[str]
    cas: t.Optional[str]
    names: t.Optional[str]
    servers: t.List[str]


class Taken(t.TypedDict):
    """What came of an order. now: what is published instead, if somebody changed it meanwhile, and nothing was done."""

    taken: bool
    now: t.Optional[Published]


class Watched(t.TypedDict):
    """What of it came back: fingerprints of CAs, and names. seconds: for how long it was watched."""

    cas: t.List[str]
    names: t.List[str]
    seconds: int


_published: Reader[Published] = record(
    Published,
    version=nullable(text(100)),
    cas=nullable(text(_CONFIGMAP)),
    names=nullable(text(_CONFIGMAP)),
    servers=listed(text(100, r"[0-9A-Fa-f:.%]+"), 1000),
)
_taken: Reader[Taken] = record(Taken, taken=truth, now=nullable(_published))
_watched: Reader[Watched] = record(
    Watched,
    cas=listed(text(64, DIGEST), _MANY),
    names=listed(_NAME, _MANY),
    seconds=integer(0, 24 * 3600),
)


def read_published(value: t.Any) -> Published:
    """Read the result of the step ``look``. Raises ContractError."""
    return _published(value, "")


def read_taken(value: t.Any) -> Taken:
    """Read the result of the step ``take_out``. Raises ContractError."""
    return _taken(value, "")


def read_watched(value: t.Any) -> Watched:
    """Read the result of the step ``watch``. Raises ContractError."""
    return _watched(value, "")
