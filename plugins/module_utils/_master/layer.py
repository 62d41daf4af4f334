# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one master's own kube-apiserver tells of the aggregation layer: what is published, and whom it can reach."""

from __future__ import annotations

import re
import socket
import ssl
import typing as t
import urllib.parse
from concurrent.futures import ThreadPoolExecutor

from .._contract.readers import NAME
from .._contract.survey import PUBLISHED, Answered, ApiService, Behind, Dialled, Layer, Pod, ServiceReference
from .api import Answer, Api
from .around import read_kubeadm_config, read_stale, read_stuck
from .claims import applied_service, marks_of, read_providers, setters_of
from .endpoints import Address, addresses_of, documents_of_service
from .files import accept_weak_keys
from .handshake import offered_client_cas
from .login import Login
from .replicas import ask_replicas

__all__ = ["CONFIG_MAP", "dial", "read_layer"]

CONFIG_MAP = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
_API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"
_METRIC = re.compile(r'^aggregator_unavailable_apiservice\{name="([^"]+)"\} ([0-9.e+]+)', re.MULTILINE)
_WORKERS = 8
# kube-apiserver gives an extension API server 5 s to answer its own check.
_SECONDS = 8.0
_DIAL_SECONDS = 1.5
_LENGTH = 600
_OTHERS_LIMIT = 64 * 1024
_PORTS = 4
# Of a pod's command line only what tells whom it trusts: the rest is none of our business, and may hold secrets.
_TELLING = ("--requestheader-", "--client-ca-file", "--authentication-skip-lookup")


def _quoted(*parts: str) -> tuple[str, ...]:
    return tuple(urllib.parse.quote(part, safe="") for part in parts)


