# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Half-way states: what a power cut leaves on the disk, and notes of a change that the world has moved on from."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import change as change_module
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import (
    Backup,
    prepare,
    read_pending,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import power_cut, support

OLD, NEW, THEIRS = support.generation("old"), support.generation("new"), support.generation("theirs")
CLIENT_CA = f"{support.PKI}/ca.crt"


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    sandbox = support.old_master(tmp_path / "root", OLD)
    sandbox.lay(CLIENT_CA, OLD.certificate)
    return sandbox


class Syncs:
    """At each sync, what the disk has then: a file system writes all renames up to it down, in one go."""

    def __init__(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: t.List[str] = []
        self.halves: t.List[str] = []
        real = os.fsync

        def fsync(descriptor: int) -> None:
            where = os.readlink(f"/proc/self/fd/{descriptor}")
            if not master.pair_loads():
                self.halves.append(where)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                self.folders.append(where)
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)


class TestPowerCut:
    """No sync between key and certificate: with ``NEW_TEXT`` both the old and the new manifest name this pair."""

    def test_a_change(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        syncs = Syncs(master, monkeypatch)
        change(master.order(NEW), master.places)
        assert syncs.halves == []
        # each is written down, and the files before the manifest that names them
        pki, manifests = (os.path.dirname(master.places.real(path)) for path in (support.KEY, support.MANIFEST))
        assert pki in syncs.folders and manifests in syncs.folders
        last = len(syncs.folders) - 1
        at = {folder: last - syncs.folders[::-1].index(folder) for folder in (pki, manifests)}
        assert at[pki] < at[manifests]

    def test_a_real_disk(self, tmp_path: Path, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """One that keeps what a power cut leaves, for root; else one that only counts what is written down."""
        if not power_cut.can_run():
            syncs = Syncs(master, monkeypatch)
            change(master.order(NEW), master.places)
            assert syncs.folders and syncs.halves == []
            return
        found = {what: rest for what, *rest in power_cut.lines(tmp_path, OLD, NEW)}
        assert {loads for dummy, dummy, loads in found.values()} == {"True"}
        assert found["front-proxy-client.crt"] == ["old", "old", "True"]
        assert found["kube-apiserver.yaml"] == found["end"] == ["new", "new", "True"]

    def test_going_back(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        state = master.state()
        real = install.rename

        def rename(staged: install.Staged) -> None:
            if staged.path.endswith("manifests/kube-apiserver.yaml"):
                monkeypatch.setattr(install, "rename", real)
                raise MasterError("No.")
            real(staged)

        monkeypatch.setattr(install, "rename", rename)
        syncs = Syncs(master, monkeypatch)
        with pytest.raises(MasterError, match=r"^No\. The old state is back\.$"):
            change(master.order(NEW), master.places)
        assert master.state() == state and syncs.halves == []

    def test_nothing_is_renamed_before_the_notes_are_on_the_disk(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: t.List[t.Tuple[str, bool]] = []
        real = install.rename
        syncs = Syncs(master, monkeypatch)

        def rename(staged: install.Staged) -> None:
            if "front-proxy-backup" not in staged.path:
                seen.append((staged.path, syncs.folders[-1] == master.places.backups))
            real(staged)

        monkeypatch.setattr(install, "rename", rename)
        change(master.order(NEW), master.places)
        assert len(seen) == 4 and seen[0][1] and read_pending(master.places) is None


def cut_off(master: support.Sandbox, *, renamed: int, text: str | None = None, back: bool = False) -> None:
    """Leave a change of all files behind, killed when so many of them had been renamed."""
    order = master.order(NEW, text, client_ca=CLIENT_CA)
    prepare(master.places)
    files = [*order.files, *([NewFile(support.MANIFEST, text.encode(), 0o600)] if text else [])]
    staged = master.stage(*files)
    backup = Backup.begin(
        master.places,
        staged=staged,
        manifest=master.places.real(support.MANIFEST) if text else None,
        note=change_module._note(
            order, text or support.OLD_TEXT, None, change_module._known_client_ca(order, master.places)
        ),
    )
    install.put_all(staged[:renamed])
    if back:
        backup.note_rolling_back(None)


def make_it_of_release_0_1(master: support.Sandbox) -> None:
    """Write the notes as release 0.1 of this collection did, which kept nothing beside the files."""
    place = Path(master.places.pending, "journal.json")
    status = place.stat()
    journal = json.loads(place.read_text())
    for name in ("client_ca", "old_process", "new_process"):
        journal.pop(name, None)
    for entry in [*journal["files"], journal["manifest"] or {}]:
        entry.pop("new", None)
    place.write_text(json.dumps(journal))
    os.utime(str(place), ns=(status.st_atime_ns, status.st_mtime_ns))
    Path(master.places.pending, "beside").unlink()
    install.discard_kept(master.places.real(path) for path in (support.MANIFEST, *PATHS))


PATHS = (support.BUNDLE, support.KEY, support.CERTIFICATE)
AGES = pytest.mark.parametrize("age", ["new", "0.1"])


def check_nothing_put_back(master: support.Sandbox, before: t.Dict[str, bytes], words: str) -> None:
    """The notes are put aside; what is there is as it was, and no copy of a key is left."""
    done = recover(master.places, 1)
    assert done["recovered"] == "ended" and done["changed"] and not done.get("failed")
    start = "Put aside the notes of a change that began at "
    assert done["msg"].startswith(start) and f"and put nothing back, because {words}" in done["msg"], done["msg"]
    assert done["msg"].endswith(f"; they lie in {master.backups[-1]}.")
    # without the names that begin with a dot: what was staged, and what was kept
    wanted = {
        path: content for path, content in before.items() if "front-proxy-backup" not in path and "/." not in path
    }
    after = {path: content for path, content in master.everything().items() if "front-proxy-backup" not in path}
    assert after == wanted
    assert not os.path.exists(master.places.pending)
    assert json.loads((master.backups[-1] / "journal.json").read_text())["state"] == "put aside"
    for made in (OLD, NEW, THEIRS):
        assert set(master.holders_of(made.key)) <= {support.KEY}
    assert recover(master.places, 1)["msg"] == "No change was pending."


class TestOlderThanTheCluster:
    """kubeadm reset and init since, or another hand: the folder of notes outlives both."""

    @pytest.mark.parametrize("back", [False, True])
    @pytest.mark.parametrize("renamed", [0, 2, 3])
    def test_another_client_ca(self, master: support.Sandbox, renamed: int, back: bool) -> None:
        """Its front-proxy files may even be the ones of before, as where somebody kept that folder."""
        cut_off(master, renamed=renamed, back=back)
        master.lay(CLIENT_CA, THEIRS.certificate)
        before = master.everything()
        check_nothing_put_back(
            master, before, f"the client CA {master.places.real(CLIENT_CA)} is another one since, as after kubeadm"
        )

    @pytest.mark.parametrize("back", [False, True])
    def test_a_client_ca_that_is_gone(self, master: support.Sandbox, back: bool) -> None:
        cut_off(master, renamed=2, back=back)
        master.path(CLIENT_CA).unlink()
        before = master.everything()
        check_nothing_put_back(master, before, f"the client CA {master.places.real(CLIENT_CA)} is gone since")

    @AGES
    @pytest.mark.parametrize("back", [False, True])
    @pytest.mark.parametrize("renamed", [0, 2, 3])
    @pytest.mark.parametrize("which", [(support.BUNDLE,), (support.KEY, support.CERTIFICATE), PATHS])
    def test_another_hand(
        self, master: support.Sandbox, age: str, back: bool, renamed: int, which: t.Tuple[str, ...]
    ) -> None:
        """As after kubeadm init phase certs, which makes all anew with the same manifest, or a renewal of the pair."""
        cut_off(master, renamed=renamed, back=back)
        if age == "0.1":
            make_it_of_release_0_1(master)
        contents = dict(zip(PATHS, (THEIRS.bundle, THEIRS.key, THEIRS.certificate)))
        for path in which:
            master.path(path).unlink()
            place = master.lay(path, contents[path], 0o600 if path == support.KEY else 0o644)
            later = place.stat().st_mtime_ns + 10**9  # a file system's clock may be as coarse as that
            os.utime(str(place), ns=(later, later))
        before = master.everything()
        check_nothing_put_back(master, before, f"{master.places.real(which[0])} was changed by another hand since")

    @AGES
    def test_files_that_were_taken_away(self, master: support.Sandbox, age: str) -> None:
        cut_off(master, renamed=2)
        if age == "0.1":
            make_it_of_release_0_1(master)
        for path in PATHS:
            master.path(path).unlink()
        before = master.everything()
        check_nothing_put_back(master, before, f"{master.places.real(support.BUNDLE)} was changed by another hand")

    def test_a_file_that_came(self, master: support.Sandbox) -> None:
        """Before the change there was none: going back would remove what another hand made since."""
        master.path(support.BUNDLE).unlink()
        cut_off(master, renamed=2)
        master.path(support.BUNDLE).unlink()
        master.lay(support.BUNDLE, THEIRS.bundle)
        before = master.everything()
        check_nothing_put_back(master, before, f"{master.places.real(support.BUNDLE)} was changed by another hand")

    def test_the_manifest_was_in_place(self, master: support.Sandbox) -> None:
        cut_off(master, renamed=4, text=support.NEW_TEXT)
        master.lay(CLIENT_CA, THEIRS.certificate)
        before = master.everything()
        check_nothing_put_back(master, before, f"the client CA {master.places.real(CLIENT_CA)} is another one")

    @pytest.mark.parametrize("touched", ["mode", "time of another file"])
    def test_what_is_no_other_content_does_not_count(self, master: support.Sandbox, touched: str) -> None:
        cut_off(master, renamed=2)
        if touched == "mode":
            master.path(support.BUNDLE).chmod(0o600)
            master.path(support.CERTIFICATE).chmod(0o600)
        else:
            os.utime(str(master.path(CLIENT_CA)))
        done = recover(master.places, 1)
        assert done["recovered"] == "rolled back" and master.pair_loads()
        assert master.state()[support.CERTIFICATE] == (OLD.certificate, 0o644)


class TestFinished:
    """What is still as the change left it is finished as ever."""

    @AGES
    @pytest.mark.parametrize(
        ("renamed", "back", "how"),
        [(0, False, "ended"), (1, False, "ended"), (2, False, "rolled back"), (2, True, "rolled back")]
        + [(3, False, "ended"), (3, True, "rolled back")],
    )
    def test_files(self, master: support.Sandbox, age: str, renamed: int, back: bool, how: str) -> None:
        old = master.state()
        cut_off(master, renamed=renamed, back=back)
        if age == "0.1":
            make_it_of_release_0_1(master)
        now = master.state()
        assert recover(master.places, 1)["recovered"] == how
        assert master.state() == (old if how == "rolled back" else now) and master.pair_loads()
        assert [path for path in master.everything() if "/." in path] == []

    @AGES
    def test_a_manifest(self, master: support.Sandbox, age: str) -> None:
        cut_off(master, renamed=4, text=support.NEW_TEXT)
        if age == "0.1":
            make_it_of_release_0_1(master)
        assert recover(master.places, 1)["recovered"] == "finished"
        assert master.path(support.KEY).read_bytes() == NEW.key and master.holders_of(OLD.key) == []

    def test_a_link_comes_back(self, master: support.Sandbox) -> None:
        """Another tool rotates what it leads to: a file in its place would stay behind for good."""
        for path in (support.KEY, support.CERTIFICATE):
            place = master.path(path)
            (place.parent / "store").mkdir(exist_ok=True)
            place.rename(place.parent / "store" / place.name)
            place.symlink_to(f"store/{place.name}")
        cut_off(master, renamed=2)
        assert not master.path(support.KEY).is_symlink()
        assert recover(master.places, 1)["recovered"] == "rolled back"
        for path in (support.KEY, support.CERTIFICATE):
            assert os.readlink(str(master.path(path))) == f"store/{os.path.basename(path)}"
        assert master.pair_loads() and master.path(support.KEY).read_bytes() == OLD.key
        assert [path for path in master.everything() if "/." in path] == []


class TestKept:
    """What is kept beside a file, so that going back needs no room."""

    def test_it_is_as_closed_as_the_file(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        kept: t.Dict[str, t.Tuple[bytes, int]] = {}
        real = install.rename

        def rename(staged: install.Staged) -> None:
            for path in (support.MANIFEST, *PATHS):
                beside = Path(install.kept_beside(master.places.real(path)))
                if beside.exists():
                    kept[path] = beside.read_bytes(), stat.S_IMODE(beside.stat().st_mode)
                    assert beside.name.startswith(".") and beside.stat().st_nlink == 1
            real(staged)

        before = master.state()
        monkeypatch.setattr(install, "rename", rename)
        change(master.order(NEW), master.places)
        assert kept == before
        assert [path for path in master.everything() if "front-proxy-old" in path] == []

    def test_a_copy_that_is_another_is_not_used(self, master: support.Sandbox) -> None:
        cut_off(master, renamed=2)
        Path(install.kept_beside(master.places.real(support.KEY))).write_bytes(THEIRS.key)
        assert recover(master.places, 1)["recovered"] == "rolled back"
        assert master.path(support.KEY).read_bytes() == OLD.key and master.holders_of(THEIRS.key) == []

    def test_a_killed_beginning_leaves_none_for_long(self, master: support.Sandbox) -> None:
        """Also beside files that the next change does not name."""

        def die() -> None:
            real = os.rename

            def rename(source: str, target: str) -> None:
                if target == master.places.pending:
                    os._exit(9)
                real(source, target)

            os.rename = rename
            change(master.order(NEW), master.places)

        assert support.in_child(die) == 9
        assert len(master.holders_of(OLD.key)) == 3
        change(master.order(None, None, bundle=None, certificate=None, key=None), master.places)
        assert master.holders_of(OLD.key) == [support.KEY]

    def test_what_cannot_be_removed_is_emptied(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        cut_off(master, renamed=0)
        real = os.unlink

        def unlink(path: str) -> None:
            if path.endswith("front-proxy-old"):
                raise OSError(1, "no")
            real(path)

        monkeypatch.setattr(os, "unlink", unlink)
        with contextlib.suppress(MasterError):
            recover(master.places, 1)
        assert master.holders_of(OLD.key) == [support.KEY]
