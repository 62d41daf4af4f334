# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeadm goes on working with the CA and the pair that the role wrote."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from make_masters import Master, make_cluster
from support.ansible_run import Ansible
from support.configured import Configured

pytestmark = pytest.mark.differs


@pytest.fixture
def master(ansible: Ansible, tmp_path: Path) -> Master:
    """A master that the role configured, and on which the CA's key lies, too: kubeadm renews only with both."""
    configured = Configured.run(ansible, make_cluster(tmp_path / "masters", masters=1), tmp_path / "pki")
    (found,) = configured.cluster.masters
    dummy, key = configured.authority_paths()
    shutil.copy(key, found.certificates / "front-proxy-ca.key")
    return found


def certs(kubeadm: str, *arguments: str, master: Master) -> str:
    """Run ``kubeadm certs`` on a sandboxed master; no cluster of this machine is asked."""
    folders = ["--cert-dir", str(master.certificates), "--kubeconfig", str(master.root / "none.conf")]
    done = subprocess.run(
        [kubeadm, "certs", *arguments, *folders],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def verify(master: Master) -> None:
    """Let openssl check that the pair on the master belongs to the CA on the master."""
    authority, certificate = (str(master.certificates / f"front-proxy-{role}.crt") for role in ("ca", "client"))
    command = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", authority, certificate]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_kubeadm_lists_both_with_their_ends(kubeadm: str, master: Master) -> None:
    listed = [line.split() for line in certs(kubeadm, "check-expiration", master=master).splitlines()]
    rows = {words[0]: words[1:] for words in listed if len(words) > 1}
    # NAME, "Nov 22, 2027 04:34 UTC", what is left, the CA of a certificate, whether the CA's key is missing
    assert rows["front-proxy-client"][6:] == ["front-proxy-ca", "no"]
    assert rows["front-proxy-ca"][6:] == ["no"]


def test_kubeadm_renews_the_pair(kubeadm: str, master: Master) -> None:
    verify(master)
    certificate, key = master.certificates / "front-proxy-client.crt", master.certificates / "front-proxy-client.key"
    before = certificate.read_bytes(), key.read_bytes()
    assert "renewed" in certs(kubeadm, "renew", "front-proxy-client", master=master)
    assert certificate.read_bytes() != before[0]
    assert key.read_bytes() != before[1]
    verify(master)
