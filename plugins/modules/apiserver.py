# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: apiserver
short_description: Bring the kube-apiserver of one master to a wanted state
version_added: 0.1.0
description:
  - Writes certificates and keys, and sets flags in the static pod manifest of kube-apiserver, so that the master is
    never left with something that its kubelet cannot run.
  - The manifest is edited as text. Only the characters that must change do change, and the result is read again before
    it is used. Comments, order, quoting and unknown fields stay.
  - All new files are written completely beside their places and checked, the old state is saved in
    V(/etc/kubernetes/front-proxy-backup), and only then are they renamed to their places, the manifest last, and only
    if it is still the text that was looked at.
  - Then it waits, on the master itself, until the kubelet has replaced kube-apiserver, and that serves and accepts the
    proxy-client pair. If it does not in time, or keeps ending by itself, the old state is put back, and the task fails
    with the last words of kube-apiserver. This goes on even if the controller or the connection does not.
  - Where a folder of one of the front-proxy files is not mounted into the pod, a C(hostPath) volume and its mount are
    added.
  - Needs nothing on the master but Python 3.8 or newer, and the rights of root.
extends_documentation_fragment:
  - kubeops.aggregation_layer._attributes
  - kubeops.aggregation_layer._attributes.actiongroup
  - kubeops.aggregation_layer._attributes.files
  - kubeops.aggregation_layer._attributes.flow
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Shows the manifest as text, and certificates by subject, fingerprint and dates. A key is never shown, nor what
        may be a secret in the manifest, such as the value of a variable.
  idempotent:
    support: full
  safe_file_operations:
    support: full
  action:
    support: full
  async:
    support: none
options:
  flags:
    description:
      - Flags of kube-apiserver without the dashes in front, with the value that each is to have. V(null) stands for a
        flag that must not be set.
      - A flag that has its value already is not touched, however it is written.
    type: dict
    default: {}
  files:
    description:
      - Files that kube-apiserver reads, in the order of writing.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description:
          - Where the file lies in the container of kube-apiserver, as a flag names it. The place on the master is
            found through the volumes of the manifest.
        type: str
        required: true
      content:
        description:
          - What is to be in it, PEM. Either this or O(files[].src) is needed.
        type: str
      src:
        description:
          - A file on the controller with the content. In check mode it need not be there yet.
        type: path
      made_anew:
        description:
          - Whether an earlier task makes O(files[].src) anew. In check mode what is there now does not count then.
        type: bool
        default: false
      mode:
        description:
          - The permission bits, in octal digits. Without it a file that is there keeps mode and owners, if
            kube-apiserver can read it and a private key is not open to all; else it gets V(0600) for a private key and
            V(0644) for everything else, and an owner who lets kube-apiserver read it, whichever user it runs as.
        type: str
      owner:
        description:
          - Whose it is to be. By default it stays whose it is, if kube-apiserver can read it then. A new one becomes
            whose the own key of kube-apiserver is, or, where that would not let it read or let others read a private
            key, the user's whom kube-apiserver runs as.
        type: str
      group:
        description:
          - Which group's it is to be. The default is found as for O(files[].owner).
        type: str
  manifest:
    description:
      - Path of the static pod manifest of kube-apiserver.
    type: path
    default: /etc/kubernetes/manifests/kube-apiserver.yaml
  container:
    description:
      - Name of the container of kube-apiserver in its pod.
    type: str
    default: kube-apiserver
  wait:
    description:
      - Whether to wait until kube-apiserver runs as wanted, and to go back if it does not. A change that no kubelet
        would take up is refused then.
    type: bool
    default: true
  wait_timeout:
    description:
      - For how many seconds to wait. A kube-apiserver that forbids everybody to ask whether it is ready must have
        answered for ten of them.
    type: int
    default: 300
  lock_timeout:
    description:
      - For how many seconds to wait for another run that is changing this master.
    type: int
    default: 300
  root:
    description:
      - A prefix for all paths, to change an image that is being built, or a sandbox. Nothing is waited for then.
    type: path
  observed:
    description:
      - The result of M(kubeops.aggregation_layer.apiserver_info) for this master, if that was called a moment ago. It
        saves a round trip. What has changed since is noticed, and then nothing is written.
    type: dict
  order:
    description:
      - What the action plugin sends to the master, as JSON. Not for playbooks.
    type: str
  recover:
    description:
      - What the action plugin sends to finish a change that was cut off. Not for playbooks.
    type: bool
    default: false
