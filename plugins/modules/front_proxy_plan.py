# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_plan
short_description: Decide what the masters of a play need for the aggregation layer
version_added: 0.1.0
description:
  - Takes the observations of all masters of the play, looks at the PKI folders on the controller, and decides for
    every cluster which front-proxy CA counts, whether something must be signed, and for every master which flags and
    files it needs, with the reasons. Writes nothing.
  - This is the second step of the role P(kubeops.aggregation_layer.front_proxy#role). The option O(ignore:spec) of
    M(kubeops.aggregation_layer.apiserver_info) tells it what is wanted of a master.
  - A cluster that is refused does not fail this task. The refusal is part of the result, so that other clusters go on.
extends_documentation_fragment:
  - kubeops.aggregation_layer._attributes
  - kubeops.aggregation_layer._attributes.actiongroup
  - kubeops.aggregation_layer._attributes.info_module
  - kubeops.aggregation_layer._attributes.flow
attributes:
  action:
    support: full
  async:
    support: none
options:
  members:
    description:
      - All masters of the inventory, also those that are not part of this play.
    type: list
    elements: str
    required: true
  pattern:
    description:
      - The pattern by which O(members) were found, for messages.
    type: str
    default: masters
  looked:
    description:
      - Observations of masters that are not part of this play, as a loop over
        M(kubeops.aggregation_layer.apiserver_info) registers them.
    type: list
    elements: dict
    default: []
  observed_var:
    description:
      - The name of the variable in which a task registered the result of M(kubeops.aggregation_layer.apiserver_info)
        for every master of the play.
    type: str
    required: true
requirements:
  - cryptography >= 38.0.4
  - pyOpenSSL >= 23.0.0
  - PyYAML
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Decide for all masters of the play
  kubeops.aggregation_layer.front_proxy_plan:
    members: "{{ groups['masters'] }}"
    observed_var: observed
  run_once: true
  register: plan
"""

RETURN = r"""
hosts:
  description:
    - By master, V(action) (V(nothing), V(change), V(wait), V(refused)), V(flags), V(files), V(found), V(reasons),
      V(warnings), V(routing), V(error), V(pair_not_after) and V(ca_not_after).
  returned: success
  type: dict
  sample:
    m1:
      action: nothing
      error: ""
clusters:
  description:
    - By cluster, V(leader), V(folder), V(make_ca), V(adopt), V(sign), V(common_name), V(ca), V(ca_reason), V(look_at),
      V(error) and V(warnings).
  returned: success
  type: dict
  sample:
    kubernetes:
      leader: m1
      make_ca: false
      sign: ""
waves:
  description:
    - The masters that need something, in the order to go in. No wave holds two masters of one cluster.
  returned: success
  type: list
  elements: list
  sample:
    - [m1]
    - [m2]
pending:
  description:
    - The masters on which a change was cut off, and is to be finished first. In each list is at most one master of a
      cluster; the lists are worked off in their order.
  returned: success
  type: list
  elements: list
  sample: []
settled:
  description: Whether nothing is to be done on any of the masters, and nothing is refused.
  returned: success
  type: bool
  sample: false
"""
