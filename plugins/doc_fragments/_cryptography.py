# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules that handle keys and certificates need. Private to the collection: it may change at any time."""

from __future__ import annotations


class ModuleDocFragment:
    # The versions stand in plugins/module_utils/_pki/deps.py too; a unit test compares them.
    DOCUMENTATION = r"""
options: {}
requirements:
  - cryptography >= 38.0.4
  - pyOpenSSL >= 23.0.0
"""
