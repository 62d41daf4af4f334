# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that another flag names as well is never written: the front proxy gets one of its own."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.flags import FILE_NAMES
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    cluster_ca,
    key_pem,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import (
    Controller,
    folder,
    plan,
    refusal,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    kubeadm,
    sentence,
)

CLIENT_CA = f"{PKI}/ca.crt"
OWN = f"{PKI}/front-proxy-ca.crt"
KUBELET = f"{PKI}/apiserver-kubelet-client"


def sharing(name: str = "m2") -> FakeMaster:
    """A master whose front-proxy CA is the file of its client CA."""
    fake = kubeadm(name, flags={"requestheader-client-ca-file": CLIENT_CA}).without(OWN)
    return fake.put_pair(leaf_of(cluster_ca(), "cluster kubernetes"))


def with_kubelets_pair() -> FakeMaster:
    """A master that shows extension API servers the pair with which it asks kubelets."""
    pair = {"crt": "proxy-client-cert-file", "key": "proxy-client-key-file"}
    flags: t.Dict[str, t.Optional[str]] = {flag: f"{KUBELET}.{end}" for end, flag in pair.items()}
    flags.update({"kubelet-client-certificate": f"{KUBELET}.crt", "kubelet-client-key": f"{KUBELET}.key"})
    fake = kubeadm("m1", flags=flags)
    for end in pair:
        fake.files[f"{KUBELET}.{end}"] = fake.files.pop(f"{PKI}/front-proxy-client.{end}")
    return fake.put(f"{KUBELET}.crt", leaf_of(cluster_ca(), "cluster kubernetes", "kubelet-client").pem)


def written(done: t.Mapping[str, t.Any], host: str) -> t.List[str]:
    assert done["hosts"][host]["error"] == "", done["hosts"][host]["error"]
    return [each["path"] for each in done["hosts"][host]["files"]]


def test_the_client_ca_is_not_overwritten_where_another_master_says_which_ca_counts() -> None:
    done = plan(kubeadm("m1"), sharing(), wish=Wish(ca_from="m1"), pki=folder(make_ca(), ca_key="plain"))
    found = done["hosts"]["m2"]
    assert written(done, "m2")[0] == OWN and CLIENT_CA not in written(done, "m2")
    assert found["flags"]["requestheader-client-ca-file"] == OWN
    because = (
        f"--requestheader-client-ca-file gets a file of its own, since {CLIENT_CA} is the file of --client-ca-file"
    )
    assert any(because in reason for reason in found["reasons"])


def test_a_shared_ca_is_left_for_the_controllers_and_the_client_ca_stays(tmp_path: Path) -> None:
    controller, elsewhere = Controller(tmp_path), kubeadm("m9")
    controller.run(elsewhere.without(OWN), wish=Wish())
    shared = [sharing("m1"), sharing("m2")]
    before = [fake.files[CLIENT_CA] for fake in shared]
    controller.run(*shared, wish=Wish(ca_from="controller"))
    assert [fake.files[CLIENT_CA] for fake in shared] == before
    assert {fake.read().pod.flag("requestheader-client-ca-file") for fake in shared} == {OWN}
    again = controller.run(*shared, wish=Wish(ca_from="controller"))
    assert again["waves"] == []


def test_the_kubelet_client_pair_is_not_overwritten() -> None:
    done = plan(with_kubelets_pair(), pki=folder(make_ca(), ca_key="plain"))
    assert written(done, "m1") == [f"{PKI}/front-proxy-client.key", f"{PKI}/front-proxy-client.crt"]
    assert done["hosts"]["m1"]["flags"]["proxy-client-cert-file"] == f"{PKI}/front-proxy-client.crt"


def test_where_the_usual_name_is_taken_another_folder_is_asked_for() -> None:
    fake = kubeadm("m1", flags={"client-ca-file": OWN}).put(OWN, cluster_ca().pem)
    fake.put_pair(leaf_of(cluster_ca(), "cluster kubernetes"))
    ours = folder(make_ca(), ca_key="plain")
    said = refusal(plan(fake, wish=Wish(ca_from="controller"), pki=ours), "m1")
    sentence(said, f"{OWN} is the file of --client-ca-file", "front_proxy_certificates_dir")
    place = "/etc/kubernetes/front-proxy"
    moved = plan(fake, wish=Wish(ca_from="controller", certificates_dir=place), pki=ours)
    assert written(moved, "m1")[0] == f"{place}/front-proxy-ca.crt"


# --- files are compared, not their names

LINKED = {"/etc/kubernetes/pki": "/etc/kubernetes/ssl"}


def through_a_link(**flags: str) -> FakeMaster:
    """A master whose folder of certificates is a link to another one, as kubespray makes it."""
    fake = kubeadm("m1", flags=flags, links=LINKED)
    fake.files = {path.replace(PKI, "/etc/kubernetes/ssl"): file for path, file in fake.files.items()}
    fake.text = fake.text.replace(f"path: {PKI}\n", "path: /etc/kubernetes\n").replace(
        f"mountPath: {PKI}\n", "mountPath: /etc/kubernetes\n"
    )
    return fake


def one_file(name: str, fake: FakeMaster, *flags: str) -> FakeMaster:
    """Have these flags name that file."""
    for flag in flags:
        fake.text = re.sub(f"--{flag}=[^']*", f"--{flag}={name}", fake.text)
    return fake


