# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes, adopts or keeps the CA that signs the proxy client's certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: front_proxy_ca
short_description: Make, adopt or keep the front-proxy CA of a Kubernetes cluster
version_added: 0.1.0
author:
  - The kubeops.aggregation_layer authors (@kubeops)
description:
  - Makes sure that there is a front-proxy CA (requestheader CA) at the given paths. It runs where its files lie,
    normally on the controller (C(delegate_to=localhost), C(run_once=true)).
  - What is there is kept. If there is nothing, what O(adopt) gives is taken over. If nothing is given, a CA is made.
  - A CA that exists is never replaced, because every master and every extension API server trusts it. If it differs
    from what is asked for, a warning says so. If it cannot be used, the module fails and says why.
  - A certificate without its private key is kept as well (an "external CA"). It is good until something must be signed.
  - A private key without its certificate, as an interrupted run leaves it, gets its certificate.
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
    support: full
  safe_file_operations:
    support: full
options:
  certificate_path:
    description:
      - Where the CA's certificate lies. It may be a bundle; the first certificate is the one that signs.
    type: path
    required: true
  privatekey_path:
    description:
      - Where the CA's private key lies.
    type: path
    required: true
  passphrase:
    description:
      - The passphrase of the CA's private key. A new key is encrypted with it (PKCS#8, AES).
      - A key that exists is neither encrypted nor decrypted. If it is encrypted and this is given, it must fit.
      - kubeadm cannot read an encrypted key.
    type: str
  passphrase_var:
    description:
      - The name of a variable that holds the passphrase, in place of O(passphrase).
      - Callback plugins, and what keeps the events of a job, get the arguments of a task with their values. A name
        tells them nothing.
    type: str
  subject:
    description:
      - The name of a new CA, and of its issuer, as a certificate request of cfssl can say it.
      - If it is given and a CA that is kept or adopted has another one, there is a warning.
    type: dict
    suboptions:
      common_name:
        description: The common name (CN).
        type: str
        default: front-proxy-ca
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
        description: One organization or several (O).
        type: list
        elements: str
      organizational_unit:
        description: One organizational unit or several (OU).
        type: list
        elements: str
  validity:
    description:
      - How long a new CA lives, for example V(3650d), V(10y) or V(876000h). A year is 365 days.
    type: str
    default: 10y
  adopt:
    description:
      - A CA certificate or a bundle as PEM text, for example from a master. The certificate that signs comes first.
      - Used only if there is no certificate at O(certificate_path). If a private key is there, it must belong to it.
      - An empty text is the same as none.
    type: str
  client_cas:
    description:
      - The SHA-256 fingerprints of the public keys of the client CAs of the cluster that this CA is for, in lower-case
        hexadecimal digits.
      - They are noted in the file C(client-ca-keys) beside the certificate, so that the role
        P(kubeops.aggregation_layer.front_proxy#role) never gives the CA of one cluster to another one. A new note alone
        is no change.
    type: list
    elements: str
    default: []
seealso:
  - module: kubeops.aggregation_layer.front_proxy_client
"""

EXAMPLES = r"""
- name: Make sure that there is a front-proxy CA on the controller
  kubeops.aggregation_layer.front_proxy_ca:
    certificate_path: pki/staging/front-proxy-ca.crt
    privatekey_path: pki/staging/front-proxy-ca.key
  delegate_to: localhost
  run_once: true

- name: The same with a name and a key of one's own choice
  kubeops.aggregation_layer.front_proxy_ca:
    certificate_path: pki/production/front-proxy-ca.crt
    privatekey_path: pki/production/front-proxy-ca.key
    passphrase: "{{ vault_front_proxy_ca_passphrase | default('only an example') }}"
    subject:
      common_name: front-proxy-ca
      country: DE
      organization: Example
      organizational_unit:
        - Platform
        - Kubernetes
    type: ECDSA
    curve: P-384
    validity: 20y
  delegate_to: localhost
  run_once: true
  register: production

- name: Take over a CA as it was read from a master, without its private key
  kubeops.aggregation_layer.front_proxy_ca:
    certificate_path: pki/adopted/front-proxy-ca.crt
    privatekey_path: pki/adopted/front-proxy-ca.key
    adopt: "{{ production.certificate }}"
  delegate_to: localhost
  run_once: true
"""

RETURN = r"""
action:
  description: What was done, or in check mode would be.
  returned: success
  type: str
  choices:
    - made
    - kept
    - adopted
  sample: kept
reason:
  description:
    - Why, as a word for programs.
    - V(present) and V(given) go with RV(action=kept) and RV(action=adopted), the others with RV(action=made).
  returned: success
  type: str
  choices:
    - present
    - given
    - nothing_there
    - key_without_certificate
  sample: present
reason_text:
  description: Why, as a clause for people.
  returned: success
  type: str
  sample: there is a CA at pki/front-proxy-ca.crt
subject:
  description: The name of the CA, written as in RFC 4514.
  returned: success
  type: str
  sample: CN=front-proxy-ca,O=Example
serial:
  description:
    - The serial number in decimal, as text because it has up to 160 bits. None in check mode if the CA would be made.
  returned: success
  type: str
  sample: "247166661466941590237807877988682698792524062814"
fingerprint:
  description: SHA-256 of the certificate, in hex. None in check mode if the CA would be made.
  returned: success
  type: str
  sample: 647409e5c898d7adc42800f610fe50b5dc0f4cd0ac774a424147b9bf9af75378
public_key_fingerprint:
  description:
    - SHA-256 of the public key (SubjectPublicKeyInfo), in hex. Certificates that share it belong to one private key.
    - None in check mode if the key would be made.
  returned: success
  type: str
  sample: 230bbe8136ffaaa4897c2b22d511e0c68d186a9fd38a4571fc619697efb85375
not_before:
  description: From when on the CA is valid (UTC).
  returned: success
  type: str
  sample: "2026-01-31T11:00:00Z"
not_after:
  description: Until when the CA is valid (UTC).
  returned: success
  type: str
  sample: "2036-01-29T12:00:00Z"
certificate:
  description: The whole bundle as PEM, the one that signs first. None in check mode if the CA would be made.
  returned: success
  type: str
  sample: |
    -----BEGIN CERTIFICATE-----
    MIIBszCCAVmgAwIBAgIU...
    -----END CERTIFICATE-----
privatekey:
  description: Whether the private key lies at O(privatekey_path), and whether it is encrypted.
  returned: success
  type: str
  choices:
    - present
    - encrypted
    - absent
  sample: present
"""

import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import access, lifetime
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca import CaWish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca_files import CaRequest, ensure_ca
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import require
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.files import folder_of
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import (
    check_client_cas,
    note_client_cas,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import KeySpec
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject

ARGUMENT_SPEC: dict[str, t.Any] = {
    "certificate_path": {"type": "path", "required": True},
    "privatekey_path": {"type": "path", "required": True, "no_log": False},
    "passphrase": {"type": "str", "no_log": True},
    "passphrase_var": {"type": "str", "no_log": False},
    "subject": {
        "type": "dict",
        "options": {
            "common_name": {"type": "str", "default": "front-proxy-ca"},
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
    "validity": {"type": "str", "default": lifetime.DEFAULT_CA_VALIDITY},
    "adopt": {"type": "str"},
    "client_cas": {"type": "list", "elements": "str", "default": []},
    "mode": {"type": "raw"},
    "privatekey_mode": {"type": "raw", "no_log": False},
    "owner": {"type": "str"},
    "group": {"type": "str"},
}


def request_from(params: t.Mapping[str, t.Any]) -> CaRequest:
    """The options as checked values; PkiError if one of them cannot be."""
    subject = params["subject"] or {"common_name": "front-proxy-ca"}
    return CaRequest(
        certificate_path=params["certificate_path"],
        privatekey_path=params["privatekey_path"],
        passphrase=params["passphrase"],
        wish=CaWish(
            subject=Subject.of(**subject),
            key=KeySpec.of(kind=params["type"] or "RSA", size=params["size"], curve=params["curve"]),
            validity=lifetime.parse_duration(params["validity"], what="validity"),
            subject_asked=params["subject"] is not None,
            key_asked=any(params[name] is not None for name in ("type", "size", "curve")),
        ),
        adopt=params["adopt"],
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
        check_client_cas(module.params["client_cas"])
        outcome = ensure_ca(request_from(module.params), check=module.check_mode, now=lifetime.utc_now())
        if module.params["client_cas"] and not module.check_mode:
            note_client_cas(folder_of(module.params["certificate_path"]), module.params["client_cas"])
    except PkiError as exc:
        module.fail_json(msg=str(exc))
    for warning in outcome.warnings:
        module.warn(warning)
    module.exit_json(
        changed=outcome.changed,
        action=outcome.action,
        reason=outcome.reason,
        reason_text=outcome.reason_text,
        privatekey=outcome.privatekey,
        **outcome.values,
        **({"diff": outcome.diff} if module._diff else {}),
    )


if __name__ == "__main__":
    main()
