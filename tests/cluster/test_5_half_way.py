# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Half-way states: several masters that were cut off, an older cluster's notes, the word of the right server, lists."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import time
import typing as t

from conftest import Cluster
from watch.master import BACKUP, PKI, Master, wait_for
from watch.playbook import DUE

BROKEN = {"no-such-flag": "1"}
KEY = f"{PKI}/front-proxy-client.key"
ACL = "system.posix_acl_access"


def cut_off(cluster: Cluster, master: Master, flags: t.Mapping[str, str]) -> None:
    """Begin to change one master, and kill what works there as soon as the new manifest is in place."""
    old = master.manifest
    run = cluster.start("--limit", master.name, front_proxy_extra_flags=dict(flags), front_proxy_wait_timeout=60)
    wait_for(lambda: master.manifest != old, f"{master.name} gets a new manifest", seconds=120)
    # the lock tells which process it is: "process PID since ..."
    holder = master.node.run("cat", f"{BACKUP}/lock").split()[1]
    master.node.run("kill", "-KILL", holder)
    run.failed()
    assert master.node.path(f"{BACKUP}/pending/journal.json").exists()


def test_masters_that_were_cut_off_come_back_one_after_the_other(configured: Cluster) -> None:
    first, second, third = configured.masters
    old = [master.manifest for master in configured.masters]
    untouched = third.apiserver()
    for master in (first, second):
        cut_off(configured, master, BROKEN)
    # the first one cannot serve with the old manifest either: nobody goes on to the second one
    hidden = f"{PKI}/apiserver.crt.hidden"
    first.node.run("mv", f"{PKI}/apiserver.crt", hidden)
    try:
        run = configured.start().failed()
    finally:
        first.node.run("mv", hidden, f"{PKI}/apiserver.crt")
    assert "kube-apiserver does not serve with it either" in run.words, run.output
    assert "Not begun, because m1 of the same cluster failed; mend that first, then run again." in run.words
    assert first.manifest == old[0] and second.manifest != old[1]
    first.wait_until_it_runs_its_manifest(seconds=400)

    # and where it can, it serves before the second one gets its old manifest
    cut_off(configured, first, BROKEN)
    run, served = configured.start(), []
    while run.process.poll() is None:
        if second.manifest == old[1]:
            served.append(first.is_ready())
            break
        time.sleep(0.05)
    run.succeeded()
    assert served == [True], run.output
    assert [master.manifest for master in configured.masters] == old
    assert third.apiserver() == untouched
    for master in (first, second):
        assert not master.node.path(f"{BACKUP}/pending").exists()


def test_notes_of_an_older_cluster_are_put_aside(configured: Cluster) -> None:
    """kubeadm reset leaves the folder of notes, and init makes all else anew."""
    master = configured.masters[1]
    cut_off(configured, master, BROKEN)
    journal = master.node.path(f"{BACKUP}/pending/journal.json")
    noted = json.loads(journal.read_text(encoding="utf-8"))
    assert noted["client_ca"]["path"] == f"{PKI}/ca.crt"
    # as if the client CA of now was another one than that of then
    journal.write_text(json.dumps({**noted, "client_ca": {**noted["client_ca"], "checksum": "0" * 64}}))
    # whoever made the cluster anew wrote a manifest, too
    master.write_manifest((configured.folder / "configured" / master.name / "manifest").read_text(encoding="utf-8"))
    master.wait_until_it_runs_its_manifest(seconds=400)
    # what is kept beside the files goes with the notes
    before = {path: found for path, found in master.checksums().items() if BACKUP not in path and "/." not in path}
    run = configured.configure()
    assert "Put aside the notes of a change that began at" in run.words, run.output
    assert f"the client CA {PKI}/ca.crt is another one since, as after kubeadm reset and init" in run.words
    assert {path: found for path, found in master.checksums().items() if BACKUP not in path} == before


def pair_of_nobody(folder: t.Any) -> tuple[str, str]:
    """A pair that no CA of the cluster has signed."""
    paths = str(folder / "nobody.key"), str(folder / "nobody.crt")
    words = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "9",
        "-subj",
        "/CN=front-proxy-client",
    )
    subprocess.run([*words, "-keyout", paths[0], "-out", paths[1]], check=True, capture_output=True)
    return paths


def test_going_back_waits_for_the_server_of_the_old_manifest(configured: Cluster) -> None:
    """Only an annotation differs: the server of the new manifest has the old flags, and answers, too."""
    master = configured.masters[1]
    key, certificate = pair_of_nobody(configured.folder)
    # of a file with a second name the server sees no replacement, so an annotation restarts it
    master.node.run("ln", KEY, f"{KEY}.second")
    old, manifest, digest = master.apiserver(), master.manifest, master.digest("front-proxy-client.key")
    files = [
        {"path": KEY, "src": key},
        {"path": f"{PKI}/front-proxy-client.crt", "src": certificate},
    ]
    task = {"kubeops.aggregation_layer.apiserver": {"files": files, "wait_timeout": 60}}
    play = [{"hosts": "m2", "gather_facts": False, "tasks": [task]}]
    playbook = configured.folder / "nobody.yml"
    playbook.write_text(json.dumps(play), encoding="utf-8")
    try:
        run = configured.ansible.start(str(playbook)).failed()
        now = master.apiservers()
    finally:
        master.node.run("rm", f"{KEY}.second")
    assert "it does not accept the proxy-client pair (HTTP 401 instead of 200)" in run.words, run.output
    assert "The old state is back and serves again after" in run.words
    assert master.manifest == manifest and master.digest("front-proxy-client.key") == digest
    # it is the pod of the old manifest, and not the one of before, that said so
    assert [each.pod for each in now] == [old.pod] and now[0].start > old.start and now[0].argv == old.argv
    assert configured.configure().changed == {"m1": 0, "m2": 0, "m3": 0}


def test_a_renewal_keeps_list_and_attributes(configured: Cluster) -> None:
    master = configured.masters[1]
    key = str(master.node.path(KEY))
    # root reads and writes, the user 41001 reads, nobody else may anything
    entries = ((1, 6, 2**32 - 1), (2, 4, 41001), (4, 0, 2**32 - 1), (16, 4, 2**32 - 1), (32, 0, 2**32 - 1))
    wanted = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    os.setxattr(key, ACL, wanted)
    os.setxattr(key, "user.owner", b"team-a")
    before = master.digest("front-proxy-client.key"), master.apiserver()
    configured.configure("-e", DUE)
    assert master.digest("front-proxy-client.key") != before[0] and master.apiserver() == before[1]
    assert os.getxattr(key, "user.owner") == b"team-a"
    kept = list(struct.iter_unpack("<HHI", os.getxattr(key, ACL)[4:]))
    assert [(tag, who) for tag, dummy, who in kept] == [(tag, who) for tag, dummy, who in entries]
    mode = os.stat(key).st_mode
    assert mode & 0o7 == 0 and [bits for tag, bits, dummy in kept if tag == 2] == [4]
    # nothing is left beside it, and the next run finds nothing to do
    assert [name for name in os.listdir(os.path.dirname(key)) if name.startswith(".")] == []
    assert configured.configure().changed == {"m1": 0, "m2": 0, "m3": 0}
