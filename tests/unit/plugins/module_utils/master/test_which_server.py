# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which process is the kube-apiserver of a manifest: among impostors, in pods, and where ours does not run."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import identify
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import process as process_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import (
    Process,
    find_apiserver,
    list_processes,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.stated import read_stated
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support
from hypothesis import given, settings
from hypothesis import strategies as st

NOBODY = 65534
CLONE_NEWNET = 0x40000000  # linux/sched.h
LIBC = ctypes.CDLL(None, use_errno=True)

FLAGS = (
    "--advertise-address=10.0.0.1",
    "--allow-privileged=true",
    "--authorization-mode=Node,RBAC",
    "--client-ca-file=/etc/kubernetes/pki/ca.crt",
    "--etcd-servers=https://127.0.0.1:2379",
    "--secure-port=6443",
    "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
    "--service-account-key-file=/etc/kubernetes/pki/sa.pub",
    "--service-cluster-ip-range=10.96.0.0/12",
    "--tls-private-key-file=/etc/kubernetes/pki/apiserver.key",
)
NEW_FLAGS = (
    "--enable-aggregator-routing=true",
    "--proxy-client-cert-file=/etc/kubernetes/pki/front-proxy-client.crt",
    "--proxy-client-key-file=/etc/kubernetes/pki/front-proxy-client.key",
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-client-ca-file=/etc/kubernetes/pki/front-proxy-ca.crt",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
)
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


BLOCK = """\
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    # - --secure-port=1
    - --a=b,c,d   # why
    - "--b=x \\"y\\" z"
    - '--c=it''s'
    - --d
    - https://e,f
    - --profiling
    - --g_h=[::]
    - --i=
    image: registry.example.com/x:--v
  - args: [--j=k,  --l, "m n", '--o=p,q', --r=s,t]
    name: other
"""
WANTED = {
    "a": ["b,c,d"],
    "b": ['x "y" z'],
    "c": ["it's"],
    "d": ["https://e,f"],
    "profiling": ["true"],
    "g-h": ["[::]"],
    "i": [""],
    "j": ["k"],
    "l": ["m n"],
    "o": ["p,q"],
    "r": ["s,t"],
}


def flags_of(text: str) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in read_stated(text).flags.items()}


