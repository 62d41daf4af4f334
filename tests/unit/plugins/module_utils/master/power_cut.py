# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A change on a file system of its own, and what a power cut at each of its renames would leave there.

Run as a program by root, in a mount namespace that ends with it: ``power_cut.py FOLDER OLD NEW``, where the last two
hold the files of a generation. It prints a line for each moment: what comes next, which key and certificate are there
(``old`` or ``new``), and whether they load together.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.change import change
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.master import support

__all__ = ["can_run", "lines"]


def can_run() -> bool:
    """Whether this machine lets us make and mount a file system."""
    if os.geteuid() != 0:
        return False
    test = "truncate -s 8M image && mkfs.ext4 -q image && mkdir mounted && mount -o loop image mounted"
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["unshare", "-m", "sh", "-c", test], cwd=folder, check=False, capture_output=True)
    return done.returncode == 0


def lines(folder: Path, old: support.Generation, new: support.Generation) -> t.List[t.List[str]]:
    """Run it, and give the words of each line."""
    for name, made in (("old", old), ("new", new)):
        (folder / name).mkdir()
        for field, content in made._asdict().items():
            (folder / name / field).write_bytes(content)
    done = subprocess.run(
        ["unshare", "-m", sys.executable, __file__, str(folder), str(folder / "old"), str(folder / "new")],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    assert done.returncode == 0, done.stdout.decode()
    return [line.split() for line in done.stdout.decode().splitlines()]


def _run(*words: str) -> None:
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _read(folder: str) -> support.Generation:
    return support.Generation(*(Path(folder, name).read_bytes() for name in support.Generation._fields))


def main(folder: Path, old: support.Generation, new: support.Generation) -> None:
    """Change a master there, and look before each rename."""
    image, mounted, cut = folder / "image", folder / "mounted", folder / "cut"
    _run("truncate", "-s", "16M", str(image))
    _run("mkfs.ext4", "-q", str(image))
    mounted.mkdir()
    cut.mkdir()
    # it writes down by itself every five seconds otherwise, at a moment that nobody chooses
    _run("mount", "-o", "loop,commit=300", str(image), str(mounted))
    sandbox = support.old_master(mounted / "root", old)
    _run("sync")
    real = os.replace

    def look(what: str) -> None:
        shutil.copyfile(str(image), str(folder / "copy"))
        # the journal of the file system is played again, as at the next start of the machine
        _run("mount", "-o", "loop", str(folder / "copy"), str(cut))
        found = support.Sandbox(cut / "root")
        key = {old.key: "old", new.key: "new"}.get(found.path(support.KEY).read_bytes(), "another")
        contents = {old.certificate: "old", new.certificate: "new"}
        certificate = contents.get(found.path(support.CERTIFICATE).read_bytes(), "another")
        print(what, key, certificate, found.pair_loads())
        _run("umount", str(cut))

    def replace(source: str, target: str) -> None:
        if "front-proxy-backup" not in target:
            look(os.path.basename(target))
        real(source, target)

    os.replace = replace  # type: ignore[assignment]
    change(sandbox.order(new), sandbox.places)
    look("end")


if __name__ == "__main__":
    main(Path(sys.argv[1]), _read(sys.argv[2]), _read(sys.argv[3]))
