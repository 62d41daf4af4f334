# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apiserver_info
short_description: Look at the kube-apiserver of one master
version_added: 0.1.0
description:
  - Tells in one round trip all that is needed to decide about the aggregation layer of one master. It reads the static
    pod manifest and its folder, the running kube-apiserver, the files that its flags name, and evidence for kube-proxy
    beside it.
  - It asks the running kube-apiserver, on an address of the master itself, whether it accepts the proxy-client pair
    that it is configured with. Where it does, whether it is ready is asked with that pair, in the group
    C(system:masters).
  - Needs nothing on the master but Python 3.8 or newer, and the rights of root.
  - Of a private key nothing is told but its mode and owner, and with which certificate it loads.
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
      - The clock of the controller, in seconds since the epoch. If given, RV(clock_skew) tells how far the clock of
        the master is ahead of it.
    type: float
  paths:
    description:
      - More files to look at, as they are called in the container of kube-apiserver.
    type: list
    elements: str
    default: []
  spec:
    description:
      - Any data about this master. It is not sent there. It comes back as RV(spec), so that one later task can decide
        for many masters by their results alone.
    type: dict
seealso:
  - module: kubeops.aggregation_layer.apiserver
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Look at the kube-apiserver of every master
  kubeops.aggregation_layer.apiserver_info:
  register: observed

- name: Show whether it accepts its own proxy-client pair
  ansible.builtin.debug:
    msg: "{{ observed.probe.accepted }}"
"""

RETURN = r"""
format:
  description: The number of this result's shape. It changes when the shape does.
  returned: success
  type: int
  sample: 3
root:
  description: The prefix that was given; empty on a live master.
  returned: success
  type: str
  sample: ""
manifest:
  description:
    - The static pod manifest, with V(path), V(text), V(checksum) (SHA-256), V(mode), V(uid) and V(gid).
  returned: success
  type: dict
  sample:
    path: /etc/kubernetes/manifests/kube-apiserver.yaml
    checksum: 5d41402abc4b2a76b9719d911017c592a5c2f3b1a6b7a1f8f1a4c3b2d1e0f9a8
    mode: "0600"
    uid: 0
    gid: 0
    text: "apiVersion: v1\nkind: Pod\n"
siblings:
  description:
    - The other files of the manifest's folder that the kubelet reads. Each has V(name), V(size), and V(text) if it
      speaks of kube-apiserver.
  returned: success
  type: list
  elements: dict
  sample:
    - name: etcd.yaml
      size: 2193
      text: null
process:
  description:
    - The running kube-apiserver, with V(pid), V(user) (as whom it reads files, V(uid), V(gid), V(groups), and
      V(overrides) if modes do not matter to it), V(argv), V(started) (seconds since the epoch), V(start_ticks), and
      V(mounts) (where the files come from, as the kernel tells it). Null if none runs.
  returned: success
  type: dict
  sample:
    pid: 447
    user: {uid: 0, gid: 0, groups: [], overrides: true}
    argv: [kube-apiserver, --secure-port=6443]
    started: 1792000000.5
    start_ticks: 41766
    mounts:
      - mount_point: /etc/kubernetes/pki
        source: /etc/kubernetes/pki
        device: "0:39"
kubelet_client_ca:
  description: The file by which the kubelet of this master knows its clients. Null if that is not known.
  returned: success
  type: str
  sample: /etc/kubernetes/pki/ca.crt
kubelets:
  description:
    - The kubelets that run here, and programs that may hold one, with V(pid), V(program), V(folder) (where static pods
      are read; empty if nowhere, null if that is not known), V(told_by) (the flag or file that tells it) and V(reads)
      (whether the manifest is among them; null if that is not known). Null if nothing could be known because of
      O(root).
  returned: success
  type: list
  elements: dict
  sample:
    - pid: 312
      program: kubelet
      folder: /etc/kubernetes/manifests
      told_by: /var/lib/kubelet/config.yaml
      reads: true
files:
  description:
    - By path, the files that matter. Each has V(exists) and V(is_link), and V(stamp), V(mode), V(uid), V(gid),
      V(owner), V(group), V(links), V(kind), V(checksum), V(certificates) (PEM), V(in_container) (the running container
      sees this very file), V(readable) (the user of the running server can read it), and for a private key
      V(loads_with) (the certificates that it fits).
  returned: success
  type: dict
  sample:
    /etc/kubernetes/pki/front-proxy-ca.crt:
      exists: true
      kind: certificates
      mode: "0644"
identities:
  description:
    - By path, where each path leads that the manifest or the running server names. V(real) is the path with all links
      followed, V(file) the file itself, as C(DEVICE:INODE), or null if nothing is there.
  returned: success
  type: dict
  sample:
    /etc/kubernetes/pki/front-proxy-ca.crt:
      real: /etc/kubernetes/ssl/front-proxy-ca.crt
      file: "2049:131"
service_routing:
  description:
    - The evidence that the master itself can reach the address of a Service. Empty if there is none, null if nothing
      could be known because of O(root).
    - Where the machine shows none, the Service C(kubernetes) is tried, and then the API is asked for DaemonSets that
      run on this node, and for an APIService that answers.
  returned: success
  type: list
  elements: str
  sample:
    - the process kube-proxy runs
network:
  description:
    - What lies between the running kube-apiserver and the Services. Null if nothing could be known because of O(root).
    - V(environment) holds its proxy variables, the proxies without credentials, V(egress) what the file of
      C(--egress-selector-config-file) says of the cluster (V(tunnel), V(direct), V(none) or V(unknown)), and V(pods)
      the networks of pods that are known.
    - V(traces) tells whether C(iptables-save) or C(nft) could be asked, V(api) whether the API could,
      V(service_address) what came of trying the Service C(kubernetes), and V(left_unset) when this collection last
      ended a change that left the manifest as it is now, and without C(--enable-aggregator-routing).
  returned: success
  type: dict
  sample:
    environment:
      HTTPS_PROXY: http://proxy.example.com:3128
      NO_PROXY: 127.0.0.1,localhost,10.96.0.0/12,10.244.0.0/16
    egress: null
    pods: [10.244.0.0/16]
    traces: true
    api: false
    service_address: null
    left_unset: null
clock:
  description: The clock of the master, in seconds since the epoch.
  returned: success
  type: float
  sample: 1792000000.25
clock_skew:
  description: How many seconds the clock of the master is ahead of O(controller_clock).
  returned: success
  type: float
  sample: 0.021
probe:
  description:
    - What the running kube-apiserver answered, with V(address), V(port), V(answers), V(ready), V(accepted) (it accepts
      its own proxy-client pair), V(status), V(reload_hook), V(version) and V(error). Null if none runs.
  returned: success
  type: dict
  sample:
    address: 127.0.0.1
    port: 6443
    answers: true
    ready: true
    accepted: true
    status: 200
    reload_hook: true
    version: v1.36.2
    error: null
spec:
  description: What was given as O(spec).
  returned: always
  type: dict
  sample: {}
pending:
  description:
    - A change that began on this master and was cut off, with V(started) (UTC). Null if there is none.
  returned: success
  type: dict
  sample:
    started: "2026-11-22T02:03:04Z"
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.observe import observe


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
            "certificates_dir": {"type": "path"},
            "root": {"type": "path"},
            "lock_timeout": {"type": "float", "default": 300},
            "controller_clock": {"type": "float"},
            "paths": {"type": "list", "elements": "str", "default": []},
            "spec": {"type": "dict"},
        },
        supports_check_mode=True,
    )
    given = {name: value for name, value in module.params.items() if name != "spec"}
    try:
        found = observe(**given)
    except MasterError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
