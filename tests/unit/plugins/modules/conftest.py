# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of several files of tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.ca_runner import Ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.client_runner import Client


@pytest.fixture
def ca(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ca:
    return Ca(tmp_path, monkeypatch, capsys)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Client:
    return Client(tmp_path, monkeypatch, capsys)
