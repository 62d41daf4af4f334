# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that lets connections through, or does not: for HTTP_PROXY, and as the tunnel of an egress selector."""

from __future__ import annotations

import socket
import threading
import typing as t

__all__ = ["ConnectProxy"]


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        for end in (source, target):
            end.close()


class ConnectProxy:
    """Answers CONNECT as it is told to, and notes what it was asked for.

    answer: the line behind which the connection is closed; empty: it is closed without a word; None: let through, to
    ``leads_to`` if that is set. path: of a socket file, in place of a port.
    """

    def __init__(self, path: str = "") -> None:
        self.answer: str | None = None
        self.leads_to: tuple[str, int] | None = None
        self.asked: list[str] = []
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen()
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _serve(self) -> None:
        while True:
            try:
                client, dummy = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            data = client.recv(65536)
            if not data:
                client.close()
                return
            head += data
        target = head.split()[1].decode()
        self.asked.append(target)
        if self.answer is not None:
            client.sendall(f"HTTP/1.1 {self.answer}\r\n\r\n".encode() if self.answer else b"")
            client.close()
            return
        host, dummy, port = target.rpartition(":")
        try:
            server = socket.create_connection(self.leads_to or (host.strip("[]"), int(port)), timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        for ends in ((client, server), (server, client)):
            threading.Thread(target=_pump, args=ends, daemon=True).start()

    def stop(self) -> None:
        self.listener.close()

    def __enter__(self) -> ConnectProxy:
        return self

    def __exit__(self, *_what: t.Any) -> None:
        self.stop()
