# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for all unit tests."""

from __future__ import annotations

import typing as t

from hypothesis import settings

# The same examples in every run: whether a change is good must not depend on luck.
settings.register_profile("same", derandomize=True, deadline=None, database=None)
settings.load_profile("same")


def pytest_make_parametrize_id(val: t.Any, argname: str) -> t.Optional[str]:
    """Keep keys and certificates, which are made at run time, out of the names of tests: those must stay the same."""
    text = val.decode("utf-8", "replace") if isinstance(val, bytes) else val
    return argname if isinstance(text, str) and "-----BEGIN" in text else None
