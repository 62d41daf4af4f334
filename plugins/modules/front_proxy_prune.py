# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_prune
short_description: Take front-proxy CAs and names that no master has any more out of what a cluster publishes
version_added: 0.1.0
description:
  - Extension API servers trust the front-proxy CAs and the names in the ConfigMap
    C(kube-system/extension-apiserver-authentication). Every kube-apiserver adds its own to it, and none of them takes
    one out before it has expired. So a CA that was replaced is trusted on, with all that it ever signed.
  - Takes what M(kubeops.aggregation_layer.aggregation_layer_info) told of all masters of the play. Decides on the
    controller which of the published CAs (C(requestheader-client-ca-file)) and names (C(requestheader-allowed-names))
    no master has any more, neither in its files nor in what its running kube-apiserver has loaded. One master of each
    cluster then takes exactly those out, through its own kube-apiserver.
  - The ConfigMap is changed only if it is still what was decided about (its C(resourceVersion)). If somebody changes
    it meanwhile, it is read and decided about anew, a few times.
  - A CA stays that a master has in a file, that a running kube-apiserver names, or that signed the pair of a master. So
    does one that cannot be read. The last CA that a master has is never taken out, nor the last name, and the CA of the
    client certificates (C(client-ca-file)) is never touched. What stays keeps its text to the byte.
  - Names are only taken out where every master has a list of names. An empty list allows any name.
  - Refuses if one master of the cluster was not looked at, or is not known in all parts, or if the cluster has a
    kube-apiserver that is none of them. It may have what the others do not have.
  - Afterwards it watches whether something comes back, for as long as every kube-apiserver needs to add what it has.
  - This is a part of the entry point C(prune) of the role P(kubeops.aggregation_layer.front_proxy#role).
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
      - Reads, decides, and says what would go.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  members:
    description:
      - All masters of the inventory, also those that are not part of this play. A task always gives it.
    type: list
    elements: str
  pattern:
    description:
      - The pattern by which O(members) were found.
    type: str
    default: masters
  observed_var:
    description:
      - The name of the variable in which a task registered the result of
        M(kubeops.aggregation_layer.aggregation_layer_info) for every master of the play. A task always gives it.
    type: str
  kubeconfig:
    description:
      - A kubeconfig on the controller, with whose user to read and change the ConfigMap.
      - A relative path begins at the folder in which the command is typed.
    type: path
  watch:
    description:
      - For how many seconds to watch whether something comes back. Every kube-apiserver adds what it has once a minute.
        With V(0) nobody watches.
    type: int
    default: 70
  may_wait:
    description:
      - Where a file of a master is so new that its kube-apiserver may not have loaded it, return RV(wait) and do
        nothing, in place of failing.
    type: bool
    default: false
  step:
    description:
      - What to do on the master. Only the action plugin of this module sets this and all that follow.
    type: str
    choices: [look, take_out, watch]
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
  version:
    description:
      - The C(resourceVersion) that the ConfigMap must still have.
    type: str
  cas:
    description:
      - The fingerprints (SHA-256) of the certificates to take out.
    type: list
    elements: str
    default: []
  names:
    description:
      - The names to take out.
    type: list
    elements: str
    default: []
  seconds:
    description:
      - For how long to watch.
    type: float
    default: 70
requirements:
  - cryptography >= 38.0.4
  - pyOpenSSL >= 23.0.0
  - PyYAML
seealso:
  - module: kubeops.aggregation_layer.aggregation_layer_info
  - module: kubeops.aggregation_layer.front_proxy_findings
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Look at every master
  kubeops.aggregation_layer.aggregation_layer_info:
  register: seen

- name: Take out what no master has any more
  kubeops.aggregation_layer.front_proxy_prune:
    members: "{{ groups['masters'] }}"
    pattern: masters
    observed_var: seen
  register: pruned

- name: Say what went, and why
  ansible.builtin.debug:
    msg: "{{ pruned.summary }}"
  when: pruned.took_part
"""

RETURN = r"""
took_part:
  description: Whether this master was the one through which its cluster's API was asked.
  returned: success
  type: bool
  sample: true
host:
  description: The master through which the API is asked.
  returned: success
  type: str
  sample: m1
wait:
  description: In how many seconds every kube-apiserver has loaded its files. Nothing was done if it is not 0.
  returned: success
  type: int
  sample: 0
why_wait:
  description: Which file is so new that its kube-apiserver may not have loaded it; empty if there is none.
  returned: success
  type: str
  sample: ""
cluster:
  description: The name of the cluster.
  returned: where this master took part
  type: str
  sample: kubernetes
cas:
  description:
    - The CAs that were taken out, or would be in check mode, each with V(subject), V(fingerprint) and
      V(key_fingerprint) (SHA-256), V(not_after) and V(why).
  returned: where this master took part
  type: list
  elements: dict
  sample:
    - subject: CN=front-proxy-ca
      not_after: "2034-05-11T09:24:11Z"
      why: no master has it, in its files or loaded
names:
  description: The names that were taken out, or would be in check mode, each with V(name) and V(why).
  returned: where this master took part
  type: list
  elements: dict
  sample: []
stays:
  description: Sentences on what no file of a master has and is left all the same, and why.
  returned: where this master took part
  type: list
  elements: str
  sample: []
tries:
  description: How often it was decided, because somebody changed the ConfigMap meanwhile.
  returned: where this master took part
  type: int
  sample: 1
watched:
  description: For how many seconds it was seen that nothing came back. It is 0 where nothing was taken out.
  returned: where this master took part
  type: int
  sample: 70
summary:
  description: All of it as lines for a person.
  returned: where this master took part
  type: list
  elements: str
  sample: ["cluster kubernetes: nothing to take out of kube-system/extension-apiserver-authentication"]
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.credentials import read_credentials
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.prune import look, take_out, watch
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError


def _work(given: dict[str, t.Any]) -> t.Mapping[str, t.Any]:
    who = {name: given[name] for name in ("process", "user", "credentials")}
    if who["credentials"] is not None:
        who["credentials"] = read_credentials(who["credentials"])
    if given["step"] == "look":
        return look(**who)
    what = {name: given[name] for name in ("cas", "names")}
    if given["step"] == "watch":
        return watch(**who, **what, seconds=given["seconds"])
    return take_out(**who, **what, version=given["version"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "members": {"type": "list", "elements": "str"},
            "pattern": {"type": "str", "default": "masters"},
            "observed_var": {"type": "str"},
            "kubeconfig": {"type": "path"},
            "watch": {"type": "int", "default": 70},
            "may_wait": {"type": "bool", "default": False},
            "step": {"type": "str", "choices": ["look", "take_out", "watch"]},
            "process": {"type": "dict"},
            "user": {"type": "str"},
            "credentials": {"type": "dict", "no_log": True},
            "version": {"type": "str"},
            "cas": {"type": "list", "elements": "str", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "float", "default": 70},
        },
        required_if=[
            ("step", "look", ("process",)),
            ("step", "take_out", ("process", "version")),
            ("step", "watch", ("process",)),
        ],
        supports_check_mode=True,
    )
    if module.check_mode and module.params["step"] != "look":
        module.exit_json(changed=False, taken=False, now=None)
    try:
        found = _work(module.params)
    except UserError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(found.get("taken")), **found)


if __name__ == "__main__":
    main()
