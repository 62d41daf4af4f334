# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is the kube-apiserver of a manifest: among impostors, in pods, and where ours does not run."""

from __future__ import annotations

import ctypes
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import identify
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import (
    Process,
    find_apiserver,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master.support import (
    FLAGS,
    NEW_FLAGS,
)

NOBODY = 65534
CLONE_NEWNET = 0x40000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)

TEXT = support.text_with(*FLAGS).replace("spec:\n", "spec:\n  hostNetwork: true\n")
NEWER_TEXT = support.text_with(*FLAGS, *NEW_FLAGS).replace("spec:\n", "spec:\n  hostNetwork: true\n")
STATIC, STATIC_2 = "0123456789abcdef0123456789abcdef", "f" * 32
FROM_API = "0c5dd1d0-0b3b-4f54-9d3c-2c8a5b1c7f10"
HOST, OTHER_NETWORK = "net:[4026531840]", "net:[4026532999]"


class MadeUp:
    """The folders /proc and /var/log/pods of a machine that there is not."""

    def __init__(self, folder: Path) -> None:
        self.proc, self.logs = folder / "proc", folder / "pods"
        self.logs.mkdir()
        self.processes: t.List[Process] = []
        self._lay("self", 0, "", HOST)

    def _lay(self, name: str, uid: int, cgroup: str, network: str) -> None:
        folder = self.proc / name
        (folder / "ns").mkdir(parents=True)
        (folder / "status").write_text(f"Name:\tkube-apiserver\nTgid:\t1\nUid:\t{uid}\t0\t0\t0\nGid:\t0\t0\t0\t0\n")
        (folder / "cgroup").write_text(f"12:memory:{cgroup}\n0::{cgroup}\n")
        (folder / "ns" / "net").symlink_to(network)

    def run(
        self, *flags: str, name: str = "kube-apiserver", uid: int = 0, cgroup: str = "/", network: str = HOST
    ) -> Process:
        """A process, newer than those before."""
        number = len(self.processes) + 1
        self.processes.append(Process(number, (name, *flags), number))
        self._lay(str(number), uid, cgroup, network)
        return self.processes[-1]

    def pod(self, name: str, uid: str = STATIC, namespace: str = "kube-system") -> str:
        """A pod; gives the control group of its container."""
        (self.logs / f"{namespace}_{name}_{uid}").mkdir()
        return f"/kubepods/burstable/pod{uid}/c0ffee"

    def find(self, text: str = TEXT) -> t.Optional[Process]:
        """The server, whatever the order of the processes."""
        found = {
            find_apiserver(processes, text, proc=str(self.proc), logs=str(self.logs))
            for processes in (self.processes, self.processes[::-1])
        }
        (one,) = found
        return one


