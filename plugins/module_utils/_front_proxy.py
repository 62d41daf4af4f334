# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes up the front proxy: flags of kube-apiserver, files, and the name of its client."""

from __future__ import annotations

__all__ = [
    "AGGREGATION_FLAGS",
    "CA_FLAG",
    "CERT_FLAG",
    "DEFAULT_COMMON_NAME",
    "FILE_FLAGS",
    "FILE_NAMES",
    "KEY_FLAG",
    "ROUTING_FLAG",
]

DEFAULT_COMMON_NAME = "front-proxy-client"

#: The seven of the documentation ("Configure the Aggregation Layer").
AGGREGATION_FLAGS = (
    "requestheader-client-ca-file",
    "requestheader-allowed-names",
    "requestheader-extra-headers-prefix",
    "requestheader-group-headers",
    "requestheader-username-headers",
    "proxy-client-cert-file",
    "proxy-client-key-file",
)
ROUTING_FLAG = "enable-aggregator-routing"

#: The flags that name a file of the front proxy, and the name of that file where no flag is set yet.
FILE_NAMES = {
    "requestheader-client-ca-file": "front-proxy-ca.crt",
    "proxy-client-cert-file": "front-proxy-client.crt",
    "proxy-client-key-file": "front-proxy-client.key",
}
FILE_FLAGS = tuple(FILE_NAMES)
CA_FLAG, CERT_FLAG, KEY_FLAG = FILE_FLAGS
