# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What kubelets and kube-apiservers do from a release on, and what the collection makes of it."""

from __future__ import annotations

import json
import threading
import time
import typing as t

import pytest
from conftest import Cluster
from cryptography import x509
from verifying import paste, publish_only_what_is_held, verify, wait_until_found
from watch.master import MANIFEST, PKI, ApiServer, Master, wait_for
from watch.playbook import DUE
from watch.serials import presented, serial_server

pytestmark = pytest.mark.differs

CONFIGURATION = "/var/lib/kubelet/config.yaml"
ELSEWHERE = "/srv/static-pods"


@pytest.fixture
def second(configured: Cluster) -> Master:
    """m2 of a cluster that is configured and has no finding."""
    publish_only_what_is_held(configured)
    wait_until_found(configured)
    return configured.masters[1]


def restarted(master: Master, before: ApiServer) -> bool:
    """Whether it runs another kube-apiserver than before, which serves."""
    return before not in master.apiservers() and master.is_ready()


# older kubelets take two files with the same content for the same pod (PR 87461)
@pytest.mark.since(21)
def test_a_copy_in_the_manifests_folder_restarts_the_server(configured: Cluster, second: Master, alone: None) -> None:
    before = second.apiserver()
    second.node.run("cp", "-p", MANIFEST, f"{MANIFEST}.bak")
    try:
        wait_for(lambda: restarted(second, before), "m2 runs the copy")
        (found,) = verify(configured).findings
        assert found["id"] == "stray-manifest" and found["hosts"] == ["m2"]
        copy = second.apiserver()
        paste(configured, found["fix"])
        wait_for(lambda: restarted(second, copy), "m2 runs its manifest again")
        wait_until_found(configured)
    finally:
        # for the tests that come, if this one failed
        second.node.path(f"{MANIFEST}.bak").unlink(missing_ok=True)


# the gate PreventStaticPodAPIReferences; it went with PR 140226
@pytest.mark.since(34)
def test_a_static_pod_that_names_an_object_of_the_api(configured: Cluster, second: Master, alone: None) -> None:
    right = second.manifest
    sums = [master.checksums() for master in configured.masters if master is not second]
    second.write_manifest(right.replace("spec:\n", "spec:\n  serviceAccountName: kube-apiserver\n", 1))
    try:
        wait_for(lambda: not second.apiservers(), "the kubelet ends it")
        verified = verify(configured)
        run = configured.start(front_proxy_extra_flags={"v": "1"}).failed()
    finally:
        second.write_manifest(right)
    first = verified.findings[0]
    assert first["id"] == "pod-names-api-objects" and "server-not-running" not in verified.ids, verified.output
    assert "[server-not-running], which pod-names-api-objects explains" in " ".join(verified.output.split())
    assert first["severity"] == "broken" and "spec.serviceAccountName (serviceaccounts)" in first["evidence"][0]
    assert "names objects of the API" in run.words and "m2" in run.words, run.output
    assert [master.checksums() for master in configured.masters if master is not second] == sums
    configured.wait_until_ready()
    wait_until_found(configured)


@pytest.mark.since(23)
def test_a_renewed_pair_is_presented_at_once(
    configured: Cluster, second: Master, alone: None, remark: t.Callable[[str], None]
) -> None:
    before = [master.apiserver() for master in configured.masters]
    old = x509.load_pem_x509_certificate(second.read("front-proxy-client.crt")).serial_number
    seen: dict[str, float] = {}

    def follow(master: Master) -> None:
        while master.name not in seen and not done.wait(0.05):
            serial = presented(configured.client, master)
            if serial not in (None, old):
                seen[master.name] = time.time()

    with serial_server(configured):
        done = threading.Event()
        followers = [threading.Thread(target=follow, args=(master,)) for master in configured.masters]
        for follower in followers:
            follower.start()
        try:
            configured.configure("--extra-vars", DUE)
            # much less than the minute after which older servers look
            wait_for(lambda: len(seen) == len(followers), f"the new pair is presented: {seen}", seconds=20)
        finally:
            done.set()
            for follower in followers:
                follower.join()
    placed = {
        master.name: master.node.path(f"{PKI}/front-proxy-client.crt").stat().st_ctime for master in configured.masters
    }
    waits = ", ".join(f"{name} {max(0.0, seen[name] - placed[name]):.1f} s" for name in sorted(seen))
    remark(f"a renewed pair is presented after: {waits}")
    assert [master.apiserver() for master in configured.masters] == before


@pytest.fixture
def elsewhere(configured: Cluster) -> t.Iterator[Master]:
    """m3, whose kubelet reads its static pods from another folder than everybody's."""
    third = configured.masters[2]
    folder = MANIFEST.rpartition("/")[0]

    def move(source: str, target: str) -> None:
        before = third.apiserver()
        setting = f"s#^staticPodPath:.*#staticPodPath: {target}#"
        # pid 1 of the node starts the kubelet again
        moved = f"sed -i '{setting}' {CONFIGURATION} && mkdir -p {target} && mv {source}/* {target}/"
        third.node.run("sh", "-c", f"pkill -STOP -x kubelet; {moved}; pkill -KILL -x kubelet")
        wait_for(lambda: restarted(third, before), f"m3 runs what lies in {target}", seconds=180)

    move(folder, ELSEWHERE)
    configured.give("m3", {"front_proxy_manifest": f"{ELSEWHERE}/kube-apiserver.yaml"})
    yield third
    configured.give("m3", {})
    move(ELSEWHERE, folder)


@pytest.mark.since(21)
def test_a_kubelet_that_reads_another_folder(configured: Cluster, elsewhere: Master, alone: None) -> None:
    assert set(configured.configure().changed.values()) == {0}
    assert verify(configured).findings == []
    run = configured.configure(front_proxy_extra_flags={"v": "5"})
    assert all(run.changed.values())
    assert {master.apiserver().flags["v"] for master in configured.masters} == {"5"}
    assert elsewhere.in_manifests == []
    names = json.loads(elsewhere.python(f"import json, os; print(json.dumps(sorted(os.listdir({ELSEWHERE!r}))))"))
    assert len(names) == 4 and all(name.endswith(".yaml") for name in names)
