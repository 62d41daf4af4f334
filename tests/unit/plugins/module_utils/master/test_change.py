# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change without a running server: what is written, what is refused, and a file system that is really full."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile, read_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.owners import with_numbers
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

OLD, NEW = support.generation("old"), support.generation("new")


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    return support.old_master(tmp_path / "root", OLD)


def refused(master: support.Sandbox, order: t.Any, words: str) -> None:
    """The change is refused, and nothing is changed by it."""
    before = {path: content for path, content in master.everything().items() if "front-proxy-backup" not in path}
    with pytest.raises(MasterError) as caught:
        change(order, master.places)
    assert words in str(caught.value) and str(caught.value).endswith(".") and "Errno" not in str(caught.value)
    after = {path: content for path, content in master.everything().items() if "front-proxy-backup" not in path}
    assert after == before
    assert not os.path.exists(master.places.pending)


class TestWritten:
    """What it does."""

    def test_all(self, tmp_path: Path) -> None:
        master = support.old_master(tmp_path / "root")
        result = change(master.order(NEW), master.places)
        backup = result.pop("backup")
        assert result == {
            "changed": True,
            "files": [support.BUNDLE, support.KEY, support.CERTIFICATE],
            "manifest": True,
            "restarted": False,
            "rolled_back": False,
        }
        assert master.state() == {
            support.MANIFEST: (support.NEW_TEXT.encode(), 0o600),
            support.BUNDLE: (NEW.bundle, 0o644),
            support.KEY: (NEW.key, 0o600),
            support.CERTIFICATE: (NEW.certificate, 0o644),
        }
        assert sorted(os.listdir(backup)) == ["3-kube-apiserver.yaml", "journal.json"]
        # and what it left does not hinder the next one
        assert change(master.order(OLD, None), master.places)["changed"]

    def test_nothing_to_do(self, master: support.Sandbox) -> None:
        order = master.order(OLD, None)
        before = {path: (os.stat(master.places.real(path)).st_ino) for path in (support.KEY, support.MANIFEST)}
        assert change(order, master.places) == {
            "changed": False,
            "files": [],
            "manifest": False,
            "restarted": False,
            "rolled_back": False,
        }
        assert {path: os.stat(master.places.real(path)).st_ino for path in before} == before and master.backups == []

    @pytest.mark.parametrize("spoil", ["mode", "content", "gone"])
    def test_only_what_differs_is_written(self, master: support.Sandbox, spoil: str) -> None:
        place = master.path(support.CERTIFICATE)
        if spoil == "mode":
            place.chmod(0o600)
        elif spoil == "content":
            place.write_bytes(NEW.certificate)
        else:
            place.unlink()
        result = change(master.order(OLD, None), master.places)
        assert result["files"] == [support.CERTIFICATE] and master.state()[support.CERTIFICATE] == (
            OLD.certificate,
            0o644,
        )

    def test_an_owner_alone_is_a_difference(self, master: support.Sandbox) -> None:
        if os.geteuid() == 0:
            order = master.order(OLD, None)
            order = order._replace(files=(order.files[0]._replace(uid=12, gid=34),))
            assert change(order, master.places)["files"] == [support.BUNDLE]
            assert (master.path(support.BUNDLE).stat().st_uid, master.path(support.BUNDLE).stat().st_gid) == (12, 34)
        assert change(master.order(OLD, None, files=()), master.places)["changed"] is False

    def test_the_manifest_keeps_mode_and_owner(self, master: support.Sandbox) -> None:
        place = master.path(support.MANIFEST)
        place.chmod(0o640)
        if os.geteuid() == 0:
            os.chown(str(place), 12, 34)
        before = place.stat()
        change(master.order(NEW), master.places)
        after = place.stat()
        assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
        assert after.st_ino != before.st_ino

    def test_a_folder_is_made(self, master: support.Sandbox) -> None:
        path = "/etc/deep/er/front-proxy-ca.crt"
        before = os.umask(0)
        try:
            change(master.order(files=(master.file(path, NEW.bundle),), bundle=path), master.places)
        finally:
            os.umask(before)
        assert master.path(path).read_bytes() == NEW.bundle
        assert stat.S_IMODE(master.path("/etc/deep").stat().st_mode) == 0o755

    def test_leftovers_of_a_killed_run_go(self, master: support.Sandbox) -> None:
        """Also those of files that this run does not write: a key may be among them."""
        master.lay(f"{support.PKI}/.front-proxy-client.key.front-proxy-new", NEW.key, 0o600)
        master.lay("/etc/kubernetes/manifests/.kube-apiserver.yaml.front-proxy-new", "half")
        master.lay("/etc/kubernetes/front-proxy-backup/pending.new/1-front-proxy-client.key", OLD.key)
        change(master.order(None, None), master.places)
        assert [path for path in master.everything() if "-new" in path or "pending" in path] == []


