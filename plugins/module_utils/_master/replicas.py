# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the endpoints of an extension API server one by one.

kube-apiserver asks five times whom it finds, and one good answer is enough for it (kube-aggregator,
controllers/status/remote): an endpoint that never answers costs every client its share of requests, and nobody is told.
"""

from __future__ import annotations

import typing as t
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from .._contract.cluster import Replica
from .._contract.survey import ApiService
from .api import Api
from .endpoints import Endpoint, endpoints_of
from .login import Login

__all__ = ["ask_replicas"]

Document = t.Mapping[str, t.Any]
# kube-apiserver gives them 5 s, too.
_SECONDS = 5.0
_WORKERS = 8
_MOST = 16
_LIMIT = 4096
_ERROR = 500


def _port_name(spec: Document, port: int) -> t.Optional[str]:
    """The name of a port of a Service, which is empty for one without; None if the Service has no such port."""
    return next((str(each.get("name") or "") for each in spec.get("ports") or () if each.get("port") == port), None)


def _ask(endpoint: Endpoint, path: str, login: Login) -> Replica:
    shown = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    found: Replica = {
        "address": f"{shown}:{endpoint.port}",
        "pod": endpoint.pod,
        "node": endpoint.node,
        "status": None,
        "error": None,
    }
    try:
        api = Api(endpoint.address, endpoint.port, login, seconds=_SECONDS)
    except (OSError, ValueError) as error:
        return {**found, "error": f"the pair does not load ({type(error).__name__})"}
    try:
        answer = api.get(path, limit=_LIMIT)
    finally:
        api.close()
    return {**found, "status": answer.status, "error": answer.error and answer.error[:_ERROR]}


def ask_replicas(
    spec: Document, documents: t.Sequence[Document], each: ApiService, login: t.Optional[Login]
) -> t.List[Replica]:
    """Ask every endpoint for the discovery of an APIService, as kube-apiserver does.

    spec: of the Service; documents: its EndpointSlices or Endpoints; login: that of kube-apiserver's own check, by the
    front-proxy pair, which these servers see anyway; nobody else's credentials are shown to them. Nothing is asked
    without it.
    """
    name = _port_name(spec, each["service"]["port"])
    if login is None or name is None:
        return []
    endpoints = list(dict.fromkeys(found for item in documents for found in endpoints_of(item, name)))[:_MOST]
    group, version = (urllib.parse.quote(part, safe="") for part in (each["group"], each["version"]))
    with ThreadPoolExecutor(_WORKERS) as pool:
        return list(pool.map(lambda endpoint: _ask(endpoint, f"/apis/{group}/{version}", login), endpoints))
