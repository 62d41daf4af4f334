# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pair for a server that lives for minutes: signed by itself, and trusted by nobody but who is given it."""

from __future__ import annotations

from datetime import datetime, timedelta

from .ca import begin_certificate, key_usage
from .certificate import pem_block
from .deps import ExtendedKeyUsageOID, quiet, require, serialization, x509
from .keys import KeySpec, generate_key
from .lifetime import BACKDATE
from .names import Subject

__all__ = ["throw_away_pair"]


def throw_away_pair(host: str, *, life: timedelta, now: datetime) -> tuple[str, str]:
    """(certificate, key), as PEM, of a server with this DNS name. Its own certificate is its CA."""
    require()
    key = generate_key(KeySpec.of(kind="ECDSA"))
    # the name that counts is the other one: this may not be longer than 64 characters
    name = Subject(common_name=host[:64]).to_name()
    public_key = key.public_key()
    with quiet():
        builder = (
            begin_certificate(name, name, public_key, not_before=now - BACKDATE, not_after=now + life + BACKDATE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(key_usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        )
        signed = key.sign_certificate(builder)
        return pem_block(signed.public_bytes(serialization.Encoding.DER)), key.to_pem().decode("ascii")
