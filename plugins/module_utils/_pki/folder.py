# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in a cluster's PKI folder on the controller."""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass

from .access import FOLDER_MODE, KEY_MODE, Access
from .certificate import Certificate, read_certificates
from .errors import PkiError
from .files import check_folder, check_parent, read_file, replace, working_in
from .keys import is_encrypted, load_key

CA_CERTIFICATE = "front-proxy-ca.crt"
CA_KEY = "front-proxy-ca.key"
CLIENT_CERTIFICATE = "front-proxy-client.crt"
CLIENT_KEY = "front-proxy-client.key"
# The role's own: a line for each client CA of the cluster, the SHA-256 of its key: no other cluster gets this CA.
CLIENT_CAS = "client-ca-keys"
_FINGERPRINT = re.compile(r"[0-9a-f]+")


@dataclass(frozen=True)
class PkiFolder:
    """The front-proxy files of one folder, under kubeadm's names."""

    path: str
    exists: bool
    ca: tuple[Certificate, ...] = ()  # the bundle, the one that signs first; empty if there is none
    ca_key: str = "absent"  # absent, plain or encrypted
    client: tuple[Certificate, ...] = ()
    client_key_matches: bool | None = None  # None if certificate or key is missing
    ca_key_matches: bool | None = None  # None if certificate or key is missing, or the key is encrypted
    client_unreadable: str = ""  # a sentence if certificate or key of the client is damaged: it is made anew
    client_cas: tuple[str, ...] = ()  # of the cluster that this folder belongs to, as far as that was noted


def read_certificate_file(path: str) -> tuple[Certificate, ...]:
    """The certificates of a file, () if there is none; PkiError if it cannot be read."""
    data = read_file(path)
    return () if data is None else read_certificates(data.decode("ascii", "replace"), where=path)


def check_client_cas(keys: t.Sequence[str]) -> None:
    """PkiError if one of the keys' fingerprints is not written in lower-case hexadecimal digits, as all are here."""
    for key in keys:
        if not _FINGERPRINT.fullmatch(key):
            raise PkiError(
                f"client_cas holds {key!r}, which is no SHA-256 fingerprint; write it in lower-case hexadecimal "
                "digits, without colons."
            )


def note_client_cas(folder: str, keys: t.Sequence[str]) -> None:
    """
    Notes of which cluster the CA in a folder is, a line for each of its client CAs, in one step.

    `keys`: the SHA-256 fingerprints of their public keys, in lower-case hexadecimal digits. PkiError if the note
    cannot be written; the old one is there then, and the next run writes it.
    """
    path = os.path.join(folder, CLIENT_CAS)
    content = "".join(f"{key}\n" for key in keys).encode("ascii")
    if read_file(path) == content:
        return
    with working_in([folder], access=Access(FOLDER_MODE)):
        replace(path, content, access=Access(KEY_MODE))


def read_folder(path: str) -> PkiFolder:
    """
    Looks at a PKI folder; changes nothing.

    PkiError if it is no folder, cannot be read, is open to group or others (or one of its keys is), or if its CA is
    damaged. A damaged client pair is no error, because it can be made anew: `client` is empty then, or
    `client_key_matches` False.
    """
    check_parent(os.path.dirname(path))
    if not check_folder(path):
        return PkiFolder(path=path, exists=False)
    ca = read_certificate_file(os.path.join(path, CA_CERTIFICATE))
    ca_key, ca_key_matches = "absent", None
    key_path = os.path.join(path, CA_KEY)
    key_pem = read_file(key_path, private=True)
    if key_pem is not None:
        ca_key = "encrypted" if is_encrypted(key_pem, where=key_path) else "plain"
        if ca_key == "plain":
            fingerprint = load_key(key_pem, where=key_path, quick=True).fingerprint
            ca_key_matches = fingerprint == ca[0].key_fingerprint if ca else None
    client, client_key_matches, unreadable = _read_client(path)
    return PkiFolder(
        path=path,
        exists=True,
        ca=ca,
        ca_key=ca_key,
        client=client,
        client_key_matches=client_key_matches,
        ca_key_matches=ca_key_matches,
        client_unreadable=unreadable,
        client_cas=tuple((read_file(os.path.join(path, CLIENT_CAS)) or b"").decode("ascii", "replace").split()),
    )


def _read_client(path: str) -> tuple[tuple[Certificate, ...], bool | None, str]:
    """(certificates, whether the key is theirs, what is damaged)."""
    certificate_path, key_path = os.path.join(path, CLIENT_CERTIFICATE), os.path.join(path, CLIENT_KEY)
    certificate_pem = read_file(certificate_path)
    key_pem = read_file(key_path, private=True)
    certificates: tuple[Certificate, ...] = ()
    try:
        if certificate_pem is not None:
            certificates = read_certificates(certificate_pem.decode("ascii", "replace"), where=certificate_path)
        if key_pem is None or not certificates:
            return certificates, None, ""
        fingerprint = load_key(key_pem, where=key_path, quick=True).fingerprint
        return certificates, fingerprint == certificates[0].key_fingerprint, ""
    except PkiError as exc:
        return certificates, False if certificates else None, str(exc)


__all__ = (
    "CA_CERTIFICATE",
    "CA_KEY",
    "CLIENT_CAS",
    "CLIENT_CERTIFICATE",
    "CLIENT_KEY",
    "PkiFolder",
    "check_client_cas",
    "note_client_cas",
    "read_certificate_file",
    "read_folder",
)
