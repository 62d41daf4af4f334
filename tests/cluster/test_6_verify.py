# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify on a whole cluster: no false alarm, faults that need an extension API server, fixes pasted from its table."""

from __future__ import annotations

import json
import re
import shutil
import typing as t
from pathlib import Path

import pytest
from conftest import Cluster
from kubeadm_pki import issue, load_pair, make_authority, name
from releases import Release
from verifying import paste, publish_only_what_is_held, verify, wait_until_found
from watch.extension import GROUP, SampleApiServer
from watch.master import PKI, Master, wait_for

PENDING = "/etc/kubernetes/front-proxy-backup/pending"
APISERVICE = f"v1alpha1.{GROUP}"

# What kube-proxy would do for the one Service that every cluster has.
SERVICE_ADDRESS = "10.96.0.1"
KUBE_PROXY = """\
defaults
  mode tcp
  timeout connect 2s
  timeout client 60s
  timeout server 60s
listen kubernetes
  bind {service}:443
  server here {address}:6443
"""


@pytest.fixture(scope="module")
def kubeadm(whole_cluster: Cluster) -> t.Iterator[Cluster]:
    """The cluster as kubeadm made it, without kube-proxy, and a controller that holds no CA of other tests."""
    whole_cluster.bring("kubeadm")
    publish_only_what_is_held(whole_cluster)
    pki, aside = whole_cluster.folder / "pki", whole_cluster.folder / "pki of other tests"
    pki.mkdir(exist_ok=True)
    pki.rename(aside)
    yield whole_cluster
    shutil.rmtree(pki, ignore_errors=True)
    aside.rename(pki)


@pytest.fixture
def routed(kubeadm: Cluster) -> Cluster:
    """The same, and its masters reach extension API servers."""
    if any("enable-aggregator-routing" not in master.apiserver().flags for master in kubeadm.masters):
        kubeadm.configure()
        kubeadm.wait_until_ready()
    return kubeadm


@pytest.mark.differs
def test_kubeadms_own_cluster_has_no_finding(kubeadm: Cluster, alone: None) -> None:
    for master in kubeadm.masters:
        text = KUBE_PROXY.format(service=SERVICE_ADDRESS, address=master.address)
        master.node.path("/etc/haproxy/service.cfg").write_text(text, encoding="utf-8")
        master.node.run("ip", "address", "add", f"{SERVICE_ADDRESS}/32", "dev", "lo")
        master.node.run("haproxy", "-D", "-f", "/etc/haproxy/service.cfg")
    before = [master.checksums() for master in kubeadm.masters]
    try:
        verified = verify(kubeadm, front_proxy_fail_on="untidy")
    finally:
        for master in kubeadm.masters:
            master.node.run("pkill", "-KILL", "-x", "haproxy")
            master.node.run("ip", "address", "delete", f"{SERVICE_ADDRESS}/32", "dev", "lo")
    assert verified.findings == [], verified.output
    assert "OK: the aggregation layer works, no finding on 3 masters of 1 cluster" in verified.output
    assert [master.checksums() for master in kubeadm.masters] == before


def test_a_service_whose_address_does_not_answer(kubeadm: Cluster, flunders: SampleApiServer) -> None:
    broken = wait_until_found(kubeadm, "service-address-silent")
    (found,) = broken.findings
    assert found["hosts"] == ["m1", "m2", "m3"] and found["front_proxy"]
    paste(kubeadm, found["fix"])
    kubeadm.wait_until_ready()
    wait_until_found(kubeadm)  # nothing: and this is the cluster after configure, too


@pytest.mark.differs
def test_an_extension_api_server_with_another_ca_bundle(
    routed: Cluster, flunders: SampleApiServer, tmp_path: Path, release: Release
) -> None:
    right = routed.bed.kubectl("get", "apiservice", APISERVICE, "--output=jsonpath={.spec.caBundle}")
    make_authority(name("stranger")).write(tmp_path, "stranger")
    wrong = routed.bed.kubectl(
        *("create", "secret", "generic", "x", f"--from-file=ca={tmp_path}/stranger.crt", "--dry-run=client"),
        "--output=jsonpath={.data.ca}",
    )

    def give(bundle: str) -> None:
        patch = json.dumps({"spec": {"caBundle": bundle}})
        routed.bed.kubectl("patch", "apiservice", APISERVICE, "--type=merge", f"--patch={patch}")

    give(wrong)
    (found,) = wait_until_found(routed, "extension-certificate-not-trusted").findings
    assert not found["front_proxy"] and "The front proxy is not at fault" in found["consequence"]
    assert found["hosts"] == ["m1", "m2", "m3"] and "x509: " in found["evidence"][0]
    available = '--output=jsonpath={.status.conditions[?(@.type=="Available")].status}'
    expected = "False" if release.checks_serving_certificates else "True"
    wait_for(lambda: routed.bed.kubectl("get", "apiservice", APISERVICE, available) == expected, "its condition")
    give(right)
    wait_until_found(routed)


