# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Issues, renews or keeps the proxy client's key and certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_client
short_description: Issue, renew or keep the proxy client's key and certificate
version_added: 0.1.0
author:
  - The kubeops.aggregation_layer authors (@kubeops)
description:
  - Makes sure that there is a private key and a certificate with which kube-apiserver shows itself to extension API
    servers (C(--proxy-client-key-file), C(--proxy-client-cert-file)), signed by the front-proxy CA. It runs where the
    CA's private key lies, normally on the controller (C(delegate_to=localhost), C(run_once=true)).
  - A pair that is good is kept, whoever made it. If it is not good, a new pair is issued, always with a new key, and
    RV(reason) says why.
  - A pair is good if it is complete and belongs together, is signed by the first certificate at
    O(ca_certificate_path), has the common name that is asked for, is for client authentication, is not of the
    organization C(system:masters), is valid, and is not due for renewal.
  - Another kind of key or other parts of the subject come with the next new pair, or with O(force).
  - The certificate never outlives its CA. If that makes it shorter than asked for, there is a warning with the date.
  - In check mode the CA may be missing, as it is when the real run makes it just before.
extends_documentation_fragment:
  - kubeops.aggregation_layer._attributes
  - kubeops.aggregation_layer._attributes.actiongroup
  - kubeops.aggregation_layer._attributes.files
  - kubeops.aggregation_layer._attributes.flow
  - kubeops.aggregation_layer._cryptography
  - kubeops.aggregation_layer._pki_files
attributes:
  action:
    support: full
  async:
    support: none
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - With O(force=true) every run makes a new pair.
  safe_file_operations:
    support: full
options:
  certificate_path:
    description:
      - Where the proxy client's certificate lies.
    type: path
    required: true
  privatekey_path:
    description:
      - Where the proxy client's private key lies. It is not encrypted, because kube-apiserver has to read it.
    type: path
    required: true
  ca_certificate_path:
    description:
      - Where the CA's certificate lies. It may be a bundle; the first certificate is the one that signs.
    type: path
    required: true
  ca_privatekey_path:
    description:
      - Where the CA's private key lies. It is needed only when something must be signed.
    type: path
    required: true
  ca_passphrase:
    description:
      - The passphrase of the CA's private key, if that is encrypted.
    type: str
  ca_passphrase_var:
    description:
      - The name of a variable that holds the passphrase, in place of O(ca_passphrase).
      - Callback plugins, and what keeps the events of a job, get the arguments of a task with their values. A name
        tells them nothing.
    type: str
  common_name:
    description:
      - The common name (CN), by which kube-apiserver and extension API servers know the proxy client.
    type: str
    default: front-proxy-client
  allowed_names:
    description:
      - The names that C(--requestheader-allowed-names) lists. O(common_name) must be one of them.
      - An empty list allows every name.
    type: list
    elements: str
    default: []
  subject:
    description:
      - Further parts of the subject.
    type: dict
    suboptions:
      country:
        description: The country's two letters (C).
        type: str
      state:
        description: State or province (ST).
        type: str
      locality:
        description: City or locality (L).
        type: str
      organization:
        description:
          - One organization or several (O). To Kubernetes they are groups, so V(system:masters) is refused.
        type: list
        elements: str
      organizational_unit:
        description: One organizational unit or several (OU).
        type: list
        elements: str
  validity:
    description:
      - How long a new certificate lives, for example V(365d), V(1y) or V(8760h). A year is 365 days.
    type: str
    default: 365d
  renew_before:
    description:
      - How long before its end a certificate is renewed, as a duration (V(90d)) or as a share of its life (V(33%) or
        V(1/3)).
      - A certificate that ends together with its CA is not renewed for this, because a new one could not last longer.
      - If the CA's private key is not there, a certificate that is still valid is kept, with a warning.
    type: str
    default: 1/3
  force:
    description:
      - Issue a new pair even if the present one is good.
    type: bool
    default: false
seealso:
  - module: kubeops.aggregation_layer.front_proxy_ca
"""

EXAMPLES = r"""
- name: Make sure that there is a front-proxy CA on the controller
  kubeops.aggregation_layer.front_proxy_ca:
    certificate_path: pki/staging/front-proxy-ca.crt
    privatekey_path: pki/staging/front-proxy-ca.key
  delegate_to: localhost
  run_once: true

- name: Make sure that there is a pair for kube-apiserver, renewed in the last third of its life
  kubeops.aggregation_layer.front_proxy_client:
    certificate_path: pki/staging/front-proxy-client.crt
    privatekey_path: pki/staging/front-proxy-client.key
    ca_certificate_path: pki/staging/front-proxy-ca.crt
    ca_privatekey_path: pki/staging/front-proxy-ca.key
  delegate_to: localhost
  run_once: true

- name: A pair with another name and a short life
  kubeops.aggregation_layer.front_proxy_client:
    certificate_path: pki/short/aggregator.crt
    privatekey_path: pki/short/aggregator.key
    ca_certificate_path: pki/staging/front-proxy-ca.crt
    ca_privatekey_path: pki/staging/front-proxy-ca.key
    common_name: aggregator
    allowed_names:
      - front-proxy-client
      - aggregator
    subject:
      organization: Example
    type: ECDSA
    curve: P-256
    validity: 90d
    renew_before: 30d
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
action:
  description:
    - What was done, or in check mode would be.
    - V(issued) if there was no readable pair before, V(renewed) if there was one.
  returned: success
  type: str
  choices:
    - issued
    - renewed
    - kept
  sample: renewed
