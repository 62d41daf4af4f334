# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask the kube-apiserver on this very machine whether it serves, and whether it accepts the proxy-client pair."""

from __future__ import annotations

import http.client
import json
import ssl
import typing as t

from .._contract.observation import Probe
from .files import accept_weak_keys, load_pair_of_files

__all__ = ["ADMINISTRATORS", "PROBE_USER", "Pair", "ask"]

# Who the probe says it is: no such user exists, and /version needs no right but being authenticated.
PROBE_USER = "kubeops:aggregation-layer:probe"
# The group in whose name /readyz is asked. A server that has just begun to answer knows no roles yet and says 403 to
# everybody else, and some clusters forbid it to strangers for good: only this group always hears whether it is ready
# (staging/src/k8s.io/apiserver/pkg/server/config.go, AuthorizeClientBearerToken; tried on 1.20.2).
ADMINISTRATORS = "system:masters"
_SECONDS = 5
_RELOAD_HOOK = "aggregator-reload-proxy-client-cert"


class Pair(t.NamedTuple):
    """Paths of a certificate and its key, and the headers in which this server expects the user's name and groups."""

    certificate: str
    key: str
    user_header: str
    group_header: str


def _connect(address: str, port: int, pair: Pair | None) -> http.client.HTTPSConnection:
    # Not verified: the question is whether the server knows us, on an address of this machine's own; the
    # key is proven in the handshake and never sent.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    accept_weak_keys(context)
    if pair is not None:
        load_pair_of_files(context, pair.certificate, pair.key)
    return http.client.HTTPSConnection(address, port, timeout=_SECONDS, context=context)


def _get(connection: http.client.HTTPSConnection, path: str, headers: t.Mapping[str, str]) -> tuple[int, str]:
    connection.request("GET", path, headers=dict(headers))
    response = connection.getresponse()
    return response.status, response.read(1024 * 1024).decode("utf-8", "replace")


def _version(body: str) -> str | None:
    try:
        version = json.loads(body).get("gitVersion")
    except (ValueError, AttributeError):
        return None
    return version[:100] if isinstance(version, str) else None


def ask(address: str, port: int, pair: Pair | None) -> Probe:
    """Ask a kube-apiserver on this machine.

    Returns ``address``, ``port``; ``accepted`` (True: ``GET /version`` with the pair and a user's name gave 200, or
    403 for this user; False: it gave anything else; None: not asked, for want of a pair that loads, or not answered);
    ``status`` (of that answer), ``ready`` (``/readyz`` answered 200; asked as an administrator where the pair is
    accepted, else without a name), ``answers`` (any HTTP answer came: 401 and 403 count), ``reload_hook`` (the server
    says that a proxy-client pair is configured; None if it did not tell, nor whether it is ready),
    ``version`` (``v1.36.2``) and ``error`` (why there was no answer).
    """
    found: Probe = {
        "address": address,
        "port": port,
        "accepted": None,
        "status": None,
        "ready": False,
        "answers": False,
        "reload_hook": None,
        "version": None,
        "error": None,
    }
    connection: http.client.HTTPSConnection | None = None
    try:
        headers = {pair.user_header: PROBE_USER} if pair else {}
        try:
            connection = _connect(address, port, pair)
        except (OSError, ValueError):
            pair, headers = None, {}
            connection = _connect(address, port, None)
        if pair is not None:
            found["status"], body = _get(connection, "/version", headers)
            found["answers"] = True
            # 403 names the user where somebody forbids /version to whom they know: the pair was accepted before that
            found["accepted"] = found["status"] == 200 or (found["status"] == 403 and PROBE_USER in body)
            found["version"] = _version(body)
            if not found["accepted"]:
                # a certificate that is not accepted is never anonymous: ask the rest without it
                connection.close()
                connection, headers = _connect(address, port, None), {}
        groups = {pair.group_header: ADMINISTRATORS} if headers and pair else {}
        status, body = _get(connection, "/readyz?verbose", {**headers, **groups})
        found["answers"] = True
        found["ready"] = status == 200
        if status in (200, 500):
            found["reload_hook"] = _RELOAD_HOOK in body
        if found["version"] is None:
            found["version"] = _version(_get(connection, "/version", headers)[1])
    # ValueError: a header or an address, out of the flags, that cannot be one
    except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
        found["error"] = f"{type(error).__name__}: {error}"
    finally:
        if connection is not None:
            connection.close()
    return found