def test_an_extension_api_server_that_pins_an_old_ca(
    routed: Cluster, flunders: SampleApiServer, tmp_path: Path
) -> None:
    make_authority(name("front-proxy-ca")).write(tmp_path, "old")
    flunders.restart(f"--requestheader-client-ca-file={tmp_path}/old.crt")
    (found,) = wait_until_found(routed, "extension-refuses-the-pair").findings
    assert not found["front_proxy"] and "--requestheader-client-ca-file" in found["fix"]
    flunders.restart()
    wait_until_found(routed)


@pytest.mark.differs
def test_an_expired_pair_is_renewed_as_the_table_says(
    routed: Cluster, flunders: SampleApiServer, tmp_path: Path
) -> None:
    second = routed.masters[1]
    for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
        (tmp_path / file).write_bytes(second.read(file))
    authority = load_pair(tmp_path / "front-proxy-ca.crt", tmp_path / "front-proxy-ca.key")
    issue(authority, name("front-proxy-client"), client=True, age=400).write(tmp_path, "front-proxy-client")
    for file in ("front-proxy-client.key", "front-proxy-client.crt"):
        second.node.path(f"{PKI}/{file}").write_bytes((tmp_path / file).read_bytes())
    expired = verify(routed)
    assert expired.ids == ["pair-expired"] and expired.findings[0]["hosts"] == ["m2"], expired.output
    paste(routed, expired.findings[0]["fix"])
    wait_until_found(routed)


def copy_ca_to_the_controller(cluster: Cluster, master: Master) -> None:
    """Do what the comment of the fix says."""
    folder = cluster.folder / "pki" / "kubernetes"
    folder.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.chmod(0o700)
    for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
        (folder / file).write_bytes(master.read(file))
        (folder / file).chmod(0o600)


def test_a_client_ca_that_serves_as_front_proxy_ca_is_not_written_over(
    routed: Cluster, flunders: SampleApiServer, tmp_path: Path
) -> None:
    first, second, _third = routed.masters
    for file in ("ca.crt", "ca.key"):
        (tmp_path / file).write_bytes(second.read(file))
    client_ca = second.digest("ca.crt")
    pair = issue(load_pair(tmp_path / "ca.crt", tmp_path / "ca.key"), name("front-proxy-client"), client=True)
    pair.write(tmp_path, "front-proxy-client")
    for file in ("front-proxy-client.key", "front-proxy-client.crt"):
        second.node.path(f"{PKI}/{file}").write_bytes((tmp_path / file).read_bytes())
    flag = "--requestheader-client-ca-file"
    second.write_manifest(second.manifest.replace(f"{flag}={PKI}/front-proxy-ca.crt", f"{flag}={PKI}/ca.crt"))
    second.wait_until_it_runs_its_manifest()

    shared = verify(routed)

    assert shared.ids[0] == "masters-hold-different-cas" and "ca-shared-with-clients" in shared.ids, shared.output
    copy_ca_to_the_controller(routed, first)
    paste(routed, shared.findings[0]["fix"])
    routed.wait_until_ready()
    assert second.digest("ca.crt") == client_ca
    assert second.apiserver().flags[flag[2:]] == f"{PKI}/front-proxy-ca.crt"
    assert second.digest("front-proxy-ca.crt") == first.digest("front-proxy-ca.crt")
    publish_only_what_is_held(routed)
    wait_until_found(routed)


def test_different_cas_become_the_one_that_the_table_says(routed: Cluster, flunders: SampleApiServer) -> None:
    """What comes of kubeadm init on each master, without copying the CA."""
    first, _second, third = routed.masters
    third.node.run("sh", "-c", f"rm {PKI}/front-proxy-*")
    for what in ("front-proxy-ca", "front-proxy-client"):
        third.node.run("kubeadm", "init", "phase", "certs", what)
    third.node.run("pkill", "-x", "kube-apiserver")
    wait_for(lambda: not third.is_ready(), "m3 ends")
    routed.wait_until_ready()
    (found,) = wait_until_found(routed, "masters-hold-different-cas").findings
    assert found["hosts"] == ["m1", "m2", "m3"] and "front_proxy_ca_from=m1  # first copy" in found["fix"]
    copy_ca_to_the_controller(routed, first)
    paste(routed, found["fix"])
    # what m3 trusted for a while is still published: the next finding says so, and how it is taken out
    (left,) = wait_until_found(routed, "ca-still-trusted").findings
    paste(routed, left["fix"])
    # by now it has been seen to stay out, for longer than it takes any kube-apiserver to bring it back
    wait_until_found(routed)


