# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process table, the probe, the evidence for kube-proxy, the last words: what a master shows of what runs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import containerlog, probe, routing
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import process as process_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.probe import Pair, ask
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import (
    Process,
    endpoint,
    find_apiserver,
    is_alive,
    list_processes,
    mounts_of,
    started_at,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = support.generation("old"), support.generation("new")


def made_up(*argv: str, pid: int = 1, ticks: int = 1) -> Process:
    return Process(pid, argv, ticks)


class TestProcesses:
    """Real processes."""

    def test_one_is_seen(self, tmp_path: Path) -> None:
        before = time.time()
        with machine.process(f"--marker={tmp_path}") as running:
            (found,) = [one for one in list_processes() if one.pid == running.pid]
            assert found.name == "kube-apiserver" and found.argv[-1] == f"--marker={tmp_path}"
            assert is_alive(found)
            assert not is_alive(found._replace(start_ticks=found.start_ticks - 1))  # its number was given out again
            assert before - 30 < started_at(found) < time.time() + 30
            os.kill(running.pid, 9)
            deadline = time.monotonic() + 20
            while is_alive(found) and time.monotonic() < deadline:
                time.sleep(0.005)
            # a zombie: nobody has asked for its end yet
            assert os.path.exists(f"/proc/{running.pid}/stat") and not is_alive(found)
            assert all(one.pid != running.pid for one in list_processes())
        assert not is_alive(found)

    def test_words_that_are_no_text(self) -> None:
        running = subprocess.Popen([b"sh", b"-c", b"read dummy", b"--odd=\xff\n)", b""], stdin=subprocess.PIPE)
        try:
            while Path(f"/proc/{running.pid}/cmdline").read_bytes()[:3] != b"sh\0":
                time.sleep(0.005)
            (found,) = [one for one in list_processes() if one.pid == running.pid]
            assert os.fsencode(found.argv[3]) == b"--odd=\xff\n)"
        finally:
            running.kill()
            running.wait()

    def test_a_name_with_parentheses(self, tmp_path: Path) -> None:
        program = tmp_path / "a) Z 1 2 (b"
        program.write_text("#!/bin/sh\nread dummy\n")
        program.chmod(0o755)
        running = subprocess.Popen([str(program)], stdin=subprocess.PIPE)
        try:
            proc = Path(f"/proc/{running.pid}")
            # a process has its new name a moment before its new words
            while b"(b" not in (proc / "stat").read_bytes() or b"(b" not in (proc / "cmdline").read_bytes():
                time.sleep(0.005)
            assert any(one.pid == running.pid and is_alive(one) for one in list_processes())
        finally:
            running.kill()
            running.wait()


class TestWhichServer:
    """Several that look like it."""

    @pytest.mark.parametrize(
        "argv",
        [
            ("kube-apiserver",),
            ("/usr/local/bin/kube-apiserver", "--a=b"),
            ("/hyperkube", "kube-apiserver", "--a"),
            ("/hyperkube", "apiserver", "--a"),
            ("/usr/local/bin/kube-apiserver-amd64", "--a"),
        ],
    )
    def test_it_is_one(self, argv: t.Tuple[str, ...]) -> None:
        text = "command:\n- kube-apiserver-amd64\n"
        assert find_apiserver([made_up("init"), made_up(*argv, pid=2)], text) == made_up(*argv, pid=2)

    @pytest.mark.parametrize(
        "argv",
        [
            ("/go-runner", "kube-apiserver", "--a"),
            ("/go-runner", "--log-file=/x", "--", "/usr/local/bin/kube-apiserver"),
            ("sh", "-c", "exec kube-apiserver --a"),
            ("grep", "kube-apiserver"),
            ("vi", "/etc/kubernetes/manifests/kube-apiserver"),
            ("kube-apiserver-network-proxy",),
            ("/hyperkube", "kube-proxy"),
            ("",),
        ],
    )
    def test_it_is_none(self, argv: t.Tuple[str, ...]) -> None:
        assert find_apiserver([made_up(*argv)]) is None

    def test_the_one_of_this_manifest(self) -> None:
        text = support.text_with("--advertise-address=10.0.0.1", "--secure-port=6443", "--profiling=false")
        ours = made_up("kube-apiserver", "--advertise-address=10.0.0.1", "--secure-port=6443", pid=1, ticks=1)
        other = made_up("kube-apiserver", "--advertise-address=10.0.0.2", "--secure-port=6443", pid=2, ticks=2)
        bare = made_up("kube-apiserver", pid=3, ticks=0)
        assert find_apiserver([ours, other], text) == find_apiserver([other, ours], text) == ours
        newer = ours._replace(pid=4, start_ticks=9)
        assert find_apiserver([newer, ours, other, bare], text) == newer
        assert find_apiserver([], text) is None

    @pytest.mark.parametrize(
        ("argv", "wanted"),
        [
            ((), ("127.0.0.1", 6443)),
            (("--bind-address=0.0.0.0", "--secure-port=8443"), ("127.0.0.1", 8443)),
            (("--bind-address", "10.1.2.3", "--secure-port", "1"), ("10.1.2.3", 1)),
            (("--bind-address=::",), ("127.0.0.1", 6443)),
            (("--bind-address=[::]",), ("127.0.0.1", 6443)),
            (("--bind-address=::1",), ("::1", 6443)),
            (("--bind-address=[fd00::1]",), ("fd00::1", 6443)),
            (("--bind_address=10.1.2.3", "--secure-port=1", "--secure-port=2"), ("10.1.2.3", 2)),
            (("--secure-port=", "--bind-address="), ("127.0.0.1", 6443)),
            (("--secure-port=x",), ("127.0.0.1", 6443)),
            (("--secure-port=²",), ("127.0.0.1", 6443)),
            (("--", "--secure-port=1"), ("127.0.0.1", 6443)),
        ],
    )
    def test_endpoint(self, argv: t.Tuple[str, ...], wanted: t.Tuple[str, int]) -> None:
        assert endpoint(("kube-apiserver", *argv)) == wanted

    def test_mounts(self) -> None:
        found = mounts_of(os.getpid(), ["/proc/self/stat", "/etc/passwd", "/proc"])
        points = {entry["mount_point"] for entry in found}
        assert "/proc" in points and len(found) == len(points)
        assert all(set(entry) == {"mount_point", "source", "device"} for entry in found)
        assert mounts_of(2**22 + 1, ["/etc"]) == []


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


class TestRouting:
    """Evidence for kube-proxy or for what stands in its place."""

    @pytest.fixture(autouse=True)
    def tools(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str, str], None]:
        folder = tmp_path / "bin"
        folder.mkdir()

        def which(command: str, path: str) -> str | None:
            assert "/usr/sbin" in path.split(":")  # sudo and ssh give a short PATH
            place = folder / command
            return str(place) if place.exists() else None

        def put(name: str, script: str) -> None:
            (folder / name).write_text("#!/bin/sh\n" + script)
            (folder / name).chmod(0o755)

        monkeypatch.setattr(routing.shutil, "which", which)
        monkeypatch.setattr(routing, "_INTERFACES", {})
        return put

    KUBELET = "*nat\n:KUBE-MARK-MASQ - [0:0]\n:KUBE-POSTROUTING - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n"

    @pytest.mark.parametrize(
        ("argv", "word"),
        [
            (("/usr/local/bin/kube-proxy", "--config=/x"), "kube-proxy runs"),
            (("/hyperkube", "kube-proxy"), "kube-proxy runs"),
            (("cilium-agent", "--config-dir=/x"), "Cilium"),
            (("/usr/local/bin/kube-router",), "kube-router"),
            (("/usr/bin/ovnkube", "--init-node", "x"), "OVN"),
        ],
    )
    def test_a_process(self, argv: t.Tuple[str, ...], word: str) -> None:
        (evidence,) = routing.service_routing_evidence([made_up("init"), made_up(*argv), made_up(*argv)])
        assert word in evidence

    @pytest.mark.parametrize(
        "argv",
        [("grep", "kube-proxy"), ("less", "/var/log/kube-proxy"), ("kube-proxy-exporter",), ("sh", "kube-router")],
    )
    def test_no_such_process(self, argv: t.Tuple[str, ...]) -> None:
        assert routing.service_routing_evidence([made_up(*argv)]) == []

    def test_chains(self, tools: t.Callable[[str, str], None]) -> None:
        tools("iptables-save", f"cat <<END\n{self.KUBELET}END\n")
        assert routing.service_routing_evidence([]) == []
        tools("iptables-save", f"cat <<END\n{self.KUBELET}:KUBE-SERVICES - [0:0]\nEND\n")
        (evidence,) = routing.service_routing_evidence([])
        assert "KUBE-SERVICES" in evidence
        # a rule that only names it is none
        tools("iptables-save", "echo '-A X -m comment --comment :KUBE-SERVICES -j Y'")
        assert routing.service_routing_evidence([]) == []

    @pytest.mark.parametrize("family", ["ip", "ip6"])
    def test_tables(self, tools: t.Callable[[str, str], None], family: str) -> None:
        tools("nft", 'test "$*" = "list tables" && echo table inet filter\n')
        assert routing.service_routing_evidence([]) == []
        tools("nft", f'test "$*" = "list tables" && echo table {family} kube-proxy\n')
        (evidence,) = routing.service_routing_evidence([])
        assert "nftables" in evidence

    def test_interfaces(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(routing, "_INTERFACES", {"lo": "the loopback", "no-such-interface": "none"})
        assert routing.service_routing_evidence([]) == ["the loopback"]

    def test_tools_that_hang_or_fail(
        self, tools: t.Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(routing, "_SECONDS", 0.2)
        tools("iptables-save", "exec sleep 60")
        tools("nft", "exit 1")
        began = time.monotonic()
        assert routing.service_routing_evidence([]) == []
        assert time.monotonic() - began < 10
        tools("iptables-save", "printf '\\377\\n'")
        (tmp_path / "bin" / "nft").write_text("no program")
        assert routing.service_routing_evidence([]) == []


class TestLastWords:
    """Logs as the kubelet keeps them."""

    FOLDER = "var/log/pods/kube-system_kube-apiserver-node1_abc/kube-apiserver"

    def lay(self, root: Path, name: str, content: bytes | str, age: float = 0) -> Path:
        place = root / self.FOLDER / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())
        os.utime(str(place), (time.time() - age, time.time() - age))
        return place

    def test_the_newest_last(self, tmp_path: Path) -> None:
        newest = self.lay(tmp_path, "0.log", "")
        oldest = self.lay(tmp_path, "12.log", "", 20)
        self.lay(tmp_path, "11.log.20261122-040506", "")
        other = tmp_path / "var/log/pods/kube-system_kube-apiserver-node1_abc/other/0.log"
        other.parent.mkdir()
        other.write_text("")
        (tmp_path / self.FOLDER / "13.log").symlink_to("/nowhere")
        found = containerlog.list_logs(Places(str(tmp_path)), "kube-system_kube-apiserver", "kube-apiserver")
        assert found == [str(oldest), str(newest)]

    def test_odd_names(self, tmp_path: Path) -> None:
        root = tmp_path / "[a]*"
        self.lay(root, "0.log", "")
        assert len(containerlog.list_logs(Places(str(root)), "kube-system_kube-apiserver", "kube-apiserver")) == 1
        assert containerlog.list_logs(Places(str(root)), "kube-system_*", "*") == []
        assert containerlog.list_logs(Places(str(tmp_path / "none")), "x", "y") == []

    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("2026-11-22T04:05:06.7Z stderr F Error: unknown flag", "Error: unknown flag"),
            ("2026-11-22T04:05:06.7Z stdout P   indented", "  indented"),
            ('{"log":"Error: x\\n","stream":"stderr","time":"t"}', "Error: x"),
            ('{"no":"log"}', '{"no":"log"}'),
            ('{"log"', '{"log"'),
            ("plain words that are longer", "plain words that are longer"),
            ('{"a":' + "[" * 30000, ('{"a":' + "[" * 30000)[:400]),
        ],
    )
    def test_lines(self, tmp_path: Path, line: str, wanted: str) -> None:
        assert containerlog.last_words(str(self.lay(tmp_path, "0.log", line + "\n\n"))) == [wanted]

    def test_only_the_last_ones(self, tmp_path: Path) -> None:
        lines = "".join(f"t stderr F line {number}\n" for number in range(100000))
        place = self.lay(tmp_path, "0.log", lines)
        assert containerlog.last_words(str(place)) == [f"line {number}" for number in range(99992, 100000)]
        assert containerlog.last_words(str(tmp_path / "none")) == []
        place = self.lay(tmp_path, "1.log", "x" * 1000000)
        assert containerlog.last_words(str(place)) == ["x" * 400]

    @settings(deadline=None, max_examples=60)
    @given(
        st.one_of(
            st.binary(max_size=500),
            st.text(max_size=200).map(lambda text: ('{"log":' + text).encode("utf-8", "surrogatepass")),
        )
    )
    def test_any_bytes(self, content: bytes) -> None:
        import tempfile

        with tempfile.NamedTemporaryFile() as stream:
            stream.write(content)
            stream.flush()
            words = containerlog.last_words(stream.name)
        assert len(words) <= 8 and all(len(word) <= 400 for word in words)
        json.dumps(words)


def test_an_end_of_the_process_table() -> None:
    assert process_module._start_ticks(2**22 + 1) is None
