# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Distinguished names: what a user asks for, and what a certificate holds."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from .deps import NameOID, quiet, require, x509
from .errors import PkiError

# RFC 5280, appendix A.1: the upper bounds of each attribute, in characters.
_LONGEST = {
    "common_name": 64,
    "country": 2,
    "state": 128,
    "locality": 128,
    "organization": 64,
    "organizational_unit": 64,
}

# The group whose members Kubernetes lets do everything.
PRIVILEGED_ORGANIZATION = "system:masters"

_SHORT = {
    "2.5.4.3": "CN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "STREET",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
}


@dataclass(frozen=True)
class Subject:
    """What a certificate request of cfssl can say in its subject. Build it with Subject.of, which checks the values."""

    common_name: str
    country: str | None = None
    state: str | None = None
    locality: str | None = None
    organization: tuple[str, ...] = ()
    organizational_unit: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        *,
        common_name: str,
        country: str | None = None,
        state: str | None = None,
        locality: str | None = None,
        organization: t.Sequence[str] | None = None,
        organizational_unit: t.Sequence[str] | None = None,
    ) -> Subject:
        """PkiError if a value is empty, too long (RFC 5280, A.1) or holds a control character."""
        for field, value in (
            ("common_name", common_name),
            ("country", country),
            ("state", state),
            ("locality", locality),
            *(("organization", value) for value in organization or ()),
            *(("organizational_unit", value) for value in organizational_unit or ()),
        ):
            if value is not None:
                _check(field, value)
        return cls(
            common_name=common_name,
            country=country,
            state=state,
            locality=locality,
            organization=tuple(organization or ()),
            organizational_unit=tuple(organizational_unit or ()),
        )

    def refuse_privileged(self) -> None:
        """PkiError if the subject would make its holder an administrator of the cluster."""
        if PRIVILEGED_ORGANIZATION in self.organization:
            raise PkiError(
                f"The organization {PRIVILEGED_ORGANIZATION} is refused: with it the proxy client would itself be an "
                "administrator wherever its CA is also trusted for users; leave it out of the subject."
            )

    def to_name(self) -> x509.Name:
        """As an X.509 name, from the widest to the narrowest part; CN last, where Go and OpenSSL look for it."""
        require()
        pairs = [
            (NameOID.COUNTRY_NAME, self.country),
            (NameOID.STATE_OR_PROVINCE_NAME, self.state),
            (NameOID.LOCALITY_NAME, self.locality),
            *((NameOID.ORGANIZATION_NAME, value) for value in self.organization),
            *((NameOID.ORGANIZATIONAL_UNIT_NAME, value) for value in self.organizational_unit),
            (NameOID.COMMON_NAME, self.common_name),
        ]
        with quiet():
            return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs if value is not None])

    def __str__(self) -> str:
        return readable_name(self.to_name())


def _check(field: str, value: str) -> None:
    longest = _LONGEST[field]
    if not isinstance(value, str) or not value.strip():
        raise PkiError(f"The subject's {field} is empty; leave it out or give it a value.")
    if any(ord(character) < 32 or ord(character) == 127 or 0xD800 <= ord(character) < 0xE000 for character in value):
        raise PkiError(f"The subject's {field} {value!r} holds a control character.")
    if field == "country":
        if not (len(value) == 2 and value.isascii() and value.isalpha()):
            raise PkiError(f"The subject's country {value!r} must be the two letters of ISO 3166, such as DE.")
    elif len(value) > longest:
        raise PkiError(
            f"The subject's {field} is {len(value)} characters long; a certificate holds {longest} (RFC 5280)."
        )


def _escape(value: str) -> str:
    """One attribute value as RFC 4514 writes it, control characters as hex."""
    parts: list[str] = []
    for position, character in enumerate(value):
        edge_space = character == " " and position in (0, len(value) - 1)
        if character in ',+"\\<>;' or edge_space or (character == "#" and position == 0):
            parts.append("\\" + character)
        elif ord(character) < 32 or ord(character) == 127:
            parts.append(f"\\{ord(character):02X}")
        else:
            parts.append(character)
    return "".join(parts)


def _text(value: str | bytes) -> str:
    return "#" + value.hex() if isinstance(value, bytes) else _escape(value)


def _attribute(item: t.Any) -> str:
    kind = item.oid.dotted_string
    return f"{_SHORT.get(kind, kind)}={_text(item.value)}"


def readable_name(name: x509.Name) -> str:
    """As RFC 4514 writes names, the narrowest part first: 'CN=front-proxy-ca,O=Example'."""
    return ",".join("+".join(map(_attribute, rdn)) for rdn in reversed(list(name.rdns)))


def common_name(name: x509.Name) -> str | None:
    """The CN that Kubernetes compares: of several the last one, as Go takes it; None if there is none."""
    values = [item.value for item in name.get_attributes_for_oid(NameOID.COMMON_NAME) if isinstance(item.value, str)]
    return values[-1] if values else None


def organizations(name: x509.Name) -> tuple[str, ...]:
    """Every O of the name; to Kubernetes they are groups."""
    return tuple(
        item.value for item in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) if isinstance(item.value, str)
    )


__all__ = ("PRIVILEGED_ORGANIZATION", "Subject", "common_name", "organizations", "readable_name")