@pytest.fixture
def machine(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


class TestNames:
    """What is called like the server."""

    @pytest.mark.parametrize(
        "argv",
        [
            ("kube-apiserver",),
            ("/usr/local/bin/kube-apiserver", "--a=b"),
            ("/hyperkube", "kube-apiserver", "--a"),
            ("/hyperkube", "apiserver", "--a"),
            ("/usr/local/bin/kube-apiserver-amd64", "--a"),
        ],
    )
    def test_it_is_one(self, machine: MadeUp, argv: t.Tuple[str, ...]) -> None:
        machine.run(name="init")
        server = machine.run(*argv[1:], name=argv[0])
        assert machine.find("command:\n- kube-apiserver-amd64\n") == server

    @pytest.mark.parametrize(
        "argv",
        [
            ("/go-runner", "kube-apiserver", "--a"),
            ("/go-runner", "--log-file=/x", "--", "/usr/local/bin/kube-apiserver"),
            ("sh", "-c", "exec kube-apiserver --a"),
            ("grep", "kube-apiserver"),
            ("vi", "/etc/kubernetes/manifests/kube-apiserver"),
            ("kube-apiserver-network-proxy",),
            ("/hyperkube", "kube-proxy"),
            ("",),
        ],
    )
    def test_it_is_none(self, machine: MadeUp, argv: t.Tuple[str, ...]) -> None:
        machine.run(*argv[1:], name=argv[0])
        assert machine.find("command:\n- kube-apiserver\n") is None

    def test_nothing_runs(self, machine: MadeUp) -> None:
        assert machine.find() is None

    def test_it_ended_meanwhile(self, machine: MadeUp) -> None:
        machine.run(*FLAGS)
        (machine.proc / "1" / "status").unlink()
        assert machine.find() is None


class TestFlags:
    """Where no pod tells, as without a kubelet."""

    def test_beside_another(self, machine: MadeUp) -> None:
        other = tuple(flag.replace("10.0.0.1", "10.0.0.2") for flag in FLAGS)
        machine.run(*other)
        ours = machine.run(*FLAGS)
        machine.run(*other)
        machine.run()
        assert machine.find() == ours

    @pytest.mark.parametrize(
        ("flag", "value"),
        [
            ("secure-port", "6444"),
            ("secure-port", None),
            ("advertise-address", "10.0.0.2"),
            ("etcd-servers", "https://127.0.0.1:2379,https://127.0.0.1:12379"),
            ("etcd-servers", "https://127.0.0.1"),
            ("etcd-prefix", "/other"),
            ("bind-address", "127.0.0.1"),
            ("tls-private-key-file", "/etc/other/pki/apiserver.key"),
            ("service-cluster-ip-range", "10.96.0.0/16"),
            ("service-account-issuer", "https://other"),
        ],
    )
    def test_one_flag_that_two_servers_do_not_share(self, machine: MadeUp, flag: str, value: str | None) -> None:
        """Ours is down. The rest is the same, as two kubeadm clusters have it."""
        text = TEXT.replace("--secure-port=6443", "--secure-port=7443") if value is None else TEXT
        rest = [one for one in FLAGS if not one.startswith(f"--{flag}=")]
        machine.run(*rest, *([f"--{flag}={value}"] if value else []))
        assert machine.find(text) is None

    def test_defaults(self, machine: MadeUp) -> None:
        server = machine.run(*FLAGS, "--bind-address=0.0.0.0", "--etcd-prefix=/registry")
        assert machine.find(TEXT.replace("    - --secure-port=6443\n", "")) == server
        assert machine.find(TEXT.replace("--secure-port=6443", "--bind-address=0.0.0.0")) == server

    def test_an_older_process_is_known_by_a_newer_manifest(self, machine: MadeUp) -> None:
        before = machine.run(*FLAGS)
        assert machine.find(NEWER_TEXT) == before
        after = machine.run(*FLAGS, *NEW_FLAGS)
        assert machine.find(NEWER_TEXT) == machine.find(TEXT) == after

    def test_half_of_the_flags_are_not_enough(self, machine: MadeUp) -> None:
        flags = [f"--a{number}=1" for number in range(10)]
        machine.run(*flags[:5])
        assert machine.find(support.text_with(*flags)) is None
        server = machine.run(*flags[:6])
        assert machine.find(support.text_with(*flags)) == server

    def test_values_count_and_not_only_names(self, machine: MadeUp) -> None:
        machine.run(*(flag.replace("=", "=x", 1) for flag in (f"--a{number}=1" for number in range(9))))
        assert machine.find(support.text_with(*(f"--a{number}=1" for number in range(9)))) is None

    def test_booleans(self, machine: MadeUp) -> None:
        server = machine.run("--profiling", "--allow-privileged=True")
        assert machine.find(support.text_with("--profiling=true", "--allow-privileged=1")) == server

    def test_without_arguments(self, machine: MadeUp) -> None:
        machine.run()
        assert machine.find() is None
        assert machine.find(support.text_with("--secure-port=$(PORT)")) is None

    def test_a_manifest_that_states_no_flags(self, machine: MadeUp) -> None:
        text = support.text_with()
        one = machine.run()
        assert machine.find(text) == one
        machine.run("--secure-port=1")
        assert machine.find(text) is None  # nothing tells them apart

    def test_variables(self, machine: MadeUp) -> None:
        text = support.text_with("--secure-port=$(PORT)", "--advertise-address=$(IP)", "--a=1", "--b=1")
        machine.run("--secure-port=1", "--advertise-address=1.2.3.4")
        assert machine.find(text) is None
        server = machine.run("--secure-port=1", "--advertise-address=1.2.3.4", "--a=1", "--b=1")
        assert machine.find(text) == server
        assert machine.find(support.text_with("--secure-port=$(PORT)", "--advertise-address=$(IP)")) == server

    def test_the_newest(self, machine: MadeUp) -> None:
        machine.run(*FLAGS)
        newer = machine.run(*FLAGS)
        assert machine.find() == newer
        machine.run(*FLAGS[:-1])  # less alike
        assert machine.find() == newer


class TestOwners:
    """As whom it runs."""

    def test_another_user(self, machine: MadeUp, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        ours = machine.run(*FLAGS)
        theirs = machine.run(*FLAGS, uid=1000)
        assert machine.find() == ours
        assert machine.find(TEXT.replace("spec:\n", "spec:\n  securityContext: {runAsUser: 1000}\n")) == theirs
        assert machine.find(TEXT.replace("spec:\n", "spec:\n  securityContext: {runAsUser: 100}\n")) == ours
        assert machine.find(TEXT.replace("spec:\n", "spec:\n  # runAsUser: 1000\n")) == ours

    def test_our_pod_may_be_of_its_image_s_user(self, machine: MadeUp) -> None:
        server = machine.run(*FLAGS, uid=65532, cgroup=machine.pod("kube-apiserver-node1"))
        assert machine.find() == server


class TestNetworks:
    """In which network it runs."""

    def test_another_network(self, machine: MadeUp) -> None:
        nested = machine.run(*FLAGS, network=OTHER_NETWORK)
        assert machine.find() is None
        assert machine.find(TEXT.replace("hostNetwork: true", "hostNetwork: false")) == nested
        assert machine.find(TEXT.replace("hostNetwork: true", "# hostNetwork: true")) == nested
        ours = machine.run(*FLAGS)
        assert machine.find() == ours

    @pytest.mark.parametrize("whose", ["self", "1"])
    def test_it_cannot_be_read(self, machine: MadeUp, whose: str) -> None:
        server = machine.run(*FLAGS, network=HOST if whose == "1" else OTHER_NETWORK)
        (machine.proc / whose / "ns" / "net").unlink()
        assert machine.find() == server


class TestPods:
    """What the kubelet's folders tell."""

    @pytest.mark.parametrize(
        ("path", "uid"),
        [
            (f"/kubepods/burstable/pod{STATIC}/c0ffee", STATIC),
            (f"/kubepods/pod{FROM_API}/c0ffee", FROM_API),
            (f"/kubepods/besteffort/pod{FROM_API}", FROM_API),
            (f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-x.scope", STATIC),
            (f"/kubepods.slice/kubepods-pod{FROM_API.replace('-', '_')}.slice/crio-x.scope", FROM_API),
            (f"/system.slice/containerd.service/kubepods-burstable-pod{STATIC}.slice:cri-containerd:x", STATIC),
            (f"/../../../kubepods-besteffort-pod{STATIC}.slice/cri-x.scope", STATIC),
            (f"/top.slice/top-kubepods.slice/top-kubepods-burstable-pod{STATIC}.slice/x", STATIC),
            (f"/top/kubepods/burstable/pod{STATIC}/x", STATIC),
            # a kubelet in a pod: the outer one is of this machine
            (f"/kubepods/burstable/pod{FROM_API}/x/kubelet/kubepods/burstable/pod{STATIC}/y", FROM_API),
            ("/", None),
            ("/user.slice/user-0.slice/session-1.scope", None),
            (f"/machine.slice/libpod-{STATIC}.scope", None),
            (f"/docker/{STATIC}", None),
            (f"/mypods/pod{STATIC}/x", None),
            ("/kubepods/burstable/pod/x", None),
        ],
    )
    def test_control_groups(self, path: str, uid: str | None) -> None:
        assert identify.pod_in_cgroups(f"0::{path}\n") == uid
        assert identify.pod_in_cgroups(f"13:misc:/\n4:memory:{path}\n1:name=systemd:{path}\n0::/\n") == uid

    def test_folders(self) -> None:
        folders = [f"kube-system_kube-apiserver-node1_{STATIC}", "what_else", "a_b_c_d", "lost+found"]
        assert identify.pods_in(folders) == {STATIC: ("kube-system", "kube-apiserver-node1")}

    @pytest.mark.parametrize("form", ["cgroupfs", "systemd"])
    def test_our_pod_wins_whatever_its_flags(self, machine: MadeUp, form: str) -> None:
        cgroup = machine.pod("kube-apiserver-node1")
        if form == "systemd":
            cgroup = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{STATIC}.slice/cri-x.scope"
        ours = machine.run("--secure-port=7443", "--etcd-servers=https://other", cgroup=cgroup)
        machine.run(*FLAGS)
        assert machine.find() == ours

    def test_a_pod_of_another_name_is_not_ours(self, machine: MadeUp) -> None:
        machine.run(*FLAGS, cgroup=machine.pod("nested-node1"))
        assert machine.find() is None
        ours = machine.run(*FLAGS, cgroup=machine.pod("kube-apiserver-node1", STATIC_2))
        machine.run(*FLAGS, cgroup=machine.pod("kube-apiserver2-node1", "e" * 32))
        machine.run(*FLAGS, cgroup=machine.pod("kube-apiserver-node1", "d" * 32, namespace="tenant"))
        assert machine.find() == ours

    def test_the_namespace_may_be_left_out(self, machine: MadeUp) -> None:
        text = TEXT.replace("  namespace: kube-system\n", "")
        ours = machine.run(cgroup=machine.pod("kube-apiserver-node1", namespace="default"))
        machine.run(*FLAGS, cgroup=machine.pod("kube-apiserver-node1", STATIC_2))
        assert machine.find(text) == ours

    def test_of_two_pods_the_newer(self, machine: MadeUp) -> None:
        """The kubelet starts the new one before the old one's folder is gone."""
        machine.run(*FLAGS, cgroup=machine.pod("kube-apiserver-node1"))
        new = machine.run(*FLAGS, *NEW_FLAGS, cgroup=machine.pod("kube-apiserver-node1", STATIC_2))
        assert machine.find(TEXT) == machine.find(NEWER_TEXT) == new

    def test_a_command_in_our_pod_is_not_the_server(self, machine: MadeUp) -> None:
        cgroup = machine.pod("kube-apiserver-node1")
        ours = machine.run(*FLAGS, cgroup=cgroup)
        machine.run("--version", cgroup=cgroup)
        assert machine.find() == ours
        # also where it no longer fits, as the manifest is newer
        assert machine.find(NEWER_TEXT.replace("6443", "7443")) == ours

    def test_a_pod_without_a_folder_tells_nothing(self, machine: MadeUp) -> None:
        ours = machine.run(*FLAGS, cgroup=f"/kubepods/pod{STATIC}/x")
        machine.run("--secure-port=1", cgroup=f"/kubepods/pod{STATIC_2}/x")
        assert machine.find() == ours
        machine.logs.rmdir()
        assert machine.find() == ours

    def test_a_pod_of_the_api_server_is_only_called_like_it(self, machine: MadeUp) -> None:
        """A nested control plane's kube-apiserver-0 in the same namespace; its flags decide."""
        cgroup = machine.pod("kube-apiserver-0", FROM_API)
        nested = machine.run("--secure-port=7443", *FLAGS[:5], cgroup=cgroup)
        assert machine.find() is None
        stated = TEXT.replace("  name: kube-apiserver\n", f'  name: kube-apiserver\n  uid: "{FROM_API}"\n', 1)
        assert machine.find(stated) == nested  # OpenShift writes it into the file
