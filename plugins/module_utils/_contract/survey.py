# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the longer look at a master tells: the result of the module ``aggregation_layer_info``.

`_master/survey.py` makes it, the controller reads it.
"""

from __future__ import annotations

import typing as t

from .cluster import (
    Provider,
    Replica,
    Setter,
    Stuck,
    marks_reader,
    provider_reader,
    replica_reader,
    setter_reader,
    stuck_reader,
)
from .observation import Observation, observation_reader, status
from .readers import NAME, Reader, integer, listed, nullable, path, record, table, text, truth

__all__ = [
    "PUBLISHED",
    "ApiService",
    "Answered",
    "Behind",
    "Dialled",
    "Handshake",
    "Layer",
    "Pod",
    "ServiceReference",
    "Survey",
    "read_survey",
]

#: What kube-apiserver writes into the ConfigMap extension-apiserver-authentication
#: (pkg/controlplane/controller/clusterauthenticationtrust); a uid-headers key is there from 1.32 on.
PUBLISHED = (
    "client-ca-file",
    "requestheader-allowed-names",
    "requestheader-client-ca-file",
    "requestheader-extra-headers-prefix",
    "requestheader-group-headers",
    "requestheader-uid-headers",
    "requestheader-username-headers",
)

_ERROR = text(2000)
_APISERVICES = 1000
_CONFIGMAP = 2 * 1024 * 1024  # characters; the API takes no object above 1.5 MiB
# the name of a Service's object; the key of a table of them is NAMESPACE/NAME
_NAME = text(253, NAME)
_NAMESPACED = text(510, f"{NAME}/{NAME}")


class Handshake(t.TypedDict):
    """Which CAs the server names. names: base64 of DER, None if it did not tell; error: why not."""

    names: t.Optional[t.List[str]]
    error: t.Optional[str]


class ServiceReference(t.TypedDict):
    """The Service behind an APIService."""

    namespace: str
    name: str
    port: int


class ApiService(t.TypedDict):
    """An APIService with a Service behind it. ca_bundle: base64 of PEM; available: the status of that condition.

    marks: the labels and annotations of `cluster.MARKS` that it has; applied: NAMESPACE/NAME of the Service that
    ``kubectl apply`` was last given for it; setters: who wrote it.
    """

    name: str
    group: str
    version: str
    service: ServiceReference
    insecure: bool
    ca_bundle: t.Optional[str]
    available: t.Optional[str]
    reason: str
    message: str
    marks: t.Dict[str, str]
    applied: t.Optional[str]
    setters: t.List[Setter]


class Answered(t.TypedDict):
    """What came of a request through the master. status: of HTTP, None if nothing came; error: why not."""

    status: t.Optional[int]
    body: str
    error: t.Optional[str]


class Pod(t.TypedDict):
    """A pod behind a Service. arguments: those that tell whom it trusts."""

    name: str
    arguments: t.List[str]


class Behind(t.TypedDict):
    """The Service of an APIService. status: of the request for it; endpoints: ADDRESS:PORT each.

    marks: as of an APIService; replicas: those of its endpoints that were asked one by one. The rest is only there if
    its APIService does not answer: pods, and what came of trying its address and one of its endpoints.
    """

    status: t.Optional[int]
    type: str
    address: str
    endpoints: t.List[str]
    pods: t.List[Pod]
    address_error: t.Optional[str]
    endpoint_error: t.Optional[str]
    marks: t.Dict[str, str]
    replicas: t.List[Replica]


class Dialled(t.TypedDict):
    """An address that was tried from the master. error: None if it answers."""

    address: str
    error: t.Optional[str]


class Layer(t.TypedDict):
    """What the running server told of the aggregation layer; see `_master/layer.py`.

    providers: Services of products that can serve APIs of metrics; stuck: namespaces that do not end; stale: the
    GROUP/VERSION that it could not discover anew; kubeadm_config: the version of the API in which kubeadm keeps its
    configuration (``v1beta4``), None if there is none.
    """

    user: str
    status: t.Optional[int]
    error: t.Optional[str]
    published: t.Optional[t.Dict[str, str]]
    apiservices: t.Optional[t.List[ApiService]]
    unavailable: t.Optional[t.List[str]]
    services: t.Dict[str, Behind]
    through: t.Dict[str, Answered]
    kubernetes_service: t.Optional[Dialled]
    providers: t.List[Provider]
    stuck: t.List[Stuck]
    stale: t.List[str]
    kubeadm_config: t.Optional[str]


class Survey(Observation):
    """An observation, and more. What each key means stands in the documentation of aggregation_layer_info."""

    ca_key_fits: t.List[str]
    public_keys: t.Dict[str, t.List[str]]
    key_fits: t.Dict[str, t.List[str]]
    handshake: t.Optional[Handshake]
    without_user: t.Optional[int]
    layer: t.Optional[Layer]


_handshake: Reader[Handshake] = record(Handshake, names=nullable(listed(text(64 * 1024), 2000)), error=nullable(_ERROR))
_reference: Reader[ServiceReference] = record(ServiceReference, namespace=_NAME, name=_NAME, port=integer(1, 65535))
_apiservice: Reader[ApiService] = record(
    ApiService,
    name=_NAME,
    group=_NAME,
    version=_NAME,
    service=_reference,
    insecure=truth,
    ca_bundle=nullable(text(_CONFIGMAP)),
    available=nullable(text(100)),
    reason=text(1024),
    message=_ERROR,
    marks=marks_reader,
    applied=nullable(_NAMESPACED),
    setters=listed(setter_reader, 50),
)
_answered: Reader[Answered] = record(Answered, status=nullable(status), body=_ERROR, error=nullable(_ERROR))
_pod: Reader[Pod] = record(Pod, name=_NAME, arguments=listed(text(4096), 100))
_behind: Reader[Behind] = record(
    Behind,
    status=nullable(status),
    type=text(100),
    address=text(100),
    endpoints=listed(text(200), 100),
    pods=listed(_pod, 100),
    address_error=nullable(_ERROR),
    endpoint_error=nullable(_ERROR),
    marks=marks_reader,
    replicas=listed(replica_reader, 50),
)
_dialled: Reader[Dialled] = record(Dialled, address=text(200), error=nullable(_ERROR))


def _published(value: t.Any, place: str) -> t.Dict[str, str]:
    """Of the ConfigMap only what kube-apiserver writes; others may write other things there."""
    known = {name: item for name, item in value.items() if name in PUBLISHED} if isinstance(value, dict) else value
    return table(text(100), text(_CONFIGMAP), len(PUBLISHED))(known, place)


_layer: Reader[Layer] = record(
    Layer,
    user=text(500),
    status=nullable(status),
    error=nullable(_ERROR),
    published=nullable(_published),
    apiservices=nullable(listed(_apiservice, _APISERVICES)),
    unavailable=nullable(listed(_NAME, _APISERVICES)),
    services=table(_NAMESPACED, _behind, _APISERVICES),
    through=table(_NAME, _answered, _APISERVICES),
    kubernetes_service=nullable(_dialled),
    providers=listed(provider_reader, 200),
    stuck=listed(stuck_reader, 100),
    stale=listed(text(510, f"{NAME}/{NAME}"), _APISERVICES),
    kubeadm_config=nullable(text(50, "v[a-z0-9]+")),
)
_paths = listed(path(), 5000)
_public_key = text(64 * 1024, r"(?s)-----BEGIN (RSA )?PUBLIC KEY-----\n.*\n")
_survey: Reader[Survey] = record(
    Survey,
    within=observation_reader,
    ca_key_fits=_paths,
    public_keys=table(path(), listed(_public_key, 100), 100),
    key_fits=table(path(), _paths, 100),
    handshake=nullable(_handshake),
    without_user=nullable(status),
    layer=nullable(_layer),
)


def read_survey(value: t.Any) -> Survey:
    """Read the result of the module aggregation_layer_info. Raises ContractError."""
    return _survey(value, "")
