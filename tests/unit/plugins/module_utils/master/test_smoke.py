# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The smoke test's server, what a cluster is told of it, and that both end whatever happens."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import ssl
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import smoke, smoke_objects
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.api import Answer, load_pair
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.detached import start_detached
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.smoke_objects import (
    Place,
    _objects,
    register,
    remove,
    sweep,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.smoke_server import (
    Published,
    SmokeServer,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.support import (
    Generation,
    generation,
)

GROUP = "abcd.smoke-test.kubeops"
DISCOVERY = f"/apis/{GROUP}/v1"
HERE = "127.0.0.1"


def published(made: Generation, *names: str) -> Published:
    return Published(made.bundle.decode(), names, ("X-Remote-User",), ("X-Remote-Group",))


def server(known: Published) -> SmokeServer:
    own = generation("serving")
    return SmokeServer(HERE, GROUP, own.certificate.decode(), own.key.decode(), known)


@pytest.fixture
def running() -> t.Iterator[SmokeServer]:
    """A server that knows the CA ``ours`` and one name."""
    made = server(published(generation("ours"), "front-proxy-client"))
    made.start()
    yield made
    made.stop()


def call(
    port: int, shown: t.Optional[Generation], path: str = DISCOVERY, headers: t.Optional[t.Dict[str, str]] = None
) -> t.Tuple[int, t.Any]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if shown:
        load_pair(context, shown.certificate.decode(), shown.key.decode())
    connection = http.client.HTTPSConnection(HERE, port, timeout=5, context=context)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


class TestServer:
    def test_it_tells_who_called(self, running: SmokeServer) -> None:
        headers = {"X-Remote-User": "somebody", "X-Remote-Group": "staff"}
        status, said = call(running.server_port, generation("ours"), headers=headers)
        assert status == 200 and said["kind"] == "APIResourceList" and said["groupVersion"] == f"{GROUP}/v1"
        caller = said["caller"]
        assert (caller["user"], caller["groups"], caller["certificate"]) == (
            "somebody",
            ["staff"],
            "front-proxy-client",
        )

    def test_a_certificate_of_another_ca_is_refused(self, running: SmokeServer) -> None:
        with pytest.raises(OSError):
            call(running.server_port, generation("stranger"))
        (refused,) = running.stop()[1]
        assert refused["from"] == HERE and "certificate that is shown is not accepted" in refused["why"]

    def test_a_caller_without_a_certificate_is_refused(self, running: SmokeServer) -> None:
        status, said = call(running.server_port, None, headers={"X-Remote-User": "somebody"})
        assert status == 401 and said["kind"] == "Status" and "caller" not in said
        assert running.stop()[1] == [{"from": HERE, "why": "no certificate is shown"}]

    def test_a_name_that_is_not_published_is_refused(self) -> None:
        strict = server(published(generation("ours"), "other"))
        strict.start()
        status, said = call(strict.server_port, generation("ours"))
        assert status == 401 and "'front-proxy-client'" in said["message"]
        assert "none of those that are published" in strict.stop()[1][0]["why"]

    def test_any_name_will_do_where_none_is_published(self) -> None:
        lenient = server(published(generation("ours")))
        lenient.start()
        assert call(lenient.server_port, generation("ours"))[0] == 200
        assert lenient.stop()[0] == 1

    def test_there_is_nothing_else(self, running: SmokeServer) -> None:
        assert call(running.server_port, generation("ours"), "/openapi/v2")[0] == 404

    def test_one_who_says_nothing_holds_nobody_up(self, running: SmokeServer) -> None:
        with socket.create_connection((HERE, running.server_port)):
            assert call(running.server_port, generation("ours"))[0] == 200

    def test_a_ca_that_cannot_be_read_is_told(self) -> None:
        with pytest.raises(MasterError, match=r"publishes no front-proxy CA"):
            server(Published("nonsense", (), (), ()))


def test_what_is_published_is_read() -> None:
    data = {"requestheader-client-ca-file": "PEM", "requestheader-allowed-names": '["a", "b"]'}
    assert Published.of(data) == Published("PEM", ("a", "b"), (), ())
    with pytest.raises(MasterError, match=r"a list that is no JSON"):
        Published.of({"requestheader-allowed-names": "a,b"})


class Objects:
    """An API that keeps its objects in a folder, so that several processes see them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refused = self.unknown = ""

    def _file(self, path: str) -> Path:
        return self.folder / path.replace("/", "|")

    def names(self) -> t.List[str]:
        return sorted(path.name.rpartition("|")[2] for path in self.folder.iterdir())

    def get(self, path: str) -> Answer:
        wanted = path.partition("?")[0].replace("/", "|") + "|"
        items = [json.loads(file.read_text()) for file in self.folder.iterdir() if file.name.startswith(wanted)]
        return Answer(200, json.dumps({"items": items}), None)

    def post(self, path: str, document: t.Mapping[str, t.Any]) -> Answer:
        if document["kind"] == self.refused:
            return Answer(403, '{"message": "a policy forbids it"}', None)
        if document["kind"] == self.unknown:
            return Answer(404, "404 page not found", None)
        self._file(f"{path}/{document['metadata']['name']}").write_text(json.dumps(document))
        return Answer(201, "", None)

    def delete(self, path: str) -> Answer:
        try:
            self._file(path).unlink()
        except FileNotFoundError:
            return Answer(404, "", None)
        return Answer(200, "", None)

    def close(self) -> None:
        """There is nothing to close."""


@pytest.fixture
def objects(tmp_path: Path) -> t.Iterator[Objects]:
    """No objects; the processes that made some end in the test."""
    # the server gives the rights of root up before it takes its objects away
    folder = tmp_path / "objects"
    folder.mkdir()
    for each in (folder, *list(folder.parents)[:4]):
        if each.stat().st_uid == os.getuid():
            each.chmod(0o777 if each == folder else each.stat().st_mode | 0o011)
    yield Objects(folder)
    try:
        while os.waitpid(-1, 0):
            continue
    except ChildProcessError:
        pass


def place(test: str, **more: t.Any) -> Place:
    return Place(**{"id": test, "address": "192.0.2.1", "port": 1, "ca_bundle": "", "expires": 1e12, **more})


def api(objects: Objects) -> t.Any:
    return objects


class TestObjects:
    def test_they_are_made_and_taken_away(self, objects: Objects) -> None:
        register(api(objects), place("abcd"))
        service = "aggregation-layer-smoke-test-abcd"
        assert objects.names() == [service, service, service, f"v1.{GROUP}"]
        assert remove(api(objects), "abcd") == [] and objects.names() == []
        assert remove(api(objects), "abcd") == []

    def test_what_cannot_be_made_leaves_nothing(self, objects: Objects) -> None:
        objects.refused = "APIService"
        with pytest.raises(MasterError, match=r"^The APIService of the smoke test cannot be made \(HTTP 403: .*policy"):
            register(api(objects), place("abcd"))
        assert objects.names() == []

    @pytest.mark.parametrize("unknown", ["EndpointSlice", "Endpoints"])
    def test_a_kind_that_a_release_does_not_have(self, objects: Objects, unknown: str) -> None:
        objects.unknown = unknown
        register(api(objects), place("abcd"))
        service = "aggregation-layer-smoke-test-abcd"
        assert objects.names() == [service, service, f"v1.{GROUP}"]
        assert remove(api(objects), "abcd") == [] and objects.names() == []

    def test_only_what_is_dead_or_late_is_swept(self, objects: Objects) -> None:
        register(api(objects), place("alive"))
        register(api(objects), place("late", expires=time.time() - 100))
        register(api(objects), place("dead", port=2))
        swept = sweep(api(objects), lambda _address, port: None if port == 1 else "nobody")
        assert sorted(swept) == ["dead", "late"]
        service = "aggregation-layer-smoke-test-alive"
        assert objects.names() == [service, service, service, "v1.alive.smoke-test.kubeops"]

    def test_one_that_is_being_made_is_left_alone(self, objects: Objects) -> None:
        path, document = _objects(place("new"))[0]
        api(objects).post(path, document)
        assert sweep(api(objects), lambda *dummy: "nobody") == []
        path, document = _objects(place("cut", expires=time.time() - 100))[0]
        api(objects).post(path, document)
        assert sweep(api(objects), lambda *dummy: "nobody") == ["cut"]
        assert objects.names() == ["aggregation-layer-smoke-test-new"]


def begin(objects: Objects, life: float) -> t.Dict[str, t.Any]:
    """Start the process of a test, as `smoke.begin` does after it has read what is published."""
    test = secrets.token_hex(4)
    generation("ours"), generation("serving")

    def work(tell: t.Any) -> None:
        made = server(published(generation("ours")))
        where = place(test, port=made.server_port, address=HERE, expires=time.time() + life)
        smoke._serve(made, api(objects), where, lambda said: tell({**said, "pid": os.getpid(), "test": test}))

    return start_detached(work)


def wait_until_empty(objects: Objects) -> None:
    deadline = time.monotonic() + 20
    while objects.names():
        assert time.monotonic() < deadline, objects.names()
        time.sleep(0.05)


class TestProcess:
    def test_it_is_ended(self, objects: Objects) -> None:
        begun = begin(objects, 60)
        assert begun["port"] and len(objects.names()) == 4
        assert call(begun["port"], generation("ours"))[0] == 200
        with pytest.raises(OSError):
            call(begun["port"], generation("stranger"))
        ended = smoke.end(test=begun["test"])
        assert objects.names() == [] and ended["left"] == [] and len(ended["refused"]) == 1
        with pytest.raises(OSError):
            call(begun["port"], None)
        with pytest.raises(MasterError, match=r"does not run any more"):
            smoke.end(test=begun["test"])

    def test_its_time_is_over(self, objects: Objects) -> None:
        begin(objects, 0.5)
        wait_until_empty(objects)

    def test_the_master_shuts_down(self, objects: Objects) -> None:
        begun = begin(objects, 60)
        os.kill(begun["pid"], signal.SIGTERM)
        wait_until_empty(objects)

    def test_it_has_no_rights(self, objects: Objects) -> None:
        begun = begin(objects, 60)
        status = Path(f"/proc/{begun['pid']}/status").read_text()
        smoke.end(test=begun["test"])
        (uids,) = [line.split()[1:] for line in status.splitlines() if line.startswith("Uid:")]
        assert set(uids) == {str(smoke._NOBODY if os.getuid() == 0 else os.getuid())}


def test_an_address_that_others_reach_is_chosen() -> None:
    choose = smoke._own_address
    assert choose(("kube-apiserver", "--advertise-address=192.0.2.7")) == "192.0.2.7"
    assert choose(("kube-apiserver", "--advertise-address=127.0.0.1", "--bind-address=2001:db8::1")) == "2001:db8::1"
    assert not choose(("kube-apiserver", "--bind-address=0.0.0.0")).startswith("0.")


def test_a_group_tells_its_test() -> None:
    assert smoke_objects.group_of("abcd") == GROUP