class TestRefused:
    """What it does not do."""

    def test_the_manifest_moved(self, master: support.Sandbox) -> None:
        order = master.order(NEW)
        master.lay(support.MANIFEST, support.OLD_TEXT + "# mine\n")
        refused(master, order, f"{support.MANIFEST} was changed by another hand since it was looked at; nothing was")

    def test_the_manifest_is_gone(self, master: support.Sandbox) -> None:
        order = master.order(NEW)
        master.path(support.MANIFEST).unlink()
        refused(master, order, f"Cannot read {support.MANIFEST}: No such file or directory; mend that and run again.")
        os.mkfifo(str(master.path(support.MANIFEST)))
        refused(master, order, f"Cannot read {support.MANIFEST}: it is not a regular file; mend that and run again.")

    @pytest.mark.parametrize("path", [support.BUNDLE, support.KEY, support.CERTIFICATE])
    @pytest.mark.parametrize("how", ["written", "mode", "gone", "came"])
    def test_a_file_moved(self, master: support.Sandbox, path: str, how: str) -> None:
        if how == "came":
            master.path(path).unlink()
        order = master.order(NEW)
        if how == "gone":
            master.path(path).unlink()
        elif how == "mode":
            master.path(path).chmod(0o640)
        else:
            master.lay(path, master.path(path).read_bytes() if how == "written" else b"theirs")
        refused(master, order, f"{path} was changed by another hand since it was looked at; nothing was written and")

    def test_the_pair_does_not_load(self, master: support.Sandbox) -> None:
        order = master.order(NEW)
        files = tuple(file._replace(content=OLD.key) if file.path == support.KEY else file for file in order.files)
        refused(master, order._replace(files=files), f"{support.CERTIFICATE} and {support.KEY} do not load as one pair")

    def test_half_a_pair_against_what_is_there(self, master: support.Sandbox) -> None:
        order = master.order(files=(master.file(support.CERTIFICATE, NEW.certificate),))
        refused(master, order, "do not load as one pair")

    def test_the_bundle_does_not_load(self, master: support.Sandbox) -> None:
        order = master.order(files=(master.file(support.BUNDLE, b"no PEM"),))
        refused(master, order, f"{support.BUNDLE} does not load as a CA bundle")

    def test_flags_that_name_missing_files(self, tmp_path: Path) -> None:
        master = support.old_master(tmp_path / "root")
        refused(master, master.order(None), f"{support.BUNDLE} does not load as a CA bundle")

    def test_a_change_is_pending(self, master: support.Sandbox) -> None:
        change_module.prepare(master.places)
        order = master.order(NEW)
        change_module.Backup.begin(master.places, staged=[], manifest=None, note=support.note())
        with pytest.raises(
            MasterError, match=r"^A change that was cut off is noted in .*/pending; run again: the next"
        ):
            change(order, master.places)

    def test_a_surprise_leaves_no_key_behind(self, master: support.Sandbox) -> None:
        with pytest.raises(UnicodeEncodeError):
            change(master.order(NEW, "\udcff"), master.places)
        assert master.holders_of(NEW.key) == []

    def test_another_hand_in_the_last_moment(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        real = install.rename
        state = master.state()

        def rename(staged: install.Staged) -> None:
            real(staged)
            if staged.path.endswith("pki/front-proxy-client.crt"):
                monkeypatch.undo()
                master.path(support.MANIFEST).unlink()

        monkeypatch.setattr(install, "rename", rename)
        with pytest.raises(
            MasterError, match=r"^Cannot read .*: No such file or directory; .*\. The old state is back\."
        ):
            change(master.order(NEW), master.places)
        assert master.state() == {**state, support.MANIFEST: (None, 0)}


SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as module, install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

root, size, late = Path(sys.argv[1]), sys.argv[2], sys.argv[4] == "late"
names = support.Generation._fields
OLD, NEW = (support.Generation(*(Path(folder, name).read_bytes() for name in names)) for folder in sys.argv[5:])
folder = sys.argv[3]
(root / folder.lstrip("/")).mkdir(parents=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=" + size, "none", str(root / folder.lstrip("/"))], check=True)
sandbox = support.Sandbox(root)
sandbox.path(support.PKI).mkdir(parents=True, exist_ok=True)
sandbox.lay(support.MANIFEST, support.OLD_TEXT, 0o600)
sandbox.lay_pair(OLD)
before = sandbox.state()


def fill():
    with open(str(sandbox.path(folder) / ".ballast"), "wb", 0) as stream:
        try:
            while True:
                stream.write(b"x" * 4096)
        except OSError:
            pass


real = install.put


def put(staged):
    real(staged)
    if staged.path.endswith("manifests/kube-apiserver.yaml"):
        install.put = real
        fill()
        raise MasterError("It does not serve.")


if late:
    install.put = put
else:
    fill()
try:
    module.change(sandbox.order(NEW), sandbox.places)
except MasterError as error:
    print(error)
assert not any("front-proxy-new" in path for path in sandbox.everything())
assert sandbox.state() == before, sandbox.state()
assert not any("pending" in path for path in sandbox.everything())
assert sandbox.holders_of(NEW.key) == [] and sandbox.holders_of(OLD.key) == [support.KEY]
os.unlink(str(sandbox.path(folder) / ".ballast"))
assert module.change(sandbox.order(NEW), sandbox.places)["changed"]
assert sandbox.path(support.KEY).read_bytes() == NEW.key
"""

WORDS = {"early": "No space left on device; free some space there and run again.", "late": "It does not serve."}


@pytest.mark.parametrize("when", ["early", "late"])
@pytest.mark.parametrize(("folder", "size"), [(support.PKI, "40k"), ("/etc/kubernetes", "200k")])
def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, folder: str, size: str) -> None:
    """A real one for root, in a mount namespace that ends with its process; else one that only says so."""
    if os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], check=False).returncode == 0:
        for name, made in (("old", OLD), ("new", NEW)):
            (tmp_path / name).mkdir()
            for field, content in made._asdict().items():
                (tmp_path / name / field).write_bytes(content)
        arguments = [str(tmp_path / "root"), size, folder, when, str(tmp_path / "old"), str(tmp_path / "new")]
        done = subprocess.run(
            ["unshare", "-m", sys.executable, "-c", SCRIPT, *arguments],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        )
        output = done.stdout.decode()
        assert done.returncode == 0, output
        assert WORDS[when] in output
        assert "The old state is back." in output or when == "early"
        return
    master = support.old_master(tmp_path / "root", OLD)

    def fail(*dummy: t.Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(os, "fsync", fail)
    refused(master, master.order(NEW), WORDS["early"])


class TestOrders:
    """The option of the module becomes an order."""

    def read(self, **file: t.Any) -> t.Any:
        values = {"path": "/x", "content": "c", "mode": "0640", "uid": None, "gid": None, "owner": None, "group": None}
        order: dict[str, t.Any] = {
            "manifest": "/m",
            "manifest_seen": "0" * 64,
            "manifest_text": None,
            "files": [{**values, "seen": None, **file}],
            "bundle": None,
            "certificate": None,
            "key": None,
            "flags": {},
            "user_header": "X",
            "group_header": "X-Group",
            "pod": "p",
            "container": "c",
            "wait": 300.0,
            "lock_timeout": 1.0,
            "reader": None,
            "client_ca": None,
        }
        return with_numbers(read_order(json.dumps(order)))

    def test_a_file(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 0)
        assert self.read().files == (NewFile("/x", b"c", 0o640),)
        assert self.read(uid=7, gid=8).files[0][3:5] == (7, 8)
        assert self.read(uid=7, gid=8, owner="root", group="0").files[0][3:5] == (0, 0)
        assert self.read(owner="12", group="34").files[0][3:5] == (12, 34)
        for kind, option in (("user", "owner"), ("group", "group")):
            with pytest.raises(
                MasterError, match=rf"^There is no {kind} nobody-at-all on this master; make it first, or"
            ):
                self.read(**{option: "nobody-at-all"})

    def test_without_rights_all_is_ones_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert self.read(uid=7, gid=8, owner="root", group="nobody-at-all").files[0][3:5] == (-1, -1)

    def test_content_comes_as_it_is(self) -> None:
        assert self.read(content=NEW.key.decode()).files[0].content == NEW.key
