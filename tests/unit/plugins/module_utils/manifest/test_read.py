# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a manifest: flags by the server's own rules, mounts, and which file defines which pod."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest import edit as edit_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.edit import Changes, edit
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.errors import ManifestError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.mounts import Mount
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import (
    StaticPod,
    defines_same_pod,
    host_path,
    read_pod,
)


def manifest(argv: t.Sequence[str], volumes: str = "", mounts: str = "", container: str = "", spec: str = "") -> str:
    """Return a small manifest."""
    items = ", ".join("'" + item.replace("'", "''") + "'" for item in argv)
    return (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver, namespace: kube-system}\n"
        f"spec:\n  volumes: [{volumes}]\n{spec}  containers:\n"
        "  - name: kube-apiserver\n    image: 'example.org/a:v1.30.4'\n"
        f"{container}    command: [{items}]\n    volumeMounts: [{mounts}]\n"
    )


def read(*flags: str) -> StaticPod:
    """Return a pod whose server has the flags."""
    return read_pod(manifest(["kube-apiserver", *flags]))


def test_the_parts_of_a_pod() -> None:
    text = manifest(["kube-apiserver", "--v=2"])
    pod = read_pod(text, where="here")
    assert (pod.text, pod.namespace, pod.name, pod.container) == (
        text,
        "kube-system",
        "kube-apiserver",
        "kube-apiserver",
    )
    assert pod.image == "example.org/a:v1.30.4"
    assert pod.argv == ("kube-apiserver", "--v=2")
    assert pod.annotations == {}
    assert read_pod(text.replace(", namespace: kube-system", "")).namespace == "default"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--a=b"], {"a": ("b",)}),
        (["--a=b=c"], {"a": ("b=c",)}),
        (["--a="], {"a": ("",)}),
        (["--a_b-c=d_e"], {"a-b-c": ("d_e",)}),
        (["--a", "b"], {"a": ("b",)}),
        (["--a", "--b"], {"a": ("true",), "b": ("true",)}),
        (["--enable-aggregator-routing", "x", "--b=1"], {"enable-aggregator-routing": ("true",), "b": ("1",)}),
        (["--client-ca-file", "-x"], {"client-ca-file": ("-x",)}),
        (["-v=2"], {"v": ("2",)}),
        (["-v2"], {"v": ("2",)}),
        (["-v", "2"], {"v": ("2",)}),
        (["--a=1", "--b=2", "--a=3"], {"a": ("1", "3"), "b": ("2",)}),
        (["stray", "-", "--a=1"], {"a": ("1",)}),
        (['--a=""'], {"a": ('""',)}),
    ],
)
def test_flags(flags: t.List[str], expected: t.Dict[str, t.Tuple[str, ...]]) -> None:
    assert read(*flags).flags == expected


