# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As which user a manifest has kube-apiserver run: container before pod, in every spelling that a kubelet takes."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import read_pod
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.user import StatedUser, stated_user

POD = """apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
spec:
  securityContext: {pod}
  containers:
  - name: other
    image: other
    securityContext: {{runAsUser: 99}}
  - name: kube-apiserver
    securityContext: {own}
    command: [kube-apiserver]
"""


def stated(own: str = "{}", pod: str = "{}") -> StatedUser:
    return stated_user(read_pod(POD.format(own=own, pod=pod)))


@pytest.mark.parametrize(
    ("own", "pod", "user", "group", "groups"),
    [
        ("{}", "{}", None, None, ()),
        ("null", "null", None, None, ()),
        ("{runAsUser: 65534}", "{}", 65534, None, ()),
        ("{}", "{runAsUser: 65534, runAsGroup: 65533}", 65534, 65533, ()),
        ("{runAsUser: 1}", "{runAsUser: 2, runAsGroup: 3}", 1, 3, ()),
        ("{runAsUser: 0}", "{runAsUser: 2}", 0, None, ()),
        ("{runAsGroup: 5}", "{runAsGroup: 6}", None, 5, ()),
        ("{}", "{supplementalGroups: [7, 3], fsGroup: 9}", None, None, (3, 7, 9)),
        ("{}", "{supplementalGroups: [7], fsGroup: 7}", None, None, (7,)),
        # the spellings of numbers in YAML 1.1 and JSON
        ("{runAsUser: 0x10}", "{}", 16, None, ()),
        ("{runAsUser: 1_000}", "{}", 1000, None, ()),
        ("{runAsUser: 017}", "{}", 15, None, ()),
        ("{runAsUser: 0}", "{}", 0, None, ()),
        ("{runAsUser: 09}", "{}", None, None, ()),
        ('{"runAsUser": 12}', "{}", 12, None, ()),
        # what is no number, or out of range, no kubelet takes
        ("{runAsUser: kas}", "{}", None, None, ()),
        ("{runAsUser: -1}", "{}", None, None, ()),
        ("{runAsUser: 99999999999}", "{}", None, None, ()),
        ("{runAsUser: [1]}", "{}", None, None, ()),
        ("[1]", "text", None, None, ()),
    ],
)
def test_who_it_is(
    own: str, pod: str, user: t.Optional[int], group: t.Optional[int], groups: t.Tuple[int, ...]
) -> None:
    found = stated(own, pod)
    assert (found.uid, found.gid, found.groups) == (user, group, groups)


@pytest.mark.parametrize(
    ("own", "keeps"),
    [
        ("{}", True),
        ("{capabilities: {drop: [NET_RAW]}}", True),
        ("{capabilities: {drop: [ALL]}}", False),
        ("{capabilities: {drop: [all]}}", False),
        ("{capabilities: {drop: [DAC_OVERRIDE]}}", False),
        ("{capabilities: {drop: [CAP_DAC_OVERRIDE]}}", False),
        ("{capabilities: {drop: [ALL], add: [NET_BIND_SERVICE]}}", False),
        ("{capabilities: {drop: [ALL], add: [DAC_READ_SEARCH]}}", True),
        ("{capabilities: {drop: [ALL]}, privileged: true}", True),
        ("{capabilities: {drop: ALL}}", True),
    ],
)
def test_whether_modes_matter_to_root(own: str, keeps: bool) -> None:
    assert stated(own).overrides is keeps
