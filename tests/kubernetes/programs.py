# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' programs of a release: found in the cache, or built."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from keeping import built, named
from releases import NEWEST, OLDEST, Release, release_of

__all__ = ["find", "folder_of", "prepare"]

HERE = Path(__file__).resolve().parent
BUILDERS = {OLDEST: HERE / "from-debian", NEWEST: HERE / "from-modules"}


def folder_of(release: Release) -> Path:
    """Where the programs of a tested release are kept: another recipe has another folder."""
    recipe = [BUILDERS[release]]
    if release == NEWEST:
        recipe += sorted((HERE / "modules").glob("*/go.*"))
    return named(f"kubernetes-{release}", *(path.read_text(encoding="utf-8") for path in recipe))


def find(release: Release) -> Path | None:
    """Give the folder with the programs of a tested release, if they are built."""
    folder = folder_of(release)
    return folder if folder.exists() else None


def prepare(release: Release) -> Path:
    """Give the folder with the programs of a tested release, built if need be.

    An interrupted build is thrown away by the next one. Raises subprocess.CalledProcessError: the builder has said why.
    """
    folder = folder_of(release)
    with built(folder) as building:
        if building is not None:
            work = building / "work"
            work.mkdir()
            subprocess.run([BUILDERS[release], building], cwd=work, check=True)
            found = release_of(building / "kube-apiserver")
            if found != release:
                raise ValueError(f"The kube-apiserver that was built is of {found}, and not of {release}.")
            shutil.rmtree(work)
    return folder