@pytest.mark.parametrize(
    "launcher",
    [
        ["kube-apiserver"],
        ["/usr/local/bin/kube-apiserver"],
        ["/go-runner", "--log-file=/x", "--redirect-stderr", "/bin/kube-apiserver"],
        ["/hyperkube", "kube-apiserver"],
        ["/hyperkube", "apiserver"],
        ["kube-apiserver-amd64"],
    ],
)
def test_launchers(launcher: t.List[str]) -> None:
    assert read_pod(manifest([*launcher, "--v=2"])).flags == {"v": ("2",)}


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["/bin/sh", "-c", "exec kube-apiserver --v=2"], "through a shell"),
        (["bash", "-ec", "kube-apiserver"], "through a shell"),
        (["sh", "-c", 'exec "$@"', "--", "kube-apiserver", "--v=2"], "through a shell"),
        (["/busybox", "sh", "/start.sh"], "through a shell"),
        (["/start", "--v=2"], "no item of command or args is kube-apiserver"),
        (["hyperkube", "scheduler"], "no item of command or args is kube-apiserver"),
        ([], "neither command nor args"),
        (["kube-apiserver", "--", "--v=2"], 'an item "--"'),
    ],
)
def test_command_lines_that_are_refused(argv: t.List[str], reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        read_pod(manifest(argv))


def test_a_flag_twice() -> None:
    assert read("--a=1", "--a=1").flag("a") == "1"
    assert read("--a_b=1").flag("--a-b") == "1"
    assert read("--profiling=1", "--profiling").flag("profiling") == "1"
    assert read().flag("a") is None
    with pytest.raises(ManifestError, match=r'the flag --a twice, with "1" and with "2"'):
        read("--a=1", "--a=2").flag("a")


PKI = "{name: pki, hostPath: {path: /etc/kubernetes/pki/, type: DirectoryOrCreate}}"


def test_mounts() -> None:
    pod = read_pod(
        manifest(
            ["kube-apiserver", "--client-ca-file=/conf/ca.crt", "--cert-dir=/conf/dir"],
            volumes=PKI
            + ", {name: ca, hostPath: {path: /srv/ca.crt}}, {name: empty, emptyDir: {}}"
            + ", {name: f, hostPath: {path: /f, type: File}}",
            mounts="{mountPath: /pki, name: pki, subPath: etcd, readOnly: true}, {mountPath: /conf/ca.crt, name: ca},"
            " {mountPath: /tmp, name: empty}, {mountPath: /g, name: f}, {mountPath: /conf/dir, name: pki},"
            " {mountPath: /n, name: none}",
        )
    )
    assert pod.mounts == (
        Mount("/pki", "/etc/kubernetes/pki/etcd", "pki", False),
        Mount("/conf/ca.crt", "/srv/ca.crt", "ca", True),
        Mount("/tmp", None, "empty", False),
        Mount("/g", "/f", "f", True),
        Mount("/conf/dir", "/etc/kubernetes/pki", "pki", False),
        Mount("/n", None, "none", False),
    )


def test_host_path() -> None:
    pod = read_pod(
        manifest(
            ["kube-apiserver"],
            volumes=PKI
            + ", {name: root, hostPath: {path: /}}, {name: e, emptyDir: {}}, {name: k, hostPath: {path: /k}}",
            mounts="{mountPath: /etc/kubernetes, name: k}, {mountPath: /etc/kubernetes/pki/, name: pki},"
            " {mountPath: /host, name: root}, {mountPath: /tmp, name: e}, {mountPath: /x, name: k, subPathExpr: $(A)}",
        )
    )
    assert host_path(pod, "/etc/kubernetes/pki/a.crt") == "/etc/kubernetes/pki/a.crt"
    assert host_path(pod, "/etc/kubernetes/pki2") == "/k/pki2"
    assert host_path(pod, "/etc/kubernetes/") == "/k"
    assert host_path(pod, "/etc/kubernetes/x/../pki/a") == "/etc/kubernetes/pki/a"
    assert host_path(pod, "/host/etc") == "/etc"
    assert host_path(pod, "/host") == "/"
    assert host_path(pod, "/etc/kube") is None
    for path, reason in (
        ("/tmp/a", "no plain hostPath"),
        ("/x/a", "no plain hostPath"),
        ("/a/$(B)", "from a variable"),
        ("a", "leading slash"),
    ):
        with pytest.raises(ManifestError, match=reason):
            host_path(pod, path)


def test_the_same_pod_in_another_file() -> None:
    pod = read()
    text = manifest(["whatever"])
    assert defines_same_pod(text, pod)
    assert defines_same_pod(
        '{"kind":"Pod","apiVersion":"v1","metadata":{"namespace":"kube-system","name":"kube-apiserver"}}', pod
    )
    assert defines_same_pod(text + "---\nbroken: x\n", pod)
    for other in (
        "",
        "x: [",
        "\0",
        text.replace("kube-system", "default"),
        text.replace("name: kube-apiserver, ", "name: other, "),
        text.replace("kind: Pod", "kind: Job"),
        "a: b\n---\n" + text,
        "- x",
    ):
        assert not defines_same_pod(other, pod)


def test_nothing_is_left() -> None:
    text = (
        "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: kube-apiserver, args: [--v=2]}]}\n"
    )
    with pytest.raises(ManifestError, match="would have no argument left"):
        edit(text, Changes(flags={"v": None}))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text.replace("--v=3", "--v=4"),
        lambda text: text.replace("kube-system", "kube-public"),
        lambda text: text.replace("image:", "imagen:"),
        lambda text: text + "---\nmore: 1\n",
        lambda text: text + "  - [",
        lambda text: text[: len(text) // 2],
        lambda dummy: "",
    ],
)
def test_an_edit_that_went_wrong_is_never_given_out(
    monkeypatch: pytest.MonkeyPatch, damage: t.Callable[[str], str]
) -> None:
    text = manifest(["kube-apiserver", "--v=2"])
    changes = Changes(flags={"v": "3"}, folders=(), annotations={})
    assert read_pod(edit(text, changes)).flag("v") == "3"
    right = edit_module.splice
    monkeypatch.setattr(edit_module, "splice", lambda *arguments: damage(right(*arguments)))
    with pytest.raises(ManifestError, match="is not edited, because the edited text would not mean exactly"):
        edit(text, changes)


COPY = (
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: kube-apiserver-m1\n  annotations: {annotations}\n"
    "spec:\n  containers:\n  - {{name: kube-apiserver, command: [kube-apiserver]}}\nstatus: {status}\n"
)


@pytest.mark.parametrize(
    ("annotations", "status", "word"),
    [
        ("{kubernetes.io/config.mirror: abc}", "{}", "the annotation kubernetes.io/config.mirror"),
        ("{kubernetes.io/config.source: file}", "{}", "the annotation kubernetes.io/config.source"),
        ("{}", "{phase: Running}", "a status"),
        ("{kubernetes.io/config.mirror: a, kubernetes.io/config.source: api}", "{phase: x}", " and a status"),
    ],
)
def test_a_copy_from_the_api_is_refused(annotations: str, status: str, word: str) -> None:
    with pytest.raises(ManifestError, match="is a copy from the API") as error:
        read_pod(COPY.format(annotations=annotations, status=status))
    assert word in str(error.value)


@pytest.mark.parametrize("status", ["{}", "null", ""])
def test_an_empty_status_is_kubeadms(status: str) -> None:
    annotations = "{kubernetes.io/config.hash: abc, kubernetes.io/config.seen: '2026'}"
    assert read_pod(COPY.format(annotations=annotations, status=status)).name == "kube-apiserver-m1"
