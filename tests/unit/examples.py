# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many examples a property test takes."""

from __future__ import annotations

import sys

__all__ = ["examples"]


def examples(most: int) -> int:
    """All of them on the Python of the session units-old, and a tenth on the others, where all is tested again."""
    return most if sys.version_info[:2] == (3, 11) else max(most // 10, 5)
