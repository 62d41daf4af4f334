# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change that is killed, or that the disk fails, at every single step: afterwards all is old or all is new."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import typing as t
from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master import install
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.backup import read_pending
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.errors import MasterError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.recovery import recover
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import faults, support

OLD, NEW = support.generation("old"), support.generation("new")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut is not what is tested; the real fsync takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda dummy: None)


def check_always(sandbox: support.Sandbox) -> None:
    """What holds at any moment, before anything is repaired."""
    folder = sandbox.path(support.MANIFEST).parent
    assert [name for name in os.listdir(folder) if not name.startswith(".")] == ["kube-apiserver.yaml"]
    text = sandbox.path(support.MANIFEST).read_text()
    assert text in (support.OLD_TEXT, support.NEW_TEXT)
    assert sandbox.path(support.MANIFEST).stat().st_mode & 0o777 == 0o600
    for path, contents in {
        support.BUNDLE: (OLD.bundle, NEW.bundle),
        support.CERTIFICATE: (OLD.certificate, NEW.certificate),
        support.KEY: (OLD.key, NEW.key),
    }.items():
        if sandbox.path(path).exists():
            assert sandbox.path(path).read_bytes() in contents
    if text == support.NEW_TEXT:
        assert sandbox.path(support.BUNDLE).exists() and sandbox.path(support.CERTIFICATE).exists()


def check_whole(sandbox: support.Sandbox, *states: support.State) -> None:
    """All is old or all is new, and nothing lies about."""
    assert sandbox.state() in states
    assert not os.path.lexists(sandbox.places.pending)
    # a journal that could not be written may lie among the old ones: there is no secret in it
    leftovers = [path for path in sandbox.everything() if "front-proxy-new" in path or "pending" in path]
    assert [path for path in leftovers if not path.endswith("Z/.journal.json.front-proxy-new")] == []
    for key in (OLD.key, NEW.key):
        assert set(sandbox.holders_of(key)) <= {support.KEY}
    check_always(sandbox)


def wanted_state(folder: Path) -> support.State:
    """What an undisturbed change makes."""
    sandbox = support.old_master(folder / "wanted")
    change(sandbox.order(NEW), sandbox.places)
    return sandbox.state()


def count_steps(folder: Path, work: t.Callable[[support.Sandbox], t.Any], made: support.Generation | None) -> int:
    """How many steps an undisturbed run takes."""
    sandbox = support.old_master(folder / "count", made)
    with faults.stepping(faults.die_at(0)) as steps:
        work(sandbox)
    return steps.count


def bring_forward(sandbox: support.Sandbox) -> None:
    """What the next run does: finish what was cut off, then decide anew."""
    if read_pending(sandbox.places) is not None:
        done = recover(sandbox.places, 5)
        assert not done.get("failed"), done
        assert sandbox.pair_loads()
    change(
        sandbox.order(
            NEW, None if sandbox.path(support.MANIFEST).read_text() == support.NEW_TEXT else support.NEW_TEXT
        ),
        sandbox.places,
    )


def apply(sandbox: support.Sandbox) -> None:
    change(sandbox.order(NEW), sandbox.places)


def apply_and_go_back(sandbox: support.Sandbox) -> None:
    """A change whose last step fails, so that it is put back."""
    real_put = install.put

    def put(staged: install.Staged) -> None:
        real_put(staged)
        if staged.path.endswith("kube-apiserver.yaml"):
            install.put = real_put
            raise MasterError("No.")

    install.put = put
    try:
        with contextlib.suppress(MasterError):
            apply(sandbox)
    finally:
        install.put = real_put


