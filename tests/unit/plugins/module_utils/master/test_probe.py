# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The probe: what a kube-apiserver on this machine says of itself, and whether it accepts the pair."""

from __future__ import annotations

import os
import socket
import threading
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import probe
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Api
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.login import Login, pair_of
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.probe import Pair, ask
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = support.generation("old"), support.generation("new")


@pytest.fixture
def server() -> t.Iterator[machine.Server]:
    running = machine.Server(NEW, OLD)
    yield running
    running.close()


def lay_pair(folder: Path, made: support.Generation, header: str = "X-Remote-User") -> Pair:
    folder.mkdir(exist_ok=True)
    (folder / "crt").write_bytes(made.certificate)
    (folder / "key").write_bytes(made.key)
    return Pair(str(folder / "crt"), str(folder / "key"), header, "X-Remote-Group")


class TestProbe:
    """A real TLS server that wants client certificates."""

    def test_accepted(self, server: machine.Server, tmp_path: Path) -> None:
        found = ask("127.0.0.1", server.port, lay_pair(tmp_path, NEW))
        assert found == {
            "address": "127.0.0.1",
            "port": server.port,
            "accepted": True,
            "status": 200,
            "ready": True,
            "answers": True,
            "reload_hook": True,
            "version": "v1.30.1",
            "error": None,
        }
        assert server.asked == [("/version", probe.PROBE_USER), ("/readyz?verbose", probe.PROBE_USER)]

    def test_another_ca(self, server: machine.Server, tmp_path: Path) -> None:
        found = ask("127.0.0.1", server.port, lay_pair(tmp_path, OLD))
        assert (found["accepted"], found["status"], found["ready"], found["version"]) == (False, 401, True, "v1.30.1")
        # the rest was asked without the certificate, and without a name
        assert server.asked[1:] == [("/readyz?verbose", None), ("/version", None)]

    def test_version_is_forbidden_to_whom_it_knows(self, server: machine.Server, tmp_path: Path) -> None:
        server.forbidding = True
        found = ask("127.0.0.1", server.port, lay_pair(tmp_path, NEW))
        assert (found["accepted"], found["status"], found["ready"], found["error"]) == (True, 403, True, None)
        # and to whom it does not know, it says nothing of the name
        assert ask("127.0.0.1", server.port, lay_pair(tmp_path, OLD))["accepted"] is False

    def test_readiness_is_asked_in_the_name_of_the_administrators(self, server: machine.Server, tmp_path: Path) -> None:
        """A server that knows no roles yet says 403 to everybody else."""
        server.knows_roles, server.ready = False, 500
        found = ask("127.0.0.1", server.port, lay_pair(tmp_path, NEW))
        assert (found["accepted"], found["ready"], found["reload_hook"]) == (True, False, True)
        unknown = ask("127.0.0.1", server.port, None)
        assert (unknown["answers"], unknown["ready"], unknown["reload_hook"]) == (True, False, None)

    def test_another_header(self, server: machine.Server, tmp_path: Path) -> None:
        assert ask("127.0.0.1", server.port, lay_pair(tmp_path, NEW, "X-Other"))["accepted"] is False

    @pytest.mark.parametrize("spoil", ["key", "gone", "none"])
    def test_no_pair_that_loads(self, server: machine.Server, tmp_path: Path, spoil: str) -> None:
        pair: Pair | None = lay_pair(tmp_path, NEW)
        if spoil == "key":
            (tmp_path / "key").write_bytes(OLD.key)
        elif spoil == "gone":
            (tmp_path / "key").unlink()
        else:
            pair = None
        found = ask("127.0.0.1", server.port, pair)
        assert (found["accepted"], found["status"], found["answers"], found["ready"]) == (None, None, True, True)
        assert {user for dummy, user in server.asked} == {None}

    @pytest.mark.parametrize("name", ["crt", "key"])
    def test_a_pipe_in_the_container(self, server: machine.Server, tmp_path: Path, name: str) -> None:
        """What a container has in place of its pair is not ours to wait for."""
        lay_pair(tmp_path, NEW)
        os.unlink(str(tmp_path / name))
        os.mkfifo(str(tmp_path / name))
        with machine.process(f"--marker={tmp_path}") as running:
            flags = (f"--proxy-client-cert-file={tmp_path}/crt", f"--proxy-client-key-file={tmp_path}/key")
            pair = pair_of(("kube-apiserver", *flags), running.pid)
            assert pair and pair.key == f"/proc/{running.pid}/root{tmp_path}/key"
            with support.within(20):
                found = ask("127.0.0.1", server.port, pair)
                with pytest.raises(OSError, match="it is not a regular file"):
                    Api("127.0.0.1", server.port, Login("x", pair.certificate, pair.key), seconds=5)
        assert (found["accepted"], found["answers"], found["error"]) == (None, True, None)

    @pytest.mark.parametrize(
        ("status", "body", "wanted"),
        [
            (200, machine.HOOK, (True, True, True)),
            (200, "ok", (True, True, False)),
            (500, machine.HOOK, (True, False, True)),
            (403, "", (True, False, None)),
            (401, "", (True, False, None)),
        ],
    )
    def test_readiness(self, server: machine.Server, status: int, body: str, wanted: t.Any) -> None:
        server.ready, server.body = status, body
        found = ask("127.0.0.1", server.port, None)
        assert (found["answers"], found["ready"], found["reload_hook"]) == wanted

    def test_nobody_answers(self) -> None:
        with socket.socket() as held:
            held.bind(("127.0.0.1", 0))
            found = ask("127.0.0.1", held.getsockname()[1], None)
        assert (found["answers"], found["accepted"]) == (False, None) and "refused" in found["error"]

    @pytest.mark.parametrize("address", ["a..b", "x" * 70, "", "not an address", "\udcff"])
    def test_an_address_that_cannot_be_one(self, address: str) -> None:
        found = ask(address, 1, None)
        assert found["answers"] is False and found["error"]

    @pytest.mark.parametrize("header", ["X Remote\r\n", "", "ü", "X:Y"])
    def test_a_header_that_cannot_be_one(self, server: machine.Server, tmp_path: Path, header: str) -> None:
        found = ask("127.0.0.1", server.port, lay_pair(tmp_path, NEW, header))
        assert found["accepted"] is not True

    @pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nshort"])
    def test_no_tls_or_no_http(self, answer: bytes) -> None:
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        listener.listen(5)

        def serve() -> None:
            connection = listener.accept()[0]
            connection.recv(100)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        found = ask("127.0.0.1", listener.getsockname()[1], None)
        thread.join()
        listener.close()
        assert found["answers"] is False and found["error"]

    @settings(deadline=None, max_examples=60)
    @given(st.text(max_size=200))
    def test_versions(self, body: str) -> None:
        found = probe._version(body)
        assert found is None or isinstance(found, str)

    def test_odd_versions(self) -> None:
        for body in ("[]", "1", '{"gitVersion": 3}', "{}", ""):
            assert probe._version(body) is None
        assert probe._version('{"gitVersion": "v1.2.3"}') == "v1.2.3"
