# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A load balancer before the masters, and a client that asks through it twenty times a second."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import typing as t
from collections import Counter
from dataclasses import dataclass, field

from bed.node import Node

from watch.client import Client
from watch.master import Master, wait_for

__all__ = ["Follower", "LoadBalancer"]

PORT = 7443

# As Kubernetes' own guide for kubeadm has it: TCP, and a server is out when its /readyz says no.
CONFIGURATION = """\
global
  maxconn 2000
defaults
  mode tcp
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  retries 3
  option redispatch
frontend api
  bind {address}:{port}
  default_backend masters
backend masters
  balance roundrobin
  option httpchk GET /readyz
  http-check expect status 200
  default-server check check-ssl verify none inter 500ms fall 1 rise 2 on-marked-down shutdown-sessions
{servers}
"""


class LoadBalancer:
    """Debian's haproxy from the nodes' file system, in a node's network; ends with the node."""

    def __init__(self, node: Node, masters: t.Sequence[Master]) -> None:
        self.address = node.address
        self.port = PORT
        servers = "".join(f"  server {master.name} {master.address}:6443\n" for master in masters)
        text = CONFIGURATION.format(address=node.address, port=PORT, servers=servers)
        node.path("/etc/haproxy/masters.cfg").write_text(text, encoding="utf-8")
        self._node = node
        node.run("haproxy", "-D", "-f", "/etc/haproxy/masters.cfg", "-p", "/run/haproxy-masters.pid")
        wait_for(self._listens, "haproxy listens", seconds=60)

    def _listens(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), timeout=2):
                return True
        except OSError:
            return False

    def stop(self) -> None:
        self._node.run("pkill", "-KILL", "-x", "haproxy", check=False)


@dataclass
class Follower:
    """Asks for a list of the API while the ``with`` block runs. A request that fails is asked again, as clients do."""

    client: Client
    address: str
    port: int
    interval: float = 0.05  # seconds: twenty a second
    tries: int = 3
    asked: int = 0
    slowest: float = 0.0
    first_failures: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)

    def __enter__(self) -> Follower:
        self._lock = threading.Lock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ending.set()
        self._thread.join()

    def _follow(self) -> None:
        asking: list[threading.Thread] = []
        due = time.monotonic()
        while not self._ending.is_set():
            # a slow answer must not slow down the asking
            thread = threading.Thread(target=self._ask, daemon=True)
            thread.start()
            asking = [*(each for each in asking if each.is_alive()), thread]
            due += self.interval
            self._ending.wait(max(0.0, due - time.monotonic()))
        for thread in asking:
            thread.join()

    def _ask(self) -> None:
        began = time.monotonic()
        reason = ""
        for number in range(self.tries):
            try:
                answer = self.client.get(self.address, "/api/v1/namespaces?limit=1", port=self.port)
                reason = "" if answer.status == 200 else f"HTTP {answer.status}"
            except (OSError, http.client.HTTPException) as exc:
                reason = type(exc).__name__
            if not reason:
                break
            with self._lock:
                if number == 0:
                    self.first_failures[reason] += 1
            time.sleep(0.5 * 2**number)
        with self._lock:
            self.asked += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
            if reason:
                self.lost[reason] += 1

    def __str__(self) -> str:
        failed = sum(self.first_failures.values())
        return (
            f"{self.asked} requests, {failed} failed at first {dict(self.first_failures)}, "
            f"{sum(self.lost.values())} after {self.tries} tries {dict(self.lost)}; slowest {self.slowest:.1f} s"
        )
