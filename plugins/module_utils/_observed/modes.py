# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Permission bits of files that kube-apiserver reads."""

from __future__ import annotations

__all__ = ["KEY_MODE", "OTHERS", "PUBLIC_MODE", "WRITERS", "open_to_all"]

KEY_MODE, PUBLIC_MODE = 0o600, 0o644
#: The bits of those who are neither owner nor group, and the bits by which others than the owner write.
OTHERS, WRITERS = 0o007, 0o022


def open_to_all(mode: int) -> bool:
    """Whether others than owner and group can do something with a file."""
    return bool(mode & OTHERS)
