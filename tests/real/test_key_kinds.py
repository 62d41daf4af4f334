# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CAs with keys of each kind: those that kubeadm makes sign a pair that kube-apiserver accepts, others are refused."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from kubeadm_pki import name, write_private
from make_masters import make_cluster
from releases import Release
from support.ansible_run import Ansible
from support.configured import CONFIGURE
from support.verified import CONFIG_MAP, PUBLISHED_CAS, Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster


def make_ca(kubeadm: str, folder: Path, algorithm: str, release: Release) -> None:
    """Let kubeadm make a front-proxy CA with such a key."""
    settings = {
        "apiVersion": f"kubeadm.k8s.io/{release.kubeadm_api}",
        "kind": "ClusterConfiguration",
        "kubernetesVersion": release.tag,
        "certificatesDir": str(folder),
        "encryptionAlgorithm": algorithm,
    }
    path = folder / "kubeadm.json"
    path.write_text(json.dumps(settings))
    command = [kubeadm, "init", "phase", "certs", "front-proxy-ca", f"--config={path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# encryptionAlgorithm came with v1beta4 in 1.31, ECDSA-P384 in 1.34
@pytest.mark.since(34)
@pytest.mark.parametrize("algorithm", ["RSA-3072", "ECDSA-P256", "ECDSA-P384"])
def test_a_ca_of_kubeadm_signs_a_pair_that_is_accepted(
    algorithm: str,
    kubeadm: str,
    release: Release,
    make_master: MakeMaster,
    look: Look,
    ansible: Ansible,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "pki"
    folder.mkdir(mode=0o700)
    make_ca(kubeadm, folder, algorithm, release)
    module = {
        "certificate_path": str(folder / "client.crt"),
        "privatekey_path": str(folder / "client.key"),
        "ca_certificate_path": str(folder / "front-proxy-ca.crt"),
        "ca_privatekey_path": str(folder / "front-proxy-ca.key"),
        "type": algorithm.partition("-")[0],
    }
    assert '"changed": true' in ansible.module("kubeops.aggregation_layer.front_proxy_client", module)

    master = make_master(algorithm.lower())
    shutil.copy(folder / "front-proxy-ca.crt", master.pki / "front-proxy-ca.crt")
    for suffix in ("crt", "key"):
        shutil.copy(folder / f"client.{suffix}", master.pki / f"front-proxy-client.{suffix}")
    master.restart()
    bundle = (master.pki / "front-proxy-ca.crt").read_text()
    assert master.server is not None
    master.server.wait_until(lambda: bundle in master.get(CONFIG_MAP)["data"][PUBLISHED_CAS])
    master.publish_only_what_is_held()
    assert look(master).ids == []


@pytest.fixture
def post_quantum(tmp_path: Path) -> tuple[bytes, bytes]:
    """The certificate and the key of a CA of a kind that kubeadm takes from 1.38 on."""
    key, subject = MLDSA65PrivateKey.generate(), name("front-proxy-ca")
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(minutes=5))
    builder = builder.not_valid_after(now + datetime.timedelta(days=3650))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    certificate = builder.sign(key, None).public_bytes(Encoding.PEM)
    return certificate, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


WHY = "has a key of the kind ML-DSA-65, and kube-apiserver up to 1.37 checks no such signature"


def test_a_ca_whose_signatures_kubernetes_cannot_check_signs_nothing(
    post_quantum: tuple[bytes, bytes], ansible: Ansible, tmp_path: Path
) -> None:
    folder = tmp_path / "pki"
    folder.mkdir(mode=0o700)
    (folder / "ca.crt").write_bytes(post_quantum[0])
    write_private(folder / "ca.key", post_quantum[1])
    ours = {"certificate_path": str(folder / "ca.crt"), "privatekey_path": str(folder / "ca.key")}
    client = {
        "certificate_path": str(folder / "client.crt"),
        "privatekey_path": str(folder / "client.key"),
        "ca_certificate_path": str(folder / "ca.crt"),
        "ca_privatekey_path": str(folder / "ca.key"),
    }
    for module, arguments in (("front_proxy_ca", ours), ("front_proxy_client", client)):
        with pytest.raises(AssertionError) as failed:
            ansible.module(f"kubeops.aggregation_layer.{module}", arguments)
        assert WHY in " ".join(str(failed.value).split()), failed.value
    assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "ca.key"]


def test_masters_that_trust_such_a_ca_are_refused(
    post_quantum: tuple[bytes, bytes], ansible: Ansible, tmp_path: Path
) -> None:
    cluster = make_cluster(tmp_path / "masters", masters=2)
    for master in cluster.masters:
        (master.certificates / "front-proxy-ca.crt").write_bytes(post_quantum[0])
    manifests = [master.manifest.read_text() for master in cluster.masters]
    with pytest.raises(AssertionError) as failed:
        ansible.playbook(CONFIGURE, inventory=cluster.inventory, variables={"front_proxy_pki_dir": str(tmp_path / "p")})
    assert WHY in " ".join(str(failed.value).split()), failed.value
    assert [master.manifest.read_text() for master in cluster.masters] == manifests
    assert not (tmp_path / "p").exists()


def test_a_server_that_trusts_only_such_a_ca_is_told(
    post_quantum: tuple[bytes, bytes], make_master: MakeMaster, look: Look
) -> None:
    master = make_master("quantum")
    (master.pki / "front-proxy-ca.crt").write_bytes(post_quantum[0])
    found = look(master).findings
    assert found and found[0]["severity"] == "broken", found
