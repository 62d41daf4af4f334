# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoke test on a master: begin it on one, ask on every one, end it where it was begun.

The server runs in a process of its own, which also makes the objects and takes them away: when it is told to, when its
time is over, or when the master shuts down. So nothing is left of a run that is cut off; only of a process that is
killed, and the next test finds that.
"""

from __future__ import annotations

import base64
import ipaddress
import json
import os
import signal
import socket
import struct
import threading
import time
import typing as t

from .._argv import flag_values, last_value
from .._contract.credentials import Credentials
from .._contract.observation import ObservedProcess
from .._contract.smoke import Asked, Begun, Caller, Ended
from .api import Api
from .asking import api_of, login_of
from .detached import Tell, start_detached
from .errors import MasterError
from .layer import CONFIG_MAP, dial
from .smoke_objects import Place, group_of, register, remove, sweep
from .smoke_server import Published, SmokeServer

__all__ = ["CALLER", "ask_through", "begin", "end"]

# Who calls. No such user exists; the group is needed where people took discovery from authenticated users.
CALLER = "kubeops:aggregation-layer:smoke-test"
_NOBODY = 65534
_TOLD_SECONDS = 15.0
# kube-apiserver looks at a new APIService at once, and after a failure with growing pauses.
_ASK_SECONDS = 30.0
_PAUSE = 0.3
_END_SECONDS = 60.0


class _Listening(t.TypedDict):
    address: str
    port: int


def _own_address(argv: t.Sequence[str]) -> str:
    """An address at which other masters reach this one; never a loopback one, which Endpoints may not have."""
    values = flag_values(argv)
    for flag in ("advertise-address", "bind-address"):
        try:
            given = ipaddress.ip_address((last_value(values, flag) or "").strip("[]"))
        except ValueError:
            continue
        if not given.is_loopback and not given.is_unspecified:
            return str(given)
    # what leaves this machine by its usual way has this address; nothing is sent
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        try:
            plain.connect(("192.0.2.1", 9))
            return str(plain.getsockname()[0])
        except OSError:
            raise MasterError(
                "This master has no address but its own loopback, so no kube-apiserver could reach a server on it."
            ) from None


def _control(test: str) -> str:
    """An address of the kernel's own (unix(7), abstract): it leaves no file, and goes with its process."""
    return f"\0kubeops.aggregation_layer/smoke-test/{test}"


def _is_from(uid: int, connection: socket.socket) -> bool:
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", raw)[1] == uid)


def _wait_to_be_told(control: socket.socket, expires: float, stop: threading.Event, uid: int) -> socket.socket | None:
    """Wait until somebody of this user asks for the end, who then wants an answer; or for the signal, or the time."""
    control.settimeout(0.2)
    while time.time() < expires and not stop.is_set():
        try:
            connection, dummy = control.accept()
        except OSError:
            continue
        if _is_from(uid, connection):
            connection.settimeout(_TOLD_SECONDS)
            return connection
        connection.close()
    return None


def _remove_for_sure(api: Api, test: str) -> list[str]:
    """Try for a while: kube-apiserver may be restarting just now."""
    deadline = time.monotonic() + _END_SECONDS
    while True:
        left = remove(api, test)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(1)


def _serve(server: SmokeServer, api: Api, place: Place, tell: Tell[_Listening]) -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *dummy: stop.set())
    uid = os.geteuid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.bind(_control(place.id))
        control.listen(1)
        if uid == 0:
            # all that needs root is open by now
            os.setgroups([])
            os.setgid(_NOBODY)
            os.setuid(_NOBODY)
        server.start()
        register(api, place)
        try:
            tell({"address": place.address, "port": place.port})
            asker = _wait_to_be_told(control, place.expires, stop, uid)
        finally:
            left = _remove_for_sure(api, place.id)
            served, refused = server.stop()
        if asker is not None:
            with asker:
                ended: Ended = {"served": served, "refused": refused, "left": left}
                asker.sendall(json.dumps(ended).encode())


def begin(
    *,
    process: ObservedProcess,
    user: str | None,
    credentials: Credentials | None,
    test: str,
    certificate: str,
    key: str,
    life: float,
) -> Begun:
    """Start the server of a test on this master, and make it known to the cluster.

    process: the kube-apiserver of this master, as it was observed; user, credentials: as for `survey`; test: an id;
    certificate, key: PEM, what the server shows; life: for how many seconds at most. Raises MasterError.
    """
    login = login_of(process, user or CALLER, credentials)
    api = api_of(process, login)
    swept = sweep(api, dial)
    answer = api.get(CONFIG_MAP)
    data = (answer.json() or {}).get("data")
    api.close()
    if data is None:
        raise MasterError(
            "The ConfigMap extension-apiserver-authentication cannot be read "
            f"({answer.error or f'HTTP {answer.status}'}), so an extension API server knows nobody."
        )
    published = Published.of(data)
    address = _own_address(process["argv"])

    def work(tell: Tell[_Listening]) -> None:
        try:
            server = SmokeServer(address, group_of(test), certificate, key, published)
        except OSError as error:
            raise MasterError(f"No server can listen on {address} ({error.strerror}).") from None
        bundle = base64.b64encode(certificate.encode()).decode("ascii")
        place = Place(test, address, server.server_port, bundle, time.time() + life)
        _serve(server, api_of(process, login), place, tell)

    begun = start_detached(work)
    return {"address": begun["address"], "port": begun["port"], "swept": swept}


def ask_through(*, process: ObservedProcess, user: str | None, credentials: Credentials | None, test: str) -> Asked:
    """Ask the server of a test by way of the kube-apiserver of this master, until it answers or time is up.

    Raises MasterError.
    """
    api = api_of(process, login_of(process, user or CALLER, credentials))
    deadline = time.monotonic() + _ASK_SECONDS
    while True:
        answer = api.get(f"/apis/{group_of(test)}/v1")
        said = answer.json()
        caller: Caller | None = said.get("caller") if isinstance(said, dict) else None
        # what refuses at once will refuse again; 503 and 404 only say that it is not known yet
        if caller or answer.status in (401, 403) or time.monotonic() > deadline:
            break
        time.sleep(_PAUSE)
    api.close()
    return {
        "asked_as": None if credentials else CALLER,
        "status": answer.status,
        "error": answer.error,
        "body": "" if caller else answer.body[:600],
        "caller": caller,
    }


def end(*, test: str) -> Ended:
    """End a test on the master on which it was begun.

    Raises MasterError if there is no such server any more: its time is over, or it was killed.
    """
    said = b""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as control:
        control.settimeout(_END_SECONDS + 2 * _TOLD_SECONDS)
        try:
            control.connect(_control(test))
            while True:
                more = control.recv(65536)
                if not more:
                    break
                said += more
        except OSError as error:
            raise MasterError(
                f"The server of the smoke test does not run any more ({error.strerror or error}): its time was over, "
                "or it was killed; if something of it is left, the next smoke test removes it."
            ) from None
    try:
        answer: Ended = json.loads(said)
    except ValueError:
        raise MasterError("The server of the smoke test ended without a word; run again.") from None
    return answer
