# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How tests read a plan."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import PKI

CA, CRT, KEY = f"{PKI}/front-proxy-ca.crt", f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-client.key"
ALL = [CA, KEY, CRT]
NAMES = "requestheader-allowed-names"


def cluster(done: t.Mapping[str, t.Any]) -> t.Dict[str, t.Any]:
    """The one cluster of a plan that is not refused."""
    found: t.Dict[str, t.Any] = done["clusters"]["kubernetes"]
    assert found["error"] == ""
    return found


def host(done: t.Mapping[str, t.Any], name: str = "m1") -> t.Dict[str, t.Any]:
    found: t.Dict[str, t.Any] = done["hosts"][name]
    assert found["error"] == ""
    return found


def paths(found: t.Mapping[str, t.Any]) -> t.List[str]:
    return [each["path"] for each in found["files"]]


def why(found: t.Mapping[str, t.Any]) -> str:
    return "; ".join(found["reasons"])
