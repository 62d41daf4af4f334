# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The writer: complete or not there, never too open, never over something that exists, one run at a time."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import stat
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import access, files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.access import Access
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support

KEY = Access(mode=0o600)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


class TestModes:
    """Modes as users write them."""

    @pytest.mark.parametrize(
        ("value", "wanted"), [(None, None), ("0640", 0o640), ("640", 0o640), ("0o640", 0o640), (0o640, 0o640)]
    )
    def test_modes(self, value: t.Any, wanted: int | None) -> None:
        assert access.parse_mode(value, what="mode") == wanted

    @pytest.mark.parametrize("value", ["", "u=rw", "0888", "01777", 644, -1, True, 3.5, "64"])
    def test_what_is_no_mode(self, value: t.Any) -> None:
        with pytest.raises(PkiError, match="is not an octal mode"):
            access.parse_mode(value, what="mode")

    @pytest.mark.parametrize("value", ["0640", "0604", "0660", "0700", "0000", "0200"])
    def test_a_key_is_for_its_owner_alone(self, value: str) -> None:
        with pytest.raises(PkiError, match="is refused: a private key is for its owner alone"):
            access.parse_key_mode(value, what="privatekey_mode")
        assert access.parse_key_mode("0400", what="x") == 0o400

    def test_owners_and_groups(self) -> None:
        assert access.parse_owner("root") == 0 and access.parse_owner("12") == 12 and access.parse_owner(None) is None
        assert access.parse_group("root") == 0 and access.parse_group("12") == 12 and access.parse_group(None) is None
        with pytest.raises(PkiError, match="owner 'no-such-user' is not known"):
            access.parse_owner("no-such-user")
        with pytest.raises(PkiError, match="group 'no-such-group' is not known"):
            access.parse_group("no-such-group")


class TestRead:
    """What is read, and what is refused."""

    def test_nothing_is_none(self, tmp_path: Path) -> None:
        assert files.read_file(str(tmp_path / "x")) is None
        assert files.read_file(str(tmp_path / "x" / "y")) is None

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
    def test_an_open_key_names_chmod(self, mode: int, tmp_path: Path) -> None:
        path = support.put(tmp_path, "k", b"x", mode)
        assert files.read_file(str(path)) == b"x"
        with pytest.raises(PkiError, match=rf"open to group or others \(mode {mode:04o}\); run chmod 0600 {path}"):
            files.read_file(str(path), private=True)

    def test_what_is_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(PkiError, match="is not a file"):
            files.read_file(str(tmp_path))
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(PkiError, match="is not a file"):
            files.read_file(str(tmp_path / "pipe"))
        (tmp_path / "link").symlink_to(tmp_path / "nowhere")
        with pytest.raises(PkiError, match="symbolic link to nothing"):
            files.read_file(str(tmp_path / "link"))
        support.put(tmp_path, "file", b"")
        with pytest.raises(PkiError, match="Cannot read"):
            files.read_file(str(tmp_path / "file" / "x"))

    def test_what_is_too_large(self, tmp_path: Path) -> None:
        path = support.put(tmp_path, "x", b"x" * (4 * 1024 * 1024 + 1))
        with pytest.raises(PkiError, match="larger than 4 MiB"):
            files.read_file(str(path))

    def test_what_is_out_of_reach(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*dummy: t.Any, **more: t.Any) -> int:
            raise PermissionError(errno.EACCES, "denied")

        monkeypatch.setattr(os, "open", refuse)
        with pytest.raises(PkiError, match=r"No permission to read .*/x as user \d+; give it"):
            files.read_file(str(tmp_path / "x"))


