# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prune on a real kube-apiserver: what no master has goes and stays out, and what one of them has stays."""

from __future__ import annotations

import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
import time
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import make_authority, name
from support.ansible_run import Ansible
from support.live import CONFIG_MAP, PUBLISHED_CAS, LiveMaster
from support.pasted import run_on_controller
from support.verified import PUBLISHED_NAMES, Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

PRUNE = "kubeops.aggregation_layer.prune"
NAMES = '["front-proxy-client"]'
# kube-apiserver adds what it has once a minute
RESYNC = 62
# The start of a process is known to a second: files that are this much older have been read at the start for sure.
OLDER = 3


def rotated(master: LiveMaster, common_name: str = "front-proxy-ca") -> None:
    """Give a master that runs alone another CA, and a pair of it."""
    new = make_authority(name(common_name))
    master.trust(new)
    master.sign(new)
    time.sleep(OLDER)
    master.restart()


def held_by(master: LiveMaster) -> str:
    return (master.pki / "front-proxy-ca.crt").read_text()


def fingerprint(master: LiveMaster) -> str:
    """Of its CA, as orders name it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(held_by(master))).hexdigest()


def published(master: LiveMaster) -> dict[str, str]:
    data: dict[str, str] = master.get(CONFIG_MAP)["data"]
    return data


def prune(ansible: Ansible, folder: Path, *masters: LiveMaster, watch: int = 0, words: t.Sequence[str] = ()) -> str:
    """Run the playbook on these masters."""
    inventory = folder / "pruned"
    lines = ["[masters]", *(master.inventory_line for master in masters), "[masters:vars]"]
    lines += ["ansible_connection=local", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    inventory.write_text("\n".join(lines) + "\n")
    given = ("-e", f"front_proxy_prune_watch={watch}", *words)
    return " ".join(ansible.run("ansible-playbook", "-i", str(inventory), PRUNE, *given).split())


def refused(ansible: Ansible, folder: Path, *masters: LiveMaster, watch: int = 0) -> str:
    """Run the playbook, which must fail; gives what it printed, in one line."""
    with pytest.raises(AssertionError) as failed:
        prune(ansible, folder, *masters, watch=watch)
    return " ".join(str(failed.value).split())


def test_the_fix_takes_out_what_no_master_has_and_it_stays_out(
    make_master: MakeMaster, look: Look, ansible: Ansible
) -> None:
    first = make_master("m1", requestheader_allowed_names="front-proxy-client,former")
    second = make_master("m2", of=first)
    new = make_authority(name("front-proxy-ca"))
    first.set_flags({"requestheader-allowed-names": "front-proxy-client"})
    for master in (first, second):
        master.trust(new)
        master.sign(new)
        master.restart()
    before = published(first)
    found = look(first, second)
    assert found.ids == ["ca-still-trusted", "name-still-allowed"], found.output
    assert found.findings[0]["fix"] == found.findings[1]["fix"]

    shown = run_on_controller(ansible, found.findings[0], "--check", "--diff")
    assert "would be taken out of kube-system/extension-apiserver-authentication, through m1" in " ".join(shown.split())
    assert "-name 'former': no master allows it" in shown
    assert published(first) == before

    # both CAs have one name, and the files are as new as the servers: it waits until they are loaded for sure
    done = " ".join(run_on_controller(ansible, found.findings[0]).split())
    assert "is new, and its kube-apiserver may need" in done and "still out after" in done, done
    assert published(first) == {**before, PUBLISHED_CAS: held_by(first), PUBLISHED_NAMES: NAMES}
    assert look(first, second).ids == []

    again = run_on_controller(ansible, found.findings[1])
    assert "nothing to take out" in again and "changed=0" in again and "changed=1" not in again
    time.sleep(RESYNC)
    # nor do servers that begin anew bring it back
    second.restart()
    assert published(second) == {**before, PUBLISHED_CAS: held_by(first), PUBLISHED_NAMES: NAMES}


def test_what_others_write_meanwhile_stays(make_master: MakeMaster, ansible: Ansible, tmp_path: Path) -> None:
    master = make_master("busy")
    rotated(master)
    written, stop = [], threading.Event()

    def write() -> None:
        while not stop.wait(1.5):
            note = f"edit-{len(written)}"
            master.patch(CONFIG_MAP, {"metadata": {"annotations": {note: "kept"}}})
            written.append(note)

    writer = threading.Thread(target=write)
    writer.start()
    time.sleep(2)
    try:
        done = prune(ansible, tmp_path, master)
    finally:
        stop.set()
        writer.join()
    assert "taken out of" in done and published(master)[PUBLISHED_CAS] == held_by(master)
    notes = master.get(CONFIG_MAP)["metadata"]["annotations"]
    assert len(written) > 2 and [note for note in written if notes.get(note) != "kept"] == []


STALE = """
import json, sys
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import prune
given = json.load(sys.stdin)
who = {"process": given["process"], "user": None, "credentials": None}
seen = prune.look(**who)
order = {"cas": given["cas"], "names": [], "version": seen["version"]}
found = prune._read(prune._ask(**who))
print("seen", flush=True)
sys.stdin = open(given["go_on"])
sys.stdin.read()
told = [prune.take_out(**who, **order)]
prune._read_now, prune._read = prune._read, lambda api, once=[found]: once.pop() if once else prune._read_now(api)
told.append(prune.take_out(**who, **order))
print(json.dumps(told))
"""


def test_the_server_refuses_what_is_stale(make_master: MakeMaster, collections_path: Path, tmp_path: Path) -> None:
    """Also where the change comes between the last look and the write."""
    master = make_master("stale")
    old = fingerprint(master)
    rotated(master)
    assert master.server is not None
    argv = Path(f"/proc/{master.server.process.pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    go_on = tmp_path / "go-on"
    os.mkfifo(go_on)
    given = {"process": {"pid": master.server.process.pid, "argv": argv}, "cas": [old], "go_on": str(go_on)}
    running = subprocess.Popen(
        [sys.executable, "-c", STALE],
        env={**os.environ, "PYTHONPATH": str(collections_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert running.stdin is not None and running.stdout is not None
    running.stdin.write(json.dumps(given))
    running.stdin.close()
    assert running.stdout.readline() == "seen\n"
    master.patch(CONFIG_MAP, {"metadata": {"annotations": {"edit": "kept"}}})
    before = master.get(CONFIG_MAP)
    go_on.write_text("now")
    told = json.loads(running.stdout.read())
    assert running.wait() == 0
    version = before["metadata"]["resourceVersion"]
    # once it sees by itself that it is another one, and once the server says so
    assert [(each["taken"], each["now"]["version"]) for each in told] == [(False, version)] * 2
    assert master.get(CONFIG_MAP) == before


@pytest.mark.differs
def test_a_ca_that_one_master_has_stays(make_master: MakeMaster, ansible: Ansible, tmp_path: Path) -> None:
    first = make_master("m1")
    second = make_master("m2", of=first)
    rotated(first)
    before = published(first)
    assert "nothing to take out" in prune(ansible, tmp_path, first, second)
    # out of its file, and still what signed its pair
    second.trust(make_authority(name("other")))
    time.sleep(OLDER)
    second.restart()
    shown = prune(ansible, tmp_path, first, second, words=["--check"])
    assert "stays: CN=front-proxy-ca" in shown and "it signed the pair of m2" in shown, shown
    # one that is not looked at may have it
    second.stop()
    assert "no kube-apiserver runs there" in refused(ansible, tmp_path, first, second)
    assert published(first)[PUBLISHED_CAS].startswith(before[PUBLISHED_CAS])


def test_a_server_that_the_inventory_does_not_have_brings_it_back(
    make_master: MakeMaster, ansible: Ansible, tmp_path: Path
) -> None:
    first = make_master("m1")
    make_master("m2", of=first)
    old = held_by(first)
    rotated(first)
    back = refused(ansible, tmp_path, first, watch=70)
    assert "came back after" in back and "a kube-apiserver still has it loaded" in back, back
    assert old in published(first)[PUBLISHED_CAS]


def test_a_server_that_the_cluster_knows_and_the_inventory_does_not(
    make_master: MakeMaster, ansible: Ansible, tmp_path: Path
) -> None:
    master = make_master("alone")
    rotated(master)
    before = published(master)
    subset = {"addresses": [{"ip": "192.0.2.9"}], "ports": [{"name": "https", "port": 6443}]}
    metadata = {"name": "kubernetes", "namespace": "default"}
    slices = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.9"]}],
        "ports": [{"name": "https", "port": 6443}],
    }
    master.post("/api/v1/namespaces/default/endpoints", {"metadata": metadata, "subsets": [subset]})
    try:
        master.post("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices", slices)
    except AssertionError as error:
        assert "404" in str(error)  # before 1.21
    stranger = refused(ansible, tmp_path, master)
    assert "has a kube-apiserver at 192.0.2.9 that is none of the masters in the inventory" in stranger, stranger
    assert published(master) == before


@pytest.mark.since(23)
def test_a_ca_that_is_loaded_and_lies_nowhere_stays(make_master: MakeMaster, ansible: Ansible, tmp_path: Path) -> None:
    """A link that is turned is not seen from 1.23 on, so the server works on with what was there."""
    master = make_master("linked")
    bundle, place = master.pki / "front-proxy-ca.crt", master.folder / "linked"
    place.mkdir()
    (place / "old.crt").write_text(held_by(master))
    bundle.unlink()
    bundle.symlink_to(place / "old.crt")
    time.sleep(OLDER)
    master.restart()
    new = make_authority(name("front-proxy-ca"))
    new.write(place, "new")
    bundle.unlink()
    bundle.symlink_to(place / "new.crt")
    master.sign(new)
    before = published(master)
    shown = refused(ansible, tmp_path, master)
    assert "it is a link, whose change it may not see" in shown, shown
    assert published(master) == before


def test_another_user(make_master: MakeMaster, ansible: Ansible, tmp_path: Path) -> None:
    """With a kubeconfig, by whoever is in it: one who may read only is told so."""
    from test_verify_cluster import kubeconfig

    master = make_master("by-name")
    rotated(master)
    role = {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}]}
    master.post("/apis/rbac.authorization.k8s.io/v1/clusterroles", {"metadata": {"name": "reader"}, **role})
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "reader"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "reader"}],
    }
    master.post("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding)
    before = published(master)
    reads = {"front_proxy_kubeconfig": kubeconfig(master, tmp_path, "reader")}
    with pytest.raises(AssertionError) as failed:
        prune(ansible, tmp_path, master, words=["-e", json.dumps(reads)])
    assert "cannot be changed through this master (HTTP 403" in " ".join(str(failed.value).split())
    assert published(master) == before
    may = {"front_proxy_kubeconfig": kubeconfig(master, tmp_path, "admin", "system:masters")}
    done = prune(ansible, tmp_path, master, words=["-vvv", "-e", json.dumps(may)])
    assert "taken out of" in done and "PRIVATE KEY" not in done
    assert published(master)[PUBLISHED_CAS] == held_by(master)
