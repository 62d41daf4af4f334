# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where and with what was measured, and the text that the documentation quotes."""

from __future__ import annotations

import os
import platform
import re
import typing as t
from pathlib import Path

from ansible.release import __version__ as core
from cluster_half import cluster_as_text
from cost import BenchError
from many import many_as_text
from rerun import as_text

__all__ = ["as_report", "check_markers", "described", "replace"]

_BEGIN, _END = ".. begin of what tests/bench/run writes", ".. end of what tests/bench/run writes"


def described(collection: Path) -> dict[str, t.Any]:
    """The machine without its name, and the releases of what both halves use."""
    memory = re.search(r"^MemTotal: +(\d+) kB", Path("/proc/meminfo").read_text(encoding="ascii"), re.MULTILINE)
    version = re.search(r"^version: *(\S+)", (collection / "galaxy.yml").read_text(encoding="utf-8"), re.MULTILINE)
    return {
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.group(1)) / 2**20) if memory else 0,
        "releases": {
            "this collection": version.group(1) if version else "unknown",
            "ansible-core": core,
            "Python": platform.python_version(),
        },
    }


def as_report(results: t.Mapping[str, t.Any]) -> str:
    """Give all results as text. sandboxes and cluster may be missing, if they were not measured."""
    machine, cluster, sandboxes = results["machine"], results.get("cluster"), results.get("sandboxes")
    releases = {**machine["releases"], **(cluster["releases"] if cluster else {})}
    named = ", ".join(f"{name} {release}" for name, release in releases.items())
    where = f"{machine['cores']} cores, {machine['memory_gib']} GiB of memory, masters included; {named}."
    parts = [f"Made with ``{results['command']}``; {where}\n"]
    if cluster:
        parts.append(cluster_as_text(cluster))
    if sandboxes:
        parts += [as_text(sandboxes), many_as_text(results["many"])]
    return "\n".join(parts)


def _split(path: Path) -> tuple[str, str]:
    """What stands before and behind the tables, each with its marker."""
    try:
        old = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BenchError(f"{path} cannot be read: {error.strerror}.") from error
    before, begin, rest = old.partition(f"{_BEGIN}\n")
    dummy, end, after = rest.partition(_END)
    if not begin or not end:
        raise BenchError(f"{path} does not have the lines '{_BEGIN}' and '{_END}': add them where the tables belong.")
    return before + begin, end + after


def check_markers(path: Path) -> None:
    """Raise BenchError if the file has no place for the tables."""
    _split(path)


def replace(path: Path, text: str) -> None:
    """Put the text between the two markers of a file. Raises BenchError if it has none."""
    before, after = _split(path)
    path.write_text(f"{before}\n{text.strip()}\n\n{after}", encoding="utf-8")
