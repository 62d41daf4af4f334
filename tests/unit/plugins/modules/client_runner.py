# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_client, to be called by tests."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate
from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_client
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support


class Client(support.ModuleRunner):
    """The module with a CA in one folder and the pair in another that does not exist yet."""

    def __init__(self, folder: Path, *more: t.Any) -> None:
        super().__init__(front_proxy_client.main, *more)
        self.ca_folder, self.folder = folder / "ca", folder / "pki" / "client"
        self.ca_certificate, self.ca_key = self.ca_folder / "ca.crt", self.ca_folder / "ca.key"
        self.certificate, self.key = self.folder / "c.crt", self.folder / "c.key"
        self.lay_ca(support.make_ca().pem, support.key().to_pem())

    def __call__(self, **options: t.Any) -> dict[str, t.Any]:
        return super().__call__(
            **{
                "certificate_path": str(self.certificate),
                "privatekey_path": str(self.key),
                "ca_certificate_path": str(self.ca_certificate),
                "ca_privatekey_path": str(self.ca_key),
                "type": "ECDSA",
                **options,
            }
        )

    def lay_ca(self, certificate: bytes | str, key: bytes | str | None) -> None:
        """Puts another CA there."""
        self.ca_folder.mkdir(mode=0o700, exist_ok=True)
        support.put(self.ca_folder, "ca.crt", certificate, 0o644)
        self.ca_key.unlink() if self.ca_key.exists() else None
        if key is not None:
            support.put(self.ca_folder, "ca.key", key)

    def lay(self, certificate: Certificate | bytes | None, key: bytes | None = None) -> None:
        """Puts a pair there, by default with the key that belongs to support's certificates."""
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if certificate is not None:
            content = certificate.pem if isinstance(certificate, Certificate) else certificate
            support.put(self.folder, "c.crt", content, 0o644)
        if key != b"":
            support.put(self.folder, "c.key", support.key("client").to_pem() if key is None else key)
