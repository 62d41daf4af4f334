# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters as people have them: a server of another user, names of their own, links, files with several uses."""

from __future__ import annotations

import http.client
import re
import typing as t
from pathlib import Path

import pytest
from conftest import Cluster
from kubeadm_pki import issue, load_pair, name
from verifying import paste, publish_only_what_is_held, verify, wait_until_found
from watch.extension import GROUP, SampleApiServer
from watch.master import PKI, Master, wait_for
from watch.playbook import DUE

NOBODY = 65534
NAMES = "requestheader-allowed-names"
DISCOVERY = f"/apis/{GROUP}/v1alpha1"
#: What kube-apiserver reads and nobody else may.
KEYS = ("apiserver.key", "apiserver-kubelet-client.key", "apiserver-etcd-client.key", "sa.key")
#: What it reads besides, and what a join of older kubeadms lets root alone read.
PUBLIC = ("ca.crt", "front-proxy-ca.crt", "sa.pub", "etcd/ca.crt")
KEY = f"{PKI}/front-proxy-client.key"


@pytest.fixture
def ready(configured: Cluster) -> Cluster:
    """A cluster that is configured and has no finding."""
    publish_only_what_is_held(configured)
    wait_until_found(configured)
    return configured


@pytest.fixture
def rootless(ready: Cluster, alone: None) -> t.Iterator[Master]:
    """m2, whose kube-apiserver runs as nobody, as with kubeadm's RootlessControlPlane."""
    second = ready.masters[1]
    right = second.manifest
    keys = " ".join(f"{PKI}/{key}" for key in (*KEYS, "front-proxy-client.key"))
    public = " ".join(f"{PKI}/{file}" for file in PUBLIC)
    second.node.run("sh", "-c", f"chown {NOBODY}:{NOBODY} {keys} && chmod 0644 {public}")
    user = f"  securityContext:\n    runAsUser: {NOBODY}\n    runAsGroup: {NOBODY}\n"
    where = "  securityContext:\n" if "\n  securityContext:\n" in right else "spec:\n"
    second.write_manifest(right.replace(f"\n{where}", f"\n{user}" if where in user else f"\n{where}{user}", 1))
    try:
        second.wait_until_it_runs_its_manifest()
        assert second.node.run("stat", "--format=%u", f"/proc/{second.apiserver().pid}").strip() == str(NOBODY)
        yield second
    finally:
        second.node.run("sh", "-c", f"chown 0:0 {keys}")
        second.write_manifest(right)
    second.wait_until_it_runs_its_manifest()


def owner(master: Master, path: str) -> tuple[int, int, int]:
    """Owner, group and permission bits of a file, as seen in the node."""
    uid, gid, mode = master.node.run("stat", "--format=%u %g %a", path).split()
    return int(uid), int(gid), int(mode, 8)


def restart(master: Master) -> None:
    """Have the kubelet start another kube-apiserver with the same flags, which reads all files anew."""
    master.write_manifest(master.manifest)
    master.wait_until_it_runs_its_manifest()


@pytest.mark.differs
def test_a_server_of_another_user_gets_keys_that_it_can_read(ready: Cluster, rootless: Master) -> None:
    assert verify(ready).findings == []
    ready.configure("--extra-vars", DUE)
    assert owner(rootless, KEY) == (NOBODY, NOBODY, 0o600)
    restart(rootless)
    # a group of its own that lets it read stays
    rootless.node.run("sh", "-c", f"chown 0:{NOBODY} {KEY} && chmod 0640 {KEY}")
    ready.configure("--extra-vars", DUE)
    assert owner(rootless, KEY) == (0, NOBODY, 0o640)
    restart(rootless)
    wait_until_found(ready)