ONE = f"{PKI}/kubernetes.pem"
OURS = folder(make_ca("new"), ca_key="plain")
ALL = [OWN, f"{PKI}/front-proxy-client.key", f"{PKI}/front-proxy-client.crt"]


def everything_in_one() -> FakeMaster:
    """A master with one certificate for serving, as the pair's and as the front-proxy CA."""
    leaf = leaf_of(cluster_ca(), "cluster kubernetes")
    fake = kubeadm("m1").put(ONE, leaf.pem).put(f"{PKI}/kubernetes-key.pem", key_pem("client"), "0600")
    one_file(ONE, fake, "tls-cert-file", "proxy-client-cert-file", "requestheader-client-ca-file")
    one_file(f"{PKI}/kubernetes-key.pem", fake, "tls-private-key-file", "proxy-client-key-file")
    return fake.without(*(path for path in ALL if path in fake.files))


def test_a_certificate_that_is_everything_is_refused_with_the_way_out() -> None:
    said = refusal(plan(everything_in_one()), "m1")
    sentence(said, "is no CA", "CA:FALSE", "set front_proxy_ca_from to controller", f"where {ONE}", "--tls-cert-file")


def test_a_certificate_that_is_everything_stays_and_three_files_of_their_own_come(tmp_path: Path) -> None:
    done = plan(everything_in_one(), wish=Wish(ca_from="controller"), pki=OURS)
    assert written(done, "m1") == ALL
    flags = done["hosts"]["m1"]["flags"]
    assert [flags[flag] for flag in FILE_NAMES] == [
        OWN,
        f"{PKI}/front-proxy-client.crt",
        f"{PKI}/front-proxy-client.key",
    ]
    controller = Controller(tmp_path)
    controller.run(kubeadm("m9").without(OWN), wish=Wish())
    fake = everything_in_one()
    before = dict(fake.files)
    controller.run(fake, wish=Wish(ca_from="controller"))
    assert {path: fake.files[path] for path in before} == before
    assert controller.run(fake, wish=Wish(ca_from="controller"))["waves"] == []


@pytest.mark.parametrize(
    ("fake", "others"),
    [
        # the same file by way of a folder that is a link
        (through_a_link(**{"client-ca-file": "/etc/kubernetes/ssl/front-proxy-ca.crt"}), "--client-ca-file"),
        (through_a_link(**{"etcd-cafile": "/etc/kubernetes/ssl/front-proxy-ca.crt"}), "--etcd-cafile"),
        # by another name of the same file
        (
            kubeadm("m1", flags={"etcd-cafile": f"{PKI}/etcd.crt"})
            .put(OWN, make_ca().pem, inode="one", links=2)
            .put(f"{PKI}/etcd.crt", make_ca().pem, inode="one", links=2),
            "--etcd-cafile",
        ),
        # with a slash too many
        (kubeadm("m1", flags={"kubelet-certificate-authority": f"{PKI}//front-proxy-ca.crt"}), "--kubelet-cert"),
        # the kubelet's
        (kubeadm("m1", kubelet_client_ca=OWN), "the clientCAFile of the kubelet"),
    ],
)
def test_what_is_another_ones_file_is_not_written(fake: FakeMaster, others: str) -> None:
    wish = Wish(ca_from="controller", certificates_dir="/etc/kubernetes/front-proxy")
    done = plan(fake, wish=wish, pki=OURS)
    assert written(done, "m1")[0] == "/etc/kubernetes/front-proxy/front-proxy-ca.crt"
    assert any(f"is the file of {others}" in reason for reason in done["hosts"]["m1"]["reasons"])


def test_a_pair_in_one_file_works_and_gets_two_files_when_it_is_replaced() -> None:
    both = f"{PKI}/front-proxy-client.pem"
    fake = one_file(both, kubeadm("m1"), "proxy-client-cert-file", "proxy-client-key-file")
    fake.without(*ALL[1:]).put(both, make_leaf(owner="client").pem + key_pem("client"), "0600")
    assert plan(fake)["waves"] == []
    due = make_leaf(owner="client", validity=12 * DAY)
    fake.put(both, due.pem + key_pem("client"), "0600")
    assert written(plan(fake, pki=folder(make_ca(), ca_key="plain")), "m1") == ALL[1:]


def test_the_ca_and_the_pair_in_one_file_part_when_one_is_replaced() -> None:
    fake = one_file(ONE, kubeadm("m1"), "requestheader-client-ca-file", "proxy-client-cert-file")
    fake.without(OWN, ALL[2]).put(ONE, make_leaf(owner="client m1").pem + make_ca().pem)
    done = plan(fake, wish=Wish(ca_from="controller"), pki=OURS)
    assert set(written(done, "m1")) == set(ALL) and ONE not in written(done, "m1")


def test_a_link_becomes_a_file_and_that_is_said() -> None:
    due = make_leaf(owner="client m1", validity=12 * DAY)
    fake = kubeadm("m1").put(ALL[2], due.pem, is_link=True)
    done = plan(fake, pki=folder(make_ca(), ca_key="plain"))
    assert written(done, "m1") == ALL[1:]
    sentence(done["hosts"]["m1"]["warnings"][0], f"{ALL[2]} of m1 is a link", "a file of its own", "sets this link")
