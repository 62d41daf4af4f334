# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify and certificates that no tool makes by accident only: each is made, seen alone, and then no longer there."""

from __future__ import annotations

import datetime
import subprocess
import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from kubeadm_pki import Pair, make_authority, make_key, name
from support.live import LiveMaster
from support.service import ServiceError
from support.verified import CONFIG_MAP, PUBLISHED_CAS, Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster


def test_a_server_that_does_not_start(make_master: MakeMaster, look: Look) -> None:
    make_master("beside")  # another cluster's, which is not taken for it
    master = make_master("dead")
    master.set_flags({"no-such-flag": "1"})
    with pytest.raises(ServiceError, match="unknown flag: --no-such-flag"):
        master.restart()
    assert look(master).ids == ["server-not-running"]
    master.set_flags({"no-such-flag": None})
    master.restart()
    assert look(master).ids == []


@pytest.fixture(scope="module")
def healthy(make_master: MakeMaster) -> LiveMaster:
    """A master as kubeadm makes it."""
    return make_master()


@pytest.fixture
def kept(healthy: LiveMaster, look: Look) -> t.Iterator[LiveMaster]:
    """The healthy master, whose files a test may change; afterwards nothing is found."""
    with healthy.kept():
        yield healthy
    assert look(healthy).ids == []


def flag_twice(master: LiveMaster) -> None:
    text = master.manifest.read_text()
    other = f"    - '--requestheader-client-ca-file={master.pki}/ca.crt'\n"
    master.manifest.write_text(text.replace("    - kube-apiserver\n", f"    - kube-apiserver\n{other}", 1))


def ca_without_constraints(master: LiveMaster) -> None:
    key, subject, now = make_key(), name("front-proxy-ca"), datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=3650))
    authority = Pair(builder.sign(key, hashes.SHA256()), key)
    master.trust(authority)
    master.sign(authority)


def by_openssl(*options: str, extensions: str = "") -> t.Callable[[LiveMaster], None]:
    """Sign the pair with openssl, as people do by hand."""

    def sign(master: LiveMaster) -> None:
        scratch = master.folder / "scratch"
        master.front_proxy.write(scratch, "ca")
        (scratch / "extensions").write_text(extensions)
        new = ("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=front-proxy-client")
        run(scratch, *new, "-keyout", "client.key", "-out", "client.csr")
        signed = ("x509", "-req", "-in", "client.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial")
        run(scratch, *signed, *options, "-days", "365", "-extfile", "extensions", "-out", "client.crt")
        for end in ("crt", "key"):
            (master.pki / f"front-proxy-client.{end}").write_bytes((scratch / f"client.{end}").read_bytes())

    return sign


def run(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


def trusted_by_kubelets(master: LiveMaster) -> None:
    master.set_flags({"kubelet-certificate-authority": str(master.pki / "front-proxy-ca.crt")})


FAULTS = {
    "flag-twice": flag_twice,
    "ca-is-none": ca_without_constraints,
    "weak-signature": by_openssl("-sha1", extensions="extendedKeyUsage = clientAuth\n"),
    "pair-without-usage": by_openssl("-sha256"),
    "ca-shared-with-kubelets": trusted_by_kubelets,
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault(kind: str, kept: LiveMaster, look: Look) -> None:
    FAULTS[kind](kept)
    verified = look(kept)
    assert verified.ids == [kind], verified.output
    assert verified.findings[0]["title"] in verified.table[0]


def test_a_ca_that_ends_soon(make_master: MakeMaster, look: Look) -> None:
    master = make_master("ending")
    old = make_authority(name("front-proxy-ca"), age=3550)
    master.trust(old)
    master.sign(old)
    master.restart()
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (master.pki / "front-proxy-ca.crt").read_text()}})
    ending = look(master)
    assert ending.ids == ["ca-expires-soon"], ending.output
    assert ending.findings[0]["when"] == f"{old.certificate.not_valid_after_utc:%Y-%m-%d}"


def test_a_pair_that_is_its_own_authority(make_master: MakeMaster, look: Look) -> None:
    master = make_master("itself")
    own = (master.pki / "front-proxy-client.crt").read_text()
    (master.pki / "front-proxy-ca.crt").write_text(own)
    master.restart()
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: own}})
    verified = look(master)
    # the server takes it: nothing else is found
    assert verified.ids == ["pair-vouches-for-itself"], verified.output
