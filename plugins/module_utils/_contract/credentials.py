# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a master is told to ask its kube-apiserver with in place of the front-proxy pair: the user of a kubeconfig."""

from __future__ import annotations

import typing as t

from .readers import Reader, record, text

__all__ = ["Credentials", "read_credentials"]

_PEM = text(1024 * 1024)


class _Authority(t.TypedDict):
    authority: str


class Credentials(_Authority, total=False):
    """A client certificate with its key, or a token; and the CAs that the server's certificate must be signed by (PEM).

    They are never shown to a server that cannot prove who it is.
    """

    certificate: str
    key: str
    token: str


_credentials: Reader[Credentials] = record(
    Credentials,
    optional=("certificate", "key", "token"),
    authority=_PEM,
    certificate=_PEM,
    key=_PEM,
    token=_PEM,
)


def read_credentials(value: t.Any) -> Credentials:
    """Read them. Raises ContractError, which does not quote them."""
    return _credentials(value, "credentials")
