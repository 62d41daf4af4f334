# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which release of Kubernetes a text names."""

from __future__ import annotations

__all__ = ["parse_release"]


def parse_release(version: str | None) -> tuple[int, int] | None:
    """Take major and minor out of ``v1.36.2`` or ``1.20.2+vendor``; None if it is no version."""
    if not version:
        return None
    parts = version.lstrip("v").split(".")
    if len(parts) < 2 or not parts[0].isdigit():
        return None
    minor = parts[1].rstrip("+")
    return (int(parts[0]), int(minor)) if minor.isdigit() else None
