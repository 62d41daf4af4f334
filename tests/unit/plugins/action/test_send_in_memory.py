# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What must not touch the disk of a master is sent only where it does not."""

from __future__ import annotations

import typing as t
from unittest.mock import MagicMock

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._in_memory import send_in_memory


def connection(become: t.Any = None, pipelining: bool = True) -> MagicMock:
    made = MagicMock()
    made.has_pipelining, made.transport, made.become = pipelining, "odd", become
    return made


def become(name: str, **more: t.Any) -> MagicMock:
    made = MagicMock(spec=["name", *more])
    made.name = name
    made.configure_mock(**more)
    return made


@pytest.mark.parametrize("way", [None, become("sudo"), become("sudo", pipelining=True)])
def test_it_goes_through_memory(way: t.Any) -> None:
    to = connection(way)
    send_in_memory(to, "a key")
    to.set_option.assert_called_once_with("pipelining", True)


@pytest.mark.parametrize("way", [become("su"), become("other", pipelining=False)])
def test_a_become_method_that_cannot_pipeline_is_refused(way: t.Any) -> None:
    with pytest.raises(PlanError, match=r"become_method \w+ Ansible cannot pipeline, so a key would lie in"):
        send_in_memory(connection(way), "a key")


def test_a_connection_that_cannot_pipeline_is_refused() -> None:
    with pytest.raises(PlanError, match="connection plugin odd cannot pipeline"):
        send_in_memory(connection(pipelining=False), "a key")
