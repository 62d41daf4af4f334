# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment that a manifest gives to its server."""

from __future__ import annotations

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.environment import read_environment
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import read_pod

POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  containers:
  - name: other
    env:
    - {{name: HTTPS_PROXY, value: of-another-container}}
  - name: kube-apiserver
    command: [kube-apiserver]
{env}
"""


@pytest.mark.parametrize(
    ("env", "values", "unread"),
    [
        ("", {}, ()),
        ("    env: []", {}, ()),
        ("    env:", {}, ()),
        ("    env:\n    - name: A\n      value: b", {"A": "b"}, ()),
        ("    env:\n    - value: b\n      name: A", {"A": "b"}, ()),
        ("    env: [{name: A, value: 'b,c'}, {name: D}]", {"A": "b,c", "D": ""}, ()),
        ("    env: [{name: A, value: b}, {name: A, value: c}]", {"A": "c"}, ()),
        ("    env: [{name: H, value: 10.0.0.1}, {name: A, value: 'x,$(H)'}]", {"H": "10.0.0.1", "A": "x,10.0.0.1"}, ()),
        ("    env: [{name: A, value: 'x,$(H)'}, {name: H, value: b}]", {"A": "x,$(H)", "H": "b"}, ()),
        ("    env: [{name: H, value: b}, {name: A, value: '$$(H)'}]", {"H": "b", "A": "$(H)"}, ()),
        ("    env:\n    - name: A\n      valueFrom: {fieldRef: {fieldPath: status.hostIP}}", {}, ("A",)),
        ("    envFrom:\n    - configMapRef: {name: proxies}", {}, ("envFrom",)),
        ("    envFrom: []", {}, ()),
        ("    env: broken", {}, ()),
        ("    env: [broken]", {}, ()),
        ("    env: [{name: A, value: 1}]", {}, ()),
    ],
)
def test_what_a_server_gets(env: str, values: dict[str, str], unread: tuple[str, ...]) -> None:
    found = read_environment(read_pod(POD.format(env=env)))
    assert (found.values, found.unread) == (values, unread)
