# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way on which a module is sent what must not touch the disk of a master."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._refusals import leak

__all__ = ["send_in_memory"]


def send_in_memory(connection: t.Any, secret: str) -> None:
    """Have the next module of this connection go through memory alone. secret: what it is given, for people.

    Raises PlanError if that cannot be, or if a setting of Ansible would give the secret away.
    """
    problem = leak()
    if problem:
        raise PlanError(problem)
    if not connection.has_pipelining:
        raise PlanError(
            f"The connection plugin {connection.transport} cannot pipeline, so {secret} would lie in the temporary "
            "folder of the master; use one that can, such as ssh."
        )
    become = getattr(connection, "become", None)
    # ansible-core 2.18 knows it by the name, 2.19 by the plugin; both then write the module into a file, without a word
    if become is not None and (become.name == "su" or not getattr(become, "pipelining", True)):
        raise PlanError(
            f"With become_method {become.name} Ansible cannot pipeline, so {secret} would lie in the temporary folder "
            "of the master; use sudo, or log in as root."
        )
    connection.set_option("pipelining", True)