class TestText:
    """What a text states."""

    def test_blocks_and_flows(self) -> None:
        assert flags_of(BLOCK) == WANTED

    @pytest.mark.parametrize("indent", [None, 1])
    def test_json(self, indent: int | None) -> None:
        container = {"command": ["kube-apiserver"], "args": ["--a=b,c", "--d", "e", '--f="g"', "--profiling"], "x": "y"}
        text = json.dumps({"metadata": {"name": "n", "namespace": "s"}, "c": [container]}, indent=indent)
        assert flags_of(text) == {"a": ["b,c"], "d": ["e"], "f": ['"g"'], "profiling": ["true"]}
        assert read_stated(text).names == {"n"} and read_stated(text).namespaces == {"s"}

    @pytest.mark.parametrize(
        "text",
        [
            'command: ["/bin/sh", "-c", "exec /usr/local/bin/kube-apiserver --a=b,c --d=e 1>>/var/log/x 2>&1"]',
            "command: [/go-runner, --log-file=/x, --, kube-apiserver, '--a=b,c', --d, e]",
            "- sh\n- -c\n- |\n  exec kube-apiserver \\\n    --a=b,c \\\n    --d='e'\n",
            "- sh\n- -c\n- exec kube-apiserver --a=b,c --d=e\n",
            "command: [\n  kube-apiserver,\n  '--a=b,c',\n  --d, e ]\n",
        ],
    )
    def test_launchers_and_scripts(self, text: str) -> None:
        assert flags_of(text) == {"a": ["b,c"], "d": ["e"]}

    def test_all_values_of_a_flag(self) -> None:
        assert flags_of("- --a=1\n- --a=2\n") == {"a": ["1", "2"]}

    def test_the_rest(self) -> None:
        text = (
            "metadata: {name: the-name, generateName: x, labels: {app.kubernetes.io/name: y}, uid: 0-1}\n"
            "spec:\n  hostNetwork: true\n  serviceAccountName: z\n  volumes:\n  - name: 'volume'\n"
            '  securityContext:\n    runAsUser: 12\n  other: {"runAsUser": 34}\n'
        )
        found = read_stated(text)
        assert found.names == {"the-name", "volume"} and found.namespaces == {"default"} and found.pod_uids == {"0-1"}
        assert found.users == {12, 34} and found.host_network
        assert not read_stated("hostNetwork: truely").host_network

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(
            st.one_of(
                st.sampled_from(["\n", "- ", "--a", "=", ", ", '"', "'", "[", "]", "{", ": ", "#", "\\", "--", "key:"]),
                st.text(max_size=5),
            ),
            max_size=40,
        )
    )
    def test_any_text(self, parts: t.List[str]) -> None:
        text = "".join(parts)
        assert all(name for name in read_stated(text).flags)

    def test_long_texts_take_no_time(self) -> None:
        began = time.monotonic()
        for part in ("--a", "--a=b ", '"', "'", '\\"', "- ", "name: ", "-", "[", ",", " ", "\n- --a=b", "a:", "#", ":"):
            read_stated(part * (100000 // len(part)))
            read_stated('"' + part * (100000 // len(part)))
        assert time.monotonic() - began < 30


@contextlib.contextmanager
def running(*flags: str, uid: int | None = None, network: bool = False) -> t.Iterator[Process]:
    """A real process that is called kube-apiserver, with these flags and no other words; uid: of this user; network:
    in a network of its own."""

    def prepare() -> None:
        if network and LIBC.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        if uid is not None:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)

    # a shell takes flags only behind its script, and cat takes none
    words = ["-c", "read dummy", *flags] if flags else []
    child = subprocess.Popen(
        ["kube-apiserver", *words],
        executable="/bin/sh" if flags else "/bin/cat",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd="/",
        preexec_fn=prepare,
    )
    try:
        # Popen returns when the program has begun
        (found,) = [one for one in list_processes() if one.pid == child.pid]
        yield found
    finally:
        child.kill()
        child.communicate()


class TestReal:
    """Real processes of this machine, on which others that are called so may run, too."""

    @pytest.fixture(autouse=True)
    def text(self, tmp_path: Path) -> str:
        # no other server of this machine has this one
        self.flags = (*FLAGS[:4], f"--etcd-prefix={tmp_path}", *FLAGS[5:])
        self.text = support.text_with(*self.flags).replace("spec:\n", "spec:\n  hostNetwork: true\n")
        return self.text

    def find(self, proc: str = "/proc") -> Process | None:
        return find_apiserver(list_processes(), self.text, proc=proc)

    def test_ours_is_found(self) -> None:
        with running(*self.flags) as ours:
            assert self.find() == ours
        assert self.find() is None

    def test_without_arguments(self) -> None:
        with running() as bare:
            assert bare.argv == ("kube-apiserver",)
            assert self.find() is None
            with running(*self.flags) as ours, running():
                assert self.find() == ours

    def test_of_another_user(self, monkeypatch: pytest.MonkeyPatch) -> None:
        other = NOBODY
        if os.geteuid() != 0:  # then everything here is of a user that is not root
            other = os.geteuid()
            monkeypatch.setattr(os, "geteuid", lambda: 0)
        with running(*self.flags, uid=None if other != NOBODY else NOBODY) as theirs:
            assert process_module._owner_of(f"/proc/{theirs.pid}") == other
            assert self.find() is None
            self.text += f"  securityContext:\n    runAsUser: {other}\n"
            assert self.find() == theirs

    def test_of_another_user_without_arguments(self) -> None:
        with running(uid=NOBODY if os.geteuid() == 0 else None):
            assert self.find() is None

    def test_in_another_network(self, tmp_path: Path) -> None:
        proc = "/proc"
        context = running(*self.flags, network=True)
        try:
            nested = context.__enter__()
        except (OSError, subprocess.SubprocessError):  # it takes root: then we are those in another network
            context = running(*self.flags)
            nested = context.__enter__()
            made_up = tmp_path / "proc"
            (made_up / "self" / "ns").mkdir(parents=True)
            (made_up / "self" / "ns" / "net").symlink_to(OTHER_NETWORK)
            (made_up / str(nested.pid)).symlink_to(f"/proc/{nested.pid}")
            proc = str(made_up)
        try:
            assert self.find(proc) is None
            self.text = self.text.replace("hostNetwork: true", "hostNetwork: false")
            assert self.find(proc) == nested
        finally:
            context.__exit__(None, None, None)

    def test_a_nested_control_plane(self) -> None:
        """Made by the same tool: the same flags, but for an address and a port."""
        nested = [flag.replace("10.0.0.1", "10.0.0.2").replace("6443", "16443") for flag in self.flags]
        with running(*nested):
            assert self.find() is None  # ours is down
            with running(*self.flags) as ours, running(*nested):
                assert self.find() == ours

    def test_the_manifest_is_newer(self) -> None:
        with running(*self.flags) as before:
            self.text = support.text_with(*self.flags, *NEW_FLAGS)
            assert self.find() == before
            with running(*self.flags, *NEW_FLAGS) as after:
                assert self.find() == after
