# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options on files and keys that front_proxy_ca and front_proxy_client share. Private to the collection."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  type:
    description:
      - The kind of a new key; V(RSA) if nothing is said.
      - V(Ed25519) is always refused, because kubeadm cannot read such a key and C(kubeadm certs) would fail.
    type: str
    choices:
      - RSA
      - ECDSA
      - Ed25519
  size:
    description:
      - The size of a new RSA key in bits; V(2048) if nothing is said.
      - Only with O(type=RSA).
    type: int
    choices:
      - 2048
      - 3072
      - 4096
  curve:
    description:
      - The curve of a new ECDSA key; V(P-256) if nothing is said.
      - Only with O(type=ECDSA).
    type: str
    choices:
      - P-256
      - P-384
  mode:
    description:
      - The mode of the certificate's file, as four octal digits in quotes.
      - If nothing is said, a new file gets V('0644') and an existing one stays as it is.
    type: raw
  privatekey_mode:
    description:
      - The mode of the private key's file, as four octal digits in quotes; only the owner may have access.
      - If nothing is said, a new file gets V('0600') and an existing one stays as it is.
    type: raw
  owner:
    description:
      - Name or number of the user who is to own the files, and the folders that are made for them.
      - If nothing is said, a new file belongs to the user that the module runs as and an existing one stays as it is.
    type: str
  group:
    description:
      - Name or number of the group of the files, and of the folders that are made for them.
      - If nothing is said, a new file gets the group of the user that the module runs as and an existing one stays as
        it is.
    type: str
notes:
  - Folders that are missing are made with mode V('0700'). A folder that holds a private key must be closed to group and
    others.
  - What is written is complete or not there. Two runs at the same time do not disturb each other.
"""
