# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process table, the evidence for kube-proxy, the last words: what a master shows of what runs."""

from __future__ import annotations

import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import containerlog, routing
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import process as process_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import (
    Process,
    endpoint,
    is_alive,
    list_processes,
    mounts_of,
    started_at,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine
from hypothesis import given, settings
from hypothesis import strategies as st


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


class TestWhereItIs:
    """Where a server answers, and from where its files are."""

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
