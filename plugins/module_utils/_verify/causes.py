# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why an APIService does not work: the messages of kube-apiserver and of extension API servers, as data."""

from __future__ import annotations

import json
import re
import typing as t

from .model import BROKEN, Kind
from .proxies import KINDS as WAY_KINDS
from .proxies import PROXIED, WAYS

__all__ = ["CAUSES", "KINDS", "SILENT_ADDRESS", "Cause", "decode", "message_of"]

_CHECK = "staging/src/k8s.io/kube-aggregator/pkg (controllers/status and apiserver/handler_proxy.go)"

# What follows of each APIService that does not answer.
_STOPS = (
    " Meanwhile namespaces stay in Terminating, and what asks for all APIs fails or misses some (helm, Argo CD, "
    "kubectl api-resources: stale GroupVersion discovery)."
)

REFUSED = Kind(
    id="extension-refuses-the-pair",
    severity=BROKEN,
    title="{service} refuses the certificate of the front proxy (401), though the cluster publishes its CA",
    consequence="Requests for {apiservice} fail. The front proxy is right; the extension API server does not know its "
    f"CA.{_STOPS}",
    fix="take --requestheader-client-ca-file out of the command of {service}, or put the CA of {configmap} into that "
    "file; if it has no such flag, restart it, since it read the CA once, at its start",
    cause="Start an extension API server with --requestheader-client-ca-file and an older CA.",
    source=f"{_CHECK}; metrics-server issue 1432, containerized-data-importer pull request 807",
    ours=False,
)
FORBIDDEN = Kind(
    id="extension-forbids",
    severity=BROKEN,
    title="{service} does not let the caller in (403)",
    consequence="Requests for {apiservice} fail. The front proxy shows its certificate; the extension API server has "
    f"no right to ask who may do what, or takes the caller for somebody else.{_STOPS}",
    fix="bind its service account to the ClusterRole system:auth-delegator and, in kube-system, to the Role "
    "extension-apiserver-authentication-reader; then look at its log",
    cause="Delete the binding to extension-apiserver-authentication-reader, and start it with "
    "--authentication-tolerate-lookup-failure.",
    source=f"{_CHECK}; staging/src/k8s.io/apiserver/pkg/server/options/authorization.go",
    ours=False,
)
SERVING = Kind(
    id="extension-certificate-not-trusted",
    severity=BROKEN,
    title="the serving certificate of {service} does not fit the caBundle of {apiservice}",
    consequence="Requests for it fail (503). The front proxy is not at fault. Up to 1.35 the APIService may say "
    "Available all the same: only from 1.36 on kube-apiserver checks this certificate there, too. Where it does, "
    "namespaces stay in Terminating, and helm, Argo CD and kubectl api-resources fail or miss some APIs.",
    fix='kubectl patch apiservice {apiservice} --type=merge -p \'{{"spec": {{"caBundle": "BASE64-OF-ITS-CA"}}}}\'',
    cause="Give the APIService the caBundle of another CA.",
    source=f"{_CHECK}; pull request 137157 (1.36)",
    ours=False,
)
SILENT_ADDRESS = Kind(
    id="service-address-silent",
    severity=BROKEN,
    title="kube-apiserver cannot reach the address of the Service {service}, but its endpoints answer",
    consequence="Requests for {apiservice} fail: this master has no kube-proxy (or none that works), and "
    f"--enable-aggregator-routing is not set.{_STOPS}",
    fix="run: {command} -e front_proxy_aggregator_routing=true",
    cause="Run a master without kube-proxy and without the flag.",
    source=f"{_CHECK}; Kubernetes issue 66231, metrics-server issue 281",
)
SILENT = Kind(
    id="extension-silent",
    severity=BROKEN,
    title="{service} does not answer",
    consequence=f"Requests for {{apiservice}} fail. The front proxy is not at fault.{_STOPS}",
    fix="see whether its pods run and are ready, and whether this master reaches their network (hostNetwork, firewall)",
    cause="Stop the extension API server.",
    source=_CHECK,
    ours=False,
)
ABSENT = Kind(
    id="extension-not-there",
    severity=BROKEN,
    title="{apiservice} leads to {service}, which is not there or has nobody behind it",
    consequence=f"Requests for it fail. The front proxy is not at fault.{_STOPS}",
    fix="bring the extension API server back, or remove what is left of it: kubectl delete apiservice {apiservice}",
    cause="Remove metrics-server but not its APIService.",
    source=f"{_CHECK} (ServiceNotFound, EndpointsNotFound, MissingEndpoints, ServicePortError)",
    ours=False,
)
OTHER = Kind(
    id="extension-fails",
    severity=BROKEN,
    title="{apiservice} does not work",
    consequence=f"Requests for it fail.{_STOPS}",
    fix="look at the log of {service}",
    cause="Let an extension API server answer its discovery with an error.",
    source=_CHECK,
    ours=False,
)