class TestFolders:
    """Folders of private keys."""

    @pytest.mark.parametrize("mode", [0o755, 0o750, 0o704, 0o722])
    def test_an_open_folder_names_chmod(self, mode: int, tmp_path: Path) -> None:
        tmp_path.chmod(mode)
        with pytest.raises(PkiError, match=rf"\(mode {mode:04o}\); run chmod 0700 {tmp_path}"):
            files.check_folder(str(tmp_path))

    def test_whether_one_exists(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        assert files.check_folder(str(tmp_path))
        assert not files.check_folder(str(tmp_path / "x" / "y"))
        path = support.put(tmp_path, "file", b"")
        for wrong in (path, path / "below"):
            with pytest.raises(PkiError, match=r"is not a folder|cannot be a folder"):
                files.check_folder(str(wrong))

    def test_whether_one_can_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        files.check_writable(str(tmp_path / "a" / "b"))
        assert not (tmp_path / "a").exists()
        path = support.put(tmp_path, "file", b"")
        with pytest.raises(PkiError, match="is not one"):
            files.check_writable(str(path / "x"))
        monkeypatch.setattr(os, "access", lambda *dummy: False)
        with pytest.raises(PkiError, match="No permission to write in"):
            files.check_writable(str(tmp_path / "a"))

    def test_new_ones_are_closed_and_go_when_the_work_fails(self, tmp_path: Path) -> None:
        folder = tmp_path / "a" / "b"
        with pytest.raises(ZeroDivisionError), files.working_in([str(folder)], access=Access(mode=0o700)):
            assert mode_of(folder) == mode_of(tmp_path / "a") == 0o700
            raise ZeroDivisionError
        assert not (tmp_path / "a").exists()
        with files.working_in([str(folder)], access=Access(mode=0o700)):
            pass
        assert folder.is_dir()

    def test_a_folder_with_something_in_it_stays(self, tmp_path: Path) -> None:
        folder = tmp_path / "a"
        with pytest.raises(ZeroDivisionError), files.working_in([str(folder)], access=Access(mode=0o700)):
            (folder / "x").touch()
            raise ZeroDivisionError
        assert (folder / "x").exists()


class TestWrite:
    """Files appear complete, with their mode, or not at all."""

    def test_a_new_file(self, tmp_path: Path) -> None:
        old = os.umask(0)
        try:
            files.write_new(str(tmp_path / "k"), b"content", access=KEY)
        finally:
            os.umask(old)
        assert (tmp_path / "k").read_bytes() == b"content"
        assert mode_of(tmp_path / "k") == 0o600
        assert (tmp_path / "k").stat().st_nlink == 1
        assert os.listdir(tmp_path) == ["k"]

    def test_the_mode_comes_before_the_content(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[int] = []
        original = os.write

        def watch(descriptor: int, data: t.Any) -> int:
            seen.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            return original(descriptor, data[:3])  # a disk may take it in pieces

        monkeypatch.setattr(os, "write", watch)
        files.write_new(str(tmp_path / "k"), b"12345678", access=Access(mode=0o400))
        assert seen == [0o400] * 3
        assert (tmp_path / "k").read_bytes() == b"12345678"

    @pytest.mark.parametrize("kind", ["file", "folder", "link"])
    def test_what_exists_is_not_overwritten(self, kind: str, tmp_path: Path) -> None:
        path = tmp_path / "k"
        if kind == "file":
            path.write_bytes(b"old")
        elif kind == "folder":
            path.mkdir()
        else:
            path.symlink_to("nowhere")
        before = support.checksums(tmp_path)
        with pytest.raises(PkiError, match="appeared meanwhile and is not overwritten"):
            files.write_new(str(path), b"new", access=KEY)
        assert support.checksums(tmp_path) == before

    def test_without_hard_links_neither(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*dummy: t.Any, **more: t.Any) -> None:
            raise OSError(errno.EPERM, "no hard links here")

        monkeypatch.setattr(os, "link", refuse)
        files.write_new(str(tmp_path / "k"), b"one", access=KEY)
        with pytest.raises(PkiError, match="appeared meanwhile"):
            files.write_new(str(tmp_path / "k"), b"two", access=KEY)
        assert (tmp_path / "k").read_bytes() == b"one"
        assert os.listdir(tmp_path) == ["k"]

    def test_replace(self, tmp_path: Path) -> None:
        path = support.put(tmp_path, "k", b"old", 0o644)
        files.replace(str(path), b"new", access=KEY)
        assert path.read_bytes() == b"new" and mode_of(path) == 0o600
        (tmp_path / "link").symlink_to("k")
        files.replace(str(tmp_path / "link"), b"newer", access=KEY)
        assert (tmp_path / "link").is_symlink() and path.read_bytes() == b"newer"
        assert sorted(os.listdir(tmp_path)) == ["k", "link"]

    @pytest.mark.parametrize("step", ["write", "fsync", "rename", "link", "fchmod"])
    def test_a_full_disk_leaves_what_was_there(
        self, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = support.put(tmp_path, "old", b"old")
        before = support.checksums(tmp_path)

        def full(*dummy: t.Any, **more: t.Any) -> t.Any:
            raise OSError(errno.ENOSPC, "no space")

        monkeypatch.setattr(os, "chmod" if step == "fchmod" else step, full)
        if step != "link":
            with pytest.raises(PkiError, match=rf"The disk of {path} is full \(No space left on device\); make room"):
                files.replace(str(path), b"new", access=KEY)
        if step != "rename":
            with pytest.raises(PkiError, match="is full"):
                files.write_new(str(tmp_path / "new"), b"new", access=KEY)
        assert support.checksums(tmp_path) == before

    def test_what_a_killed_run_left_is_swept_away(self, tmp_path: Path) -> None:
        support.put(tmp_path, ".k.0123456789abcdef.tmp", b"half a key")
        support.put(tmp_path, ".other.0123456789abcdef.tmp", b"not ours")
        files.write_new(str(tmp_path / "k"), b"x", access=KEY)
        assert sorted(os.listdir(tmp_path)) == [".other.0123456789abcdef.tmp", "k"]

    def test_settling(self, tmp_path: Path) -> None:
        path = support.put(tmp_path, "k", b"x", 0o600)
        settle: dict[str, t.Any] = {"mode": None, "owner": None, "group": None, "check": False}
        assert not files.settle_access(str(path), **settle)
        assert not files.settle_access(str(path), **{**settle, "mode": 0o600, "owner": os.geteuid()})
        assert files.settle_access(str(path), **{**settle, "mode": 0o400, "check": True})
        assert mode_of(path) == 0o600
        assert files.settle_access(str(path), **{**settle, "mode": 0o400})
        assert mode_of(path) == 0o400


def _count(folder: str, path: str, rounds: int) -> None:
    for dummy in range(rounds):
        with files.working_in([folder], access=Access(mode=0o700)):
            number = int(Path(path).read_text())
            Path(path).write_text(str(number + 1))


class TestLock:
    """One run at a time."""

    @pytest.mark.parametrize("nfs", [False, True])
    def test_two_processes_take_turns(self, nfs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        if nfs:
            original = fcntl.flock

            def no_folders(descriptor: int, operation: int) -> None:
                if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                    raise OSError(errno.EBADF, "as NFS does")
                original(descriptor, operation)

            monkeypatch.setattr(fcntl, "flock", no_folders)
        counter = support.put(tmp_path, "n", b"0")
        context = multiprocessing.get_context("fork")
        workers = [context.Process(target=_count, args=(str(tmp_path), str(counter), 25)) for dummy in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)
            assert worker.exitcode == 0
        assert counter.read_text() == "75"

    def test_a_lock_that_is_never_given_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(files, "_LOCK_SECONDS", 0.2)
        before = len(os.listdir("/proc/self/fd"))
        second = files.working_in([str(tmp_path)], access=Access(mode=0o700))
        with files.working_in([str(tmp_path)], access=Access(mode=0o700)), pytest.raises(PkiError, match="Another run"):
            second.__enter__()
        assert len(os.listdir("/proc/self/fd")) == before
