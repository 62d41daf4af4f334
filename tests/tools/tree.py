# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a copy of what git knows, in the kind of folder in which Ansible finds a collection."""

from __future__ import annotations

import os
import pathlib
import shutil
import stat
import subprocess

from places import NAME, NAMESPACE, ROOT, TREES, ToolError

# what ansible-test writes and uses again: its virtual environments
KEPT = pathlib.PurePath("tests/output")


def known_files(root: pathlib.Path = ROOT) -> list[str]:
    """Return the files of the checkout that git tracks or would track, as paths relative to its root."""
    command = [
        "git",
        "-c",
        "safe.directory=*",
        "-C",
        str(root),
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except FileNotFoundError as exc:
        raise ToolError("git is not installed: the tests run on a copy of what git knows, so install it.") from exc
    except subprocess.CalledProcessError as exc:
        reason = exc.stderr.decode(errors="replace").strip()
        raise ToolError(
            f"git cannot list the files of {root}, so run this in a git checkout. It says: {reason}"
        ) from exc
    names = sorted(set(os.fsdecode(done.stdout).split("\0")) - {""})
    # a file that git tracks may be deleted in the checkout
    return [name for name in names if os.path.lexists(root / name)]


def _same(source: pathlib.Path, target: pathlib.Path) -> bool:
    """Whether the two are the same kind of thing with the same content and mode."""
    if not os.path.lexists(target):
        return False
    here, there = source.lstat(), target.lstat()
    if here.st_mode != there.st_mode:
        return False
    if stat.S_ISLNK(here.st_mode):
        return os.readlink(source) == os.readlink(target)
    return here.st_size == there.st_size and source.read_bytes() == target.read_bytes()


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


def copy_tree(label: str, *, root: pathlib.Path = ROOT, keep_output: bool = True) -> pathlib.Path:
    """Bring the copy of that label up to date and return its path, TREES/label/ansible_collections/<namespace>/<name>.

    Unchanged files stay as they are; what git does not know is removed, but for ansible-test's output.
    """
    target = TREES / label / "ansible_collections" / NAMESPACE / NAME
    target.mkdir(parents=True, exist_ok=True)
    names = known_files(root)
    wanted = set(names)
    wanted_folders = {parent for name in names for parent in pathlib.PurePath(name).parents}
    for folder, folders, files in os.walk(target):
        relative = pathlib.PurePath(os.path.relpath(folder, target))
        if keep_output:
            folders[:] = [name for name in folders if relative / name != KEPT]
        for name in files + [name for name in folders if (pathlib.Path(folder) / name).is_symlink()]:
            if str(relative / name) not in wanted:
                _remove(pathlib.Path(folder) / name)
        for name in list(folders):
            if relative / name not in wanted_folders and (relative / name) not in KEPT.parents:
                _remove(pathlib.Path(folder) / name)
                folders.remove(name)
    for name in names:
        source, copy = root / name, target / name
        if _same(source, copy):
            continue
        # a file may have become a folder or the other way round
        for parent in reversed(copy.relative_to(target).parents):
            if os.path.lexists(target / parent) and (not (target / parent).is_dir() or (target / parent).is_symlink()):
                _remove(target / parent)
        _remove(copy)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, copy, follow_symlinks=False)
    return target
