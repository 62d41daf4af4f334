# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the manifest editor."""

from __future__ import annotations

from .._shown import UserError

__all__ = ["DEFAULT_WHERE", "ManifestError"]

#: How messages name the text when the caller gives no better name.
DEFAULT_WHERE = "the manifest"


class ManifestError(UserError):
    """A manifest that is not read or not edited.

    The message is one sentence or two for a person: what, where, why, what to do. The host and the file's name are
    added by the caller.
    """
