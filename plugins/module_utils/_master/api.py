# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests to the kube-apiserver of this master: in the name of the aggregator, or with somebody's own credentials."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import typing as t

from .errors import MasterError
from .files import accept_weak_keys, load_pair_of_files
from .login import Login

__all__ = ["PARTIAL_CHAIN", "Answer", "Api", "load_pair"]

# X509_V_FLAG_PARTIAL_CHAIN: Go trusts every certificate of a bundle, and not only those that signed themselves.
PARTIAL_CHAIN = 0x80000
# Above any list of APIServices or metrics of a large cluster.
_LIMIT = 64 * 1024 * 1024
_ACCEPT = "application/json, text/plain"


class Answer(t.NamedTuple):
    """What came back. status: of HTTP, None if nothing came; error: why not."""

    status: int | None
    body: str
    error: str | None

    def json(self) -> t.Any:
        """The body's value; None if it is not a good answer, or no JSON."""
        if self.status != 200:
            return None
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


def load_pair(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Have a context show a certificate. Both may be paths, or their text.

    Raises OSError or ValueError if they do not load, MasterError if this Python cannot do it.
    """
    if "-----BEGIN" not in key:
        load_pair_of_files(context, certificate, key)
        return
    if not hasattr(os, "memfd_create"):
        raise MasterError(
            "The Python of this master cannot keep a key in memory alone (os.memfd_create, which needs glibc 2.27), "
            "and a key is never written to its disk; set ansible_python_interpreter to another Python, or leave "
            "front_proxy_smoke off and give a kubeconfig with a token."
        )
    # a file without a name, in memory: a key that was sent here never touches the disk
    descriptor = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as stream:
            stream.write(f"{certificate}\n{key}\n".encode())
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: b"")
    finally:
        os.close(descriptor)


class Api:
    """The API of one kube-apiserver as one user sees it; each thread needs its own. Close it at the end."""

    def __init__(self, address: str, port: int, login: Login, *, seconds: float) -> None:
        """Prepare; raises OSError or ValueError if the pair, or the CAs that the server is known by, do not load."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # the server's names are those that clients use, and need not hold this machine's own address
        context.check_hostname = False
        accept_weak_keys(context)
        if login.authority is None:
            # as in probe.py: it is this machine's own address
            context.verify_mode = ssl.CERT_NONE
        else:
            context.load_verify_locations(cadata=login.authority)
            context.verify_flags |= PARTIAL_CHAIN
        if login.certificate and login.key:
            load_pair(context, login.certificate, login.key)
        self._headers = dict(login.headers)
        if login.token:
            self._headers["Authorization"] = f"Bearer {login.token}"
        self._connection = http.client.HTTPSConnection(address, port, timeout=seconds, context=context)

    def get(self, path: str, *, limit: int = _LIMIT, accept: str = _ACCEPT) -> Answer:
        """GET a path. limit: how many bytes to read; where that may be less than there are, get nothing more."""
        return self._send("GET", path, None, limit, accept)

    def post(self, path: str, document: t.Mapping[str, t.Any]) -> Answer:
        """Make an object."""
        return self._send("POST", path, json.dumps(document))

    def patch(self, path: str, change: t.Mapping[str, t.Any]) -> Answer:
        """Change an object by a JSON merge patch (RFC 7386)."""
        return self._send("PATCH", path, json.dumps(change), kind="application/merge-patch+json")

    def delete(self, path: str) -> Answer:
        """Delete an object."""
        return self._send("DELETE", path, None)

    def _send(
        self,
        method: str,
        path: str,
        body: str | None,
        limit: int = _LIMIT,
        accept: str = _ACCEPT,
        kind: str = "application/json",
    ) -> Answer:
        headers = {"Accept": accept, **self._headers}
        if body is not None:
            headers["Content-Type"] = kind
        try:
            self._connection.request(method, path, body, headers)
            response = self._connection.getresponse()
            said = response.read(limit)
            return Answer(response.status, said.decode("utf-8", "replace"), None)
        # ValueError: a header that cannot be one
        except (OSError, ValueError, OverflowError, http.client.HTTPException) as error:
            self._connection.close()
            return Answer(None, "", f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End the connection."""
        self._connection.close()
