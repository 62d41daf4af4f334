# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify looks at beyond what configure does: more files, public halves of keys, who the kubelet trusts."""

from __future__ import annotations

import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import survey as surveying
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.kubelet_ca import kubelet_client_ca
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import Process
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    key_pem,
    make_ca,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    MANIFEST,
    PKI,
    kubeadm,
)

PUBLIC = "-----BEGIN PUBLIC KEY-----\nYWJj\n-----END PUBLIC KEY-----\n"
KUBELET_CONFIG = "/var/lib/kubelet/config.yaml"


class Sandbox:
    """A master as a folder."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.fake = kubeadm(
            flags={
                "etcd-cafile": f"{PKI}/etcd/ca.crt",
                "service-account-key-file": f"{PKI}/sa.pub",
                "service-account-signing-key-file": f"{PKI}/sa.key",
            }
        )
        for path, file in self.fake.files.items():
            self.write(path, file.content)
        self.write(MANIFEST, self.fake.text)
        self.write(f"{PKI}/etcd/ca.crt", make_ca("etcd", "etcd-ca").pem)
        self.write(f"{PKI}/sa.pub", PUBLIC)
        self.write(f"{PKI}/sa.key", key_pem("sa"))

    def write(self, path: str, content: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)

    def look(self, clock: t.Optional[float] = None) -> t.Dict[str, t.Any]:
        return surveying.survey(
            manifest=MANIFEST,
            certificates_dir=None,
            root=str(self.root),
            lock_timeout=0,
            controller_clock=clock,
        )


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path)


def test_files_of_more_flags_are_looked_at(sandbox: Sandbox) -> None:
    found = sandbox.look()
    assert found["files"][f"{PKI}/etcd/ca.crt"]["certificates"] == [make_ca("etcd", "etcd-ca").pem]
    assert found["public_keys"] == {f"{PKI}/sa.key": [], f"{PKI}/sa.pub": [PUBLIC]}
    # nothing runs below a root
    assert found["layer"] is None and found["handshake"] is None and found["without_user"] is None


def test_no_private_key_is_told(sandbox: Sandbox) -> None:
    assert "PRIVATE KEY" not in repr(sandbox.look())


def test_a_key_of_service_accounts_that_is_the_cas_is_told_by_what_it_fits(sandbox: Sandbox) -> None:
    assert sandbox.look()["key_fits"] == {f"{PKI}/sa.key": []}
    sandbox.write(f"{PKI}/sa.key", key_pem("ca"))
    assert sandbox.look()["key_fits"] == {f"{PKI}/sa.key": [f"{PKI}/front-proxy-ca.crt"]}


def test_who_can_sign_is_told(sandbox: Sandbox) -> None:
    assert sandbox.look()["ca_key_fits"] == []
    sandbox.write(f"{PKI}/front-proxy-ca.key", key_pem("stranger"))
    assert sandbox.look()["ca_key_fits"] == []
    sandbox.write(f"{PKI}/front-proxy-ca.key", key_pem("ca"))
    assert f"{PKI}/front-proxy-ca.crt" in sandbox.look()["ca_key_fits"]


@pytest.mark.parametrize(
    "text",
    [
        "authentication:\n  x509:\n    clientCAFile: /etc/kubelet.crt\n",
        '{"authentication": {"x509":\n  {\n"clientCAFile": "/etc/kubelet.crt"}}}',
    ],
)
def test_the_kubelets_ca_is_found_in_its_configuration(text: str, sandbox: Sandbox) -> None:
    sandbox.write(KUBELET_CONFIG, text)
    sandbox.write("/etc/kubelet.crt", make_ca().pem)
    found = sandbox.look()
    assert found["kubelet_client_ca"] == "/etc/kubelet.crt"
    assert found["files"]["/etc/kubelet.crt"]["certificates"] == [make_ca().pem]


def test_the_kubelets_own_flags_come_first(sandbox: Sandbox) -> None:
    sandbox.write(KUBELET_CONFIG, "clientCAFile: /etc/usual.crt\n")
    sandbox.write("/etc/other.yaml", "clientCAFile: /etc/other.crt\n")
    places = Places(str(sandbox.root))

    def found(*words: str) -> t.Optional[str]:
        return kubelet_client_ca([Process(1, ("/usr/bin/kubelet", *words), 1)], places)

    assert found() == "/etc/usual.crt"
    assert found("--config=/etc/other.yaml") == "/etc/other.crt"
    assert found("--config=/etc/other.yaml", "--client-ca-file=/etc/flag.crt") == "/etc/flag.crt"
    assert found("--config=/etc/none.yaml") is None
    # what is no whole path is none of a file that could be found
    assert found("--client-ca-file=ca.crt") == "/etc/usual.crt"
    # the last drop-in that says something counts, whether there is another file or not
    sandbox.write("/etc/kubelet.d/10-a.conf", "authentication:\n  x509:\n    clientCAFile: /etc/first.crt\n")
    sandbox.write("/etc/kubelet.d/20-b.conf", "authentication:\n  x509:\n    clientCAFile: /etc/last.crt\n")
    sandbox.write("/etc/kubelet.d/30-c.conf", "maxPods: 10\n")
    sandbox.write("/etc/kubelet.d/40-d.yaml", "clientCAFile: /etc/ignored.crt\n")
    for config in ("other", "none"):
        assert found(f"--config=/etc/{config}.yaml", "--config-dir=/etc/kubelet.d") == "/etc/last.crt"
    assert found("--config-dir=/etc/none.d") == "/etc/usual.crt"


def test_the_clock_is_compared_before_anything_is_waited_for(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1000.0])
    monkeypatch.setattr(surveying.time, "time", lambda: next(times, 1300.0))
    assert sandbox.look(clock=999.5)["clock_skew"] == 0.5


def test_a_manifest_that_is_not_there_is_said(sandbox: Sandbox) -> None:
    os.remove(sandbox.root / MANIFEST.lstrip("/"))
    with pytest.raises(MasterError, match="There is no manifest at"):
        sandbox.look()
