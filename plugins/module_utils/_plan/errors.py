# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the decisions."""

from __future__ import annotations

__all__ = ["PlanError"]


class PlanError(Exception):
    """What is wanted cannot or must not be done. The message is for a person: what, where, why, what to do."""
