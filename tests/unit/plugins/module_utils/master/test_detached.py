# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that goes on when its parent is killed, and gives its result when it is not."""

from __future__ import annotations

import os
import signal
import time
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.detached import run_detached
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError


def wait_for(path: Path) -> str:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if path.exists():
            return path.read_text()
        time.sleep(0.01)
    raise AssertionError(f"{path} did not come")


def test_the_result_comes() -> None:
    assert run_detached(lambda: {"pid": os.getpid(), "more": ["ü", None, 1.5]})["pid"] != os.getpid()
    assert run_detached(lambda: {"more": ["ü", None, 1.5]}) == {"more": ["ü", None, 1.5]}


def test_a_big_result_comes() -> None:
    big = {"text": "x" * 3_000_000}
    assert run_detached(lambda: big) == big


def test_errors_come() -> None:
    def refuse() -> t.Dict[str, t.Any]:
        raise MasterError("No, because.")

    def surprise() -> t.Dict[str, t.Any]:
        raise KeyError("flags")

    with pytest.raises(MasterError, match=r"^No, because\.$"):
        run_detached(refuse)
    with pytest.raises(
        MasterError, match=r"^Unexpected KeyError while working on the master: 'flags'; please report this\.$"
    ):
        run_detached(surprise)


@pytest.mark.parametrize("how", ["killed", "no JSON", "exit"])
def test_no_result_comes(how: str) -> None:
    def work() -> t.Dict[str, t.Any]:
        if how == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if how == "exit":
            raise SystemExit(3)
        return {"thing": object()}

    with pytest.raises(MasterError, match=r"^The process that was working on this master was killed .* run again: "):
        run_detached(work)


def test_no_zombie_and_no_descriptor_is_left() -> None:
    before = len(os.listdir("/proc/self/fd"))
    run_detached(dict)
    assert len(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_it_is_independent() -> None:
    kept, mine = os.pipe()

    def work() -> t.Dict[str, t.Any]:
        # lists its own descriptor, too
        descriptors = {
            int(name): os.readlink(f"/proc/self/fd/{name}")
            for name in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{name}") or int(name) < 3
        }
        return {
            "session": os.getsid(0) == os.getpid(),
            "folder": os.getcwd(),
            "open": {str(number): where for number, where in descriptors.items()},
            "ignored": [
                signal.getsignal(name) == signal.SIG_IGN for name in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
            ],
        }

    os.set_inheritable(mine, True)
    found = run_detached(work)
    os.close(kept)
    os.close(mine)
    assert found["session"] and found["folder"] == "/" and found["ignored"] == [True, True, True]
    assert [found["open"][name] for name in "012"] == ["/dev/null"] * 3
    # the pipe for the answer, and no other: an open one would keep the connection from closing
    assert sum(where.startswith("pipe:") for where in found["open"].values()) == 1


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGHUP, signal.SIGTERM])
def test_the_work_ends_though_its_parent_does_not_live(tmp_path: Path, by: int) -> None:
    def work() -> t.Dict[str, t.Any]:
        (tmp_path / "began").write_text(str(os.getpid()))
        wait_for(tmp_path / "go")
        (tmp_path / "half").write_text("done")
        os.rename(str(tmp_path / "half"), str(tmp_path / "done"))
        return {"big": "x" * 200000}  # nobody reads it

    parent = os.fork()
    if parent == 0:
        try:
            os.setsid()
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            run_detached(work)
        finally:
            os._exit(1)
    worker = int(wait_for(tmp_path / "began") or "0")
    os.killpg(parent, by)  # as a cut connection does: the whole group of processes
    os.waitpid(parent, 0)
    assert not (tmp_path / "done").exists()
    (tmp_path / "go").write_text("")
    assert wait_for(tmp_path / "done") == "done"
    deadline = time.monotonic() + 20
    while worker and os.path.exists(f"/proc/{worker}") and time.monotonic() < deadline:
        if " Z " in Path(f"/proc/{worker}/stat").read_text():
            break
        time.sleep(0.01)
    assert time.monotonic() < deadline