reason:
  description:
    - Why there is a new pair, as a word for programs. Empty if the pair is kept as it is.
    - V(access) if only mode, owner or group of the files are set.
  returned: success
  type: str
  choices:
    - ""
    - missing
    - unreadable
    - key_mismatch
    - not_signed_by_ca
    - expired
    - not_yet_valid
    - wrong_common_name
    - wrong_usage
    - no_usage
    - privileged_organization
    - weak_signature
    - renewal_due
    - forced
    - access
  sample: renewal_due
reason_text:
  description: The same as a clause for people.
  returned: success
  type: str
  sample: the certificate ends on 2026-05-01T10:00:00Z and is due for renewal (1/3) since 2026-01-01T02:00:00Z
subject:
  description: The subject of the certificate, written as in RFC 4514.
  returned: success
  type: str
  sample: CN=front-proxy-client
serial:
  description:
    - The serial number in decimal, as text because it has up to 160 bits. None in check mode if a pair would be issued.
  returned: success
  type: str
  sample: "294437969601969315840381161050611003047574895187"
fingerprint:
  description: SHA-256 of the certificate, in hex. None in check mode if a pair would be issued.
  returned: success
  type: str
  sample: d79b47a6b85e104c2e8c67bc6baed4f8a404dfd099480b294ca8bbab64258d8f
public_key_fingerprint:
  description: SHA-256 of the public key (SubjectPublicKeyInfo), in hex. None in check mode if a pair would be issued.
  returned: success
  type: str
  sample: eaa6fe289c26a1795f5728a22597dfc5b514ee0775e73a0dc73b67848b0bd88c
not_before:
  description: From when on the certificate is valid (UTC).
  returned: success
  type: str
  sample: "2026-01-31T11:00:00Z"
not_after:
  description: Until when the certificate is valid (UTC).
  returned: success
  type: str
  sample: "2027-01-31T12:00:00Z"
certificate:
  description: The certificate as PEM. None in check mode if a pair would be issued.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIBszCCAVmgAwIBAgIU...
    -----END CERTIFICATE-----
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import access, lifetime
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client import ClientWish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client_files import (
    ClientRequest,
    ensure_client,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import KeySpec
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject

ARGUMENT_SPEC: dict[str, t.Any] = {
    "certificate_path": {"type": "path", "required": True},
    "privatekey_path": {"type": "path", "required": True, "no_log": False},
    "ca_certificate_path": {"type": "path", "required": True},
    "ca_privatekey_path": {"type": "path", "required": True, "no_log": False},
    "ca_passphrase": {"type": "str", "no_log": True},
    "ca_passphrase_var": {"type": "str", "no_log": False},
    "common_name": {"type": "str", "default": "front-proxy-client"},
    "allowed_names": {"type": "list", "elements": "str", "default": []},
    "subject": {
        "type": "dict",
        "options": {
            "country": {"type": "str"},
            "state": {"type": "str"},
            "locality": {"type": "str"},
            "organization": {"type": "list", "elements": "str"},
            "organizational_unit": {"type": "list", "elements": "str"},
        },
    },
    "type": {"type": "str", "choices": ["RSA", "ECDSA", "Ed25519"]},
    "size": {"type": "int", "choices": [2048, 3072, 4096]},
    "curve": {"type": "str", "choices": ["P-256", "P-384"]},
    "validity": {"type": "str", "default": lifetime.DEFAULT_CLIENT_VALIDITY},
    "renew_before": {"type": "str", "default": lifetime.DEFAULT_RENEW_BEFORE},
    "force": {"type": "bool", "default": False},
    "mode": {"type": "raw"},
    "privatekey_mode": {"type": "raw", "no_log": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


def request_from(params: t.Mapping[str, t.Any]) -> ClientRequest:
    """The options as checked values; PkiError if one of them cannot be, or if they contradict each other."""
    return ClientRequest(
        certificate_path=params["certificate_path"],
        privatekey_path=params["privatekey_path"],
        ca_certificate_path=params["ca_certificate_path"],
        ca_privatekey_path=params["ca_privatekey_path"],
        ca_passphrase=params["ca_passphrase"],
        wish=ClientWish.of(
            subject=Subject.of(common_name=params["common_name"], **(params["subject"] or {})),
            renew_before=lifetime.RenewBefore.parse(params["renew_before"]),
            allowed_names=params["allowed_names"],
            key=KeySpec.of(kind=params["type"] or "RSA", size=params["size"], curve=params["curve"]),
            validity=lifetime.parse_duration(params["validity"], what="validity"),
        ),
        force=params["force"],
        certificate_mode=access.parse_mode(params["mode"], what="mode"),
        key_mode=access.parse_key_mode(params["privatekey_mode"], what="privatekey_mode"),
        owner=access.parse_owner(params["owner"]),
        group=access.parse_group(params["group"]),
    )


def main() -> None:
    """Runs the module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        require()
        outcome = ensure_client(request_from(module.params), check=module.check_mode, now=lifetime.utc_now())
    except PkiError as exc:
        module.fail_json(msg=str(exc))
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(
        changed=outcome.changed,
        action=outcome.action,
        reason=outcome.reason.code,
        reason_text=outcome.reason.text,
        **outcome.values,
        **({"diff": outcome.diff} if module._diff else {}),
    )


if __name__ == "__main__":
    main()
