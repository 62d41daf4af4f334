# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Three real masters, made by kubeadm on this machine, and what the bench does with them."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
import time
import typing as t
from pathlib import Path

from apiservers import running
from bed.shell import BedError
from bed.testbed import Testbed
from cost import BenchError
from runs import NAME, ROOT, Runs
from watch.client import Client
from watch.master import Master

__all__ = ["Masters", "real_masters"]

_SSH_PORT = 2222
_SSH_LOG = "/var/log/bench-sshd.log"
_DRAFT = "/etc/kubernetes/kube-apiserver.draft.yaml"  # of the playbook by hand
_POLL = 0.1
_RESTART_SECONDS = 120
# After a restart, controllers choose their leaders again and read everything: that is not to be measured.
_QUIET_SECONDS = 8


class Masters:
    """The masters of a cluster. folder: an existing one with a short path, for all that Ansible writes."""

    def __init__(self, bed: Testbed, folder: Path, collections: t.Mapping[str, Path]) -> None:
        self.bed = bed
        self.folder = folder
        self.client = Client(bed.kubeconfig)
        self.masters = [Master(node, self.client) for node in bed.nodes]
        self.networks = {node.name: Path("/run/netns", bed.names.node(node.number)) for node in bed.nodes}
        sockets = folder / "cp"
        sockets.mkdir()
        self.runs = Runs(folder, self._inventory(), collections, sockets)
        self.by_hand = folder / "by_hand"
        shutil.copytree(ROOT / "tests" / "bench" / "by_hand", self.by_hand)
        for node in bed.nodes:
            self._start_sshd(node.name)

    def _start_sshd(self, name: str) -> None:
        """Start an sshd that tells of each session; it ends with the node.

        A session is a command or a file transfer for which the client asks the server once: a round trip of Ansible.
        The server's own count does not depend on how the client shares connections, or names its programs.
        """
        node = next(node for node in self.bed.nodes if node.name == name)
        options = ("LogLevel=VERBOSE", "PidFile=none", f"Port={_SSH_PORT}", "UsePAM=no")
        node.run("/usr/sbin/sshd", "-E", _SSH_LOG, *(word for option in options for word in ("-o", option)))

    def sessions(self) -> list[int]:
        """How many sessions there were so far on each master."""
        logs = [master.node.path(_SSH_LOG).read_text(encoding="utf-8", errors="replace") for master in self.masters]
        return [len(re.findall(r"^Starting session: ", log, re.MULTILINE)) for log in logs]

    def _inventory(self) -> dict[str, t.Any]:
        options = "-F none -o IdentitiesOnly=yes -o LogLevel=ERROR -o StrictHostKeyChecking=no"
        variables = {
            "ansible_port": _SSH_PORT,
            "ansible_user": "root",
            "ansible_ssh_common_args": f"{options} -o UserKnownHostsFile=/dev/null",
            "ansible_ssh_private_key_file": str(self.bed.key),
            "front_proxy_pki_dir": str(self.pki),
        }
        hosts = {master.name: {"ansible_host": master.address} for master in self.masters}
        return {"masters": {"hosts": hosts, "vars": variables}}

    @property
    def pki(self) -> Path:
        """Where the collection keeps its CA on this machine."""
        return self.folder / "pki"

    def release(self) -> str:
        """The release of the kube-apiservers, as they say it."""
        return str(self.client.get(self.masters[0].address, "/version").json["gitVersion"]).lstrip("v")

    def wait(self) -> None:
        """Wait until all masters run what their manifests say, and the cluster has come to rest."""
        for master in self.masters:
            master.wait_until_it_runs_its_manifest()
        time.sleep(_QUIET_SECONDS)

    def strip(self) -> None:
        """Make the masters bare, and forget the CAs."""
        for folder in (self.pki, self.by_hand / "pki"):
            shutil.rmtree(folder, ignore_errors=True)
        for master in self.masters:
            master.node.path(_DRAFT).unlink(missing_ok=True)
            master.strip()
        self.wait()

    def restart(self, master: Master) -> float:
        """Restart a kube-apiserver by hand, and give the seconds until /readyz of the new process says yes.

        Raises BenchError if it does not come back.
        """
        network = self.networks[master.name]
        old = running(network)
        began = master.write_manifest(master.manifest)
        while True:
            now = running(network)
            if now and not now & old and master.is_ready():
                return time.monotonic() - began
            if time.monotonic() - began > _RESTART_SECONDS:
                raise BenchError(f"{master.name} does not serve {_RESTART_SECONDS} s after its manifest was changed.")
            time.sleep(_POLL)


@contextlib.contextmanager
def real_masters(collection: Path, others: t.Mapping[str, Path]) -> t.Iterator[Masters]:
    """Boot a cluster for the block, with these collections at hand. Raises BenchError."""
    try:
        with (
            # the paths of ssh's sockets must be short
            tempfile.TemporaryDirectory(prefix="bench-", dir="/tmp", ignore_cleanup_errors=True) as name,
            Testbed() as bed,
        ):
            bed.up(3)
            masters = Masters(bed, Path(name), {NAME: collection, **others})
            try:
                masters.wait()
                yield masters
            finally:
                masters.runs.hang_up()
    except (AssertionError, BedError) as error:
        raise BenchError(str(error)) from error
