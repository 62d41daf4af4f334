# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""As whom a process reads files, and what that user can read: by the kernel's word where the tests run as root."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import Reading
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.reading import (
    readable_files,
    user_of,
)

STRANGER = Reading(65533, 65533, (65500,))
AS_ROOT = os.geteuid() == 0


def test_the_user_of_this_process() -> None:
    found = user_of(os.getpid())
    assert found
    assert (found["uid"], found["gid"]) == (os.geteuid(), os.getegid())
    assert found["groups"] == sorted(os.getgroups())


def test_a_process_that_is_gone_is_nobodys(tmp_path: Path) -> None:
    assert user_of(1, proc=str(tmp_path)) is None
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "status").write_text("Uid:\tx\n")
    assert user_of(1, proc=str(tmp_path)) is None


def test_what_counts_is_the_user_of_the_file_system(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    lines = ["Name:\tkube: apiserver", "Uid:\t1\t2\t3\t4", "Gid:\t5\t6\t7\t8", "Groups:\t12 9 ", "CapEff:\t%s"]
    for mask, overrides in (("0000000000000000", False), ("0000000000000400", False), ("00000000a80425fb", True)):
        (tmp_path / "1" / "status").write_text("\n".join(lines) % mask)
        expected = {"uid": 4, "gid": 8, "groups": [9, 12], "overrides": overrides}
        assert user_of(1, proc=str(tmp_path)) == expected


def test_another_user_of_another_process() -> None:
    def become() -> None:
        os.setgroups([65500])
        os.setresgid(65533, 65533, 65533)
        os.setresuid(65533, 65533, 65533)

    stranger = {"uid": 65533, "gid": 65533, "groups": [65500], "overrides": False}
    expected = stranger if AS_ROOT else user_of(os.getpid())  # only root can become another user
    pipe = subprocess.PIPE
    with subprocess.Popen(["/bin/cat"], stdin=pipe, stdout=pipe, preexec_fn=become if AS_ROOT else None) as running:
        assert running.stdin and running.stdout
        running.stdin.write(b"it runs\n")
        running.stdin.flush()
        assert running.stdout.readline()
        assert user_of(running.pid) == expected
        running.stdin.close()


def test_the_kernel_says_what_can_be_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)  # a folder above the one that is mounted plays no part
    folder = tmp_path / "pki"
    folder.mkdir(mode=0o755)
    files = {
        "all": (0o644, 0, 0, True),
        "root": (0o600, 0, 0, False),
        "own": (0o600, 65533, 0, True),
        "own-without": (0o044, 65533, 65533, False),
        "group": (0o640, 0, 65533, True),
        "further-group": (0o640, 0, 65500, True),
        "other-group": (0o640, 0, 65501, False),
    }
    for name, (mode, uid, gid, dummy) in files.items():
        (folder / name).write_text(name)
        if AS_ROOT:
            os.chown(folder / name, uid, gid)
        (folder / name).chmod(mode)
    (folder / "link").symlink_to("own")
    (folder / "link-to-root").symlink_to(folder / "root")
    os.mkfifo(folder / "pipe", 0o644)
    expected = {str(folder / name): told[3] for name, told in files.items()}
    expected.update({str(folder / "link"): True, str(folder / "link-to-root"): False, str(folder / "pipe"): True})
    expected[str(folder / "gone")] = False
    # without root's rights nothing is tried
    assert readable_files(list(expected), STRANGER) == (expected if AS_ROOT else {})
    folder.chmod(0o700)
    assert not any(readable_files(list(expected), STRANGER).values())
    assert os.geteuid() == os.getuid() and len(os.listdir("/proc/self/fd")) < 200


def test_root_without_its_rights_is_not_tried(tmp_path: Path) -> None:
    assert readable_files([str(tmp_path)], Reading(0, 0, ())) == {}
    assert readable_files([], STRANGER) == {}


def test_without_roots_rights_nothing_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert readable_files([str(tmp_path / "a")], STRANGER) == {}
