# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders outside of the checkout that are built once: each is there as a whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import time
import typing as t
from pathlib import Path

__all__ = ["HOME", "built", "named"]

#: Outside of the checkout; a new machine builds it again.
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kubeops-aggregation-layer"

UNUSED = 7 * 86400  # seconds


def named(kind: str, *recipe: str) -> Path:
    """The folder for what this recipe makes. Another recipe has another folder."""
    return HOME / f"{kind}-{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def built(folder: Path) -> t.Iterator[Path | None]:
    """Give a folder to build in, which becomes ``folder`` in one step if all went well; None if that is there.

    Folders of the same kind that nobody asked for in a week are removed: one of another recipe may be in use by another
    checkout. Only one process builds at a time.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    kind = folder.name.rpartition("-")[0]
    with open(folder.parent / f"{kind}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            os.utime(folder)
            yield None
            return
        building = folder.with_name(f"{folder.name}.building")
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir()
        yield building
        building.rename(folder)
        for old in folder.parent.glob(f"{kind}-*"):
            named_so = re.fullmatch(r"[0-9a-f]{12}(\.building)?", old.name[len(kind) + 1 :])
            if named_so and time.time() - old.stat().st_mtime > UNUSED:
                shutil.rmtree(old)
