# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One observed master: what is refused at once, and the questions that decisions ask of it."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.master import read_master
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.proof import unproven
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    kubeadm,
    master,
    sentence,
)


def refused(fake: support.FakeMaster) -> str:
    with pytest.raises(PlanError) as error:
        fake.read()
    return str(error.value)


# --- what must not be touched


def test_a_manifest_that_does_not_parse_is_refused() -> None:
    fake = master(running=False)
    fake.text = fake.text.replace("spec:", "spec: [")
    sentence(refused(fake), support.MANIFEST)


def test_the_container_that_is_asked_for_must_be_there() -> None:
    with pytest.raises(PlanError) as error:
        read_master("m1", master().observe(), container="apiserver", now=certificates.NOW, backdate=3600)
    sentence(str(error.value), "apiserver", "kube-apiserver", support.MANIFEST)


@pytest.mark.parametrize(
    "flag", ["requestheader-allowed-names", "client-ca-file", "enable-aggregator-routing", "proxy-client-key-file"]
)
def test_a_flag_that_stands_there_twice_with_two_values_is_refused(flag: str) -> None:
    fake = kubeadm(extra=[f"--{flag}=/one", f"--{flag}=/two"])
    sentence(refused(fake), f"--{flag}", "twice", support.MANIFEST)


def test_a_flag_that_stands_there_twice_with_one_value_is_taken() -> None:
    assert kubeadm(extra=["--requestheader-allowed-names=front-proxy-client"]).read().name == "m1"


def sibling(text: t.Optional[str], name: str = "kube-apiserver.yaml.bak") -> t.Dict[str, t.Any]:
    return {"name": name, "size": len(text or ""), "text": text}


def test_a_second_file_that_defines_the_same_pod_is_refused() -> None:
    fake = master(siblings=[sibling(master().text)])
    sentence(refused(fake), "/etc/kubernetes/manifests/kube-apiserver.yaml.bak", support.MANIFEST, "move it out")


@pytest.mark.parametrize(
    "text",
    [None, "not: [yaml", master().text.replace("name: kube-apiserver\n  namespace", "name: other\n  namespace")],
)
def test_other_files_in_the_folder_are_no_harm(text: t.Optional[str]) -> None:
    assert master(siblings=[sibling(text)]).read().live


def naming_a_secret(**more: t.Any) -> support.FakeMaster:
    fake = master(**more)
    fake.text = fake.text.replace("spec:\n", "spec:\n  imagePullSecrets: [{name: registry}]\n", 1)
    return fake


def test_a_static_pod_that_names_objects_of_the_api_is_refused_where_it_does_not_run() -> None:
    new = "registry.k8s.io/kube-apiserver:v1.34.0"
    fake = naming_a_secret(running=False, image=new)
    sentence(refused(fake), support.MANIFEST, "spec.imagePullSecrets (secrets)", "1.34")
    sentence(refused(naming_a_secret(running=False, image="kube-apiserver")), "spec.imagePullSecrets")
    # an older kubelet runs it, and what runs is no question
    assert naming_a_secret(running=False, image=new.replace("34", "33")).read().live
    assert naming_a_secret(image=new, release="v1.34.0").read().live
    assert master(running=False, image=new).read().live


@pytest.mark.parametrize(("skew", "word"), [(3700.0, "ahead of"), (-3700.0, "behind")])
def test_clocks_that_are_apart_by_more_than_certificates_are_set_back_are_refused(skew: float, word: str) -> None:
    sentence(refused(master(skew=skew)), "3700 s", word, "NTP", f"{certificates.NOW:%Y-%m-%d %H:%M:%S}")


@pytest.mark.parametrize("skew", [3599.0, -3599.0, None])
def test_clocks_that_are_near_enough_are_taken(skew: t.Optional[float]) -> None:
    assert master(skew=skew).read().live


# --- what it is asked


@pytest.mark.parametrize(
    ("image", "running", "release"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.2", "v1.28.4", (1, 28)),
        ("registry.k8s.io/kube-apiserver:v1.36.2", None, (1, 36)),
        ("localhost:5000/kube-apiserver:v1.20.2@sha256:0123", None, (1, 20)),
        ("kube-apiserver:v1.20.2-eks-1", None, (1, 20)),
        ("10.0.0.1/kube-apiserver", None, None),
        ("10.0.0.1:5000/kube-apiserver@sha256:0123", None, None),
        ("kube-apiserver:latest", None, None),
        ("kube-apiserver:v1.x", None, None),
        ("kube-apiserver:v1.28+", None, (1, 28)),
    ],
)
def test_the_release_is_that_of_the_server_or_else_the_images(
    image: str, running: t.Optional[str], release: t.Optional[t.Tuple[int, int]]
) -> None:
    assert master(image=image, release=running).read().release == release


