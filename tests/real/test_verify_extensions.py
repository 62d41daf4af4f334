# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify and extension API servers behind a real kube-apiserver: those that are not there, silent, or wrong."""

from __future__ import annotations

import time
import typing as t

from support.extension import GROUP, Extension
from support.service import free_port
from support.verified import Look, wait_for_ids

if t.TYPE_CHECKING:
    from conftest import MakeMaster


def test_one_that_is_not_there_and_then_silent(make_master: MakeMaster, look: Look, address: str) -> None:
    master = make_master("absent")
    master.add_apiservice("ghost.example.com")
    (found,) = look(master).findings
    assert found["id"] == "extension-not-there" and not found["front_proxy"], found
    master.delete("/apis/apiregistration.k8s.io/v1/apiservices/v1.ghost.example.com")
    master.register("ghost.example.com", address, free_port())
    (found,) = look(master).findings
    assert found["id"] == "extension-silent" and not found["front_proxy"], found


def test_one_that_answers_with_errors(make_master: MakeMaster, look: Look, address: str, extension: Extension) -> None:
    master = make_master("failing")
    extension.status = 403
    master.register(GROUP, address, extension.port)
    wait_for_ids(look, [master], "extension-forbids")
    extension.status = 500
    wait_for_ids(look, [master], "extension-fails")
    extension.status = 200
    wait_for_ids(look, [master])


def test_one_that_answers_and_is_counted_as_unavailable(
    make_master: MakeMaster, look: Look, address: str, extension: Extension
) -> None:
    """All masters write the one condition, and it flaps; each also counts for itself, and that is what is seen."""
    first = make_master("m1")
    second = make_master("m2", of=first)
    second.sign(second.front_proxy)  # a pair of its own, by which the server can tell it
    second.restart()
    extension.know(first.pki / "front-proxy-ca.crt")
    first.register(GROUP, address, extension.port)
    wait_for_ids(look, [first, second])
    extension.unwell_for = second.pair_serial
    deadline = time.monotonic() + 240
    found: list[dict[str, t.Any]] = []
    # whenever the first one has written the condition last, both hand requests on
    while not found:
        assert time.monotonic() < deadline
        found = [each for each in look(first, second).findings if each["id"] == "apiservice-seen-unavailable"]
    assert found[0]["hosts"] == ["m2"] and not found[0]["front_proxy"]
    extension.unwell_for = 0
    wait_for_ids(look, [first, second])
