# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom the API of a master is asked: by its own front-proxy pair in a name of ours, or by somebody's credentials."""

from __future__ import annotations

import typing as t

from .._argv import flag_values, last_value
from .._contract.credentials import Credentials
from .probe import ADMINISTRATORS, Pair

__all__ = ["AGGREGATOR", "Login", "login_as", "pair_of"]

# As whom kube-apiserver itself asks extension API servers whether they are there, by its front-proxy pair
# (kube-aggregator, status/available_controller.go). The user alone may read nothing (tried on 1.20.2: 403 for the
# ConfigMap, the APIServices and the metrics), so the group is needed.
AGGREGATOR = "system:kube-aggregator"


class Login(t.NamedTuple):
    """How to be let in: a certificate and key (paths here, or their text), a token, headers. user: for people.

    authority: PEM, the CAs by which the server must prove who it is; None for the front-proxy pair, which is shown to
    nobody but this machine's own server and whose key never leaves it.
    """

    user: str
    certificate: str | None = None
    key: str | None = None
    token: str | None = None
    headers: t.Mapping[str, str] = {}
    authority: str | None = None


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


def login_as(user: str, pair: Pair | None, given: Credentials | None) -> Login | None:
    """Give the way to ask a running kube-apiserver; None if there is none.

    user: in whose name, as an administrator; given: that user's own credentials, to take in place of the pair.
    """
    if given:
        words = {name: given.get(name) for name in ("certificate", "key", "token")}
        return Login(user, **words, authority=given["authority"])  # type: ignore[arg-type]
    if pair is None:
        return None
    headers = {pair.user_header: user, pair.group_header: ADMINISTRATORS}
    return Login(user, pair.certificate, pair.key, None, headers)