def dial(address: str, port: int) -> str | None:
    """Try to reach a TLS server; who it is plays no part. None if one answered, otherwise why not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    accept_weak_keys(context)
    try:
        with socket.create_connection((address, port), timeout=_DIAL_SECONDS) as plain, context.wrap_socket(plain):
            return None
    except (OSError, ValueError, OverflowError) as error:
        return f"{type(error).__name__}: {error}"


def _reference(service: t.Mapping[str, t.Any]) -> ServiceReference:
    return {
        "namespace": service.get("namespace") or "",
        "name": service.get("name") or "",
        "port": service.get("port") or 443,
    }


def _describe_apiservice(item: t.Mapping[str, t.Any]) -> ApiService:
    spec, status, metadata = item.get("spec") or {}, item.get("status") or {}, item.get("metadata") or {}
    conditions: list[dict[str, t.Any]] = status.get("conditions") or []
    condition = next((each for each in conditions if each.get("type") == "Available"), {})
    return {
        "name": metadata.get("name") or "",
        "group": spec.get("group") or "",
        "version": spec.get("version") or "",
        "service": _reference(spec.get("service") or {}),
        "insecure": bool(spec.get("insecureSkipTLSVerify")),
        "ca_bundle": spec.get("caBundle"),
        "available": condition.get("status"),
        "reason": str(condition.get("reason") or "")[:_LENGTH],
        "message": str(condition.get("message") or "")[:_LENGTH],
        "marks": marks_of(metadata),
        "applied": applied_service(metadata),
        "setters": setters_of(metadata),
    }


def _telling_arguments(pods: t.Mapping[str, t.Any] | None) -> list[Pod]:
    found: list[Pod] = []
    for pod in (pods or {}).get("items") or ():
        words = [
            word
            for container in (pod.get("spec") or {}).get("containers") or ()
            for word in [*(container.get("command") or ()), *(container.get("args") or ())]
            if str(word).startswith(_TELLING)
        ]
        found.append({"name": (pod.get("metadata") or {}).get("name") or "", "arguments": words})
    return found


def _dial_one_of(endpoints: t.Sequence[Address]) -> str | None:
    """Try one endpoint for each port, since a Service can have some that speak no TLS. None if one answered."""
    first: dict[int, str] = {}
    for address, port in endpoints:
        first.setdefault(port, address)
    errors = [dial(address, port) for port, address in list(first.items())[:_PORTS]]
    return None if None in errors else next(iter(errors), None)


class _Reader:
    """Asks one kube-apiserver many things at once, each worker with a connection of its own."""

    def __init__(self, address: str, port: int, login: Login) -> None:
        self._make = lambda: Api(address, port, login, seconds=_SECONDS)

    def get(self, path: str, **more: t.Any) -> Answer:
        try:
            api = self._make()
        except (OSError, ValueError) as error:
            return Answer(None, "", f"the pair does not load ({type(error).__name__})")
        try:
            return api.get(path, **more)
        finally:
            api.close()

    def service(self, each: ApiService, *, silent: bool, aggregator: Login | None) -> Behind:
        """Look at the Service of an APIService: where it leads, and whether each of its endpoints answers.

        silent: the APIService does not answer, so look whether its address does, and who is behind it; aggregator: as
        whom to ask the endpoints, None to leave that.
        """
        service = each["service"]
        namespace, name = _quoted(service["namespace"], service["name"])
        answer = self.get(f"/api/v1/namespaces/{namespace}/services/{name}")
        found = answer.json() or {}
        spec = found.get("spec") or {}
        documents = documents_of_service(self.get, service["namespace"], service["name"])
        endpoints = [endpoint for item in documents for endpoint in addresses_of(item)]
        pods = None
        if silent and spec.get("selector"):
            selector = ",".join(f"{key}={value}" for key, value in sorted(spec["selector"].items()))
            pods = self.get(f"/api/v1/namespaces/{namespace}/pods?limit=20&labelSelector={_quoted(selector)[0]}")
        address = spec.get("clusterIP") or ""
        has_address = silent and address not in ("", "None")
        return {
            "status": answer.status,
            "type": spec.get("type") or "",
            "address": address,
            "endpoints": [f"{address}:{port}" for address, port in endpoints[:20]],
            "pods": _telling_arguments(pods.json()) if pods else [],
            "address_error": dial(address, service["port"]) if has_address else None,
            "endpoint_error": _dial_one_of(endpoints) if silent else None,
            "marks": marks_of(found.get("metadata") or {}),
            "replicas": ask_replicas(spec, documents, each, aggregator),
        }

    def through(self, each: ApiService) -> Answered:
        """Ask an extension API server for its discovery, by way of this kube-apiserver."""
        group, version = _quoted(each["group"], each["version"])
        # what an extension API server answers is its own affair, and can be without end
        answer = self.get(f"/apis/{group}/{version}", limit=_OTHERS_LIMIT)
        body = "" if answer.status == 200 else answer.body[:_LENGTH]
        return {"status": answer.status, "body": body, "error": answer.error}


def _kubernetes_service(reader: _Reader) -> Dialled | None:
    """Try the address that every cluster has: that of the Service kubernetes."""
    found = reader.get("/api/v1/namespaces/default/services/kubernetes").json()
    address = ((found or {}).get("spec") or {}).get("clusterIP")
    if not address:
        return None
    error = dial(address, 443)
    # a kube-apiserver asks for client certificates; a proxy that answers for every address does not
    if error is None and offered_client_cas(address, 443)["names"] == []:
        error = "a server answers there that is no kube-apiserver"
    return {"address": f"{address}:443", "error": error}


def read_layer(
    address: str, port: int, login: Login, *, dial_kubernetes: bool, aggregator: Login | None = None
) -> Layer:
    """Read all about the aggregation layer that this kube-apiserver knows.

    dial_kubernetes: try the address of a Service from here, too; aggregator: as whom to ask endpoints one by one, None
    to leave that. APIServices that kube-apiserver serves itself are left out: they are always there, and many.
    """
    found: Layer = {
        "user": login.user,
        "status": None,
        "error": None,
        "published": None,
        "apiservices": None,
        "unavailable": None,
        "services": {},
        "through": {},
        "kubernetes_service": None,
        "providers": [],
        "stuck": [],
        "stale": [],
        "kubeadm_config": None,
    }
    reader = _Reader(address, port, login)
    published = reader.get(CONFIG_MAP)
    found["status"], found["error"] = published.status, published.error
    if published.status not in (200, 404):
        found["error"] = published.error or published.body[:_LENGTH]
        return found
    data = (published.json() or {}).get("data") or {}
    found["published"] = {name: str(data[name]) for name in PUBLISHED if name in data}
    found["kubeadm_config"] = read_kubeadm_config(reader.get)
    found["stuck"] = read_stuck(reader.get)
    listed = reader.get(_API_SERVICES).json()
    if listed is None:
        return found
    items = listed.get("items") or ()
    remote = [_describe_apiservice(item) for item in items if (item.get("spec") or {}).get("service")]
    found["apiservices"] = remote
    with ThreadPoolExecutor(_WORKERS) as pool:
        through = pool.map(reader.through, remote)
        if remote:
            # more than a MiB: only where there is something to learn from it
            metrics = reader.get("/metrics")
            if metrics.status == 200:
                found["unavailable"] = [
                    name
                    for name, value in _METRIC.findall(metrics.body)
                    if float(value) > 0 and re.fullmatch(NAME, name)
                ]
        if dial_kubernetes:
            found["kubernetes_service"] = _kubernetes_service(reader)
        found["through"] = {each["name"]: answer for each, answer in zip(remote, through)}

        def behind(each: ApiService) -> Behind:
            # trying a silent address takes time
            silent = found["through"][each["name"]]["status"] != 200
            return reader.service(each, silent=silent, aggregator=aggregator)

        # of those that share a Service, one that does not answer
        order = sorted(remote, key=lambda each: found["through"][each["name"]]["status"] != 200)
        services = {f"{each['service']['namespace']}/{each['service']['name']}": each for each in order}
        found["services"] = dict(zip(services, pool.map(behind, services.values())))
        if remote:
            found["providers"] = read_providers(reader.get, remote)
            found["stale"] = read_stale(reader.get)
    return found
