# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_ca: killed, with a full disk, or run twice at once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import ca_files
from ansible_collections.kubeops.aggregation_layer.plugins.modules import front_proxy_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.ca_runner import Ca


class TestInterrupted:
    """Killed, full, or two at once."""

    def test_a_key_without_certificate_gets_one(self, ca: Ca) -> None:
        ca.lay(None, support.key().to_pem())
        predicted = ca(check=True)
        assert not ca.certificate.exists()
        result = ca()
        for one in (predicted, result):
            assert (one["changed"], one["action"], one["reason"]) == (True, "made", "key_without_certificate")
            assert one["public_key_fingerprint"] == support.key().fingerprint
        assert ca.key.read_bytes() == support.key().to_pem()
        assert ca()["action"] == "kept"

    def test_an_encrypted_key_without_certificate(self, ca: Ca) -> None:
        ca.lay(None, support.key().to_pem("right"))
        assert "is encrypted and no passphrase" in ca.refused()
        assert ca(passphrase="right")["privatekey"] == "encrypted"

    def test_a_key_that_kubeadm_cannot_read(self, ca: Ca) -> None:
        ca.lay(None, support.openssl("genpkey", "-algorithm", "ed25519"))
        assert "cannot become a CA's. An Ed25519 key is refused" in ca.refused()

    def test_killed_between_the_two_files(self, ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
        original = ca_files._write_certificate
        pid = os.fork()
        if pid == 0:  # the process that is killed just when the certificate should be written
            ca_files._write_certificate = lambda *dummy: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[assignment]
            try:
                ca()
            finally:
                os._exit(9)
        dummy, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status) and ca_files._write_certificate is original
        assert [path.name for path in ca.folder.iterdir()] == ["ca.key"]
        key = ca.key.read_bytes()
        assert ca()["reason"] == "key_without_certificate"
        assert ca.key.read_bytes() == key
        assert ca()["changed"] is False

    @pytest.mark.parametrize("failing", ["ca.key", "ca.crt"])
    def test_a_full_disk_leaves_nothing(
        self, failing: str, ca: Ca, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        support.fill_disk(monkeypatch, failing)
        assert f"{failing} is full (No space left on device)" in ca.refused()
        assert list(tmp_path.iterdir()) == []
        monkeypatch.undo()

    def test_killed_before_the_note(self, ca: Ca) -> None:
        pid = os.fork()
        if pid == 0:
            front_proxy_ca.note_client_cas = lambda *dummy: os.kill(os.getpid(), signal.SIGKILL)
            try:
                ca(client_cas=["ab"])
            finally:
                os._exit(9)
        dummy, status = os.waitpid(pid, 0)
        assert os.WIFSIGNALED(status)
        assert sorted(path.name for path in ca.folder.iterdir()) == ["ca.crt", "ca.key"]
        assert ca(client_cas=["ab"])["action"] == "kept"
        assert (ca.folder / "client-ca-keys").read_text() == "ab\n"

    def test_a_full_disk_keeps_the_old_note(self, ca: Ca, monkeypatch: pytest.MonkeyPatch) -> None:
        ca(client_cas=["ab"])
        before = support.checksums(ca.folder)
        with monkeypatch.context() as patched:
            support.fill_disk(patched)
            assert "client-ca-keys is full (No space left on device)" in ca.refused(client_cas=["cd"])
        assert support.checksums(ca.folder) == before
        ca(client_cas=["cd"])
        assert (ca.folder / "client-ca-keys").read_text() == "cd\n"

    def test_two_at_once_make_one(self, tmp_path: Path) -> None:
        folder = tmp_path / "new"
        arguments = {
            "ANSIBLE_MODULE_ARGS": {
                "certificate_path": str(folder / "ca.crt"),
                "privatekey_path": str(folder / "ca.key"),
                "_ansible_remote_tmp": "/tmp",
            }
        }
        code = (
            "from ansible.module_utils import basic; import sys\n"
            f"basic._ANSIBLE_ARGS = {json.dumps(arguments).encode()!r}; basic._ANSIBLE_PROFILE = 'legacy'\n"
            f"from {front_proxy_ca.__name__} import main; main()\n"
        )
        path = os.pathsep.join(filter(None, sys.path))
        running = [
            subprocess.Popen(
                [sys.executable, "-c", code],
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            for dummy in range(4)
        ]
        results = [json.loads(process.communicate(timeout=120)[0]) for process in running]
        assert sorted(result["action"] for result in results) == ["kept", "kept", "kept", "made"]
        assert len({result["fingerprint"] for result in results}) == 1
        assert sorted(path.name for path in folder.iterdir()) == ["ca.crt", "ca.key"]