seealso:
  - module: kubeops.aggregation_layer.apiserver_info
author:
  - The kubeops.aggregation_layer authors (@kubeops)
"""

EXAMPLES = r"""
- name: Route aggregated requests straight to the endpoints
  kubeops.aggregation_layer.apiserver:
    flags:
      enable-aggregator-routing: true

- name: Switch profiling off in an image that is being built
  kubeops.aggregation_layer.apiserver:
    root: /mnt/image
    flags:
      profiling: false

- name: Replace the proxy-client pair
  kubeops.aggregation_layer.apiserver:
    files:
      - path: /etc/kubernetes/pki/front-proxy-client.key
        src: pki/front-proxy-client.key
      - path: /etc/kubernetes/pki/front-proxy-client.crt
        src: pki/front-proxy-client.crt
"""

RETURN = r"""
reasons:
  description: A sentence for each thing that changed, or would change in check mode.
  returned: success
  type: list
  elements: str
  sample:
    - --enable-aggregator-routing was not set
files:
  description: The files that were written, or would be.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/kubernetes/pki/front-proxy-client.crt
manifest_changed:
  description: Whether the manifest was changed, or would be.
  returned: success
  type: bool
  sample: true
restart:
  description: Why kube-apiserver had to restart, or would have to. Empty if not.
  returned: success
  type: str
  sample: kube-apiserver reads its flags at its start only
restarted:
  description: Whether it did restart and was waited for.
  returned: when something was done
  type: bool
  sample: true
seconds:
  description: How many seconds it took until kube-apiserver served as wanted.
  returned: when it was waited for
  type: float
  sample: 7.2
rolled_back:
  description: Whether the old state was put back.
  returned: when something was done
  type: bool
  sample: false
last_words:
  description: The last lines of the log of kube-apiserver.
  returned: when it did not serve
  type: list
  elements: str
  sample:
    - "Error: unknown flag: --no-such-flag"
recovered:
  description: What was done about a change that had been cut off before.
  returned: when there was one
  type: str
  sample: Finished a change that began at 2026-11-22T02:03:04Z and was cut off.
backup:
  description: The folder on the master that holds what was replaced. Keys are not in it.
  returned: when something was written
  type: str
  sample: /etc/kubernetes/front-proxy-backup/20261122T020304Z
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import read_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.detached import run_detached
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.owners import with_numbers
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._shown import UserError


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "flags": {"type": "dict", "default": {}},
            "files": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "path": {"type": "str", "required": True},
                    "content": {"type": "str", "no_log": True},
                    "src": {"type": "path"},
                    "made_anew": {"type": "bool", "default": False},
                    "mode": {"type": "str"},
                    "owner": {"type": "str"},
                    "group": {"type": "str"},
                },
            },
            "manifest": {"type": "path", "default": "/etc/kubernetes/manifests/kube-apiserver.yaml"},
            "container": {"type": "str", "default": "kube-apiserver"},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 300},
            "lock_timeout": {"type": "int", "default": 300},
            "root": {"type": "path"},
            "observed": {"type": "dict"},
            "order": {"type": "str", "no_log": True},
            "recover": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    if module.check_mode or (module.params["order"] is None and not module.params["recover"]):
        module.fail_json(msg="This module does its work through its action plugin; call it from a task, not directly.")
    places = Places(module.params["root"])
    result: t.Mapping[str, t.Any]
    try:
        if module.params["recover"]:
            result = run_detached(lambda: recover(places, module.params["lock_timeout"]))
        else:
            order = with_numbers(read_order(module.params["order"]))
            result = run_detached(lambda: change(order, places))
    except UserError as error:
        module.fail_json(msg=str(error))
    if result.get("failed"):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
