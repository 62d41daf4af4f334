# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that another flag names as well is never written: the front proxy gets one of its own."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    cluster_ca,
    leaf_of,
    make_ca,
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
