# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kubelets run, and whether they read the manifest: among real processes of this machine that only wait."""

from __future__ import annotations

import contextlib
import ctypes
import os
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import ObservedKubelet
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import kubelet as kubelet_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.kubelet import observe_kubelets
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.process import Process
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine

IN_CREATE = 0x100  # linux/inotify.h
LIBC = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def running(*words: str, cwd: str = "/", watching: str = "") -> t.Iterator[Process]:
    """A real process with this command line. watching: a path that it watches."""

    def prepare() -> None:
        if watching:
            # inherited over exec, as inotify_init sets no flag
            number = LIBC.inotify_init()
            if number < 0 or LIBC.inotify_add_watch(number, os.fsencode(watching), IN_CREATE) < 0:
                raise OSError(ctypes.get_errno(), "inotify")

    program, *arguments = words
    child = subprocess.Popen(
        [program, "-c", "read dummy", *arguments],
        executable="/bin/sh",
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=cwd,
        close_fds=not watching,
        preexec_fn=prepare,
    )
    try:
        # as a kubelet's command line reads
        yield machine.listed(child.pid)._replace(argv=(program, *arguments))
    finally:
        child.kill()
        child.communicate()


class Master:
    """A folder with a manifest, and the kubelet's files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifests = folder / "manifests"
        self.manifests.mkdir()
        self.manifest = self.manifests / "kube-apiserver.yaml"
        self.manifest.write_text("kind: Pod\n")
        self.config = folder / "config.yaml"

    def look(self, *processes: Process) -> t.List[ObservedKubelet]:
        return observe_kubelets(str(self.manifest), processes, again=lambda: processes)

    def with_config(self, text: str, *flags: str, **how: t.Any) -> ObservedKubelet:
        self.config.write_text(text)
        with running("kubelet", f"--config={self.config}", *flags, **how) as process:
            (found,) = self.look(process)
        return found


@pytest.fixture
def master(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Master:
    monkeypatch.setattr(kubelet_module, "_PAUSE", 0.01)
    return Master(tmp_path)


def test_none(master: Master) -> None:
    with running("kube-apiserver") as server:
        assert master.look(server) == []


def test_a_kubelet_that_is_just_restarted_is_found(master: Master) -> None:
    with running("kubelet", f"--pod-manifest-path={master.manifests}") as process:
        times = iter([[], [], [process]])
        found = observe_kubelets(str(master.manifest), [], again=lambda: next(times))
    assert [each["reads"] for each in found] == [True]


FORMS = (
    "staticPodPath: {}\n",
    "kind: KubeletConfiguration\nstaticPodPath: {}\nx: y\n",
    "staticPodPath: {}   # where they lie\n",
    'staticPodPath: "{}"\n',
    "staticPodPath: '{}' # x\n",
    '"staticPodPath": "{}"\n',
    "'staticPodPath' : {}\r\n",
    '{{"kind": "KubeletConfiguration","staticPodPath":"{}","x":1}}',
    '{{\n  "staticPodPath": "{}"\n}}\n',
    "{{kind: KubeletConfiguration,\n  staticPodPath: {} }}\n",
    "# staticPodPath: /other\nstaticPodPath: {}\n#staticPodPath: /other\n",
    "staticPodURL: x\nstaticPodPath: {}/\n",
    "staticPodPath: {}/kube-apiserver.yaml\n",
)


@pytest.mark.parametrize("form", FORMS)
def test_the_configuration_names_the_folder(master: Master, form: str) -> None:
    found = master.with_config(form.format(master.manifests))
    assert found["reads"] is True and found["told_by"] == str(master.config) and found["program"] == "kubelet"


@pytest.mark.parametrize("form", FORMS)
def test_the_configuration_names_another_folder(master: Master, form: str) -> None:
    other = master.folder / "other"
    other.mkdir()
    found = master.with_config(form.format(other))
    assert found["reads"] is False and str(found["folder"]).startswith(str(other)), found


@pytest.mark.parametrize("text", ["", "kind: KubeletConfiguration\n", "staticPodPath:\n", "staticPodPath: ''\n"])
def test_the_configuration_names_none(master: Master, text: str) -> None:
    found = master.with_config(text)
    assert (found["folder"], found["reads"], found["told_by"]) == ("", False, str(master.config))


def test_relative_paths(master: Master) -> None:
    # in the file they are relative to its folder, in a flag and in a drop-in to where the kubelet began
    assert master.with_config("staticPodPath: manifests\n")["reads"] is True
    assert master.with_config("staticPodPath: manifests\n", cwd="/tmp")["folder"] == str(master.manifests)
    with running("kubelet", "--pod-manifest-path", "manifests", cwd=str(master.folder)) as process:
        assert [each["reads"] for each in master.look(process)] == [True]
    with running("kubelet", "--pod-manifest-path", "manifests", cwd="/") as process:
        assert [each["reads"] for each in master.look(process)] == [False]
    master.config.write_text("staticPodPath: manifests\n")
    with running("kubelet", "--config=config.yaml", cwd=str(master.folder)) as process:
        assert [each["reads"] for each in master.look(process)] == [True]


def test_a_flag_wins(master: Master) -> None:
    found = master.with_config(f"staticPodPath: {master.manifests}\n", "--pod-manifest-path=/srv/pods")
    assert (found["folder"], found["told_by"], found["reads"]) == ("/srv/pods", "--pod-manifest-path", False)
    found = master.with_config("staticPodPath: /srv/pods\n", "--pod_manifest_path", str(master.manifests))
    assert found["reads"] is True
    assert master.with_config(f"staticPodPath: {master.manifests}\n", "--pod-manifest-path=")["folder"] == ""


def test_drop_ins(master: Master) -> None:
    folder = master.folder / "kubelet.conf.d"
    (folder / "50-nested").mkdir(parents=True)
    (folder / "10-first.conf").write_text("staticPodPath: /srv/first\n")
    (folder / "50-nested" / "x.conf").write_text(f"staticPodPath: {master.manifests}\n")
    (folder / "90-none.conf").write_text("maxPods: 10\n")
    (folder / "99-other.yaml").write_text("staticPodPath: /srv/other\n")
    found = master.with_config("staticPodPath: /srv/base\n", f"--config-dir={folder}")
    assert found["reads"] is True and found["told_by"] == str(folder / "50-nested" / "x.conf")
    (folder / "95-last.conf").write_text("staticPodPath: null\n")
    found = master.with_config("staticPodPath: /srv/base\n", f"--config-dir={folder}")
    assert (found["folder"], found["reads"]) == ("", False) and found["told_by"].endswith("95-last.conf")
    with running("kubelet", f"--config-dir={folder}") as process:
        assert [each["folder"] for each in master.look(process)] == [""]


@pytest.mark.parametrize("what", ["missing", "pipe", "folder", "dynamic"])
def test_what_cannot_be_read_is_not_known(master: Master, what: str) -> None:
    if what == "pipe":
        os.mkfifo(str(master.config))
    elif what == "folder":
        master.config.mkdir()
    words = ["--dynamic-config-dir=/x"] if what == "dynamic" else []
    with running("kubelet", f"--config={master.config}", *words) as process:
        (found,) = master.look(process)
    assert (found["folder"], found["reads"]) == (None, None)


def test_links_are_followed(master: Master) -> None:
    assert master.with_config(f"staticPodPath: {master.manifests}/../manifests\n")["reads"] is True
    link = master.folder / "link"
    link.symlink_to(master.manifests)
    assert master.with_config(f"staticPodPath: {link}\n")["reads"] is True


def test_what_it_watches_counts_more_than_what_a_file_has_come_to_say(master: Master) -> None:
    found = master.with_config("staticPodPath: /srv/pods\n", watching=str(master.manifests))
    assert (found["folder"], found["reads"]) == ("/srv/pods", True)
    assert master.with_config("staticPodPath: /srv/pods\n", watching="/tmp")["reads"] is False


@pytest.mark.parametrize(
    "words",
    [
        ("hyperkube", "kubelet"),
        ("/usr/bin/kubelet",),
        ("/opt/rke2/bin/kubelet", "--root-dir=/x"),
    ],
)
def test_names_of_kubelets(master: Master, words: t.Sequence[str]) -> None:
    with running(*words, f"--pod-manifest-path={master.manifests}") as process:
        (found,) = master.look(process)
    assert found["reads"] is True and found["folder"] == str(master.manifests)


@pytest.mark.parametrize("name", ["k3s", "/usr/local/bin/k3s server", "/snap/microk8s/1/kubelite", "rke2", "hyperkube"])
def test_what_may_hold_a_kubelet(master: Master, name: str) -> None:
    with running(name) as holder:
        (found,) = master.look(holder)
        assert (found["folder"], found["reads"]) == (None, None)
        with running("kubelet", "--pod-manifest-path=/srv/pods") as kubelet:
            assert [each["program"] for each in master.look(holder, kubelet)] == ["kubelet"]
    with running(name, watching=str(master.manifests)) as holder:
        assert [each["reads"] for each in master.look(holder)] == [True]


@pytest.mark.parametrize("name", ["kubelet-csr-approver", "kubelet_exporter", "sh", "kube-apiserver", "k3s-killall.sh"])
def test_what_is_no_kubelet(master: Master, name: str) -> None:
    with running(name, "kubelet") as process:
        assert master.look(process) == []
    # but who watches the folder may be one, whatever it is called
    with running(name, "kubelet", watching=str(master.manifests)) as process:
        (found,) = master.look(process)
        assert found["reads"] is True and found["program"] == name


def test_of_a_nested_cluster(master: Master) -> None:
    with running("kubelet", "--pod-manifest-path=/srv/pods") as nested:
        assert len(master.look(nested)) == 1
        made_up = master.folder / "proc"
        (made_up / "self" / "ns").mkdir(parents=True)
        # we are those in another network than it
        (made_up / "self" / "ns" / "net").symlink_to("net:[4026532999]")
        (made_up / str(nested.pid)).symlink_to(f"/proc/{nested.pid}")
        assert observe_kubelets(str(master.manifest), [nested], proc=str(made_up), again=lambda: [nested]) == []


def test_it_has_ended_meanwhile(master: Master) -> None:
    with running("kubelet", f"--config={master.config}") as process:
        pass
    (found,) = master.look(process)
    assert found["reads"] is None


def test_two(master: Master) -> None:
    ours = ("kubelet", f"--pod-manifest-path={master.manifests}")
    with running("kubelet", "--pod-manifest-path=/srv/pods") as one, running(*ours) as other:
        assert [each["reads"] for each in master.look(one, other)] == [False, True]
