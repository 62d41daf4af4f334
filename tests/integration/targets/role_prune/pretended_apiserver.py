# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pretends to be a kube-apiserver: a process with its name and flags that answers what is asked of the layer.

Its environment names the file in which all servers of a cluster keep the ConfigMap (CONFIG_MAP). Each adds what it has
loaded to it as kube-apiserver does, only more often, and takes nothing out.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import signal
import socket
import sys
import threading
import time
import typing as t

from OpenSSL import SSL, crypto

FLAGS = dict(re.fullmatch(r"--([^=]+)=(.*)", word, re.DOTALL).groups() for word in sys.argv[1:] if "=" in word)  # type: ignore[union-attr]
KEY, NAMES = "requestheader-client-ca-file", "requestheader-allowed-names"
RESYNC = 0.5
PATH = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n", re.DOTALL)


def read(flag: str) -> str:
    with open(FLAGS[flag], encoding="ascii") as stream:
        return stream.read()


LOADED = read(KEY)


def change(work: t.Callable[[dict[str, t.Any]], t.Any]) -> t.Any:
    """Do something with the object, alone."""
    with open(os.environ["CONFIG_MAP"], "a+", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        stream.seek(0)
        found = json.loads(stream.read() or '{"metadata": {"resourceVersion": "0"}, "data": {}}')
        before = json.dumps(found)
        told = work(found)
        if json.dumps(found) != before:
            found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)
            stream.seek(0)
            stream.truncate()
            stream.write(json.dumps(found))
        return told or found


def add_own(found: dict[str, t.Any]) -> None:
    data = found["data"]
    blocks = dict.fromkeys([*BLOCK.findall(data.get(KEY, "")), *BLOCK.findall(LOADED)])
    names = dict.fromkeys([*json.loads(data.get(NAMES, "[]")), *FLAGS[NAMES].split(",")])
    data.update(
        {
            "client-ca-file": read("client-ca-file"),
            KEY: "".join(blocks),
            NAMES: json.dumps(list(names), separators=(",", ":")),
        }
    )


def resync() -> None:
    while True:
        change(add_own)
        time.sleep(RESYNC)


def answer(method: str, path: str, body: str) -> tuple[int, t.Any]:
    if path == "/version":
        return 200, {"gitVersion": "v1.30.1"}
    if path.startswith("/readyz"):
        return 200, "[+]poststarthook/aggregator-reload-proxy-client-cert ok\n"
    if path.partition("?")[0] != PATH:
        return (200, {"items": []}) if path.endswith("apiservices") or "slices" in path else (404, {})
    if method == "GET":
        return 200, change(lambda dummy: None)

    def patch(found: dict[str, t.Any]) -> t.Any:
        wanted = json.loads(body)
        if wanted["metadata"]["resourceVersion"] != found["metadata"]["resourceVersion"]:
            return {"reason": "Conflict"}
        found["data"].update(wanted["data"])
        return None

    told = change(patch)
    return (409 if "reason" in told else 200), told


def is_known(shown: crypto.X509) -> bool:
    """Whether the front-proxy CA that is loaded signed a certificate."""
    store = crypto.X509Store()
    for block in BLOCK.findall(LOADED):
        store.add_cert(crypto.load_certificate(crypto.FILETYPE_PEM, block.encode()))
    try:
        crypto.X509StoreContext(store, shown).verify_certificate()
    except crypto.X509StoreContextError:
        return False
    return True


def serve(plain: socket.socket, context: SSL.Context) -> None:
    connection = SSL.Connection(context, plain)
    connection.set_accept_state()
    try:
        connection.do_handshake()
        said = b""
        while True:
            while b"\r\n\r\n" not in said:
                said += connection.recv(65536)
            head, _blank, said = said.partition(b"\r\n\r\n")
            first, *lines = head.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _colon, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length") or 0)
            while len(said) < length:
                said += connection.recv(65536)
            body, said = said[:length], said[length:]
            method, path, _version = first.split()
            shown = connection.get_peer_certificate()
            good = "x-remote-user" in headers and is_known(shown) if shown else path.startswith("/readyz")
            status, told = answer(method, path, body.decode()) if good else (401, {})
            text = (told if isinstance(told, str) else json.dumps(told)).encode()
            connection.sendall(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(text), text))
    except (SSL.Error, OSError, ValueError):
        plain.close()


def end_with_the_test() -> None:
    """Wait until nobody holds the other end of the standard input any more."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Serve until it is killed, or the test is."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_certificate_chain_file(FLAGS["tls-cert-file"])
    context.use_privatekey_file(FLAGS["tls-private-key-file"])
    # the names of its handshake are those in a file
    authorities = f"{os.environ['CONFIG_MAP']}.{os.getpid()}"
    with open(authorities, "w", encoding="ascii") as stream:
        stream.write(read("client-ca-file") + LOADED)
    context.load_client_ca(authorities.encode())
    context.set_verify(SSL.VERIFY_PEER, lambda *dummy: True)
    listener = socket.create_server((FLAGS["bind-address"], int(FLAGS["secure-port"])))
    change(add_own)
    print("serving", flush=True)
    threading.Thread(target=resync, daemon=True).start()
    threading.Thread(target=end_with_the_test, daemon=True).start()
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], context), daemon=True).start()


if __name__ == "__main__":
    main()
