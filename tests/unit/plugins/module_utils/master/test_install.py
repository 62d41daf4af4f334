# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files are put in place whole, with their mode before their content, and what cannot be used is refused."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import files, install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

MADE, OTHER = support.generation("old"), support.generation("new")


def new(path: Path, content: bytes = b"content", mode: int = 0o600) -> NewFile:
    return NewFile(str(path), content, mode)


class TestStage:
    """A file is written whole beside its place."""

    def test_nothing_is_at_the_place_before_put(self, tmp_path: Path) -> None:
        place = tmp_path / "file"
        staged = install.stage(new(place))
        assert not place.exists()
        assert os.listdir(tmp_path) == [os.path.basename(staged.temporary)]
        assert os.path.basename(staged.temporary).startswith(".")
        assert Path(staged.temporary).read_bytes() == b"content"
        install.put(staged)
        assert os.listdir(tmp_path) == ["file"] and place.read_bytes() == b"content"

    @pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
    def test_the_mode_is_there_before_the_content(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int
    ) -> None:
        sizes: t.List[int] = []
        created: t.List[int] = []
        synced: t.List[int] = []
        real = {name: getattr(os, name) for name in ("open", "fchmod", "fchown", "fsync")}

        def spy_open(path: str, flags: int, mode: int = 0o777) -> int:
            descriptor = real["open"](path, flags, mode)
            if flags & os.O_CREAT:
                assert flags & os.O_EXCL and flags & os.O_NOFOLLOW
                created.append(stat.S_IMODE(os.fstat(descriptor).st_mode))
            return int(descriptor)

        def spy(name: str) -> t.Callable[..., None]:
            def call(descriptor: int, *arguments: int) -> None:
                (synced if name == "fsync" else sizes).append(os.fstat(descriptor).st_size)
                real[name](descriptor, *arguments)

            return call

        monkeypatch.setattr(os, "open", spy_open)
        for name in ("fchmod", "fchown", "fsync"):
            monkeypatch.setattr(os, name, spy(name))
        before = os.umask(0)
        try:
            staged = install.stage(new(tmp_path / "file", b"secret", mode))
        finally:
            os.umask(before)
        assert created == [0o600]  # never more, not even for a moment and with no umask
        assert sizes == [0, 0]  # owner and mode were set while it was empty
        assert synced == [6]  # and the content is on the disk when it is renamed
        assert stat.S_IMODE(os.stat(staged.temporary).st_mode) == mode

    def test_a_tight_umask_does_not_matter(self, tmp_path: Path) -> None:
        before = os.umask(0o777)
        try:
            install.put(install.stage(new(tmp_path / "file", mode=0o644)))
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644

    def test_owner_and_group(self, tmp_path: Path) -> None:
        uid, gid = (12, 34) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
        install.put(install.stage(NewFile(str(tmp_path / "file"), b"x", 0o640, uid, gid)))
        status = (tmp_path / "file").stat()
        assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (uid, gid, 0o640)

    @pytest.mark.parametrize(
        ("error", "words"),
        [
            (errno.ENOSPC, "No space left on device; free some space there and run again."),
            (errno.EDQUOT, "raise the quota there and run again."),
            (errno.EROFS, "Read-only file system; the file system is mounted read-only; mount it read-write and run"),
            (errno.EACCES, "Permission denied; run with become, as root."),
            (errno.EPERM, "look for an immutable flag (lsattr)."),
            (errno.EIO, "look at the disk (dmesg), then run again."),
            (errno.ENAMETOOLONG, "mend that and run again."),
        ],
    )
    @pytest.mark.parametrize("call", ["open", "fchmod", "fchown", "fsync", "write"])
    def test_an_error_is_one_sentence_and_leaves_nothing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int, words: str, call: str
    ) -> None:
        def fail(*dummy: t.Any, **dummies: t.Any) -> t.Any:
            raise OSError(error, os.strerror(error), "/some/temporary")

        if call == "write":
            real = os.fdopen

            def fdopen(descriptor: int, mode: str) -> t.Any:
                stream = real(descriptor, mode, 0)
                os.write(descriptor, b"half")

                class Failing:
                    def __enter__(self) -> t.Any:
                        return self

                    def __exit__(self, *dummy: t.Any) -> None:
                        stream.close()

                    def write(self, content: bytes) -> None:
                        fail(content)

                return Failing()

            monkeypatch.setattr(os, "fdopen", fdopen)
        else:
            monkeypatch.setattr(os, call, fail)
        place = tmp_path / "file"
        with pytest.raises(MasterError) as caught:
            install.stage(new(place, b"-----BEGIN PRIVATE KEY-----"))
        monkeypatch.undo()
        text = str(caught.value)
        assert text.startswith(f"Cannot write {place}: ") and words in text and text.endswith(".")
        assert "PRIVATE" not in text and "/some/temporary" not in text and "Errno" not in text
        assert os.listdir(tmp_path) == []

    def test_a_link_at_the_temporary_name_is_not_followed(self, tmp_path: Path) -> None:
        victim = tmp_path / "victim"
        victim.write_text("precious")
        (tmp_path / ".file.front-proxy-new").symlink_to(victim)
        install.put(install.stage(new(tmp_path / "file")))
        assert victim.read_text() == "precious"
        assert not (tmp_path / "file").is_symlink() and sorted(os.listdir(tmp_path)) == ["file", "victim"]

    def test_what_a_killed_run_left_is_replaced(self, tmp_path: Path) -> None:
        stale = tmp_path / ".file.front-proxy-new"
        stale.write_text("half a fi")
        stale.chmod(0o666)
        staged = install.stage(new(tmp_path / "file"))
        assert staged.temporary == str(stale) and stale.read_bytes() == b"content"
        assert stat.S_IMODE(stale.stat().st_mode) == 0o600
        install.discard_leftovers([str(tmp_path / "file")])
        assert os.listdir(tmp_path) == []

    def test_discard(self, tmp_path: Path) -> None:
        staged = install.stage(new(tmp_path / "file"))
        install.discard([staged, staged])
        assert os.listdir(tmp_path) == []

    def test_put_says_what_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "file").mkdir()
        staged = install.stage(new(tmp_path / "file"))
        with pytest.raises(MasterError, match=r"^Cannot replace .*/file: Is a directory; mend that and run again\.$"):
            install.put(staged)

    def test_a_second_name_needs_no_room(self, tmp_path: Path) -> None:
        (tmp_path / "saved").write_text("old")
        install.put(install.stage_link(str(tmp_path / "saved"), new(tmp_path / "file", b"", 0o640)))
        assert (tmp_path / "file").read_text() == "old"
        assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
        assert sorted(os.listdir(tmp_path)) == ["file", "saved"]
        with pytest.raises(MasterError, match=r"^Cannot write .*/file: No such file or directory"):
            install.stage_link(str(tmp_path / "gone"), new(tmp_path / "file"))


