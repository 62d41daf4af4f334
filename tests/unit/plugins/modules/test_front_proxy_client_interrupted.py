# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module front_proxy_client: killed, with a full disk, or after another run."""

from __future__ import annotations

import os
import signal
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import client_files
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.modules.client_runner import Client


class TestInterrupted:
    """Killed or full."""

    def test_killed_between_the_two_files(self, client: Client) -> None:
        old = client()
        pid = os.fork()
        if pid == 0:
            original = client_files.replace

            def die_second(path: str, *more: t.Any, **options: t.Any) -> None:
                if path.endswith(".crt"):
                    os.kill(os.getpid(), signal.SIGKILL)
                original(path, *more, **options)

            client_files.replace = die_second  # type: ignore[attr-defined]
            try:
                client(force=True)
            finally:
                os._exit(9)
        assert os.WIFSIGNALED(os.waitpid(pid, 0)[1])
        assert client.certificate.read_text() == old["certificate"]
        repaired = client()
        assert (repaired["action"], repaired["reason"]) == ("renewed", "key_mismatch")
        assert client()["changed"] is False
        assert sorted(path.name for path in client.folder.iterdir()) == ["c.crt", "c.key"]

    @pytest.mark.parametrize("failing", ["c.key", "c.crt"])
    def test_a_full_disk_is_one_sentence_and_mended_later(
        self, failing: str, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client()
        with monkeypatch.context() as patched:
            support.fill_disk(patched, failing)
            assert f"{failing} is full (No space left on device)" in client.refused(force=True)
        assert client()["reason"] in ("", "key_mismatch")
        assert support.openssl_accepts(client.ca_certificate, client.certificate)
        assert sorted(path.name for path in client.folder.iterdir()) == ["c.crt", "c.key"]

    def test_one_that_another_run_has_just_made(self, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
        original = client_files.working_in

        def late(*arguments: t.Any, **options: t.Any) -> t.Any:
            client.lay(support.make_client())
            return original(*arguments, **options)

        monkeypatch.setattr(client_files, "working_in", late)
        assert client()["action"] == "kept"
