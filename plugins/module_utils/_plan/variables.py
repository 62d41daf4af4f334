# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what people write in variables: the wish for a master, the settings of its cluster, and flags."""

from __future__ import annotations

import re
import typing as t

from .._argv import normalize
from .clusters import ClusterSettings
from .errors import PlanError
from .wish import Wish

__all__ = ["read_flags", "read_settings", "read_timeout", "read_wish"]

_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def _names(value: t.Any, variable: str) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",")) if value else ()
    if isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise PlanError(f"{variable} is {value!r}; it takes a list of names.")


def _text(value: t.Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _truth(value: t.Any, variable: str) -> bool:
    """Read a boolean as people write it in an inventory, where ``false`` can be a text."""
    word = str(value).strip().lower()
    if word in ("true", "yes", "on", "1"):
        return True
    if word in ("false", "no", "off", "0", "none", ""):
        return False
    raise PlanError(f"{variable} is {value!r}; it takes true or false.")


def _flag_value(name: str, value: t.Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    raise PlanError(
        f"The flag {name} is to have the value {value!r}; it takes a text, a number, a list, or null for absent."
    )


def read_flags(flags: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """Give flags as kube-apiserver reads them: names with dashes between words and none in front, booleans in small
    letters, lists with commas. Raises PlanError.
    """
    return {normalize(str(name)): _flag_value(str(name), value) for name, value in flags.items()}


def read_wish(spec: t.Mapping[str, t.Any]) -> Wish:
    """Build the wish for one master from the variables of the role. Raises PlanError for a value of the wrong kind."""
    extra = spec.get("extra_flags") or {}
    if not isinstance(extra, dict):
        raise PlanError(
            f"front_proxy_extra_flags is {extra!r}; it takes names of flags with their values, such as {{'v': 2}}."
        )
    routing = spec.get("aggregator_routing", "auto")
    names = spec.get("allowed_names")
    return Wish(
        common_name=_text(spec.get("common_name")),
        allowed_names=None if names is None or names == "" else _names(names, "front_proxy_allowed_names"),
        username_headers=_names(spec["username_headers"], "front_proxy_username_headers"),
        group_headers=_names(spec["group_headers"], "front_proxy_group_headers"),
        extra_headers_prefix=_names(spec["extra_headers_prefix"], "front_proxy_extra_headers_prefix"),
        routing=str(routing).lower(),
        extra_flags={str(name): _flag_value(str(name), value) for name, value in extra.items()},
        certificates_dir=_text(spec.get("certificates_dir")),
        ca_from=_text(spec.get("ca_from")),
        allow_shared_ca=_truth(spec.get("allow_shared_ca"), "front_proxy_allow_shared_ca"),
        allow_unknown_client_ca=_truth(
            spec.get("allow_unknown_client_ca", False), "front_proxy_allow_unknown_client_ca"
        ),
    )


def read_timeout(spec: t.Mapping[str, t.Any]) -> int:
    """Take the whole seconds for which a master is waited for. spec: as `read_wish` has it. Raises PlanError."""
    value = spec.get("wait_timeout", 300)
    if isinstance(value, bool) or not re.fullmatch(r"[0-9]{1,6}", str(value).strip()):
        raise PlanError(f"front_proxy_wait_timeout is {value!r}; it takes a whole number of seconds.")
    return int(value)


def read_settings(spec: t.Mapping[str, t.Any]) -> ClusterSettings:
    """Take the settings of the cluster. Raises PlanError for a name that cannot be one of a folder."""
    cluster = str(spec.get("cluster", ""))
    if not _CLUSTER.fullmatch(cluster):
        raise PlanError(
            f"front_proxy_cluster is {cluster!r}, and it names a folder of the controller; use letters, digits, dots, "
            "dashes and underscores, beginning with a letter or digit."
        )
    names = ("folder", "renew_before", "container", "validity", "ca_validity")
    texts = {name: str(spec[name]) for name in names if name in spec}
    return ClusterSettings(**texts, wait_timeout=read_timeout(spec))
