# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_smoke
short_description: Call a throw-away extension API server through every master
version_added: 0.1.0
description:
  - Shows that the aggregation layer works without anything being installed. On one master of each cluster a small
    extension API server runs for a moment, made of Python's standard library. It is registered under an API group of
    its own, called through every master, and removed.
  - The server knows the caller as every extension API server does. It wants a certificate of a CA that the cluster
    publishes, with a name that the cluster publishes, and reads the user from the headers. It answers whom it saw.
  - The three steps are three tasks for all masters of the play. In each step the action decides for each master what
    there is to do.
  - The objects are a Service and Endpoints in C(kube-system), and an APIService. The server makes and removes them
    itself. It does so at the end of its time, too, so nothing is left of a run that is cut off. What is left of a
    server that was killed is found and removed by the next test.
  - This is a part of the entry point C(verify) of the role P(kubeops.aggregation_layer.front_proxy#role).
extends_documentation_fragment:
  - kubeops.aggregation_layer._attributes
  - kubeops.aggregation_layer._attributes.actiongroup
  - kubeops.aggregation_layer._attributes.flow
attributes:
  action:
    support: full
  async:
    support: none
  check_mode:
    support: full
    details:
      - Does nothing in check mode.
  diff_mode:
    support: none
  idempotent:
    support: full
    details:
      - What it makes it takes away again.
options:
  step:
    description:
      - With V(begin), the first master of each cluster that can do so starts the server. With V(ask), every master
        calls it. With V(end), the server is stopped.
    type: str
    choices: [begin, ask, end]
    required: true
  kubeconfig:
    description:
      - A kubeconfig on the controller, with whose user to make the objects and to call.
      - A relative path begins at the folder in which the command is typed.
    type: path
  observed_var:
    description:
      - The name of the variable in which a task registered the result of
        M(kubeops.aggregation_layer.aggregation_layer_info) for every master of the play. A task always gives it.
    type: str
  begun_var:
    description:
      - The name of the variable in which the step V(begin) registered its result. The other steps need it.
    type: str
  test:
    description:
      - The id of the test. Only the action plugin of this module sets this and all that follow.
    type: str
  process:
    description:
      - The running kube-apiserver, as V(pid) and V(argv).
    type: dict
  user:
    description:
      - The name of the user in O(kubeconfig).
    type: str
  credentials:
    description:
      - The credentials that were read from O(kubeconfig).
    type: dict
  certificate:
    description:
      - The certificate that the server shows.
    type: str
  key:
    description:
      - Its key. Both are made for this test alone.
    type: str
  life:
    description:
      - For how many seconds the server may run.
    type: float
    default: 120
requirements:
  - cryptography >= 38.0.4
  - PyYAML
seealso:
  - module: kubeops.aggregation_layer.front_proxy_findings
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Begin the smoke test
  kubeops.aggregation_layer.front_proxy_smoke:
    step: begin
    observed_var: seen
  register: begun

- name: Call through this master
  kubeops.aggregation_layer.front_proxy_smoke:
    step: ask
    observed_var: seen
    begun_var: begun
  register: asked
"""

RETURN = r"""
host:
  description: The master on which the server runs. Empty if there is none.
  returned: success
  type: str
  sample: m1
took_part:
  description: Whether this master had something to do in this step.
  returned: success
  type: bool
  sample: true
test:
  description: The id of the test.
  returned: where this master took part
  type: str
  sample: 6f1d2c3b
group:
  description: The API group of the test.
  returned: where this master took part
  type: str
  sample: 6f1d2c3b.smoke-test.kubeops
swept:
  description: The ids of earlier tests of which something was left. It was removed.
  returned: where the server was begun
  type: list
  elements: str
  sample: []
caller:
  description: Whom the server saw, as V(user), V(groups), V(certificate) and V(serial). Null if it was not reached.
  returned: by O(step=ask)
  type: dict
  sample:
    user: kubeops:aggregation-layer:smoke-test
    groups: [system:masters, system:authenticated]
    certificate: front-proxy-client
refused:
  description: Who was not let in by the server, as V(from) and V(why).
  returned: by O(step=end), where the server ran
  type: list
  elements: dict
  sample: []
left:
  description: Sentences about objects that could not be removed.
  returned: by O(step=end), where the server ran
  type: list
  elements: str
  sample: []
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.credentials import read_credentials
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.smoke import ask_through, begin, end
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError


def _work(given: dict[str, t.Any]) -> t.Mapping[str, t.Any]:
    if given["step"] == "end":
        return end(test=given["test"])
    if given["credentials"] is not None:
        given["credentials"] = read_credentials(given["credentials"])
    if given["step"] == "ask":
        return ask_through(**{name: given[name] for name in ("process", "user", "credentials", "test")})
    names = ("process", "user", "credentials", "test", "certificate", "key", "life")
    return begin(**{name: given[name] for name in names})


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "step": {"type": "str", "choices": ["begin", "ask", "end"], "required": True},
            "kubeconfig": {"type": "path"},
            "observed_var": {"type": "str"},
            "begun_var": {"type": "str"},
            "test": {"type": "str"},
            "process": {"type": "dict"},
            "user": {"type": "str"},
            "credentials": {"type": "dict", "no_log": True},
            "certificate": {"type": "str"},
            "key": {"type": "str", "no_log": True},
            "life": {"type": "float", "default": 120},
        },
        required_if=[
            ("step", "begin", ("test", "process", "certificate", "key")),
            ("step", "ask", ("test", "process")),
            ("step", "end", ("test",)),
        ],
        supports_check_mode=True,
    )
    if module.check_mode:
        module.exit_json(changed=False)
    try:
        found = _work(module.params)
    except UserError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
