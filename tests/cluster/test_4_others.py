# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Others are at work at the same time, or a disk is full: nothing is lost, and nothing is half done."""

from __future__ import annotations

import typing as t
from functools import partial

import pytest
from conftest import Cluster
from watch.extension import SampleApiServer
from watch.master import MANIFEST, PKI, Master, wait_for

# The folder on a file system of its own that has room for one more file, as a tmpfs counts: in pages.
FILL = r"""
set -e
mkdir -p /mnt/small
pages=$(find /etc/kubernetes/pki -type f -printf '%s\n' | awk '{ n += int(($1 + 4095) / 4096) } END { print n }')
mount -t tmpfs -o "size=$(( (pages + 1) * 4096 ))" tmpfs /mnt/small
cp -a /etc/kubernetes/pki/. /mnt/small/
mount --bind /mnt/small /etc/kubernetes/pki
"""


@pytest.fixture
def full(bare: Cluster) -> t.Iterator[Master]:
    """m1, whose certificates' folder has room for one file, but not for three."""
    master = bare.masters[0]
    master.node.run("sh", "-c", FILL)
    yield master
    master.node.run("umount", "/etc/kubernetes/pki", "/mnt/small")


def test_two_controllers_at_once_make_one_layer(bare: Cluster) -> None:
    runs = [bare.start(pki="one"), bare.start(pki="other")]
    for run in runs:
        run.wait()
    bare.wait_until_ready()
    good = [run for run in runs if run.process.returncode == 0]
    bad = [run for run in runs if run.process.returncode != 0]
    assert len(good) == 1 and len(bad) == 1, "\n".join(run.output for run in runs)
    assert "run again" in bad[0].words, bad[0].output
    assert len({master.digest("front-proxy-ca.crt") for master in bare.masters}) == 1
    # the one that came too late has made a CA that no master holds: it does not guess which one is meant
    late = "other" if good[0] is runs[0] else "one"
    assert "that no master holds" in bare.start(pki=late).failed().words
    (bare.folder / late).rename(bare.folder / "moved away")
    again = bare.configure(pki=late)
    assert again.changed == {"m1": 0, "m2": 0, "m3": 0}


def test_two_runs_of_one_controller_do_the_work_once(configured: Cluster) -> None:
    runs = [configured.start(front_proxy_extra_flags={"v": "1"}) for _number in range(2)]
    for run in runs:
        run.wait()
    configured.wait_until_ready()
    assert sorted(run.process.returncode == 0 for run in runs)[-1], "\n".join(run.output for run in runs)
    assert {master.apiserver().flags["v"] for master in configured.masters} == {"1"}
    assert configured.is_clean()


def test_a_manifest_that_somebody_edits_meanwhile_is_left_to_them(configured: Cluster) -> None:
    first, second, third = configured.masters
    untouched, old = third.checksums(), first.manifest
    run = configured.start(front_proxy_extra_flags={"v": "2"})
    # the second master was looked at when the first one gets its manifest
    wait_for(lambda: first.manifest != old, "m1 gets a new manifest", seconds=120)
    second.add_flag("--profiling=false")
    edited = second.manifest
    run.failed()
    assert second.manifest == edited
    assert "m2" in run.words and "was changed by another hand since it was looked at" in run.words, run.output
    assert third.checksums() == untouched
    assert first.apiserver().flags["v"] == "2"
    configured.wait_until_ready()
    # and with the next run both is there: their flag and ours
    configured.configure(front_proxy_extra_flags={"v": "2"})
    assert second.apiserver().flags["profiling"] == "false" and second.apiserver().flags["v"] == "2"


def test_while_a_master_is_switched_off_no_other_is_begun(configured: Cluster) -> None:
    *others, third = configured.masters
    before = [(master.checksums(), master.apiserver()) for master in others]
    third.node.power_off()
    try:
        run = configured.start(front_proxy_extra_flags={"v": "3"}).failed()
        # with one more away, etcd would have no majority
        assert [(master.checksums(), master.apiserver()) for master in others] == before
    finally:
        third.node.boot()
    assert run.recap["m3"].unreachable == 1
    assert "Not begun, because m3 of the same cluster is refused: m3 is unreachable" in run.words
    configured.wait_until_ready()
    configured.configure(front_proxy_extra_flags={"v": "3"})
    assert [master.apiserver().flags["v"] for master in configured.masters] == ["3", "3", "3"]


def test_a_backup_in_the_manifests_folder_is_refused(configured: Cluster) -> None:
    second = configured.masters[1]
    sums = [master.checksums() for master in configured.masters]
    stray = second.node.path(f"{MANIFEST}.bak")
    stray.write_text(second.manifest)
    try:
        run = configured.start(front_proxy_extra_flags={"v": "4"}).failed()
    finally:
        stray.unlink()
    assert "kube-apiserver.yaml.bak" in run.words and "kubelet" in run.words, run.output
    assert [master.checksums() for master in configured.masters] == sums


def test_a_disk_that_fills_up_leaves_the_old_state(bare: Cluster, full: Master) -> None:
    sums, server = full.checksums(), full.apiserver()
    run = bare.start().failed()
    assert "No space left on device" in run.words, run.output
    left = full.checksums()
    assert {path: found for path, found in left.items() if "/front-proxy-backup/" not in path} == sums
    assert not [path for path in left if path.startswith(f"{PKI}/.")]
    assert full.apiserver() == server and full.is_ready()


def test_a_folder_that_is_not_mounted_is_mounted(bare: Cluster, flunders: SampleApiServer) -> None:
    place = "/etc/kubernetes/front-proxy"
    bare.configure(front_proxy_certificates_dir=place)
    for master in bare.masters:
        assert master.apiserver().flags["proxy-client-cert-file"] == f"{place}/front-proxy-client.crt"
        wait_for(
            partial(flunders.answers_through, bare.client, master.address),
            f"flunders through {master.name}",
        )
    again = bare.configure(front_proxy_certificates_dir=place)
    assert again.changed == {"m1": 0, "m2": 0, "m3": 0}
