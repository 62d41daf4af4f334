# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom the API of a master is asked: by its own front-proxy pair in a name of ours, or by somebody's credentials."""

from __future__ import annotations

import typing as t

from .._argv import flag_values, last_value
from .probe import ADMINISTRATORS, Pair

__all__ = ["AGGREGATOR", "Login", "login_as", "pair_of"]

# As whom kube-apiserver itself asks extension API servers whether they are there, by its front-proxy pair
# (kube-aggregator, status/available_controller.go). The user alone may read nothing (tried on 1.20.2: 403 for the
# ConfigMap, the APIServices and the metrics), so the group is needed.
AGGREGATOR = "system:kube-aggregator"


class Login(t.NamedTuple):
    """How to be let in: a certificate and key (paths here, or their text), a token, headers. user: for people."""

    user: str
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    headers: t.Mapping[str, str] = {}


def _first(argv: t.Sequence[str], flag: str, default: str) -> str:
    return (last_value(flag_values(argv), flag) or default).split(",")[0] or default


def pair_of(argv: t.Sequence[str], pid: int) -> Pair | None:
    """Give the front-proxy pair of a running kube-apiserver, as its container sees it; None if it has none."""
    values = flag_values(argv)
    certificate, key = last_value(values, "proxy-client-cert-file"), last_value(values, "proxy-client-key-file")
    if not certificate or not key:
        return None
    inside = f"/proc/{pid}/root"
    return Pair(
        inside + certificate,
        inside + key,
        _first(argv, "requestheader-username-headers", "X-Remote-User"),
        _first(argv, "requestheader-group-headers", "X-Remote-Group"),
    )


def login_as(user: str, pair: Pair | None, given: t.Mapping[str, t.Any] | None) -> Login | None:
    """Give the way to ask a running kube-apiserver; None if there is none.

    user: in whose name, as an administrator; given: that user's own credentials, to take in place of the pair.
    """
    if given:
        return Login(user, given.get("certificate"), given.get("key"), given.get("token"))
    if pair is None:
        return None
    headers = {pair.user_header: user, pair.group_header: ADMINISTRATORS}
    return Login(user, pair.certificate, pair.key, None, headers)
