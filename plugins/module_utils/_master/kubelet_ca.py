# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""By which CA the kubelet of a master knows its clients, as its flags or its configuration say."""

from __future__ import annotations

import re
import typing as t

from .._argv import flag_values, last_value
from .files import read_regular
from .kubelet import drop_ins
from .places import Places
from .process import Process

__all__ = ["kubelet_client_ca"]

_CLIENT_CA = re.compile(r"^\s*[\"']?clientCAFile[\"']?:\s*[\"']?(/[^\s\"',}]+)", re.MULTILINE)
_CONFIG = "/var/lib/kubelet/config.yaml"


def _read(path: str) -> str:
    try:
        return read_regular(path).decode("utf-8", "replace")
    except OSError:
        return ""


def _drop_ins(folder: str) -> t.Sequence[str]:
    try:
        return drop_ins(folder)
    except OSError:
        return ()


def kubelet_client_ca(processes: t.Sequence[Process], places: Places) -> str | None:
    """Give the path of the CA by which the kubelet of this master knows its clients, if that can be found out."""
    kubelet = next((process for process in processes if process.name == "kubelet"), None)
    values = flag_values(kubelet.argv) if kubelet else {}
    path = last_value(values, "client-ca-file")
    if path and path.startswith("/"):
        return path
    found = _CLIENT_CA.findall(_read(places.real(last_value(values, "config") or _CONFIG)))
    folder = last_value(values, "config-dir")
    for more in _drop_ins(places.real(folder)) if folder else ():
        found += _CLIENT_CA.findall(_read(more))
    return found[-1] if found else None