class TestFolders:
    """Folders, and removing."""

    @pytest.mark.parametrize("umask", [0, 0o077])
    def test_every_new_folder_has_the_mode(self, tmp_path: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            install.make_folder(str(tmp_path / "a" / "b" / "c"), 0o755)
        finally:
            os.umask(before)
        for part in ("a", "a/b", "a/b/c"):
            assert stat.S_IMODE((tmp_path / part).stat().st_mode) == 0o755
        (tmp_path / "a").chmod(0o700)
        install.make_folder(str(tmp_path / "a" / "b"), 0o755)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700

    def test_a_file_is_in_the_way(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("")
        with pytest.raises(
            MasterError, match=r"^Cannot make the folder .*/a(/b)?: (File exists|Not a directory); mend"
        ):
            install.make_folder(str(tmp_path / "a" / "b"), 0o755)

    def test_a_relative_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(str(tmp_path))
        install.make_folder("a/b", 0o755)
        assert (tmp_path / "a" / "b").is_dir()

    def test_another_run_was_faster(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = os.mkdir

        def mkdir(path: str, mode: int = 0o777) -> None:
            real(path, mode)
            real(path, mode)

        monkeypatch.setattr(os, "mkdir", mkdir)
        install.make_folder(str(tmp_path / "a"), 0o755)

    def test_remove(self, tmp_path: Path) -> None:
        install.remove(str(tmp_path / "file"))
        (tmp_path / "file").write_text("")
        install.remove(str(tmp_path / "file"))
        assert os.listdir(tmp_path) == []
        (tmp_path / "folder").mkdir()
        with pytest.raises(MasterError, match=r"^Cannot remove .*/folder: "):
            install.remove(str(tmp_path / "folder"))


def lay(folder: Path, made: support.Generation) -> t.Tuple[str, str, str]:
    """Write a CA and a pair; give their paths."""
    paths = []
    for name, content in zip(("ca", "crt", "key"), made):
        (folder / name).write_bytes(content)
        paths.append(str(folder / name))
    return paths[0], paths[1], paths[2]


class TestChecks:
    """What kube-apiserver would not start with."""

    def test_a_pair(self, tmp_path: Path) -> None:
        dummy, certificate, key = lay(tmp_path, MADE)
        install.check_pair(certificate, key, shown="these")
        Path(key).write_bytes(OTHER.key)
        with pytest.raises(MasterError, match=r"^/c and /k do not load as one pair, .*; nothing was changed: look at"):
            install.check_pair(certificate, key, shown="/c and /k")

    @pytest.mark.parametrize("content", [b"", b"no PEM", MADE.certificate[:300], None])
    def test_half_a_pair(self, tmp_path: Path, content: bytes | None) -> None:
        dummy, certificate, key = lay(tmp_path, MADE)
        for path in (certificate, key):
            before = Path(path).read_bytes()
            os.unlink(path)
            if content is not None:
                Path(path).write_bytes(content)
            assert not files.loads_together(certificate, key)
            Path(path).write_bytes(before)
        assert files.loads_together(certificate, key)

    def test_an_encrypted_key_asks_nobody(self, tmp_path: Path) -> None:
        dummy, certificate, key = lay(tmp_path, MADE)
        support.openssl("pkey", "-in", key, "-aes256", "-passout", "pass:correct", "-out", key + "2")
        code = (
            "import sys; from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.files import "
            "loads_together; print(loads_together(*sys.argv[1:]))"
        )
        import sys

        done = subprocess.run(
            [sys.executable, "-c", code, certificate, key + "2"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=20,
            start_new_session=True,  # no terminal
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.stdout.decode().split() == ["False"]
        assert not files.loads_together(certificate, key + "2")

    def test_weak_keys_that_kube_apiserver_takes(self, tmp_path: Path) -> None:
        support.openssl(
            *("req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "9", "-subj", "/CN=weak"),
            *("-keyout", "weak.key", "-out", "weak.crt"),
            folder=str(tmp_path),
        )
        assert files.loads_together(str(tmp_path / "weak.crt"), str(tmp_path / "weak.key"))

    def test_bundles(self, tmp_path: Path) -> None:
        bundle = tmp_path / "bundle"
        for content in (MADE.bundle, MADE.bundle + OTHER.bundle, b"# words\n" + MADE.bundle, MADE.bundle * 2):
            bundle.write_bytes(content)
            install.check_bundle(str(bundle), shown="it")
        refused = [
            b"",
            b"words",
            MADE.key,
            MADE.bundle[:200],
            MADE.bundle + MADE.bundle[:200],
            MADE.bundle + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ]
        for content in refused:
            bundle.write_bytes(content)
            with pytest.raises(MasterError, match=r"^/ca does not load as a CA bundle, .*; nothing was changed: look"):
                install.check_bundle(str(bundle), shown="/ca")
        with pytest.raises(MasterError):
            install.check_bundle(str(tmp_path / "gone"), shown="/ca")
        os.mkfifo(str(tmp_path / "pipe"))
        with support.within(10), pytest.raises(MasterError, match=r"^/ca does not load as a CA bundle"):
            install.check_bundle(str(tmp_path / "pipe"), shown="/ca")

    def test_the_bundle_that_was_looked_at_is_loaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        @contextlib.contextmanager
        def find(path: str) -> t.Iterator[str]:
            yield str(tmp_path / path)

        (tmp_path / "ca").write_bytes(MADE.bundle)
        monkeypatch.setattr(install, "regular_file", find)
        install.check_bundle("ca", shown="/ca")

    def test_revocation_lists_are_no_bundle(self, tmp_path: Path) -> None:
        (tmp_path / "index").write_text("")
        (tmp_path / "config").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index\ndefault_md=sha256\n")
        support.openssl(
            *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "crt"),
            folder=str(tmp_path),
        )
        support.openssl(
            *("ca", "-config", "config", "-gencrl", "-keyfile", "key", "-cert", "crt", "-crldays", "9", "-out", "crl"),
            folder=str(tmp_path),
        )
        with pytest.raises(MasterError, match="does not load as a CA bundle"):
            install.check_bundle(str(tmp_path / "crl"), shown="/ca")
