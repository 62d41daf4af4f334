# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Access control lists and extended attributes of a file that is replaced: they stay, and nobody reads more by them."""

from __future__ import annotations

import errno
import os
import stat
import struct
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import NewFile
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import attributes, install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.attributes import ACL, carried_list
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import Backup, prepare
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

OLD, NEW = support.generation("old"), support.generation("new")
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 1, 2, 4, 8, 16, 32
NOBODY = 0xFFFFFFFF
KAS, BOB, WATCH = 41001, 41002, 41003

Entry = t.Tuple[int, int, int]


def acl(*entries: Entry) -> bytes:
    """A list as the kernel takes and gives it."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def read_acl(path: Path) -> t.List[Entry]:
    raw = os.getxattr(str(path), ACL)
    return list(struct.iter_unpack("<HHI", raw[4:]))  # type: ignore[arg-type]


def named(user: int = 0o4, group: int = 0o4, own_group: int = 0, mask: int = 0o4, other: int = 0) -> bytes:
    """A list that names a user and a group."""
    return acl(
        *((USER_OBJ, 0o6, NOBODY), (USER, user, KAS), (GROUP_OBJ, own_group, NOBODY)),
        *((GROUP, group, WATCH), (MASK, mask, NOBODY), (OTHER, other, NOBODY)),
    )


def allowed(entries: bytes) -> t.Dict[t.Tuple[int, int], int]:
    """Who may what in effect: the mask bounds all but the owner and the others (acl(5))."""
    found = list(struct.iter_unpack("<HHI", entries[4:]))
    mask = next(bits for tag, bits, dummy in found if tag == MASK)
    return {(tag, who): bits if tag in (USER_OBJ, OTHER) else bits & mask for tag, bits, who in found if tag != MASK}


def read_as(descriptor: int, uid: int, gid: int) -> None:
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.close(os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY))


def may_read(path: Path, uid: int, gid: int = 41999) -> bool:
    """Whether a user can read a file, whatever the folders above it say. Only root can ask."""
    descriptor = os.open(str(path), os.O_PATH)
    try:
        return support.in_child(lambda: read_as(descriptor, uid, gid)) == 0
    finally:
        os.close(descriptor)


class TestLists:
    """The list of the new file, from that of the old one and the mode that is ordered."""

    def test_the_same_mode_keeps_all(self) -> None:
        for own_group in (0, 0o4):
            before = named(own_group=own_group)
            assert carried_list(before, 0o640, same_group=True) == before

    def test_a_narrow_mode_bounds_all(self) -> None:
        after = carried_list(named(own_group=0o4), 0o600, same_group=True)
        assert after is not None
        assert {who: bits for who, bits in allowed(after).items() if bits} == {(USER_OBJ, NOBODY): 0o6}

    def test_a_wider_mode_gives_nobody_more_than_before(self) -> None:
        """The mask hid what the list names: a wider one must not bring it to light."""
        after = carried_list(named(mask=0), 0o640, same_group=True)
        assert after is not None
        assert allowed(after)[USER, KAS] == 0 and allowed(after)[GROUP, WATCH] == 0
        assert allowed(after)[GROUP_OBJ, NOBODY] == 0o4  # that is what was ordered

    def test_another_group_gets_what_is_ordered(self) -> None:
        after = carried_list(named(), 0o640, same_group=False)
        assert after is not None and allowed(after)[GROUP_OBJ, NOBODY] == 0o4
        assert allowed(after)[USER, KAS] == 0o4

    @pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o644, 0o660, 0o604])
    @pytest.mark.parametrize("mask", range(8))
    @pytest.mark.parametrize("same_group", [True, False])
    def test_never_more_than_before_or_ordered(self, mode: int, mask: int, same_group: bool) -> None:
        for bits in range(8):
            before = named(user=bits, group=bits ^ 0o5, own_group=bits ^ 0o3, mask=mask, other=0o7)
            after = carried_list(before, mode, same_group=same_group)
            assert after is not None
            was, now = allowed(before), allowed(after)
            for who in ((USER, KAS), (GROUP, WATCH)):
                assert now[who] & ~was[who] == 0 and now[who] & ~(mode >> 3) == 0
            assert now[USER_OBJ, NOBODY] == mode >> 6 and now[OTHER, NOBODY] == mode & 0o7
            assert now[GROUP_OBJ, NOBODY] & ~(mode >> 3) & 0o7 == 0

    @pytest.mark.parametrize("raw", [b"", b"\2\0\0", struct.pack("<I", 3), acl() + b"x", b"\0" * 12])
    def test_a_form_that_is_not_known(self, raw: bytes) -> None:
        assert carried_list(raw, 0o640, same_group=True) is None


@pytest.fixture
def master(tmp_path: Path) -> support.Sandbox:
    return support.old_master(tmp_path / "root", OLD)


class TestFiles:
    """The same with files."""

    def test_a_change_keeps_list_and_attributes(self, master: support.Sandbox) -> None:
        key, manifest = master.path(support.KEY), master.path(support.MANIFEST)
        key.chmod(0o640)
        for path in (key, manifest):
            os.setxattr(str(path), "user.owner", b"team-a")
            os.setxattr(str(path), ACL, named())
        before = {path: read_acl(path) for path in (key, manifest)}
        order = master.order(NEW)
        order = order._replace(files=tuple(f._replace(mode=0o640) if f.path == support.KEY else f for f in order.files))
        change(order, master.places)
        assert key.read_bytes() == NEW.key and manifest.read_text() == support.NEW_TEXT
        for path in (key, manifest):
            assert os.getxattr(str(path), "user.owner") == b"team-a" and read_acl(path) == before[path]
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
        # and a second run finds nothing to do
        assert not change(master.order(None, None), master.places)["changed"]

    def test_going_back_keeps_them_too(self, master: support.Sandbox) -> None:
        key = master.path(support.KEY)
        os.setxattr(str(key), "user.owner", b"team-a")
        os.setxattr(str(key), ACL, named(user=0o6, own_group=0o4, mask=0o6))
        before = read_acl(key)
        prepare(master.places)
        staged = master.stage(master.file(support.KEY, NEW.key, 0o600))
        backup = Backup.begin(master.places, staged=staged, manifest=None, note=support.note())
        install.put_all(staged)
        assert read_acl(key) != before
        backup.restore_files()
        assert read_acl(key) == before and os.getxattr(str(key), "user.owner") == b"team-a"
        assert key.read_bytes() == OLD.key

    def test_a_key_that_the_list_hid_stays_hidden(self, master: support.Sandbox) -> None:
        key = master.path(support.KEY)
        os.setxattr(str(key), ACL, named())
        key.chmod(0o600)  # the mask is empty now
        install.put_all(master.stage(master.file(support.KEY, NEW.key, 0o640)))
        assert allowed(os.getxattr(str(key), ACL))[USER, KAS] == 0
        if os.geteuid() == 0:
            assert not may_read(key, KAS) and not may_read(key, BOB, WATCH)
            assert may_read(key, BOB, key.stat().st_gid)

    def test_who_could_read_still_can(self, master: support.Sandbox) -> None:
        key = master.path(support.KEY)
        os.setxattr(str(key), ACL, named())
        install.put_all(master.stage(master.file(support.KEY, NEW.key, 0o640)))
        if os.geteuid() == 0:
            assert may_read(key, KAS) and may_read(key, BOB, WATCH) and not may_read(key, BOB)
        assert allowed(os.getxattr(str(key), ACL))[USER, KAS] == 0o4

    @pytest.mark.parametrize("there", [True, False])
    def test_what_a_folder_hands_on_gives_no_right_to_a_key(self, master: support.Sandbox, there: bool) -> None:
        """New files of a folder with a default list would be open to those whom that names."""
        key = master.path(support.KEY)
        if not there:
            key.unlink()
        os.setxattr(str(key.parent), "system.posix_acl_default", named(own_group=0o4))
        (key.parent / "inherits").touch(0o660)
        assert read_acl(key.parent / "inherits")
        install.put_all(master.stage(master.file(support.KEY, NEW.key, 0o640)))
        with pytest.raises(OSError, match="No data available") as error:
            os.getxattr(str(key), ACL)
        assert error.value.errno == errno.ENODATA
        if os.geteuid() == 0:
            assert not may_read(key, KAS)

    def test_the_list_is_there_before_the_content(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.setxattr(str(master.path(support.KEY)), ACL, named())
        sizes: t.List[int] = []
        real = os.setxattr

        def setxattr(target: int, *arguments: t.Any) -> None:
            sizes.append(os.fstat(target).st_size)
            real(target, *arguments)

        monkeypatch.setattr(os, "setxattr", setxattr)
        master.stage(master.file(support.KEY, NEW.key, 0o640))
        assert sizes == [0]

    def test_what_speaks_of_the_content_does_not_stay(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = {
            "security.ima": b"hash",
            "security.evm": b"hash",
            "security.capability": b"x",
            "security.selinux": b"etc_t",
            "system.nfs4_acl": b"x",
            "user.mine": b"1",
        }
        given: t.Dict[str, bytes] = {}
        monkeypatch.setattr(os, "listxattr", lambda dummy: list(there))
        monkeypatch.setattr(os, "getxattr", lambda dummy, name: there[name])
        monkeypatch.setattr(os, "setxattr", lambda dummy, name, value: given.update({name: value}))
        master.stage(master.file(support.KEY, NEW.key, 0o640))
        assert given == {"security.selinux": b"etc_t", "user.mine": b"1"}

    @pytest.mark.parametrize(
        ("name", "error", "fails"),
        [
            ("user.mine", errno.ENOSPC, True),
            (ACL, errno.EPERM, True),
            ("security.selinux", errno.EPERM, False),
            ("trusted.overlay.opaque", errno.EPERM, False),
            ("btrfs.compression", errno.EINVAL, False),
            ("user.mine", errno.ENOTSUP, False),
        ],
    )
    def test_what_cannot_be_kept(
        self, master: support.Sandbox, monkeypatch: pytest.MonkeyPatch, name: str, error: int, fails: bool
    ) -> None:
        def setxattr(*dummy: t.Any) -> None:
            raise OSError(error, os.strerror(error))

        monkeypatch.setattr(attributes.os, "listxattr", lambda dummy: [name])
        monkeypatch.setattr(attributes.os, "getxattr", lambda *dummy: named())
        monkeypatch.setattr(attributes.os, "setxattr", setxattr)
        file = NewFile(str(master.path(support.KEY)), NEW.key, 0o600)
        if not fails:
            install.stage(file)
            return
        with pytest.raises(MasterError, match=r"^Cannot write .*front-proxy-client\.key: .*run (again|with become)"):
            install.stage(file)
        assert master.holders_of(NEW.key) == []
