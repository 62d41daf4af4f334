# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ConfigMap in memory, as kube-apiserver keeps it: versions, merge patches, and others who write meanwhile."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.prune import Published
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Answer
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.layer import CONFIG_MAP
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    bundle_text,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import CA, NAMES, names_text

NAME = "front-proxy-client"


class FakeApi:
    """Answers what `_master/prune.py` asks. react: called before each request, with its method; others may write."""

    def __init__(self, *cas: Certificate, names: t.Sequence[str] = (NAME,), servers: t.Sequence[str] = ()) -> None:
        self.data: t.Dict[str, str] = {"client-ca-file": "clients", CA: bundle_text(cas), NAMES: names_text(names)}
        self.annotations: t.Dict[str, str] = {}
        self.version = 7
        self.servers = servers
        self.status = 200
        self.there = True
        self.asked: t.List[str] = []
        self.react: t.Callable[[str], t.Any] = lambda dummy: None

    def write(self, **data: str) -> None:
        """Somebody else writes."""
        self.data.update(data)
        self.version += 1

    def annotate(self, name: str) -> None:
        self.annotations[name] = "kept"
        self.version += 1

    def _config_map(self) -> Answer:
        metadata = {"resourceVersion": str(self.version), "annotations": self.annotations}
        return Answer(200, json.dumps({"metadata": metadata, "data": self.data}), None)

    def get(self, path: str) -> Answer:
        if path != CONFIG_MAP:
            endpoints = [{"addresses": [address]} for address in self.servers]
            items = [{"endpoints": endpoints, "ports": [{"port": 6443}]}]
            return Answer(200, json.dumps({"items": items}), None)
        self.asked.append("GET")
        self.react("GET")
        if self.status != 200:
            return Answer(self.status, '{"message": "no"}', None)
        return self._config_map() if self.there else Answer(404, "", None)

    def patch(self, path: str, change: t.Mapping[str, t.Any]) -> Answer:
        assert path.partition("?")[0] == CONFIG_MAP and set(change) == {"metadata", "data"}
        self.asked.append("PATCH")
        self.react("PATCH")
        if self.status != 200:
            return Answer(self.status, '{"message": "no"}', None)
        if change["metadata"]["resourceVersion"] != str(self.version):
            return Answer(409, '{"reason": "Conflict"}', None)
        if any(self.data.get(name) != value for name, value in change["data"].items()):
            self.write(**change["data"])
        return self._config_map()

    def close(self) -> None:
        """There is nothing to close."""

    @property
    def published(self) -> Published:
        return {
            "version": str(self.version),
            "cas": self.data.get(CA),
            "names": self.data.get(NAMES),
            "servers": list(self.servers),
        }
