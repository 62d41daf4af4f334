# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts that the playbooks work on."""

from __future__ import annotations

DOCUMENTATION = r"""
name: front_proxy_hosts
author:
  - The kubeops.aggregation_layer authors (@kubeops)
version_added: 0.1.0
short_description: Find the hosts that the playbooks of this collection work on
description:
  - If C(front_proxy_hosts) is set for all hosts (on the command line, in C(group_vars/all), or in C([all:vars])), it is
    that.
  - Else it is the first of the groups C(masters), C(kube_control_plane) and C(kube_master) that the inventory has.
  - Where the inventory has none of them, it is what the hosts themselves say in C(front_proxy_hosts), if they say the
    same.
  - It fails with a sentence where this tells nothing, or not one thing; and where no host would be left to work on,
    which Ansible itself calls a success.
options:
  tell:
    description:
      - V(pattern) gives the pattern.
      - V(problem) gives the sentence with which it would fail, and an empty text if it would not.
    type: str
    choices:
      - pattern
      - problem
    default: pattern
notes:
  - The role P(kubeops.aggregation_layer.front_proxy#role) has a default of its own for plays of your own. It names the
    same groups.
  - Before the first play has begun, Ansible knows no variables of groups. Then only the command line and the groups
    count, and nothing is a failure. This is so in a syntax check, and with C(--list-hosts).
"""

EXAMPLES = r"""
- name: Configure the aggregation layer
  hosts: "{{ lookup('kubeops.aggregation_layer.front_proxy_hosts') }}"
  gather_facts: false
  tasks:
    - name: Configure the aggregation layer of this master
      ansible.builtin.import_role:
        name: kubeops.aggregation_layer.front_proxy
      vars:
        front_proxy_hosts: "{{ lookup('kubeops.aggregation_layer.front_proxy_hosts') }}"
"""

RETURN = r"""
_raw:
  description: The pattern, or the sentence.
  type: list
  elements: str
  sample:
    - kube_control_plane
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._hosts import find_pattern, see_hosts


class LookupModule(LookupBase):
    """Find the pattern, and see that somebody is there."""

    def run(self, terms: t.Sequence[str], variables: dict[str, t.Any] | None = None, **kwargs: t.Any) -> list[str]:
        """Give it as the only element of a list."""
        del terms  # it takes none
        self.set_options(var_options=variables, direct=kwargs)
        asked, known = self.get_option("tell"), variables or {}
        try:
            pattern = find_pattern(known, self._loader)
            see_hosts(pattern, known, self._loader)
        except PlanError as error:
            if asked == "problem":
                return [str(error)]
            raise AnsibleLookupError(str(error)) from None
        return ["" if asked == "problem" else pattern]
