# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kube-apiserver as its clients see it: HTTPS with a client certificate."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import typing as t
from dataclasses import dataclass
from pathlib import Path

import yaml

__all__ = ["Answer", "Client"]

TIMEOUT = 10


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    body: str

    @property
    def json(self) -> t.Any:
        return json.loads(self.body)


class Client:
    """Asks with the certificate of a kubeconfig; each request is a connection of its own."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
        user, cluster = config["users"][0]["user"], config["clusters"][0]["cluster"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._context = ssl.create_default_context(cadata=authority)
        # the load balancer's address is in no server's certificate
        self._context.check_hostname = False
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            self._context.load_cert_chain(pair.name)

    def get(self, address: str, path: str, *, port: int = 6443, timeout: float = TIMEOUT) -> Answer:
        """GET a path. Raises OSError or http.client.HTTPException where there is no answer."""
        connection = http.client.HTTPSConnection(address, port, timeout=timeout, context=self._context)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode())
        finally:
            connection.close()

    def why_not_ready(self, address: str) -> str:
        """Why a kube-apiserver does not serve; nothing if it does."""
        try:
            answer = self.get(address, "/readyz", timeout=3)
        except (OSError, http.client.HTTPException) as error:
            return f"{type(error).__name__}: {error}"
        # a line for each check; those that failed begin with [-]
        failed = [line for line in answer.body.splitlines() if line.startswith("[-]")]
        return "" if answer.status == 200 else f"HTTP {answer.status} {' '.join(failed)}"
