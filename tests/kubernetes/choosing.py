# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For pytest: on which release tests run, and which ones. A conftest imports what is here by name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from releases import NEWEST, Release, named_release, release_of

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "pytest_configure", "release_under_test"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option --release."""
    parser.addoption("--release", default="newest", help=f"newest ({NEWEST}), oldest, or a number such as 1.37")


def pytest_configure(config: pytest.Config) -> None:
    """The marks. `-m differs` chooses those that are worth their time on each release."""
    config.addinivalue_line("markers", "differs: what it shows differs from release to release")
    config.addinivalue_line("markers", "since(minor): only this release and newer ones can show it")
    config.addinivalue_line("markers", "before(minor): only older releases than this one can show it")


def _chosen(config: pytest.Config) -> Release:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    try:
        return release_of(Path(assets) / "kube-apiserver") if assets else named_release(config.getoption("--release"))
    except (OSError, ValueError) as problem:
        raise pytest.UsageError(str(problem)) from problem


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what the chosen release cannot show."""
    minor = _chosen(config).minor
    unfit = [item for item in items for mark in item.iter_markers("since") if minor < mark.args[0]]
    unfit += [item for item in items for mark in item.iter_markers("before") if minor >= mark.args[0]]
    if unfit:
        config.hook.pytest_deselected(items=unfit)
        items[:] = [item for item in items if item not in unfit]


@pytest.fixture(scope="session", name="release")
def release_under_test(request: pytest.FixtureRequest) -> Release:
    """The release that is tested; where KUBEBUILDER_ASSETS is set, that of its kube-apiserver."""
    return _chosen(request.config)
