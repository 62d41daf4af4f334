# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The testbed itself: a second one beside the first does no harm, and what a killed one leaves is removed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from bed import cgroups
from bed.places import Names
from bed.shell import run
from bed.testbed import Testbed
from conftest import HERE, Cluster
from releases import Release
from watch.master import wait_for

HOLD = """
import signal, sys
sys.path[:0] = sys.argv[2:]
from bed.testbed import Testbed
from releases import Release
with Testbed(Release(sys.argv[1])) as bed:
    bed.add_node()
    print(bed.names.slot, flush=True)
    signal.pause()
"""


def traces(names: Names) -> list[str]:
    """What of a bed is on this machine."""
    found = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {names.folder}/" in line]
    found += [line for line in run("ip", "-oneline", "link").splitlines() if re.search(rf"\b{names.bridge}\b", line)]
    found += [line for line in run("ip", "netns").splitlines() if line.startswith(f"{names.bridge}-")]
    found += [str(path) for tree in cgroups.trees() for path in tree.glob(f"{names.bridge}-*")]
    return found + [str(path) for path in [names.folder] if path.exists()]


def processes(names: Names) -> list[str]:
    """The processes in the bed's control groups."""
    groups = [path for tree in cgroups.trees() for path in tree.glob(f"{names.bridge}-*/cgroup.procs")]
    return [pid for path in groups for pid in path.read_text().split()]


def test_what_a_killed_bed_leaves_is_removed_by_the_next_one(cluster: Cluster, release: Release) -> None:
    argv = [sys.executable, "-c", HOLD, str(release), str(HERE), str(HERE.parent / "kubernetes")]
    held = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert held.stdout is not None
    names = Names(int(held.stdout.readline()))
    assert names.slot != cluster.bed.names.slot
    assert processes(names) and traces(names)
    os.kill(held.pid, signal.SIGKILL)
    held.wait()
    wait_for(lambda: not processes(names), "the node ends with the run that booted it", seconds=60)
    assert traces(names)
    with Testbed(release) as other:
        other.add_node()
        assert other.names.slot == names.slot
    assert traces(names) == []
    # and the first bed is untouched
    assert traces(cluster.bed.names)
    cluster.wait_until_ready()
