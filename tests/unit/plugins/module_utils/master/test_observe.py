# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a master: its manifest, the other files of its folder, the files of its flags, what runs."""

from __future__ import annotations

import errno
import json
import os
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.observation import FORMAT
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import manifests
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import observe as observing
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import Backup, prepare
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.files import checksum
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.lock import exclusive
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.login import pair_of
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.manifests import (
    candidate_files,
    list_siblings,
    wanted_files,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import machine, support
from hypothesis import given, settings
from hypothesis import strategies as st

OLD, NEW = support.generation("old"), support.generation("new")


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    sandbox = support.old_master(tmp_path / "root", OLD)
    sandbox.lay(support.MANIFEST, support.NEW_TEXT, 0o600)
    return sandbox


def look(master: support.Sandbox, **changes: t.Any) -> dict[str, t.Any]:
    values: dict[str, t.Any] = {
        "manifest": support.MANIFEST,
        "certificates_dir": None,
        "root": str(master.root),
        "lock_timeout": 1,
        "controller_clock": None,
    }
    values.update(changes)
    return observing.observe(**values)


class TestBadInput:
    """One sentence each, and nothing is written."""

    def refused(self, master: support.Sandbox, **changes: t.Any) -> str:
        before = master.everything()
        with pytest.raises(MasterError) as caught:
            look(master, **changes)
        assert master.everything() == before
        text = str(caught.value)
        assert text.endswith(".") and "\n" not in text and "Errno" not in text
        return text

    def test_no_manifest(self, master: support.Sandbox) -> None:
        master.path(support.MANIFEST).unlink()
        text = self.refused(master)
        assert text.startswith(f"There is no manifest at {support.MANIFEST}: this host runs no kube-apiserver")
        assert "take it out of the group of masters" in text and "front_proxy_manifest" in text

    def test_a_link(self, master: support.Sandbox) -> None:
        place = master.path(support.MANIFEST)
        place.rename(place.parent / ".real")
        place.symlink_to(".real")
        assert self.refused(master).startswith(f"{support.MANIFEST} is a symbolic link to .real: the kubelet sees")
        place.unlink()
        place.symlink_to("nowhere")
        assert "is a symbolic link to nowhere" in self.refused(master)

    @pytest.mark.parametrize("kind", ["folder", "pipe"])
    def test_no_file(self, master: support.Sandbox, kind: str) -> None:
        place = master.path(support.MANIFEST)
        place.unlink()
        place.mkdir() if kind == "folder" else os.mkfifo(str(place))
        assert self.refused(master).startswith(
            f"{support.MANIFEST} is not a regular file; name the static pod manifest"
        )

    def test_not_utf8(self, master: support.Sandbox) -> None:
        master.lay(support.MANIFEST, b"kind: \xff\n")
        assert self.refused(master).startswith(f"{support.MANIFEST} is not UTF-8 text (byte 6): it is damaged")

    @pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024 + 10])
    def test_too_large(self, master: support.Sandbox, size: int) -> None:
        master.lay(support.MANIFEST, b"#" * size)
        assert self.refused(master).startswith(f"{support.MANIFEST} is larger than 1024 KiB: that is no kube-apiserver")

    def test_unreadable(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: str) -> bytes:
            raise OSError(errno.EACCES, "no", path)

        monkeypatch.setattr(manifests, "read_regular", fail)
        assert self.refused(master) == f"Cannot read {support.MANIFEST}: Permission denied; run with become, as root."

    def test_its_folder_is_a_file(self, master: support.Sandbox) -> None:
        text = self.refused(master, manifest=support.MANIFEST + "/x")
        assert text == f"Cannot read {support.MANIFEST}/x: Not a directory; mend that and run again."

    def test_its_folder_cannot_be_listed(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(path: str) -> t.Any:
            raise PermissionError(errno.EACCES, "no", path)

        monkeypatch.setattr(os, "scandir", fail)
        with pytest.raises(MasterError, match=r"^Cannot list /etc/kubernetes/manifests: Permission denied; run with"):
            list_siblings(support.MANIFEST, master.places)

    def test_no_root(self, master: support.Sandbox) -> None:
        text = self.refused(master, root=str(master.root) + "/none")
        assert text == f"The root {master.root}/none is not a folder; make it first, or correct the path."
        assert "is not a folder" in self.refused(master, root=str(master.path(support.MANIFEST)))

    def test_another_user(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        text = self.refused(master, root=None)
        assert text.startswith("Only root can read the keys") and text.endswith("run with become: true.")
        assert look(master)["root"] == str(master.root)  # a sandbox is anyone's

    def test_binary(self, master: support.Sandbox) -> None:
        """Text, as far as UTF-8 goes: the controller refuses it, and looking does not fail."""
        master.lay(support.MANIFEST, b"--client-ca-file=/etc/\0x\n/a\0/b\n\x01/c\x7f" + support.NEW_TEXT.encode())
        assert support.BUNDLE in look(master)["files"]


class TestSiblings:
    """What else the kubelet reads there."""

    def names(self, master: support.Sandbox) -> dict[str, str | None]:
        return {entry["name"]: entry["text"] for entry in list_siblings(support.MANIFEST, master.places)}

    def test_all_kinds(self, master: support.Sandbox) -> None:
        folder = os.path.dirname(support.MANIFEST)
        for name in ("etcd.yaml", "~x", "-x", "x.bak", "x.12345.2026-11-22@04:05:06~"):
            master.lay(f"{folder}/{name}", "kind: Pod\n")
        copy = master.lay(f"{folder}/kube-apiserver.yaml.rpmsave", support.OLD_TEXT)
        for name in (".kube-apiserver.yaml.swp", ".x"):
            master.lay(f"{folder}/{name}", support.OLD_TEXT)
        master.lay(f"{folder}/deeper/kube-apiserver.yaml", support.OLD_TEXT)
        real = master.path(folder)
        (real / "link").symlink_to(copy.name)
        (real / "dangling").symlink_to("nowhere")
        (real / "loop").symlink_to("loop")
        (real / "link-to-folder").symlink_to("deeper")
        os.mkfifo(str(real / "pipe"))
        master.lay(f"{folder}/binary", b"\xff kube-apiserver")
        master.lay(f"{folder}/large", b"kube-apiserver" + b"#" * 1024 * 1024)
        os.truncate(str(master.lay(f"{folder}/huge", "")), 10 * 1024 * 1024 + 1)
        began = time.monotonic()
        found = self.names(master)
        assert time.monotonic() - began < 10
        assert found == {
            "etcd.yaml": None,
            "~x": None,
            "-x": None,
            "x.bak": None,
            "x.12345.2026-11-22@04:05:06~": None,
            "kube-apiserver.yaml.rpmsave": support.OLD_TEXT,
            "link": support.OLD_TEXT,
            "large": None,
        }

    def test_a_pipe_comes_at_the_last_moment(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        place = master.lay(os.path.dirname(support.MANIFEST) + "/x", "kube-apiserver")
        real = manifests.read_regular

        def swap(path: str) -> bytes:
            place.unlink()
            os.mkfifo(str(place))
            return real(path)

        monkeypatch.setattr(manifests, "read_regular", swap)
        assert self.names(master) == {}

    def test_a_name_that_is_no_text(self, master: support.Sandbox) -> None:
        folder = os.fsencode(str(master.path(support.MANIFEST).parent))
        Path(os.fsdecode(folder + b"/\xff")).write_text("kube-apiserver")
        json.dumps(list_siblings(support.MANIFEST, master.places))


class TestFiles:
    """The files that flags name."""

    def test_a_master_with_all(self, master: support.Sandbox) -> None:
        master.lay(f"{support.PKI}/other.crt", NEW.certificate)
        found = look(master, controller_clock=time.time() - 5)
        assert found["format"] == FORMAT and found["root"] == str(master.root) and found["siblings"] == []
        assert found["manifest"]["text"] == support.NEW_TEXT and found["manifest"]["mode"] == "0600"
        assert found["manifest"]["checksum"] == checksum(support.NEW_TEXT.encode())
        assert (found["process"], found["probe"], found["service_routing"], found["pending"]) == (None,) * 4
        assert 4 < found["clock_skew"] < 60 and abs(found["clock"] - time.time()) < 60
        files = found["files"]
        assert files[support.BUNDLE]["certificates"] == [OLD.bundle.decode()]
        assert files[support.KEY]["kind"] == "private_key" and files[support.KEY]["checksum"] is None
        assert files[support.KEY]["loads_with"] == [support.CERTIFICATE]
        master.lay(support.KEY, NEW.key)
        assert look(master)["files"][support.KEY]["loads_with"] == []

    def test_a_key_is_nowhere(self, master: support.Sandbox) -> None:
        text = json.dumps(look(master))
        for line in OLD.key.decode().splitlines()[1:-1]:
            assert line not in text
        assert "PRIVATE" not in text and checksum(OLD.key) not in text
        # not even while a change is pending
        prepare(master.places)
        staged = master.stage(NewFile(support.KEY, NEW.key, 0o600))
        Backup.begin(master.places, staged=staged, manifest=None, note=support.note())
        found = look(master)
        assert set(found["pending"]) == {"started"} and "PRIVATE" not in json.dumps(found)

    def test_an_encrypted_key_fits_nothing(self, master: support.Sandbox) -> None:
        key = str(master.path(support.KEY))
        support.openssl("pkey", "-in", key, "-aes256", "-passout", "pass:correct", "-out", key + "2")
        os.replace(key + "2", key)
        assert look(master)["files"][support.KEY]["loads_with"] == []

    def test_what_is_not_there(self, master: support.Sandbox) -> None:
        master.lay(support.MANIFEST, support.OLD_TEXT)
        found = look(master, certificates_dir="/etc/other")
        assert set(found["files"]) == {
            f"/etc/other/{Path(path).name}" for path in (support.BUNDLE, support.CERTIFICATE, support.KEY)
        }
        assert all(not entry["exists"] for entry in found["files"].values())

    def test_files_that_are_asked_for(self, master: support.Sandbox) -> None:
        master.lay("/etc/elsewhere/x.crt", NEW.bundle)
        found = look(master, paths=["/etc/elsewhere/x.crt", f"{support.PKI}/none"])["files"]
        assert found["/etc/elsewhere/x.crt"]["certificates"] == [NEW.bundle.decode()]
        assert found[f"{support.PKI}/none"]["exists"] is False

    def test_another_run_changes_it(self, master: support.Sandbox) -> None:
        prepare(master.places)
        with exclusive(master.places, 0), pytest.raises(MasterError, match=r"^Another run has been changing this"):
            look(master, lock_timeout=0)

    def test_looking_writes_nothing(self, master: support.Sandbox) -> None:
        before = sorted(str(path) for path in master.root.rglob("*"))
        look(master)
        assert sorted(str(path) for path in master.root.rglob("*")) == before

    FLAG_FORMS = (
        "    - --client-ca-file=/a/ca.crt\n",
        "    - --client_ca_file=/a/ca.crt\n",
        '    - "--client-ca-file=/a/ca.crt"\n',
        "    - --client-ca-file\n    - /a/ca.crt\n",
        "    - '--client-ca-file'\n    - '/a/ca.crt'\n",
        '["kube-apiserver", "--client-ca-file", "/a/ca.crt"]',
        '["--client-ca-file=/a/ca.crt"]',
        "{command: [--client-ca-file=/a/ca.crt]}",
    )

    @pytest.mark.parametrize("text", FLAG_FORMS)
    def test_flags_in_text(self, text: str) -> None:
        found = wanted_files(text, (), None)
        assert found == {"/a/ca.crt", "/a/front-proxy-ca.crt", "/a/front-proxy-client.crt", "/a/front-proxy-client.key"}

    def test_flags_of_what_runs(self) -> None:
        argv = ("kube-apiserver", "--proxy-client-key-file", "/b/key", "--client_ca_file=/c/ca", "--etcd-cafile=/d/x")
        found = wanted_files("", argv, None)
        assert {"/b/key", "/c/ca"} < found and not any(path.startswith("/d") for path in found)
        # where no flag names a folder, the controller puts files where kubeadm does
        usual = {f"/etc/kubernetes/pki/front-proxy-{name}" for name in ("ca.crt", "client.crt", "client.key")}
        assert wanted_files("--client-ca-file=relative", ("kube-apiserver", "--client-ca-file=relative"), None) == usual

    def test_a_folder_of_another_name_on_the_host(self) -> None:
        text = (
            "  - --client-ca-file=/etc/kubernetes/pki/ca.crt\n"
            "  - {mountPath: /etc/kubernetes/pki, name: a}\n  - hostPath:\n      path: /srv/pki/\n"
        )
        found = candidate_files(text, wanted_files(text, (), None))
        assert "/srv/pki/ca.crt" in found and "/srv/pki/front-proxy-client.key" in found
        assert found == sorted(set(found))

    def test_the_host_itself_is_mounted(self) -> None:
        text = "- --client-ca-file=/host/etc/ca.crt\nmountPath: /host\npath: /\n"
        assert "/etc/ca.crt" in candidate_files(text, ["/host/etc/ca.crt"])

    @pytest.mark.parametrize("quote", ["", '"'])
    def test_a_file_that_is_mounted_alone(self, quote: str) -> None:
        text = f"- --client-ca-file=/a/ca.crt\n{quote}mountPath{quote}: /a/ca.crt\n{quote}path{quote}: /srv/other.crt\n"
        assert "/srv/other.crt" in candidate_files(text, ["/a/ca.crt"])
        assert "/srv/other.crt" not in candidate_files(text.replace("mountPath", "subPath"), ["/a/ca.crt"])

    def test_folders_without_end(self) -> None:
        deep = "\n".join("/a" * count for count in range(1, 700))
        wanted = ["/a" * 900, "/a" * 899]
        began = time.monotonic()
        with pytest.raises(MasterError, match=r"^The manifest names 699 folders, .*; put the right one there\.$"):
            candidate_files(deep, wanted)
        many = "/a " + " ".join(f"/b{number}" for number in range(150000))
        with pytest.raises(MasterError):
            candidate_files(many, wanted_files("--client-ca-file=/a/ca", (), None))
        assert time.monotonic() - began < 20

    @settings(deadline=None, max_examples=150)
    @given(
        st.text(alphabet="/ab-=:.,\"'{}[] \n\0\u00fc\u2028", max_size=300),
        st.lists(
            st.sampled_from(["--client-ca-file", "--proxy_client-key-file=", "mountPath: ", "/a", "\n- "]), max_size=30
        ),
    )
    def test_any_text(self, text: str, parts: t.List[str]) -> None:
        for whole in (text, "".join(parts), "".join(parts) + text, text.join(parts)):
            wanted = wanted_files(whole, ("kube-apiserver", *parts), None)
            found = candidate_files(whole, wanted)
            assert wanted <= set(found)
            for path in found:
                assert path.startswith("/")
                os.path.exists(path)

    def test_long_texts_take_no_time(self) -> None:
        began = time.monotonic()
        for text in (
            "--client-ca-file" * 60000,
            "--client-ca-file " + "-" * 1000000,
            "--client-ca-file" + " \"'" * 300000 + "x",
            "/" * 1000000,
            "mountPath: " * 90000,
        ):
            candidate_files(text, wanted_files(text, (), None))
        assert time.monotonic() - began < 20


class TestLive:
    """With a server that runs."""

    def test_a_machine(self, master: support.Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here the paths of the flags are those of this machine, so that they are the container's, too."""
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setattr(observing, "Places", lambda dummy: Places(None))
        monkeypatch.setattr(observing, "service_routing_evidence", lambda dummy: ["evidence"])
        machine.only_marked(monkeypatch, str(tmp_path))
        monkeypatch.setattr(Places, "backups", str(tmp_path / "backups"))
        real = {path: str(master.path(path)) for path in (support.BUNDLE, support.CERTIFICATE, support.KEY)}
        text = support.NEW_TEXT
        for path, place in real.items():
            text = text.replace(path, place)
        server = machine.Server(OLD)
        where = (f"--secure-port={server.port}", "--bind-address=127.0.0.1")
        text = text.replace("    - --secure-port=6443\n", "".join(f"    - {flag}\n" for flag in where))
        manifest = str(master.lay(support.MANIFEST, text))
        flags = [line[6:] for line in text.splitlines() if line.startswith("    - --")]
        more = (f"--marker={tmp_path}",)
        try:
            nobody = look(master, root=None, manifest=manifest)
            assert nobody["process"] is None and nobody["probe"] is None and nobody["service_routing"] == ["evidence"]
            with machine.process("--requestheader-username-headers=X-Remote-User,X-Other", *flags, *more) as running:
                other = machine.process(*where, *more)  # of another cluster
                with other:
                    found = look(master, root=None, manifest=manifest)
        finally:
            server.close()
        assert found["process"]["pid"] == running.pid and found["process"]["argv"][-1] == f"--marker={tmp_path}"
        assert abs(found["process"]["started"] - time.time()) < 100 and found["process"]["mounts"]
        assert found["probe"]["accepted"] is True and found["probe"]["port"] == server.port
        assert all(found["files"][place]["in_container"] for place in real.values())
        assert "PRIVATE" not in json.dumps(found) and support.secret_of(OLD.key) not in json.dumps(found)

    def test_the_pair_of_what_runs(self) -> None:
        def pair(*flags: str) -> t.Any:
            return pair_of(("kube-apiserver", *flags), 7)

        both = ("--proxy-client-cert-file=/a", "--proxy-client-key-file=/b")
        assert pair(*both) == ("/proc/7/root/a", "/proc/7/root/b", "X-Remote-User", "X-Remote-Group")
        assert pair(*both, "--requestheader-username-headers=X-A,X-B").user_header == "X-A"
        assert pair(*both, "--requestheader-username-headers=").user_header == "X-Remote-User"
        assert pair(*both, "--requestheader-group-headers=X-A,X-B").group_header == "X-A"
        assert pair(both[0]) is None and pair(both[1]) is None and pair() is None

    def test_what_the_container_sees(self, tmp_path: Path) -> None:
        one, other = tmp_path / "one", tmp_path / "other"
        one.write_text("")
        other.write_text("")
        assert observing._same_file(str(one), f"/proc/self/root{one}")
        assert not observing._same_file(str(one), str(other))
        assert not observing._same_file(str(one), str(tmp_path / "none"))