NOT_ALLOWED = Kind(
    id="address-not-allowed",
    severity=BROKEN,
    title="what kube-apiserver dials through does not let it to the address of {service}",
    consequence="Requests for {apiservice} fail. The way out of this kube-apiserver is a proxy (HTTPS_PROXY, or that "
    f"of a provider's control plane, such as EKS has), whose rules leave out the network of the pods.{_STOPS}",
    fix="let that proxy through to the network of the pods, or put it into NO_PROXY in the manifest; if neither can "
    "be done, let the pods of {service} use the network of their nodes (hostNetwork, and a port that is free there)",
    cause="Give kube-apiserver an HTTPS_PROXY that answers CONNECT with 403 Address is not allowed.",
    source="Go, net/http (a proxy's answer to CONNECT is the error); KEDA issue 3778, containers-roadmap issue 1215",
)

KINDS = (*WAY_KINDS, NOT_ALLOWED, SILENT_ADDRESS, REFUSED, SERVING, FORBIDDEN, ABSENT, SILENT, OTHER)


class Cause(t.NamedTuple):
    """A message and what it means. pattern: a regular expression; kind: the finding; trust: a fault of the front proxy
    explains it, where there is one."""

    pattern: str
    kind: Kind
    trust: bool = False


# The first one that fits counts. The texts are those of kubernetes.io/kube-aggregator and of Go's net, tls and x509.
CAUSES = (
    Cause(r"[Aa]ddress (is )?not allowed", NOT_ALLOWED),
    *(Cause(pattern, kind) for pattern, kind in WAYS),
    Cause(r"service.*not found|ServiceNotFound|EndpointsNotFound|MissingEndpoints|ServicePortError", ABSENT),
    Cause(r"no endpoints available|endpoints for service.*(not found|have no)|is not listening on port", ABSENT),
    Cause(r"bad status from \S+: 401|Unauthorized", REFUSED, True),
    Cause(r"bad status from \S+: 403|Forbidden|forbidden", FORBIDDEN, True),
    Cause(r"x509:|tls: failed to verify|certificate is not valid for|certificate has expired", SERVING),
    Cause(r"no route to host|i/o timeout|Client\.Timeout|deadline exceeded|connection refused", SILENT),
    Cause(r"cannot route to service with ClusterIP|network is unreachable|connection reset|EOF|timed? ?out", SILENT),
)


_MESSAGE = re.compile(r'"message":\s*("(?:[^"\\]|\\.)*")')


def message_of(body: str) -> str:
    """Give the message of a Status, which may be cut off behind it; the text itself if it is none."""
    found = _MESSAGE.search(body)
    try:
        return str(json.loads(found.group(1), strict=False)) if found else body
    except ValueError:
        return body  # not all that looks like a Status is one


def decode(status: int | None, text: str) -> Cause:
    """Tell what an answer, or the message of a condition, means. status: of the answer through the master."""
    if status == 401:
        return Cause("", REFUSED, True)
    if status == 403:
        return Cause("", FORBIDDEN, True)
    for cause in CAUSES:
        # kube-apiserver itself says with 503 what a proxy said to it; with another status it is the server's own word
        if cause.kind is PROXIED and status not in (None, 503):
            continue
        if re.search(cause.pattern, text):
            return cause
    return Cause("", OTHER)