def test_a_foreign_ca_beside_a_right_pair_is_the_cause(
    routed: Cluster, flunders: SampleApiServer, tmp_path: Path
) -> None:
    """Its pair is right, and configure refuses to run while the masters hold different CAs: only one fix works."""
    first, second, _third = routed.masters
    make_authority(name("front-proxy-ca")).write(tmp_path, "foreign")
    pair = second.digest("front-proxy-client.crt")
    second.node.path(f"{PKI}/front-proxy-ca.crt").write_bytes((tmp_path / "foreign.crt").read_bytes())
    seen = wait_until_found(routed, "masters-hold-different-cas")
    (found,) = seen.findings
    assert "front_proxy_ca_from=m1  # first copy" in found["fix"]
    assert "[pair-not-signed-by-ca], which masters-hold-different-cas explains" in " ".join(seen.output.split())
    copy_ca_to_the_controller(routed, first)
    paste(routed, found["fix"])
    wait_until_found(routed, "ca-still-trusted")
    assert second.digest("front-proxy-ca.crt") == first.digest("front-proxy-ca.crt")
    assert second.digest("front-proxy-client.crt") == pair
    publish_only_what_is_held(routed)
    wait_until_found(routed)


def test_a_name_that_nobody_publishes_is_the_cause(routed: Cluster, flunders: SampleApiServer, tmp_path: Path) -> None:
    """m2 and m3 allow any name, so that of their pairs is not published, and extension API servers refuse them."""
    first, *others = routed.masters
    for end in ("crt", "key"):
        (tmp_path / f"ca.{end}").write_bytes(first.read(f"front-proxy-ca.{end}"))
    authority = load_pair(tmp_path / "ca.crt", tmp_path / "ca.key")
    for master in routed.masters:
        master.save(tmp_path / "state")
    for master in others:
        issue(authority, name("kube-apiserver"), client=True).write(tmp_path, "pair")
        for end in ("key", "crt"):
            content = (tmp_path / f"pair.{end}").read_bytes()
            master.node.path(f"{PKI}/front-proxy-client.{end}").write_bytes(content)
        names = re.compile(r"^ *- --requestheader-allowed-names=.*\n", re.MULTILINE)
        master.write_manifest(names.sub("", master.manifest))
        master.wait_until_it_runs_its_manifest()
    routed.wait_until_ready()
    seen = wait_until_found(routed, "name-not-published")
    (found,) = seen.findings
    assert found["hosts"] == ["m2", "m3"]
    assert f"{APISERVICE} does not work through m2, which the finding above explains" in " ".join(seen.output.split())
    paste(routed, found["fix"])
    routed.wait_until_ready()
    wait_until_found(routed)
    # as it was, but for the name, which nobody takes out of what is published
    for master in routed.masters:
        master.restore(tmp_path / "state")
    routed.wait_until_ready()
    publish_only_what_is_held(routed)
    wait_until_found(routed)


def test_a_wrong_clock(routed: Cluster) -> None:
    # of the controller: all nodes have this machine's clock
    wrong = verify(routed, "faketime", "-f", "+1h")
    # each master says by how much
    assert wrong.ids == ["clock-differs"] * 3, wrong.output
    assert [found["hosts"] for found in wrong.findings] == [["m1"], ["m2"], ["m3"]]
    assert all("s behind the controller" in found["evidence"][0] for found in wrong.findings)
    assert verify(routed).ids == []


def test_a_change_that_the_power_cut_off(routed: Cluster) -> None:
    second = routed.masters[1]
    routed.give("m2", {"front_proxy_extra_flags": {"max-requests-inflight": "444"}})
    try:
        run = routed.start()
        wait_for(second.node.path(PENDING).exists, "a change of m2 is under way")
        second.node.power_off()
        run.failed()
        second.node.boot()
        routed.wait_until_ready()
        (found,) = wait_until_found(routed, "change-cut-off").findings
        assert found["hosts"] == ["m2"]
        paste(routed, found["fix"])
        routed.wait_until_ready()
        assert verify(routed).ids == []
    finally:
        routed.give("m2", {})
