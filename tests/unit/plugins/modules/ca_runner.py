# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_ca, to be called by tests."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support


class Ca(support.ModuleRunner):
    """The module with its two paths in a folder that does not exist yet."""

    def __init__(self, folder: Path, *more: t.Any) -> None:
        super().__init__(front_proxy_ca.main, *more)
        self.folder = folder / "pki" / "one"
        self.certificate, self.key = self.folder / "ca.crt", self.folder / "ca.key"

    def __call__(self, **options: t.Any) -> dict[str, t.Any]:
        return super().__call__(
            **{
                "certificate_path": str(self.certificate),
                "privatekey_path": str(self.key),
                "type": "ECDSA",
                **options,
            }
        )

    def lay(self, certificate: bytes | str | None, key: bytes | str | None) -> None:
        """Puts files there."""
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        if certificate is not None:
            support.put(self.folder, "ca.crt", certificate, 0o644)
        if key is not None:
            support.put(self.folder, "ca.key", key)
