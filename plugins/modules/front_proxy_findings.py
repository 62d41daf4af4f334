# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_findings
short_description: Say what is wrong with the aggregation layer of the masters of a play
version_added: 0.1.0
description:
  - Takes what M(kubeops.aggregation_layer.aggregation_layer_info) told of all masters of the play, and returns
    findings. Each has an id, a severity, its evidence, what follows of it, and how to mend it. Changes nothing.
  - Shows them as a table. The first line names the worst cause. It has colours only on a terminal.
  - This is the last step of the entry point C(verify) of the role P(kubeops.aggregation_layer.front_proxy#role).
  - No finding fails this task, whatever O(fail_on) is. RV(wrong) says whether the role is to fail.
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
  fail_on:
    description:
      - From which severity on something is wrong. The order is V(broken), V(at_risk), V(will_break), V(untidy).
    type: str
    choices: [broken, at_risk, will_break, untidy, never]
    default: will_break
  target_release:
    description:
      - A release of Kubernetes to upgrade to, such as V(1.36). What breaks up to it counts as V(broken), what breaks
        only later is left out.
    type: str
    default: ""
  report:
    description:
      - A file on the controller into which the findings are written as JSON. Not in check mode.
      - A relative path begins at the folder in which the command is typed.
    type: path
  members:
    description:
      - All masters of the inventory, also those that are not part of this play. Where one of them was not looked at,
        nothing is said about what no master has any more.
    type: list
    elements: str
    default: []
  pattern:
    description:
      - The pattern by which O(members) were found, for commands to paste.
    type: str
    default: masters
  show:
    description:
      - Whether to show the table.
    type: bool
    default: true
  observed_var:
    description:
      - The name of the variable in which a task registered the result of
        M(kubeops.aggregation_layer.aggregation_layer_info) for every master of the play.
    type: str
    required: true
  smoke_vars:
    description:
      - The names of the variables in which the steps of the smoke test registered their results, by V(begin), V(ask)
        and V(end). Leave it out if there was none.
    type: dict
    default: {}
requirements:
  - cryptography >= 38.0.4
  - pyOpenSSL >= 23.0.0
  - PyYAML
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Judge what was observed
  kubeops.aggregation_layer.front_proxy_findings:
    observed_var: seen
    target_release: "1.36"
  run_once: true
  register: judged
"""

RETURN = r"""
findings:
  description:
    - The findings, the worst one first, each with V(id), V(severity), V(when) (a release or a date), V(cluster),
      V(hosts) (empty for the cluster as a whole), V(title), V(evidence), V(consequence), V(fix), and V(front_proxy)
      (false where an extension API server is at fault).
    - The file C(docs/findings.md) of the collection lists all kinds.
  returned: success
  type: list
  elements: dict
  sample:
    - id: pair-expired
      severity: broken
      hosts: [m1]
      front_proxy: true
notes:
  description: Sentences about what could not be seen, and what a finding explains besides.
  returned: success
  type: list
  elements: str
  sample: []
worst:
  description: The worst severity; empty if there is no finding.
  returned: success
  type: str
  sample: broken
headline:
  description: One line that names the worst cause; empty if there is no finding.
  returned: success
  type: str
  sample: "BROKEN: m1: the proxy client's certificate has expired"
failing:
  description: >-
    By host of the play, the line that names the worst cause of its cluster, where that is as bad as O(fail_on) or
    worse. A host whose cluster is well is not among them.
  returned: success
  type: dict
  sample:
    m1: "BROKEN: m1: the proxy client's certificate has expired"
wrong:
  description: Whether the worst finding is as bad as O(fail_on) or worse.
  returned: success
  type: bool
  sample: true
"""