def test_a_key_that_its_server_cannot_read_is_found_before_the_next_start(ready: Cluster, rootless: Master) -> None:
    rootless.node.run("sh", "-c", f"chown 0:0 {KEY} && chmod 0600 {KEY}")
    (found,) = wait_until_found(ready, "file-not-readable-by-server").findings
    assert found["hosts"] == ["m2"] and found["severity"] == "broken"
    run = ready.configure()
    assert set(run.changed.values()) == {0} and f"runs as user {NOBODY}" in run.words
    paste(ready, found["fix"])
    restart(rootless)
    assert verify(ready).findings == []
    # open to all: the fix gives it to the server first
    rootless.node.run("sh", "-c", f"chown 0:0 {KEY} && chmod 0644 {KEY}")
    (found,) = wait_until_found(ready, "key-readable-by-others").findings
    paste(ready, found["fix"])
    assert owner(rootless, KEY) == (NOBODY, NOBODY, 0o600)
    restart(rootless)
    assert verify(ready).findings == []


def give_pair(master: Master, common_name: str, folder: Path) -> None:
    """Put a pair of the cluster's front-proxy CA with this name on a master, which its server loads by itself."""
    for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
        (folder / file).write_bytes((folder.parent / file).read_bytes())
    authority = load_pair(folder / "front-proxy-ca.crt", folder / "front-proxy-ca.key")
    issue(authority, name(common_name), client=True).write(folder, "front-proxy-client")
    for file in ("front-proxy-client.key", "front-proxy-client.crt"):
        target = master.node.path(f"{PKI}/{file}")
        target.with_name(f".{file}").write_bytes((folder / file).read_bytes())
        target.with_name(f".{file}").chmod(0o600)
        target.with_name(f".{file}").rename(target)


def without_names(master: Master) -> None:
    master.write_manifest(re.sub(rf"    - --{NAMES}=.*\n", "", master.manifest))


def status(cluster: Cluster, master: Master) -> int:
    """What the extension API server says through a master; 0 for nothing."""
    try:
        return cluster.client.get(master.address, DISCOVERY).status
    except (OSError, http.client.HTTPException):
        return 0


def answers(cluster: Cluster) -> dict[str, int]:
    """What it says through each of them."""
    return {master.name: status(cluster, master) for master in cluster.masters}


@pytest.fixture
def ca(ready: Cluster, tmp_path: Path) -> Path:
    """A folder with the front-proxy CA of the cluster and its key, and one in it for pairs."""
    for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
        (tmp_path / file).write_bytes((ready.folder / "pki" / "kubernetes" / file).read_bytes())
    folder = tmp_path / "pair"
    folder.mkdir()
    return folder


def test_names_of_their_own_stay_and_no_request_is_refused(ready: Cluster, flunders: SampleApiServer, ca: Path) -> None:
    for master in ready.masters:
        give_pair(master, "kube-apiserver", ca)
        without_names(master)
    for master in ready.masters:
        master.wait_until_it_runs_its_manifest()
    ready.bed.kubectl(
        *("patch", "--namespace=kube-system", "configmap", "extension-apiserver-authentication", "--type=merge"),
        """--patch={"data": {"requestheader-allowed-names": "[]"}}""",
    )
    wait_for(lambda: set(answers(ready).values()) == {200}, "all are let in with their own name")
    pairs = [master.digest("front-proxy-client.crt") for master in ready.masters]
    # one master alone: what names the others have is not known, so it gets no list
    alone = ready.configure("--limit", "m1")
    assert set(alone.changed.values()) == {0} and f"--{NAMES} is not set" in alone.words
    ready.configure()
    assert {master.apiserver().flags[NAMES] for master in ready.masters} == {"kube-apiserver"}
    assert [master.digest("front-proxy-client.crt") for master in ready.masters] == pairs
    assert set(ready.configure().changed.values()) == {0}
    wait_for(lambda: set(answers(ready).values()) == {200}, "all are let in by their list")
    # a name that is asked for: the old one is published, so it goes at once
    ready.configure(front_proxy_allowed_names=["front-proxy-client"])
    wait_for(lambda: set(answers(ready).values()) == {200}, "all are let in by their new name")
    assert [master.digest("front-proxy-client.crt") for master in ready.masters] != pairs
    publish_only_what_is_held(ready)
    wait_until_found(ready)
