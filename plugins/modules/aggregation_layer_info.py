# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: aggregation_layer_info
short_description: Look at the aggregation layer as one master sees it
version_added: 0.1.0
description:
  - Tells in one round trip all that M(kubeops.aggregation_layer.apiserver_info) tells, and more. It reads which client
    CAs the running kube-apiserver names in its TLS handshake, what it publishes for extension API servers, and every
    APIService that leads to a Service. It asks each of those through this master.
  - It reads the API with the front-proxy pair of this master, as kube-apiserver itself does when it asks extension API
    servers whether they are there. The user is C(system:kube-aggregator), the group is C(system:masters). The user
    alone may read nothing. So no kubeconfig is needed, but for O(kubeconfig) on a master whose pair is not accepted.
  - Writes nothing. Needs nothing on the master but Python 3.8 or newer, and the rights of root.
  - Of a private key nothing is told but its mode and owner, and with which certificates it loads.
  - Where a manifest or a command line holds what may be a secret, such as the value of a variable, the result is not
    shown, at no verbosity. What is registered has it all the same, since the other modules need the manifest as it is.
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
  manifest:
    description:
      - Path of the static pod manifest of kube-apiserver.
    type: path
    default: /etc/kubernetes/manifests/kube-apiserver.yaml
  certificates_dir:
    description:
      - A folder in which to look for the front-proxy files, besides the folders that the manifest names.
    type: path
  root:
    description:
      - A prefix for all paths, to look at an image that is being built, or at a sandbox. Nothing that runs is looked
        at then.
    type: path
  lock_timeout:
    description:
      - For how many seconds to wait for another run that is changing this master.
    type: float
    default: 300
  controller_clock:
    description:
      - The clock of the controller, in seconds since the epoch.
    type: float
  kubeconfig:
    description:
      - A kubeconfig on the controller. The API is then read with the credentials of the user of its current context.
        The address in it is not used. Each master is asked on its own.
      - The user may have a client certificate or a token. One that is had from a program is not supported.
      - A relative path begins at the folder in which the command is typed.
    type: path
  user:
    description:
      - The name of the user in O(kubeconfig). Only the action plugin of this module sets this and O(credentials).
    type: str
  credentials:
    description:
      - The credentials that were read from O(kubeconfig).
    type: dict
  spec:
    description:
      - Any data about this master. It is not sent there. It comes back as RV(spec), so that one later task can decide
        for many masters by their results alone.
    type: dict
seealso:
  - module: kubeops.aggregation_layer.apiserver_info
  - module: kubeops.aggregation_layer.front_proxy_findings
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Look at the aggregation layer from every master
  kubeops.aggregation_layer.aggregation_layer_info:
  register: seen

- name: Show what is published for extension API servers
  ansible.builtin.debug:
    msg: "{{ seen.layer.published }}"
"""

RETURN = r"""
layer:
  description:
    - What the kube-apiserver of this master tells of the layer. Null if none runs, or there is no pair to ask with.
    - V(user) is who asked, V(status) what the first request gave, V(error) why it gave nothing.
    - V(published) is the data of the ConfigMap C(extension-apiserver-authentication).
    - V(apiservices) lists those that lead to a Service, V(through) what they answer through this master, and
      V(unavailable) those that this kube-apiserver itself counts as unavailable.
    - Of each APIService, V(marks) are the labels and annotations that name a product or a deployment, V(applied) is the
      Service that C(kubectl apply) was last given, and V(setters) tells who holds which of its fields.
    - V(services) tells where their Services lead, with V(replicas), what each endpoint answers when it is asked as
      kube-apiserver asks it, by the front-proxy pair. For an APIService that does not answer it tells more.
    - V(providers) lists Services of products that serve APIs of metrics, V(stuck) namespaces that do not end as not
      all APIs could be discovered, and V(stale) the APIs that this kube-apiserver could not discover anew.
    - V(kubeadm_config) is the version of the API in which kubeadm keeps its configuration. Null if there is none.
  returned: success
  type: dict
  sample:
    user: system:kube-aggregator
    status: 200
    error: null
    apiservices: []
handshake:
  description:
    - The client CAs that the running kube-apiserver names in its TLS handshake, as V(names) (DER in base64), or
      V(error).
  returned: success
  type: dict
  sample:
    names: [MBUxEzARBgNVBAMTCmt1YmVybmV0ZXM=]
    error: null
without_user:
  description:
    - The status of C(/version) with the pair and without a user's name. It is V(401) where all is well.
  returned: success
  type: int
  sample: 401
public_keys:
  description: By path, the public keys (PEM) in the files of C(--service-account-key-file).
  returned: success
  type: dict
  sample: {}
key_fits:
  description: By path, the certificates with which a private key of the service accounts loads.
  returned: success
  type: dict
  sample:
    /etc/kubernetes/pki/sa.key: []
ca_key_fits:
  description: The front-proxy CAs, as paths, beside which lies the key that fits them, so that they can sign a pair.
  returned: success
  type: list
  elements: str
  sample: [/etc/kubernetes/pki/front-proxy-ca.crt]
probe:
  description:
    - This and everything else is as M(kubeops.aggregation_layer.apiserver_info) returns it.
  returned: success
  type: dict
  sample:
    accepted: true
spec:
  description: What was given as O(spec).
  returned: always
  type: dict
  sample: {}
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.credentials import read_credentials
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.survey import survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
            "certificates_dir": {"type": "path"},
            "root": {"type": "path"},
            "lock_timeout": {"type": "float", "default": 300},
            "controller_clock": {"type": "float"},
            "kubeconfig": {"type": "path"},
            "user": {"type": "str"},
            "credentials": {"type": "dict", "no_log": True},
            "spec": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    given = {name: value for name, value in module.params.items() if name not in ("spec", "kubeconfig")}
    try:
        if given["credentials"] is not None:
            given["credentials"] = read_credentials(given["credentials"])
        found = survey(**given)
    except UserError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
