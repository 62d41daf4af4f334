# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy data out of Ansible's own container types, so that nothing pure ever meets them."""

from __future__ import annotations

import typing as t

__all__ = ["plain"]


def plain(value: t.Any) -> t.Any:
    """Copy a value, with plain dictionaries and lists in it."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
