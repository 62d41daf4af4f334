# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tools keep things: the checkout, and a cache outside of it that may be deleted at any time."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pathlib
import sys
import typing as t

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NAMESPACE, NAME = "kubeops", "aggregation_layer"


def _cache() -> pathlib.Path:
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    # the same folder as tests/kubernetes/keeping.py has
    return pathlib.Path(base).resolve() / "kubeops-aggregation-layer"


CACHE = _cache()
ENVIRONMENTS = CACHE / "environments"
TREES = CACHE / "trees"
LOGS = CACHE / "logs"
RESULTS = CACHE / "results"


class ToolError(Exception):
    """Something a person has to put right; the text says what and how."""


@contextlib.contextmanager
def locked(name: str, *, shared: bool = False) -> t.Iterator[None]:
    """Hold the lock of that name, alone or together with others who share it, waiting for it if need be.

    The system lets go of it when the process ends, however it ends.
    """
    try:
        CACHE.mkdir(parents=True, exist_ok=True)
        handle = open(CACHE / f"{name}.lock", "w", encoding="utf-8")  # noqa: SIM115
    except OSError as exc:
        raise ToolError(
            f"The cache folder {CACHE} cannot be written ({exc.strerror}): set XDG_CACHE_HOME to one that can."
        ) from exc
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with handle:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError:
            print(f"Another run holds {CACHE / name}.lock: waiting for it to end.", file=sys.stderr, flush=True)
            fcntl.flock(handle, kind)
        yield