@pytest.mark.parametrize(
    ("work", "made"),
    [(apply, OLD), (apply, None), (apply_and_go_back, OLD)],
    ids=["a pair was there", "no pair was there", "it goes back"],
)
def test_killed_at_every_step(tmp_path: Path, work: t.Callable[[support.Sandbox], None], made: t.Any) -> None:
    wanted = wanted_state(tmp_path)
    total = count_steps(tmp_path, work, made)
    assert total > 40
    for number in faults.steps(total):
        sandbox = support.old_master(tmp_path / str(number), made)
        old = sandbox.state()

        def die(sandbox: support.Sandbox = sandbox, number: int = number) -> None:
            with faults.stepping(faults.die_at(number)):
                work(sandbox)

        assert support.in_child(die) == -signal.SIGKILL
        check_always(sandbox)
        if read_pending(sandbox.places) is None:
            assert sandbox.state() in (old, wanted)
        bring_forward(sandbox)
        check_whole(sandbox, wanted)


def test_killed_in_every_step_of_the_repair(tmp_path: Path) -> None:
    wanted = wanted_state(tmp_path)

    def broken(name: str) -> support.Sandbox:
        """A master whose change was killed between the key and the certificate."""
        sandbox = support.old_master(tmp_path / name, OLD)

        def die() -> None:
            real_rename = install.rename

            def rename(staged: install.Staged) -> None:
                if staged.path.endswith("pki/front-proxy-client.crt"):
                    os.kill(os.getpid(), signal.SIGKILL)
                real_rename(staged)

            install.rename = rename
            apply(sandbox)

        assert support.in_child(die) == -signal.SIGKILL
        assert not sandbox.pair_loads()
        return sandbox

    first = broken("first")
    with faults.stepping(faults.die_at(0)) as steps:
        done = recover(first.places, 5)
    assert done["recovered"] == "rolled back" and not done["failed"]
    assert first.path(support.KEY).read_bytes() == OLD.key and first.pair_loads()
    check_whole(first, first.state())
    assert steps.count > 20
    for number in faults.steps(steps.count):
        sandbox = broken(str(number))

        def die(sandbox: support.Sandbox = sandbox, number: int = number) -> None:
            with faults.stepping(faults.die_at(number)):
                recover(sandbox.places, 5)

        assert support.in_child(die) == -signal.SIGKILL
        check_always(sandbox)
        bring_forward(sandbox)
        check_whole(sandbox, wanted)


@pytest.mark.parametrize(("error", "made"), [(errno.ENOSPC, OLD), (errno.EIO, None)], ids=["ENOSPC", "EIO"])
def test_every_call_fails_once(tmp_path: Path, made: t.Any, error: int) -> None:
    wanted = wanted_state(tmp_path)
    for number in faults.steps(count_steps(tmp_path, apply, made)):
        sandbox = support.old_master(tmp_path / str(number), made)
        old = sandbox.state()
        order = sandbox.order(NEW)
        try:
            with faults.stepping(faults.fail_at(number, error)):
                change(order, sandbox.places)
        except MasterError as problem:
            assert str(problem).count("\n") == 0 and str(problem).endswith(".")
            assert "Errno" not in str(problem)
        if read_pending(sandbox.places) is not None:
            # only the notes could not be put away
            assert sandbox.state() in (old, wanted)
            assert not recover(sandbox.places, 5).get("failed")
        assert not os.path.lexists(sandbox.places.pending)
        assert sandbox.state() in (old, wanted)
        bring_forward(sandbox)
        check_whole(sandbox, wanted)


@pytest.mark.parametrize("work", [apply, apply_and_go_back])
def test_the_disk_is_full_from_a_step_on(tmp_path: Path, work: t.Callable[[support.Sandbox], None]) -> None:
    wanted = wanted_state(tmp_path)
    for number in faults.steps(count_steps(tmp_path, work, OLD)):
        sandbox = support.old_master(tmp_path / str(number), OLD)
        old = sandbox.state()
        with faults.stepping(faults.full_from(number)), contextlib.suppress(MasterError):
            work(sandbox)
        check_whole(sandbox, old, *([wanted] if work is apply else []))
        for path in (support.MANIFEST, support.BUNDLE, support.CERTIFICATE, support.KEY):
            # kube-apiserver does not notice a change of a file that has two names
            assert sandbox.path(path).stat().st_nlink == 1
