# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module so that the passphrase is in nothing that is kept of the task."""

from __future__ import annotations

from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._passphrase import PassphraseAction


class ActionModule(PassphraseAction):
    """Run the module once."""

    module = "kubeops.aggregation_layer.front_proxy_client"
    option = "ca_passphrase"
