# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of verify share: masters in memory, with what a running kube-apiserver would tell of the layer."""

from __future__ import annotations

import base64
import json
import typing as t
from dataclasses import dataclass, field

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate, bundle_text
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import Shell
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen, Verdict, judge
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.view import subject_of
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import PKI, FakeMaster

COMMAND = Shell("ansible-playbook -i inventory kubeops.aggregation_layer.configure")
APISERVICE = "v1alpha1.wardle.example.com"
Facts = t.Dict[str, t.Any]
HEADERS = {
    "requestheader-username-headers": "X-Remote-User",
    "requestheader-group-headers": "X-Remote-Group",
    "requestheader-extra-headers-prefix": "X-Remote-Extra-",
}


def apiservice(**changes: t.Any) -> Facts:
    """An APIService that works, as a master sees it."""
    found: Facts = {
        "name": APISERVICE,
        "group": "wardle.example.com",
        "version": "v1alpha1",
        "service": {"namespace": "wardle", "name": "api", "port": 443},
        "insecure": False,
        "ca_bundle": "",
        "available": "True",
        "reason": "Passed",
        "message": "all checks passed",
        "marks": {},
        "applied": None,
        "setters": [],
    }
    return {**found, **changes}


def service(**changes: t.Any) -> Facts:
    """A Service whose address and endpoint answer."""
    found: Facts = {
        "status": 200,
        "type": "ClusterIP",
        "address": "10.96.7.7",
        "endpoints": ["192.0.2.50:8443"],
        "pods": [],
        "address_error": None,
        "endpoint_error": None,
        "marks": {},
        "replicas": [],
    }
    return {**found, **changes}


def replica(number: int = 1, **changes: t.Any) -> Facts:
    """An endpoint that answers; with an error one that does not."""
    found: Facts = {"address": f"192.0.2.{number}:8443", "pod": f"api-{number}", "node": f"w{number}", "error": None}
    return {**found, "status": None if changes.get("error") else 200, **changes}


def stuck(*versions: str, namespace: str = "old") -> Facts:
    """A namespace that does not end because of these (GROUP/VERSION), in the words of kube-controller-manager."""
    failing = ", ".join(f"{each}: stale GroupVersion discovery: {each}" for each in versions)
    said = f"Discovery failed for some groups, {len(versions)} failing: unable to retrieve the complete list of server"
    return {"namespace": namespace, "since": "2026-01-02T03:04:05Z", "message": f"{said} APIs: {failing}"}


@dataclass
class Extension:
    """An extension API server through one master: its APIService, its Service, and what it answers."""

    status: t.Optional[int] = 200
    body: str = ""
    error: t.Optional[str] = None
    each: Facts = field(default_factory=apiservice)
    service: Facts = field(default_factory=service)
    unavailable: bool = False


@dataclass
class Layer:
    """What verify sees of a master beyond what configure sees."""

    fake: FakeMaster
    published: t.Optional[t.Sequence[Certificate]] = None  # None: what the master's own file holds
    names: t.Optional[t.Sequence[str]] = None
    headers: t.Mapping[str, str] = field(default_factory=dict)  # by flag, those that differ
    offered: t.Optional[t.Sequence[Certificate]] = None
    extension: t.Optional[Extension] = None
    kubernetes_error: t.Optional[str] = None
    readable: bool = True
    around: Facts = field(default_factory=dict)  # what else the layer tells of the cluster
    more: Facts = field(default_factory=dict)

    def facts(self) -> Facts:
        """What the module aggregation_layer_info returns."""
        facts = self.fake.observe()
        process, probe = facts["process"], facts["probe"]
        own = list(facts["files"].get(f"{PKI}/front-proxy-ca.crt", {}).get("certificates") or ())
        try:
            cas = support.read_certificates("".join(own), where="ca") if own else ()
        except PkiError:
            cas = ()
        cluster = support.read_certificates(self.fake.files[f"{PKI}/ca.crt"].content, where="ca")
        offered = [*cluster, *cas] if self.offered is None else self.offered
        published = cas if self.published is None else self.published
        layer: Facts = {
            "user": "system:kube-aggregator",
            "status": 200,
            "error": None,
            "published": {
                "requestheader-client-ca-file": bundle_text(published),
                "requestheader-allowed-names": json.dumps(list(self.names or ["front-proxy-client"])),
                **{flag: json.dumps([header]) for flag, header in {**HEADERS, **self.headers}.items()},
            },
            "apiservices": [],
            "services": {},
            "through": {},
            "unavailable": None,
            "kubernetes_service": {"address": "10.96.0.1:443", "error": self.kubernetes_error},
            "providers": [],
            "stuck": [],
            "stale": [],
            "kubeadm_config": None,
            **self.around,
        }
        if self.extension:
            given = self.extension
            layer["apiservices"] = [given.each]
            layer["services"] = {"wardle/api": given.service}
            answer = {"status": given.status, "body": given.body, "error": given.error}
            layer["through"] = {APISERVICE: answer}
            layer["unavailable"] = [APISERVICE] if given.unavailable else []
        asked = process and probe["answers"] and probe["accepted"] and self.readable
        unread = {**layer, "published": None, "apiservices": None, "status": 401, "error": '{"message":"Unauthorized"}'}
        names = [base64.b64encode(subject_of(ca)).decode("ascii") for ca in offered]
        facts.update(
            kubelet_client_ca=None,
            ca_key_fits=[],
            public_keys={},
            key_fits={},
            handshake={"names": names, "error": None} if process else None,
            without_user=401 if process else None,
            layer=layer if asked else unread if process else None,
        )
        facts.update(self.more)
        return facts

    def seen(self, cluster: str = "kubernetes") -> Seen:
        return Seen(self.fake.name, cluster, self.facts())


Given = t.Union[FakeMaster, Layer, Seen]


def look(*given: Given, target_release: str = "") -> Verdict:
    """Judge masters."""
    seen = []
    for each in given:
        layer = Layer(each) if isinstance(each, FakeMaster) else each
        seen.append(layer.seen() if isinstance(layer, Layer) else layer)
    return judge(seen, command=COMMAND, target_release=target_release)


def ids(verdict: Verdict) -> t.List[str]:
    return [found.kind.id for found in verdict.findings]
