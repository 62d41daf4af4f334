# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What may be a secret in a manifest is not shown, however it is written; everything else is."""

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.hidden import (
    HIDDEN,
    hide,
    hide_value,
    holds_secrets,
)

SECRET = "Eine-ganz-geheime-Losung-4711"
POD = """\
apiVersion: v1
kind: Pod
metadata:
  name: kube-apiserver
  namespace: kube-system
{metadata}spec:
  containers:
  - command:
    - kube-apiserver
    - --secure-port=6443
{items}    name: kube-apiserver
{more}"""


def pod(*, metadata: str = "", items: str = "", more: str = "") -> str:
    return POD.format(metadata=metadata, items=items, more=more)


def env(*lines: str) -> str:
    return pod(more="    env:\n" + "".join(f"{line}\n" for line in lines))


HIDES = {
    "plain": env("    - name: VAULT", f"      value: {SECRET}"),
    "single quotes": env("    - name: VAULT", f"      value: '{SECRET}'"),
    "double quotes": env("    - name: VAULT", f'      value: "{SECRET}"'),
    "value first": env(f"    - value: {SECRET}", "      name: VAULT"),
    "a block": env("    - name: VAULT", "      value: |", f"        {SECRET}", "        and more", "    - name: B"),
    "a folded block": env("    - name: VAULT", "      value: >-", f"        {SECRET}"),
    "flow": env(f"    - {{name: VAULT, value: {SECRET}}}"),
    "no name": env(f"    - value: {SECRET}"),
    "the key is there twice": env("    - name: VAULT", "      value: a", f"      value: {SECRET}"),
    "an anchor": env("    - name: VAULT", f"      value: &a {SECRET}", "    - name: OTHER", "      value: *a"),
    "over lines": env("    - name: VAULT", f"      value: {SECRET}", "        and more"),
    "a comment": env(f"    # - {{name: VAULT, value: {SECRET}}}", "    - name: A", "      value: b"),
    "commented out": env("    # - name: VAULT", f"    #   value: {SECRET}", "    - name: A", "      value: b"),
    "a proxy's password": env("    - name: HTTPS_PROXY", f"      value: http://me:{SECRET}@proxy:3128"),
    "an initContainer": pod(more=f"  initContainers:\n  - name: i\n    env: [{{name: A, value: {SECRET}}}]\n"),
    "a header of a probe": pod(
        more="    livenessProbe:\n      httpGet:\n        httpHeaders:\n        - name: Authorization\n"
        f"          value: Bearer {SECRET}\n"
    ),
    "kubectl's copy": pod(
        metadata="  annotations:\n    kubectl.kubernetes.io/last-applied-configuration: |\n"
        f'      {{"spec":{{"containers":[{{"env":[{{"name":"A","value":"{SECRET}"}}]}}]}}}}\n'
    ),
    "a flag": pod(items=f"    - --token={SECRET}\n"),
    "a flag with signs": pod(items=f"    - --token=a;b,c}}{SECRET}\n"),
    "a flag of two items": pod(items=f"    - --password\n    - {SECRET}\n"),
    "a flag in quotes": pod(items=f'    - "--vault-token={SECRET}"\n'),
    "basic-auth": pod(items=f"    - --basic-auth=admin:{SECRET}\n"),
    "etcd's password": pod(items=f"    - --etcd-servers=https://root:{SECRET}@10.0.0.1:2379\n"),
    "a shell": pod(items=f"    - sh\n    - -c\n    - export API_KEY={SECRET}; run --token {SECRET} here\n"),
    "JSON": json.dumps(
        {"kind": "Pod", "spec": {"containers": [{"name": "a", "env": [{"name": "A", "value": SECRET}]}]}}, indent=1
    ),
    "JSON in one line": json.dumps({"spec": {"containers": [{"command": ["a", "--token", SECRET], "env": []}]}}),
    "no YAML": f"kind: Pod\n\tenv: {SECRET}\n",
    "another document": f"{pod()}---\nkind: Pod\nspec: {{containers: [{{env: [{{name: A, value: {SECRET}}}]}}]}}\n",
    "Windows": env("    - name: VAULT", f"      value: {SECRET}").replace("\n", "\r\n"),
}


@pytest.mark.parametrize("text", HIDES.values(), ids=HIDES)
def test_it_is_not_shown(text: str) -> None:
    shown = hide(text)
    assert SECRET not in text.replace(SECRET, "") and SECRET in text
    assert SECRET not in shown and HIDDEN in shown and holds_secrets(text)


@pytest.mark.parametrize("text", HIDES.values(), ids=HIDES)
def test_the_rest_is_shown(text: str) -> None:
    shown = hide(text)
    if "\t" not in text:
        for word in ("kube-apiserver", "--secure-port=6443", "kube-system"):
            assert shown.count(word) == text.count(word) or SECRET in text.split(word)[0]
        assert "spec" in shown
    # what is hidden in JSON is none any more, and an alias may have lost its anchor
    assert hide(shown) == shown or shown.startswith("{") or "*a" in shown


SHOWN = {
    "kubeadm": pod(
        items="    - --enable-bootstrap-token-auth=true\n    - --service-account-signing-key-file=/etc/sa.key\n"
        "    - --token-auth-file=/etc/tokens.csv\n    - --authentication-token-webhook-cache-ttl=2m\n"
        "    - --etcd-servers=https://127.0.0.1:2379\n    - --proxy-client-key-file=/etc/kubernetes/pki/k.key\n"
        "    - --service-account-max-token-expiration=24h\n    - --secret=/etc/secret\n    - --password=$(PASSWORD)\n"
    ),
    "harmless variables": env(
        *("    - name: HTTPS_PROXY", "      value: http://proxy:3128", "    - name: GODEBUG", "      value: a=1"),
        *("    - name: NODE_NAME", "      value: m1", "    - name: POD_IP"),
        *("      valueFrom: {fieldRef: {fieldPath: status.podIP}}", "    - name: EMPTY", '      value: ""'),
    ),
    "harmless headers": pod(more="    x: {httpGet: {httpHeaders: [{name: Host, value: a.example}]}}\n"),
    "annotations": pod(metadata="  annotations:\n    aggregation-layer.kubeops/files: abc\n"),
    "comments": "# the token is elsewhere: see value\n" + pod(),
}


@pytest.mark.parametrize("text", SHOWN.values(), ids=SHOWN)
def test_it_is_shown_as_it_is(text: str) -> None:
    assert hide(text) == text and not holds_secrets(text)


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("token", "abcdef", HIDDEN),
        ("vault_password", "abcdef", HIDDEN),
        ("token-auth-file", "/x", "/x"),
        ("password", "/etc/password", "/etc/password"),
        ("enable-secret", "true", "true"),
        ("etcd-servers", "https://a:b@c:1", f"https://a:{HIDDEN}@c:1"),
        ("secure-port", "6443", "6443"),
    ],
)
def test_a_flag(name: str, value: str, shown: str) -> None:
    assert hide_value(name, value) == shown
