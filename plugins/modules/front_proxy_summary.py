# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_summary
short_description: Say what the role front_proxy found and did
version_added: 0.1.0
description:
  - Takes the plan of M(kubeops.aggregation_layer.front_proxy_plan), and the results that the role
    P(kubeops.aggregation_layer.front_proxy#role) keeps for every host, and shows lines for a person. Changes nothing.
  - What failed stands first, then what was changed, and why. Hosts with the same outcome share a paragraph. All masters
    for which nothing was to be done share one line. With C(-v) it says of those, too, what was found.
  - The lines have colours only on a terminal, and C(NO_COLOR) is heeded.
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
  plan_var:
    description:
      - The name of the variable in which a task registered the result of
        M(kubeops.aggregation_layer.front_proxy_plan).
    type: str
    required: true
  registered_vars:
    description:
      - The names of the variables in which tasks registered their results for every host, by V(observed),
        V(recovered), V(ca), V(client), V(applied) and V(proof).
    type: dict
    required: true
seealso:
  - module: kubeops.aggregation_layer.front_proxy_plan
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Say what was done
  kubeops.aggregation_layer.front_proxy_summary:
    plan_var: plan
    registered_vars:
      observed: observed
      recovered: recovered
      ca: ca
      client: client
      applied: applied
      proof: proof
  run_once: true
"""

RETURN = r"""
summary:
  description: The lines.
  returned: success
  type: list
  elements: str
  sample: ["m1, m2, m3: nothing to do; CA until 2036-11-24, pair until 2027-11-27"]
"""
