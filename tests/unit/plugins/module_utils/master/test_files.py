# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a file that lies on a master."""

from __future__ import annotations

import contextlib
import os
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import explain
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.places import Places
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

MADE, OTHER = support.generation("old"), support.generation("new")


class TestLooking:
    """Reading files."""

    def test_only_regular_files_are_read(self, tmp_path: Path) -> None:
        os.mkfifo(str(tmp_path / "pipe"))
        (tmp_path / "folder").mkdir()
        before = len(os.listdir("/proc/self/fd"))
        for name in ("pipe", "folder"):
            with pytest.raises(OSError, match="it is not a regular file"):
                files.read_regular(str(tmp_path / name))
            assert files.describe_file(str(tmp_path / name))["kind"] == "unreadable"
        with pytest.raises(OSError, match="it is not a regular file"):
            files.read_regular("/dev/null")
        assert len(os.listdir("/proc/self/fd")) == before

    def test_a_file_for_a_library(self, tmp_path: Path) -> None:
        place, other = tmp_path / "file", tmp_path / "other"
        place.write_text("one")
        other.write_text("other")
        (tmp_path / "link").symlink_to("file")
        before = len(os.listdir("/proc/self/fd"))
        with files.regular_file(str(tmp_path / "link")) as name:
            # what comes to that path meanwhile is not what was looked at
            other.replace(place)
            assert Path(name).read_text() == "one"
        os.truncate(str(place), files.LIMIT + 1)
        with pytest.raises(OSError, match="it is larger than"), files.regular_file(str(place)):
            pass
        assert len(os.listdir("/proc/self/fd")) == before

    @pytest.mark.parametrize("kind", ["pipe", "folder", "device", "terminal", "dangling", "absent"])
    def test_no_file_for_a_library(self, tmp_path: Path, kind: str) -> None:
        place = tmp_path / kind
        if kind == "pipe":
            os.mkfifo(str(place))
        elif kind == "folder":
            place.mkdir()
        elif kind != "absent":
            place.symlink_to({"device": "/dev/zero", "terminal": "/dev/tty", "dangling": "/nowhere"}[kind])
        before = len(os.listdir("/proc/self/fd"))
        with support.within(10), pytest.raises(OSError), files.regular_file(str(place)):
            pass
        assert len(os.listdir("/proc/self/fd")) == before

    @pytest.mark.parametrize("which", [0, 1])
    def test_a_pipe_in_a_pair_is_not_read(self, tmp_path: Path, which: int) -> None:
        """Nor waited for: somebody who keeps a pipe there waits for another reader."""
        for name, content in (("crt", MADE.certificate), ("key", MADE.key)):
            (tmp_path / name).write_bytes(content)
        pair = [str(tmp_path / name) for name in ("crt", "key")]
        assert files.loads_together(*pair)
        content = Path(pair[which]).read_bytes()
        os.unlink(pair[which])
        os.mkfifo(pair[which])
        with support.within(10):
            assert not files.loads_together(*pair)
            descriptor = os.open(pair[which], os.O_RDWR)
            try:
                os.write(descriptor, content)
                assert not files.loads_together(*pair)
                assert os.read(descriptor, 65536) == content
            finally:
                os.close(descriptor)

    def test_what_was_looked_at_is_what_is_loaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, content in (("crt", MADE.certificate), ("key", MADE.key)):
            (tmp_path / name).write_bytes(content)

        @contextlib.contextmanager
        def find(path: str) -> t.Iterator[str]:
            yield str(tmp_path / path)

        monkeypatch.setattr(files, "regular_file", find)
        assert files.loads_together("crt", "key")

    def test_a_reason_without_a_number(self) -> None:
        error = OSError(0, "it is not a regular file", "/x")
        assert str(explain("read", "/x", error)) == "Cannot read /x: it is not a regular file; mend that and run again."

    def test_a_description(self, tmp_path: Path) -> None:
        place = tmp_path / "bundle"
        place.write_bytes(b"# first\n" + MADE.bundle + b"\n# second\n" + OTHER.bundle)
        place.chmod(0o640)
        found = files.describe_file(str(place))
        assert (found["exists"], found["kind"], found["mode"], found["is_link"]) == (
            True,
            "certificates",
            "0640",
            False,
        )
        assert found["certificates"] == [MADE.bundle.decode(), OTHER.bundle.decode()]
        assert found["checksum"] == files.checksum(place.read_bytes()) and found["links"] == 1
        os.link(str(place), str(tmp_path / "second"))
        (tmp_path / "link").symlink_to(place)
        assert files.describe_file(str(place))["links"] == 2
        assert files.describe_file(str(tmp_path / "link"))["is_link"] is True
        (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
        assert files.describe_file(str(tmp_path / "dangling")) == {"exists": False, "is_link": True}

    @pytest.mark.parametrize("more", [b"", MADE.certificate, b"\xff\xfe"])
    def test_nothing_is_told_of_a_key(self, tmp_path: Path, more: bytes) -> None:
        place = tmp_path / "key"
        place.write_bytes(more + MADE.key)
        found = files.describe_file(str(place))
        assert found["kind"] == "private_key" and found["checksum"] is None
        # a certificate may lie in the same file
        assert found["certificates"] == ([more.decode()] if b"CERTIFICATE" in more else [])
        assert support.secret_of(MADE.key) not in repr(found)

    def test_the_stamp_changes_with_all_that_is_done(self, tmp_path: Path) -> None:
        place = tmp_path / "file"
        place.write_text("one")
        stamps = [files.describe_file(str(place))["stamp"]]
        place.chmod(0o600)
        stamps.append(files.describe_file(str(place))["stamp"])
        status = place.stat()
        place.write_text("two")
        os.utime(str(place), ns=(status.st_atime_ns, status.st_mtime_ns))
        stamps.append(files.describe_file(str(place))["stamp"])
        place.unlink()
        place.write_text("two")
        stamps.append(files.describe_file(str(place))["stamp"])
        assert len(set(stamps)) == 4

    def test_users_without_a_name(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(number: int) -> t.Any:
            raise KeyError(number)

        monkeypatch.setattr(files.pwd, "getpwuid", unknown)
        monkeypatch.setattr(files.grp, "getgrgid", unknown)
        (tmp_path / "file").write_text("")
        found = files.describe_file(str(tmp_path / "file"))
        assert (found["owner"], found["group"]) == (str(os.geteuid()), str(found["gid"]))


class TestPlaces:
    """The prefix."""

    def test_places(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for root in (None, "", "/"):
            assert Places(root).live and Places(root).real("/etc/x") == "/etc/x"
        assert not Places("/mnt/").live and Places("/mnt/").real("/etc/x") == "/mnt/etc/x"
        monkeypatch.chdir(str(tmp_path))
        relative = Places("image")
        monkeypatch.chdir("/")
        assert relative.real("/x") == f"{tmp_path}/image/x"
