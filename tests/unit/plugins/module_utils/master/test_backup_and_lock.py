# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is needed to go back, and the lock of a master."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import backup as backups
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install, lock
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import Backup, read_pending
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

OLD, NEW = support.generation("old"), support.generation("new")
PATHS = (support.BUNDLE, support.KEY, support.CERTIFICATE)


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    return support.old_master(tmp_path / "root", OLD)


def begin(master: support.Sandbox, *paths: str) -> Backup:
    backups.prepare(master.places)
    new = dict(zip(PATHS, (NEW.bundle, NEW.key, NEW.certificate)))
    named = [NewFile(path, new.get(path, b""), 0o600) for path in paths or PATHS]
    staged = master.stage(*named, NewFile(support.MANIFEST, support.NEW_TEXT.encode(), 0o600))
    try:
        return Backup.begin(
            master.places, staged=staged, manifest=master.places.real(support.MANIFEST), note=support.note()
        )
    finally:
        install.discard(staged)


class TestBackup:
    """Begin, restore, close."""

    def test_all_is_copied_for_root_alone(self, master: support.Sandbox) -> None:
        before = os.umask(0)
        try:
            begin(master)
        finally:
            os.umask(before)
        pending = Path(master.places.pending)
        assert stat.S_IMODE(Path(master.places.backups).stat().st_mode) == 0o700
        assert stat.S_IMODE(pending.stat().st_mode) == 0o700
        assert {stat.S_IMODE(path.stat().st_mode) for path in pending.iterdir()} == {0o600}
        journal = read_pending(master.places)
        assert journal is not None and journal["state"] == "applying"
        assert [entry["path"] for entry in journal["files"]] == [master.places.real(path) for path in PATHS]
        assert journal["manifest"]["mode"] == 0o600
        assert (pending / journal["manifest"]["copy"]).read_text() == support.OLD_TEXT
        assert support.secret_of(OLD.key) not in json.dumps(journal)
        assert journal["files"][1]["checksum"] is None and journal["files"][1]["secret"] is True

    def test_an_open_folder_is_closed(self, master: support.Sandbox) -> None:
        Path(master.places.backups).mkdir(mode=0o755)
        backups.prepare(master.places)
        assert stat.S_IMODE(Path(master.places.backups).stat().st_mode) == 0o700

    def test_restore_gives_all_back(self, master: support.Sandbox) -> None:
        master.path(support.CERTIFICATE).chmod(0o640)
        master.path(support.BUNDLE).unlink()
        before = master.state()
        backup = begin(master)
        master.lay_pair(NEW)
        master.path(support.CERTIFICATE).chmod(0o666)
        backup.restore_files()
        backup.restore_files()
        assert master.state() == before

    def test_the_owner_comes_back(self, master: support.Sandbox) -> None:
        if os.geteuid() == 0:
            os.chown(str(master.path(support.KEY)), 12, 34)
        before = master.path(support.KEY).stat()
        backup = begin(master)
        master.path(support.KEY).unlink()
        backup.restore_files()
        after = master.path(support.KEY).stat()
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)

    def test_files_of_one_name_do_not_meet(self, master: support.Sandbox) -> None:
        master.lay("/etc/other/front-proxy-ca.crt", NEW.bundle)
        backup = begin(master, support.BUNDLE, "/etc/other/front-proxy-ca.crt")
        master.lay("/etc/other/front-proxy-ca.crt", b"")
        master.lay(support.BUNDLE, b"")
        backup.restore_files()
        assert master.path(support.BUNDLE).read_bytes() == OLD.bundle
        assert master.path("/etc/other/front-proxy-ca.crt").read_bytes() == NEW.bundle

    def test_close_forgets_keys_and_keeps_the_rest(self, master: support.Sandbox) -> None:
        backup = begin(master)
        assert len(master.holders_of(OLD.key)) == 3
        kept = Path(backup.close("done"))
        assert kept.parent == Path(master.places.backups) and not Path(master.places.pending).exists()
        assert master.holders_of(OLD.key) == [support.KEY]
        assert json.loads((kept / "journal.json").read_text())["state"] == "done"
        contents = [path.read_bytes() for path in kept.iterdir()]
        assert OLD.bundle in contents and OLD.certificate in contents and support.OLD_TEXT.encode() in contents
        assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}

    def test_a_key_that_cannot_be_removed_is_emptied(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backup = begin(master)

        def unlink(path: str) -> None:
            raise OSError(errno.EIO, "no")

        monkeypatch.setattr(os, "unlink", unlink)
        backup.close("done")
        monkeypatch.undo()
        assert master.holders_of(OLD.key) == [support.KEY]

    def test_only_some_old_ones_are_kept(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = iter(range(100))
        real = time.gmtime
        monkeypatch.setattr(time, "gmtime", lambda: real(1800000000 + next(clock) // 4))
        kept = [begin(master).close("done") for dummy in range(backups.KEPT + 3)]
        assert len(set(kept)) == len(kept)
        assert [str(path) for path in master.backups] == sorted(kept[-backups.KEPT :])
        # even if the clock was set back
        monkeypatch.setattr(time, "gmtime", lambda: time.struct_time((2001, 1, 1, 0, 0, 0, 0, 0, 0)))
        last = begin(master).close("done")
        assert os.path.isdir(last) and len(master.backups) == backups.KEPT

    def test_a_copy_that_is_live_now_is_forgotten(self, master: support.Sandbox) -> None:
        backup = begin(master)
        live = master.path(support.BUNDLE)
        live.unlink()
        os.link(os.path.join(master.places.pending, "0-front-proxy-ca.crt"), str(live))
        backup.close("rolled back")
        assert live.stat().st_nlink == 1 and live.read_bytes() == OLD.bundle

    @pytest.mark.parametrize("there", ["folder", "pipe", "huge"])
    def test_what_cannot_be_saved(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch, there: str) -> None:
        place = master.path(support.BUNDLE)
        if there == "huge":
            for module in ("files", "backup"):
                name = f"{backups.__name__.rpartition('.')[0]}.{module}"
                monkeypatch.setattr(__import__(name, fromlist=["LIMIT"]), "LIMIT", 100)
        else:
            place.unlink()
            place.mkdir() if there == "folder" else os.mkfifo(str(place))
        with pytest.raises(MasterError, match=r"^Cannot save the old state in .*: .*; mend that and run again\.$"):
            begin(master)
        assert os.listdir(master.places.backups) == []

    def test_no_space(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*dummy: t.Any) -> None:
            raise OSError(errno.ENOSPC, "no space")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(MasterError, match=r"No space left on device; free some space there and run again\.$"):
            begin(master)
        monkeypatch.undo()
        assert os.listdir(master.places.backups) == []

    def test_prepare_says_what_is_wrong(self, master: support.Sandbox) -> None:
        Path(master.places.backups).write_text("a file")
        with pytest.raises(MasterError, match=r"^Cannot make the folder .*/front-proxy-backup: File exists; mend that"):
            backups.prepare(master.places)

    @pytest.mark.parametrize("state", ["done", "rolled back", "applying", "rolling back"])
    def test_a_change_whose_notes_were_not_put_away(self, master: support.Sandbox, state: str) -> None:
        """Its copied keys are gone already: going back would leave a mixture, and failed for ever."""
        backup = begin(master)
        backup.journal["state"] = state
        backup._write_journal(master.places.pending)
        os.unlink(os.path.join(master.places.pending, "1-front-proxy-client.key"))
        master.lay_pair(NEW)
        before = master.state()
        done = recover(master.places, 1)
        assert done["recovered"] == "ended" and not done.get("failed")
        assert master.state() == before and not os.path.exists(master.places.pending)
        assert json.loads((master.backups[0] / "journal.json").read_text())["state"] == state

    def test_the_journal_says_the_end_before_keys_go(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backup = begin(master)
        seen = []

        def forget(dummy: str, **dummies: bool) -> None:
            journal = read_pending(master.places)
            seen.append(journal and journal["state"])

        monkeypatch.setattr(Backup, "_forget", staticmethod(forget))
        backup.close("done")
        assert set(seen) == {"done"}


class TestUnreadable:
    """A journal that says nothing."""

    @pytest.mark.parametrize("journal", ["", "{", "[]", "{}", "\udcff", '{"state": "applying"}', "[" * 100000, None])
    def test_it_is_put_aside(self, master: support.Sandbox, journal: str | None) -> None:
        for number in range(2):
            begin(master)
            place = Path(master.places.pending, "journal.json")
            place.unlink()
            if journal is not None:
                place.write_bytes(journal.encode("utf-8", "surrogateescape"))
            assert read_pending(master.places) is None
            if number:
                assert recover(master.places, 1) == {
                    "changed": False,
                    "recovered": "ended",
                    "msg": "No change was pending.",
                }
            else:
                assert change(master.order(NEW), master.places)["changed"]
                assert master.path(support.KEY).read_bytes() == NEW.key
        names = sorted(name for name in os.listdir(master.places.backups) if name.startswith("pending"))
        assert names == ["pending.unreadable", "pending.unreadable-1"]
        assert master.holders_of(OLD.key) == [] and master.holders_of(NEW.key) == [support.KEY]

    def test_nothing_pending(self, master: support.Sandbox) -> None:
        assert recover(master.places, 1)["recovered"] == "ended"
        assert os.listdir(master.places.backups) == ["lock"]


def hold_in_child(master: support.Sandbox) -> int:
    """Hold the lock in another process; it is held when this returns."""
    ready, mine = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with lock.exclusive(master.places, 5):
                os.write(mine, b"x")
                time.sleep(60)
        finally:
            os._exit(1)
    os.close(mine)
    assert os.read(ready, 1) == b"x"
    os.close(ready)
    return pid


class TestLock:
    """One at a time."""

    def test_two_processes(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "_PAUSE", 0.01)
        backups.prepare(master.places)
        pid = hold_in_child(master)
        busy = (
            rf"^Another run has been changing this master \(.*/lock is locked by process {pid} since .*Z\) for the 0 s "
            r"that were waited; let it end, then run again\.$"
        )
        try:
            with pytest.raises(MasterError, match=busy), lock.exclusive(master.places, 0.1):
                pass
            with pytest.raises(MasterError, match=busy):
                lock.wait_until_free(master.places, 0.1)
            before = master.state()
            order = master.order(NEW, lock_timeout=0.1)
            with pytest.raises(MasterError, match=busy):
                change(order, master.places)
            assert master.state() == before
            os.kill(pid, signal.SIGKILL)
        finally:
            os.waitpid(pid, 0)
        # the kernel gave it back
        with lock.exclusive(master.places, 0):
            pass
        lock.wait_until_free(master.places, 0)
        assert stat.S_IMODE(os.stat(master.places.lock).st_mode) == 0o600

    def test_it_waits_until_the_other_ends(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(lock, "_PAUSE", 0.01)
        backups.prepare(master.places)
        pid = hold_in_child(master)
        waits = []

        def sleep(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

        monkeypatch.setattr(lock.time, "sleep", sleep)
        with lock.exclusive(master.places, 60):
            assert len(waits) >= 3

    def test_looking_writes_nothing(self, master: support.Sandbox) -> None:
        before = master.everything()
        lock.wait_until_free(master.places, 0)
        assert master.everything() == before

    def test_lookers_do_not_hinder_each_other(self, master: support.Sandbox) -> None:
        backups.prepare(master.places)
        with lock.exclusive(master.places, 0):
            pass
        descriptor = os.open(master.places.lock, os.O_RDONLY)
        lock.fcntl.flock(descriptor, lock.fcntl.LOCK_SH)
        lock.wait_until_free(master.places, 0)
        with pytest.raises(MasterError), lock.exclusive(master.places, 0):
            pass
        os.close(descriptor)

    @pytest.mark.parametrize("error", [errno.EROFS, errno.EACCES, errno.ENOSPC, errno.ELOOP])
    def test_no_lock_can_be_made(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch, error: int) -> None:
        backups.prepare(master.places)

        def fail(*dummy: t.Any) -> int:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(os, "open", fail)
        with pytest.raises(MasterError, match=r"^Cannot lock .*/lock: .*; .*run (again|with become, as root)\.$"):
            lock.exclusive(master.places, 0).__enter__()

    def test_a_link_is_not_followed(self, master: support.Sandbox, tmp_path: Path) -> None:
        backups.prepare(master.places)
        os.symlink(str(tmp_path / "elsewhere"), master.places.lock)
        with pytest.raises(MasterError, match=r"^Cannot lock "), lock.exclusive(master.places, 0):
            pass
        assert not (tmp_path / "elsewhere").exists()

    def test_a_full_disk_does_not_matter(self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        backups.prepare(master.places)

        def fail(*dummy: t.Any) -> int:
            raise OSError(errno.ENOSPC, "no space")

        monkeypatch.setattr(os, "pwrite", fail)
        with lock.exclusive(master.places, 0):
            pass
