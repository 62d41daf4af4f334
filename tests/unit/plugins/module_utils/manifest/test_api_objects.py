# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects of the API a static pod names."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.api_objects import api_objects
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import read_pod


def named(spec: t.Mapping[str, t.Any], container: t.Mapping[str, t.Any]) -> t.Tuple[str, ...]:
    server = {"name": "kube-apiserver", "image": "i", "command": ["kube-apiserver"], **container}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "kube-apiserver", "namespace": "kube-system"},
        "spec": {**spec, "containers": [server]},
    }
    return api_objects(read_pod(json.dumps(pod)))


def volume(**source: t.Any) -> t.Dict[str, t.Any]:
    return {"volumes": [{"name": "v", **source}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"serviceAccountName": "a"}, "spec.serviceAccountName (serviceaccounts)"),
        ({"serviceAccount": "a"}, "spec.serviceAccount (serviceaccounts)"),
        ({"imagePullSecrets": [{"name": "a"}]}, "spec.imagePullSecrets (secrets)"),
        ({"resourceClaims": [{"name": "a"}]}, "spec.resourceClaims (resourceclaims)"),
        (volume(secret={"secretName": "a"}), "spec.volumes[0].secret (secrets)"),
        (volume(configMap={"name": "a"}), "spec.volumes[0].configMap (configmaps)"),
        (volume(csi={"driver": "a"}), "spec.volumes[0].csi (csidrivers)"),
        (volume(glusterfs={"endpoints": "a"}), "spec.volumes[0].glusterfs (endpoints)"),
        (volume(azureFile={"secretName": "a"}), "spec.volumes[0].azureFile (secrets)"),
        (volume(cephfs={"secretRef": {"name": "a"}}), "spec.volumes[0].cephfs.secretRef (secrets)"),
        (volume(ephemeral={"volumeClaimTemplate": {}}), "spec.volumes[0].ephemeral (persistentvolumeclaims)"),
        (
            volume(persistentVolumeClaim={"claimName": "a"}),
            "spec.volumes[0].persistentVolumeClaim (persistentvolumeclaims)",
        ),
        (
            volume(projected={"sources": [{"downwardAPI": {}}, {"serviceAccountToken": {"path": "a"}}]}),
            "spec.volumes[0].projected.sources[1].serviceAccountToken (serviceaccounts)",
        ),
        (
            volume(projected={"sources": [{"podCertificate": {"signerName": "a"}}]}),
            "spec.volumes[0].projected.sources[0].podCertificate (podcertificates)",
        ),
    ],
)
def test_what_a_spec_names(spec: t.Mapping[str, t.Any], expected: str) -> None:
    assert named(spec, {}) == (expected,)


def test_what_any_container_names() -> None:
    key = {"secretKeyRef": {"name": "a", "key": "b"}}
    helper = {"name": "helper", "envFrom": [{"configMapRef": {"name": "a"}}]}
    assert named({"initContainers": [helper]}, {"env": [{"name": "A", "valueFrom": key}]}) == (
        "spec.initContainers[0].envFrom[0].configMapRef (configmaps)",
        "spec.containers[0].env[0].valueFrom.secretKeyRef (secrets)",
    )


def test_of_very_many_a_few_are_shown() -> None:
    secrets = {"volumes": [{"name": f"v{number}", "secret": {"secretName": "a"}} for number in range(900)]}
    found = named(secrets, {})
    assert found[0] == "spec.volumes[0].secret (secrets)" and found[5:] == ("and 895 more",)


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"serviceAccountName": "", "serviceAccount": None, "imagePullSecrets": []},
        volume(hostPath={"path": "/etc/secret", "type": "Directory"}),
        volume(emptyDir={}),
        volume(projected={"sources": [{"downwardAPI": {"items": []}}]}),
    ],
)
def test_what_a_kubelet_can_do_alone_is_not_named(spec: t.Mapping[str, t.Any]) -> None:
    env = [{"name": "secret", "value": "configMap"}, {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "a"}}}]
    assert named(spec, {"env": env, "args": ["--secret=csi"]}) == ()