@pytest.mark.parametrize(
    ("flags", "wanted", "folder"),
    [
        ({}, None, "/etc/kubernetes/pki"),
        ({}, "/opt/pki/", "/opt/pki"),
        ({"client-ca-file": None}, None, "/etc/kubernetes/pki"),
        ({"client-ca-file": "/etc/kubernetes/ssl/ca.crt"}, None, "/etc/kubernetes/ssl"),
        ({"client-ca-file": "ca.crt", "tls-cert-file": "/x/tls.crt"}, None, "/x"),
        ({"client-ca-file": None, "tls-cert-file": None, "tls-private-key-file": "/y/tls.key"}, None, "/y"),
        ({"client-ca-file": None, "tls-cert-file": None, "tls-private-key-file": None}, None, "/etc/kubernetes/pki"),
    ],
)
def test_new_files_go_where_the_others_are(flags: support.Flags, wanted: t.Optional[str], folder: str) -> None:
    assert master(flags=flags).read().folder(wanted) == folder


def test_a_file_is_found_through_the_volumes() -> None:
    mounts = [support.MountSpec(support.PKI, "/srv/certificates")]
    fake = master(mounts=mounts).put("/srv/certificates/ca.crt", certificates.cluster_ca().pem)
    seen = fake.read().seen(f"{support.PKI}/ca.crt")
    assert (seen.host, seen.mounted, seen.exists) == ("/srv/certificates/ca.crt", True, True)


def test_a_file_in_a_folder_that_is_not_mounted_is_looked_for_on_the_host() -> None:
    seen = master(mounts=[]).read().seen(f"{support.PKI}/ca.crt")
    assert (seen.host, seen.mounted, seen.exists) == (f"{support.PKI}/ca.crt", False, True)


def test_a_file_in_a_volume_that_is_no_folder_of_the_host_is_refused() -> None:
    fake = master(mounts=[support.MountSpec(support.PKI, None)])
    with pytest.raises(PlanError) as error:
        fake.read().seen(f"{support.PKI}/ca.crt")
    sentence(str(error.value), support.PKI, "no plain hostPath", support.MANIFEST)


def test_client_cas_that_cannot_be_known_are_none() -> None:
    assert [ca.subject for ca in master().read().client_cas()] == ["CN=kubernetes"]
    assert master(flags={"client-ca-file": None}).read().client_cas() == ()
    assert master().put(f"{support.PKI}/ca.crt", "rubbish").read().client_cas() == ()
    assert master(mounts=[support.MountSpec(support.PKI, None)]).read().client_cas() == ()


@pytest.mark.parametrize(
    ("more", "healthy"),
    [({}, True), ({"answers": False}, False), ({"running": False}, False), ({"root": "/sandbox"}, True)],
)
def test_a_server_that_does_not_answer_is_not_healthy(more: t.Dict[str, t.Any], healthy: bool) -> None:
    assert master(**more).read().healthy is healthy


def test_flags_are_given_in_the_manifests_own_spelling_where_it_means_the_same() -> None:
    read = kubeadm(flags={"profiling": "False", "v": "2"}).read()
    wanted = {"profiling": "false", "v": "02", "anonymous-auth": "true", "client-ca-file": None}
    assert read.as_written(wanted) == {**wanted, "profiling": "False"}


# --- whether what runs shows it


def test_all_is_proven() -> None:
    read = kubeadm().read()
    assert unproven(read, support.proxy_flags()) == ""


def test_below_a_root_there_is_nothing_to_prove() -> None:
    assert unproven(kubeadm(root="/sandbox").read(), support.proxy_flags()) == ""


def test_no_process_is_told() -> None:
    assert unproven(kubeadm(running=False).read(), support.proxy_flags()) == "no kube-apiserver is running"


def test_a_process_with_an_old_command_line_is_told() -> None:
    old = ["kube-apiserver", "--requestheader-allowed-names=old"]
    gap = unproven(kubeadm(argv=old).read(), {"requestheader-allowed-names": "front-proxy-client"})
    assert "--requestheader-allowed-names" in gap


def test_a_flag_that_still_runs_though_it_is_taken_out_is_told() -> None:
    assert "--profiling" in unproven(kubeadm(argv=["kube-apiserver", "--profiling=false"]).read(), {"profiling": None})
    assert "--v" in unproven(kubeadm(argv=["kube-apiserver"]).read(), {"v": "2"})


def test_another_spelling_of_a_boolean_is_no_gap() -> None:
    assert unproven(kubeadm(flags={"profiling": "False"}).read(), {"profiling": "false"}) == ""


def test_a_pair_that_is_not_accepted_is_told_with_the_answer() -> None:
    fake = kubeadm().put_ca(certificates.make_ca("other"))
    assert "does not accept the pair (HTTP 401)" in unproven(fake.read(), {})
    assert "Connection refused" in unproven(kubeadm(answers=False).read(), {})
    assert "not asked" in unproven(master().read(), {})
