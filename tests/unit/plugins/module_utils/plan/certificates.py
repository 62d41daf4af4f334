# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys, CAs and certificates made at run time, the same ones for the same names."""

from __future__ import annotations

import functools
from datetime import datetime, timedelta

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca import key_usage, self_sign
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate, from_der
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import (
    ExtendedKeyUsageOID,
    quiet,
    serialization,
    x509,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import (
    KeySpec,
    PrivateKey,
    generate_key,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject

NOW = utc_now()
DAY = timedelta(days=1)
YEAR = 365 * DAY


@functools.lru_cache(maxsize=None)
def key(name: str) -> PrivateKey:
    """A P-256 key; the same one for the same name."""
    return generate_key(KeySpec.of(kind="ECDSA"))


def key_pem(name: str) -> str:
    return key(name).to_pem().decode("ascii")


def make_ca(
    name: str = "ca",
    common_name: str = "front-proxy-ca",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = 10 * YEAR,
) -> Certificate:
    """A CA with the key of this name; the same one for the same arguments."""
    return _make_ca(name, common_name, start, validity)


@functools.lru_cache(maxsize=None)
def _make_ca(name: str, common_name: str, start: datetime, validity: timedelta) -> Certificate:
    return self_sign(key=key(name), subject=Subject.of(common_name=common_name), validity=validity, now=start)


@functools.lru_cache(maxsize=None)
def make_leaf(
    ca: str = "ca",
    common_name: str = "front-proxy-client",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = YEAR,
    owner: str = "client",
    usage: str = "client",
    organization: str = "",
    is_ca: bool = False,
) -> Certificate:
    """A certificate that the CA of this name signs; usage: ``client``, ``server`` or empty for none."""
    return leaf_of(
        make_ca(ca), ca, common_name, start, validity, owner=owner, usage=usage, organization=organization, is_ca=is_ca
    )


def leaf_of(
    issuer: Certificate,
    ca: str,
    common_name: str = "front-proxy-client",
    start: datetime = NOW - 10 * DAY,
    validity: timedelta = YEAR,
    *,
    owner: str = "client",
    usage: str = "client",
    organization: str = "",
    is_ca: bool = False,
) -> Certificate:
    """A certificate that this CA signs with the key of the name ca."""
    with quiet():
        oid = x509.NameOID
        parts = [(oid.ORGANIZATION_NAME, organization)] if organization else []
        parts.append((oid.COMMON_NAME, common_name))
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(kind, value) for kind, value in parts]))
            .issuer_name(x509.load_der_x509_certificate(issuer.der).subject)
            .public_key(key(owner).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + validity)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
        )
        if usage:
            wanted = ExtendedKeyUsageOID.CLIENT_AUTH if usage == "client" else ExtendedKeyUsageOID.SERVER_AUTH
            builder = builder.add_extension(x509.ExtendedKeyUsage([wanted]), critical=False)
        return from_der(key(ca).sign_certificate(builder).public_bytes(serialization.Encoding.DER))


def cluster_ca(name: str = "kubernetes") -> Certificate:
    """The CA of a cluster's own client certificates."""
    return make_ca(f"cluster {name}", "kubernetes")
