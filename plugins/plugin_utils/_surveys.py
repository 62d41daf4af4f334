# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read what looking at a master has registered for its host."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import read_survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._plain import plain

__all__ = ["CLUSTER", "read_seen"]

#: By this variable hosts tell which cluster they belong to.
CLUSTER = "front_proxy_cluster"


def read_seen(name: str, variables: t.Mapping[str, t.Any], observed_var: str, *, active: bool) -> Seen:
    """Read what came of looking at a master. variables: of its host; active: it is part of this run."""
    found = plain(variables.get(observed_var) or {})
    spec = found.get("spec") or {}
    cluster = str(spec.get("cluster") or variables.get(CLUSTER) or "kubernetes")
    if found.get("failed") or found.get("unreachable"):
        why = str(found.get("msg") or "no reason was given").strip()
        return Seen(name, cluster, None, f"unreachable: {why}" if found.get("unreachable") else why)
    if not found:
        return Seen(name, cluster, None, "it was not looked at", left_out=not active)
    container = str(spec.get("container") or "kube-apiserver")
    try:
        return Seen(name, cluster, read_survey(found), "", container)
    except ContractError as error:
        return Seen(name, cluster, None, f"what was registered is no result of aggregation_layer_info ({error})")
