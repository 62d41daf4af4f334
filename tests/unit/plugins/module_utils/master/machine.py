# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A pretended machine: processes called kube-apiserver, a TLS server that answers like one, and a kubelet."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import observe as observe_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import process as process_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import serving
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import Process
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

HOOK = "[+]poststarthook/aggregator-reload-proxy-client-cert ok\n"


class LivePlaces(Places):
    """A folder that counts as the machine itself."""

    live = True  # type: ignore[assignment]


@contextlib.contextmanager
def process(*flags: str, name: str = "kube-apiserver") -> t.Iterator[subprocess.Popen[bytes]]:
    """A process with this command line that does nothing."""
    running = start(*flags, name=name)
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def start(*flags: str, name: str = "kube-apiserver") -> subprocess.Popen[bytes]:
    """Start such a process; it has its command line when this returns."""
    words = [*name.split(" "), *flags]
    # a shell that sleeps: its own words come first, and none of them is a flag with two dashes
    python = os.path.realpath(sys.executable)
    running = subprocess.Popen(
        [*name.split(" "), "-ISc", "import time; time.sleep(99)", *flags]
        if name in ("kube-apiserver", "apiserver")
        else ["sh", "-c", "read dummy", *words],
        executable=python if name in ("kube-apiserver", "apiserver") else None,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if Path(f"/proc/{running.pid}/cmdline").read_bytes().startswith(words[0].encode() + b"\0"):
            break
        time.sleep(0.005)
    return running


def listed(pid: int) -> Process:
    """A process of this number, as soon as the kernel tells its words: that is a moment after its program has begun."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = [one for one in process_module.list_processes() if one.pid == pid]
        if found:
            return found[0]
    raise AssertionError(f"there is no process {pid}")


class Server:
    """Answers as kube-apiserver does, on a free port of this machine."""

    def __init__(self, trusted: support.Generation, *others: support.Generation) -> None:
        self.ready = 200
        self.anonymous = True
        self.forbidding = False  # /version to those whom it knows
        self.knows_roles = True  # if not, everybody but the administrators is forbidden everything
        self.body = HOOK
        self.trusted_issuer = trusted
        self.asked: t.List[t.Tuple[str, t.Optional[str]]] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                user = self.headers.get("X-Remote-User")
                server.asked.append((self.path, user))
                peer = self.connection.getpeercert()  # type: ignore[attr-defined]
                status, body = 200, "{}"
                if peer:
                    issuer = dict(pair[0] for pair in peer["issuer"])["commonName"]
                    status = 200 if user and issuer == server.issuer else 401
                elif not server.anonymous:
                    status = 401
                stranger = not server.knows_roles and self.headers.get("X-Remote-Group") != "system:masters"
                if status == 200 and (stranger or (user and server.forbidding and self.path == "/version")):
                    status, body = 403, json.dumps({"message": f'User "{user}" cannot get path "{self.path}"'})
                elif status == 200 and self.path.startswith("/readyz"):
                    status, body = server.ready, server.body
                elif status == 200:
                    body = json.dumps({"gitVersion": "v1.30.1"})
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *dummy: t.Any) -> None:
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *dummy: t.Any) -> None:
                pass

            def finish_request(self, request: t.Any, client_address: t.Any) -> None:
                request.settimeout(10)
                wrapped: t.Any = server.context.wrap_socket(request, server_side=True)
                super().finish_request(wrapped, client_address)

        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            for name, content in (("crt", trusted.certificate), ("key", trusted.key)):
                Path(folder, name).write_bytes(content)
            self.context.load_cert_chain(os.path.join(folder, "crt"), os.path.join(folder, "key"))
        for made in (trusted, *others):
            self.context.load_verify_locations(cadata=made.bundle.decode())
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.http = Quiet(("127.0.0.1", 0), Handler)
        self.port = int(self.http.server_address[1])
        self.thread = threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def issuer(self) -> str:
        """The name of the CA that it trusts."""
        for name, made in support._GENERATIONS.items():
            if made == self.trusted_issuer:
                return f"ca-{name}"
        raise LookupError

    def close(self) -> None:
        """End it."""
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


class Kubelet:
    """Runs what the manifest says; a server with a flag that is called no-such-... dies at its start."""

    #: How many starts there are beside an old server that lingers.
    BESIDE = 4

    def __init__(self, sandbox: support.Sandbox, port: int, marker: str) -> None:
        self.manifest = sandbox.path(support.MANIFEST)
        self.logs = sandbox.path("/var/log/pods/kube-system_kube-apiserver-node_123/kube-apiserver")
        self.logs.mkdir(parents=True)
        # what stands for $(NAME) in a manifest: variables, which it may state otherwise than they run
        self.variables = {"$(PORT)": str(port), "$(ADDRESS)": "127.0.0.1"}
        self.more = (f"--marker={marker}",)
        self.running: subprocess.Popen[bytes] | None = None
        self.starts = 0
        self.texts: t.List[str] = []
        self.names: t.Set[str] = set()
        self.react: t.Callable[[str], t.Any] = lambda dummy: None
        # for how many seconds it does nothing about a text that it has not seen
        self.lag: t.Callable[[str], float] = lambda dummy: 0.0
        # for how many seconds the old server holds the port when there is a new text: older kubelets do not wait for it
        self.lingers: t.Callable[[str], float] = lambda dummy: 0.0
        # for how many seconds a log is there without its process
        self.hesitates = 0.0
        self._lingering: subprocess.Popen[bytes] | None = None
        self._lingering_log: Path | None = None
        self._lingers_until = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Kubelet:
        self._sync()
        self._thread.start()
        return self

    def __exit__(self, *dummy: t.Any) -> None:
        self._stop.set()
        self._thread.join()
        self._end()

    def _end(self) -> None:
        for each in (self.running, self._lingering):
            if each is not None:
                each.kill()
                each.wait()
        self.running = self._lingering = None

    def _linger(self, seconds: float) -> None:
        """Begin to end what runs."""
        self._lingering, self.running = self.running, None
        self._lingers_until = time.monotonic() + seconds
        logs = sorted(self.logs.iterdir(), key=lambda path: int(path.stem))
        self._lingering_log = logs[-1]

    def _holds_the_port(self) -> bool:
        """Whether the old server is there; at its end it says goodbye."""
        over = time.monotonic() >= self._lingers_until and self.starts == self.BESIDE
        if self._lingering is not None and self._lingering_log and over:
            self._end()
            with open(self._lingering_log, "a", encoding="ascii") as stream:
                stream.write("2026-11-22T04:05:07.000000007Z stderr F Stopped listening\n")
            # before the next try, the kubelet waits longer than after the first ones
            self._stop.wait(0.5)
        return self._lingering is not None

    def _sync(self) -> None:
        # what the kubelet would take for manifests at this moment
        self.names |= {name for name in os.listdir(self.manifest.parent) if not name.startswith(".")}
        text = self.manifest.read_text()
        fresh = not self.texts or text != self.texts[-1]
        if fresh:
            self._stop.wait(self.lag(text))
            lingers = self.lingers(text)
            if lingers and self.running:
                self._linger(lingers)
            else:
                self._end()
            self.texts.append(text)
            self.react(text)
            self.starts = 0
        held = self._holds_the_port()
        if self.running is None and self.starts < (self.BESIDE if held else 6):
            for name, value in self.variables.items():
                text = text.replace(name, value)
            flags = [line[6:] for line in text.splitlines() if line.startswith("    - --")]
            number = len(list(self.logs.iterdir()))
            log = self.logs / f"{number}.log"
            self.starts += 1
            if any(flag.startswith("--no-such-words") for flag in flags):
                log.touch()
            elif any(flag.startswith("--no-such-") for flag in flags):
                log.write_text(
                    "2026-11-22T04:05:06.000000007Z stderr F starting\n"
                    "2026-11-22T04:05:06.000000008Z stderr F Error: unknown flag: --no-such-flag\n"
                )
            elif held:
                log.write_text("2026-11-22T04:05:06.000000007Z stderr F bind: address already in use\n")
            else:
                log.touch()
                self._stop.wait(self.hesitates)
                self.running = start(*flags, *self.more)
                log.write_text("2026-11-22T04:05:06.000000007Z stderr F serving\n")

    def _work(self) -> None:
        while not self._stop.wait(0.02):
            self._sync()


def only_marked(monkeypatch: pytest.MonkeyPatch, marker: str) -> None:
    """Let the code see nothing of this machine but the processes of one test, and look often."""

    def list_marked() -> t.List[Process]:
        return [one for one in process_module.list_processes() if f"--marker={marker}" in one.argv]

    for module in (observe_module, serving):
        monkeypatch.setattr(module, "list_processes", list_marked)
    monkeypatch.setattr(serving, "_PAUSE", 0.02)
    monkeypatch.setattr(serving, "_SETTLED", 0.1)
    monkeypatch.setattr(serving, "_UNTOLD", 0.2)
