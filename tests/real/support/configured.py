# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sandboxed cluster on which the playbook ran: what is on its masters and on the controller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kubeadm_pki import Pair, load_pair
from make_masters import Cluster, Master
from support.ansible_run import Ansible
from support.manifest import StaticPod

__all__ = ["CONFIGURE", "Configured"]

CONFIGURE = "kubeops.aggregation_layer.configure"


@dataclass(frozen=True)
class Configured:
    """Made by ``run``. ``pki`` is the folder of the controller in which the role keeps the clusters' CAs."""

    cluster: Cluster
    pki: Path
    output: str

    @classmethod
    def run(cls, ansible: Ansible, cluster: Cluster, pki: Path) -> Configured:
        """Run the playbook on all masters of ``cluster``."""
        output = ansible.playbook(CONFIGURE, inventory=cluster.inventory, variables={"front_proxy_pki_dir": str(pki)})
        return cls(cluster, pki, output)

    def authority_paths(self) -> tuple[Path, Path]:
        """The certificate and the key of the CA, on the controller."""
        certificates = list(self.pki.rglob("front-proxy-ca.crt"))
        if len(certificates) != 1:
            found = f"{self.pki} holds {len(certificates)} files named front-proxy-ca.crt, not one"
            raise AssertionError(f"{found}; the playbook said:\n{self.output}")
        return certificates[0], certificates[0].with_suffix(".key")

    def authority(self) -> Pair:
        """The CA, to sign what the role did not."""
        return load_pair(*self.authority_paths())

    def pair(self, master: Master) -> tuple[Path, Path]:
        """The certificate and the key that the flags of a master's kube-apiserver name as proxy client."""
        pod = StaticPod(master.manifest.read_text(), master.root)
        return pod.file("proxy-client-cert-file"), pod.file("proxy-client-key-file")
