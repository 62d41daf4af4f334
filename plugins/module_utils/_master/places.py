# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things lie on a master, with a prefix for image building and sandboxes."""

from __future__ import annotations

import os

__all__ = ["BACKUP_FOLDER", "Places"]

# Beside the manifests folder, never in it: the kubelet runs every file there whose name does not begin with a dot.
BACKUP_FOLDER = "/etc/kubernetes/front-proxy-backup"


class Places:
    """Paths of one master. ``root`` is a prefix; empty on a live master."""

    def __init__(self, root: str | None) -> None:
        # absolute, because what changes the master works in another folder than what looks at it
        self.root = os.path.abspath(root).rstrip("/") if root else ""

    @property
    def live(self) -> bool:
        """Whether this is the running machine itself, so that processes and addresses mean something."""
        return not self.root

    def real(self, path: str) -> str:
        """Give the path on this machine of a path on the master."""
        return self.root + path

    def shown(self, real: str) -> str:
        """Give the path on the master of a path on this machine; as it is if it lies outside of the root."""
        inside = self.root and real.startswith(f"{self.root}/")
        return real[len(self.root) :] if inside else real

    @property
    def backups(self) -> str:
        """The folder for what is needed to go back."""
        return self.real(BACKUP_FOLDER)

    @property
    def lock(self) -> str:
        """The file that a run locks while it changes this master."""
        return os.path.join(self.backups, "lock")

    @property
    def pending(self) -> str:
        """The folder of a change that has begun and not ended."""
        return os.path.join(self.backups, "pending")
