# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ask a kube-apiserver: how much is read, which of a Service's ports is tried, and what no Python can do."""

from __future__ import annotations

import os
import socket
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import layer
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Api, load_pair
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.login import Login
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support

MADE = support.generation("new")


@pytest.fixture
def server() -> t.Iterator[machine.Server]:
    running = machine.Server(MADE)
    yield running
    running.close()


@pytest.fixture
def silent() -> t.Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


def test_no_more_is_read_than_is_wanted(server: machine.Server) -> None:
    server.body = "x" * 1_000_000
    api = Api("127.0.0.1", server.port, Login("nobody"), seconds=10)
    assert len(api.get("/readyz", limit=1000).body) == 1000
    api.close()
    assert len(api.get("/readyz").body) == 1_000_000
    api.close()


def test_a_service_answers_if_one_of_its_ports_does(server: machine.Server, silent: int) -> None:
    assert layer._dial_one_of([["127.0.0.1", silent], ["127.0.0.2", silent], ["127.0.0.1", server.port]]) is None
    assert "ConnectionRefusedError" in str(layer._dial_one_of([["127.0.0.1", silent]]))
    assert layer._dial_one_of([]) is None


def test_a_pair_that_is_gone_is_said(silent: int) -> None:
    gone = Login("nobody", "/none/crt", "/none/key")
    found = layer.read_layer("127.0.0.1", silent, gone, dial_kubernetes=False)
    assert found["error"] == "the pair does not load (FileNotFoundError)" and found["published"] is None
    each: t.Any = {"group": "a.b", "version": "v1", "service": {"namespace": "a", "name": "b", "port": 1}}
    assert layer._Reader("127.0.0.1", silent, gone).service(each, silent=True, aggregator=gone)["status"] is None


def test_a_python_that_keeps_nothing_in_memory_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    context: t.Any = None
    with pytest.raises(MasterError, match="keep a key in memory alone") as raised:
        load_pair(context, MADE.certificate.decode(), MADE.key.decode())
    assert "BEGIN" not in str(raised.value)
