# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a new pair comes into use: the restarts that it takes, and the time until every kube-apiserver presents it."""

from __future__ import annotations

import random
import sys
import threading
import time
import typing as t
from dataclasses import dataclass

from apiservers import watching
from cost import BenchError, measure_time
from cryptography import x509
from masters import Masters
from watch.playbook import DUE
from watch.serials import presented

__all__ = ["Renewal", "measure_renewals"]

_SECONDS = 180
_PAUSE = 0.5
# From 1.20 on, kube-apiserver looks every so many seconds whether its pair is a new one. Where in that time a renewal
# falls is chance, so it has to be chance here.
_EVERY = 60


@dataclass(frozen=True)
class Renewal:
    """One renewal, in seconds. run: of the playbook; until: from its begin until all masters presented the new pair."""

    run: float
    until: float
    starts: t.Sequence[int]


class _Follower:
    """Asks all masters again and again until each presents another serial number than the old one."""

    def __init__(self, masters: Masters, old: int) -> None:
        self._masters = masters
        self._old = old
        self.seen: dict[str, int] = {}
        self.done = threading.Event()
        self.end = 0.0
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        deadline = time.monotonic() + _SECONDS
        while time.monotonic() < deadline:
            for master in self._masters.masters:
                if master.name not in self.seen:
                    serial = presented(self._masters.client, master)
                    if serial is not None and serial != self._old:
                        self.seen[master.name] = serial
            if len(self.seen) == len(self._masters.masters):
                self.end = time.monotonic()
                self.done.set()
                return
            time.sleep(_PAUSE)


def _serial(masters: Masters) -> int:
    (certificate,) = masters.pki.glob("*/front-proxy-client.crt")
    return x509.load_pem_x509_certificate(certificate.read_bytes()).serial_number


def _measure(masters: Masters) -> Renewal:
    old = _serial(masters)
    if wrong := [master.name for master in masters.masters if presented(masters.client, master) != old]:
        raise BenchError(f"{', '.join(wrong)} did not present the pair that is there.")
    with watching(masters.networks) as starts:
        begin = time.monotonic()
        follower = _Follower(masters, old)
        run = measure_time(masters.runs.configure("--extra-vars", DUE)).wall
        if not follower.done.wait(_SECONDS):
            raise BenchError(f"Only {', '.join(follower.seen) or 'no master'} presented the new pair in {_SECONDS} s.")
        if set(follower.seen.values()) != {_serial(masters)}:
            raise BenchError("A master presented a pair that nobody made.")
    return Renewal(run, follower.end - begin, starts.counts)


def measure_renewals(masters: Masters, repeat: int) -> list[Renewal]:
    """Renew the pair of masters that the collection has configured, some times, with a `serial_server` there.

    Raises BenchError.
    """
    renewals = []
    for number in range(repeat):
        time.sleep(random.uniform(0, _EVERY))
        renewals.append(_measure(masters))
        found = renewals[-1]
        print(f"renewal {number + 1}: starts {found.starts}", file=sys.stderr, flush=True)
    return renewals
