# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a path of the controller leads that a person gave on the command line."""

from __future__ import annotations

import os

__all__ = ["from_here"]


def from_here(path: str) -> str:
    """Take a path relative to where the command was typed; Ansible's own way is the folder of the playbook, and that
    lies in the collection.
    """
    return os.path.abspath(os.path.expanduser(path))
