# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where things of the testbed lie, and what a bed's parts are called: by its slot."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keeping import HOME

__all__ = ["REGISTRY", "Names"]

#: How kubeadm names its images; nothing is ever fetched from there.
REGISTRY = "registry.k8s.io"


@dataclass(frozen=True)
class Names:
    """What the parts of the bed in one slot (0 to 15) are called on this machine."""

    slot: int

    @property
    def folder(self) -> Path:
        return HOME / "beds" / str(self.slot)

    @property
    def lock(self) -> Path:
        """For the whole machine, as the names are: whoever keeps another cache sees it, too."""
        return Path("/run/lock") / f"{self.bridge}.lock"

    @property
    def bridge(self) -> str:
        return f"albed{self.slot}"

    @property
    def network(self) -> str:
        """The first three bytes of its addresses."""
        return f"10.77.{100 + self.slot}"

    @property
    def gateway(self) -> str:
        """This machine's address in the bed."""
        return f"{self.network}.1"

    def address(self, number: int) -> str:
        return f"{self.network}.{10 + number}"

    def node(self, number: int) -> str:
        """What the node's network namespace, link and control group are called. A link has at most 15 letters."""
        return f"{self.bridge}-m{number}"
