# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make sandboxed masters: folders that look like the file systems of a kubeadm cluster's masters, and an inventory.

    python3 make_masters.py DEST --masters 3

makes DEST/m1, DEST/m2, DEST/m3 and DEST/inventory. In the inventory each of them is a host of this machine, and its
folder is its root. Nothing runs in them; a test may start a kube-apiserver from the manifest.
"""

from __future__ import annotations

import argparse
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from kubeadm_manifest import apiserver_manifest, scheduler_manifest
from kubeadm_pki import Pair, PrivateKey, issue, make_authority, make_key, name, write_key_pair, write_private

__all__ = ["Authorities", "Cluster", "Master", "SandboxError", "make_authorities", "make_cluster", "make_master"]

MANIFESTS = "/etc/kubernetes/manifests"
CERTIFICATES = "/etc/kubernetes/pki"
VERSION = "1.20.2"
# RFC 5737: addresses for documentation, which no machine has. The Service "kubernetes" has the first one of its range.
ADDRESS = "192.0.2.{}"
SERVICE_ADDRESS = "10.96.0.1"
SERVICE_NAMES = (
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


class SandboxError(Exception):
    """The sandbox cannot be made; the message says why and what to do."""


@dataclass(frozen=True)
class Authorities:
    """What the masters of one cluster share. ``front_proxy`` is None on a cluster without the aggregation layer."""

    cluster: Pair
    etcd: Pair
    service_accounts: PrivateKey
    front_proxy: Pair | None


@dataclass(frozen=True)
class Master:
    """One sandboxed master."""

    name: str
    root: Path
    certificates_dir: str = CERTIFICATES

    @property
    def manifest(self) -> Path:
        return self.root / MANIFESTS.lstrip("/") / "kube-apiserver.yaml"

    @property
    def certificates(self) -> Path:
        return self.root / self.certificates_dir.lstrip("/")


@dataclass(frozen=True)
class Cluster:
    """The masters that were made, and the file that lists them for Ansible."""

    masters: tuple[Master, ...]
    inventory: Path


def make_authorities(*, bare: bool, kind: str = "ecdsa") -> Authorities:
    """New CAs and service account keys; ``kind`` is ``ecdsa`` (quick) or ``rsa`` (kubeadm's default)."""
    return Authorities(
        cluster=make_authority(name("kubernetes"), kind=kind),
        etcd=make_authority(name("etcd-ca"), kind=kind),
        service_accounts=make_key(kind),
        front_proxy=None if bare else make_authority(name("front-proxy-ca"), kind=kind),
    )


def make_master(
    root: Path,
    *,
    authorities: Authorities,
    address: str = ADDRESS.format(11),
    kubernetes_version: str = VERSION,
    certificates_dir: str = CERTIFICATES,
    kind: str = "ecdsa",
) -> Master:
    """Write what kubeadm leaves on a master into ``root``, which is named like the host."""
    master = Master(root.name, root, certificates_dir)
    pki, shared = master.certificates, authorities

    shared.cluster.write(pki, "ca")
    shared.etcd.write(pki / "etcd", "ca")
    write_key_pair(shared.service_accounts, pki, "sa")
    # kubeadm does not name the loopback addresses; a test that starts this server here needs it.
    hosts = [*SERVICE_NAMES, master.name, SERVICE_ADDRESS, address, "127.0.0.1", "::1"]
    issue(shared.cluster, name("kube-apiserver"), hosts=hosts, kind=kind).write(pki, "apiserver")
    for authority, stem, common_name in (
        (shared.cluster, "apiserver-kubelet-client", "kube-apiserver-kubelet-client"),
        (shared.etcd, "apiserver-etcd-client", "kube-apiserver-etcd-client"),
        (shared.etcd, "etcd/healthcheck-client", "kube-etcd-healthcheck-client"),
    ):
        issue(authority, name(common_name, "system:masters"), client=True, kind=kind).write(pki, stem)
    for stem in ("server", "peer"):
        here = [master.name, "localhost", address, "127.0.0.1", "::1"]
        issue(shared.etcd, name(master.name), client=True, hosts=here, kind=kind).write(pki / "etcd", stem)
    if shared.front_proxy:
        shared.front_proxy.write(pki, "front-proxy-ca")
        issue(shared.front_proxy, name("front-proxy-client"), client=True, kind=kind).write(pki, "front-proxy-client")

    apiserver = apiserver_manifest(
        address=address,
        version=kubernetes_version,
        certificates_dir=certificates_dir,
        bare=shared.front_proxy is None,
    )
    scheduler = scheduler_manifest(version=kubernetes_version)
    write_private(master.manifest, apiserver.encode())
    write_private(master.manifest.with_name("kube-scheduler.yaml"), scheduler.encode())
    return master


def make_cluster(
    destination: Path,
    *,
    masters: int = 3,
    cluster: str = "",
    bare: bool = True,
    kubernetes_version: str = VERSION,
    certificates_dir: str = CERTIFICATES,
    kind: str = "ecdsa",
) -> Cluster:
    """Make ``masters`` masters of one cluster below ``destination``, and the inventory beside them.

    Raises SandboxError if something of it is there already: a sandbox is made once, and thrown away by its owner.
    """
    destination = destination.absolute()
    inventory = destination / "inventory"
    roots = [destination / f"m{number}" for number in range(1, masters + 1)]
    for path in (inventory, *roots):
        if path.exists():
            raise SandboxError(f"{path} exists already: remove it, or choose another folder for the sandbox.")
    authorities = make_authorities(bare=bare, kind=kind)
    made = tuple(
        make_master(
            root,
            authorities=authorities,
            address=ADDRESS.format(10 + number),
            kubernetes_version=kubernetes_version,
            certificates_dir=certificates_dir,
            kind=kind,
        )
        for number, root in enumerate(roots, start=1)
    )
    inventory.write_text(inventory_text(made, cluster), encoding="utf-8")
    return Cluster(made, inventory)


def inventory_text(masters: t.Iterable[Master], cluster: str) -> str:
    lines = ["[masters]", *(f'{master.name} front_proxy_root="{master.root}"' for master in masters), ""]
    lines += ["[masters:vars]", "ansible_connection=local", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    if cluster:
        lines.append(f"front_proxy_cluster={cluster}")
    return "\n".join(lines) + "\n"


def arguments(given: t.Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Make sandboxed masters and an inventory of them.")
    parser.add_argument("destination", type=Path, metavar="DEST", help="the folder for them; made if it is missing")
    parser.add_argument("--masters", type=int, default=3, metavar="N", help="how many masters (default: 3)")
    parser.add_argument("--cluster", default="", metavar="NAME", help="value of front_proxy_cluster (default: not set)")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--bare", action="store_true", default=True, help="without the aggregation layer (the default)")
    kinds.add_argument("--kubeadm", dest="bare", action="store_false", help="with what kubeadm configures of it")
    parser.add_argument("--certificates-dir", default=CERTIFICATES, metavar="PATH", help=f"default: {CERTIFICATES}")
    parser.add_argument("--kubernetes-version", default=VERSION, metavar="X.Y.Z", help=f"default: {VERSION}")
    parser.add_argument("--keys", choices=("ecdsa", "rsa"), default="ecdsa", help="P-256 (the default) or RSA 2048")
    return parser.parse_args(given)


def main(given: t.Sequence[str] | None = None) -> int:
    """Run the command line."""
    options = arguments(given)
    try:
        cluster = make_cluster(
            options.destination,
            masters=options.masters,
            cluster=options.cluster,
            bare=options.bare,
            kubernetes_version=options.kubernetes_version,
            certificates_dir=options.certificates_dir,
            kind=options.keys,
        )
    except (SandboxError, OSError) as error:
        print(f"make_masters: {error}", file=sys.stderr)
        return 1
    print(f"{len(cluster.masters)} masters in {options.destination}, listed in {cluster.inventory}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
