# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of this package."""

from __future__ import annotations

from .._shown import UserError


class PkiError(UserError):
    """Something about keys or certificates is not as it must be; the text is one sentence for a person."""


__all__ = ("PkiError",)
