# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller is killed, or the connection cut, at random moments of a roll: every time the next run finishes it."""

from __future__ import annotations

import random
import time
import typing as t

import pytest
from conftest import Cluster
from watch.playbook import Run

KILLS, CUTS = 20, 10


@pytest.fixture(scope="module")
def seconds(whole_cluster: Cluster) -> float:
    """How long a roll takes here, to choose moments from."""
    whole_cluster.wait_until_ready()
    whole_cluster.configure()
    run = whole_cluster.configure(front_proxy_extra_flags={"v": "0"})
    return time.monotonic() - run.started


@pytest.fixture(scope="module")
def moments(seconds: float, remark: t.Callable[[str], None]) -> random.Random:
    """Where the random moments come from; the seed is said, so that they can be had again."""
    seed = random.SystemRandom().randrange(10**6)
    remark(f"random moments of interruptions: seed {seed}, a roll takes {seconds:.0f} s")
    return random.Random(seed)


def interrupted(cluster: Cluster, run: Run, moment: float, interrupt: t.Callable[[], None], level: str) -> None:
    """Interrupt a roll at a moment (seconds from its start), and see that all is well, now and after the next run."""
    time.sleep(max(0.0, run.started + moment - time.monotonic()))
    interrupt()
    # by themselves, without another run
    cluster.wait_until_ready()
    assert cluster.is_clean(), [master.in_manifests for master in cluster.masters]
    cluster.configure(front_proxy_extra_flags={"v": level})
    for master in cluster.masters:
        assert master.apiserver().flags["v"] == level
        leftovers = [path for path in master.checksums() if path.rpartition("/")[2].startswith(".")]
        assert leftovers == []
        assert not [path for path in master.checksums() if "backup" in path and path.endswith(".key")]


@pytest.mark.parametrize("number", range(KILLS))
def test_after_a_killed_controller_the_next_run_finishes(
    cluster: Cluster, seconds: float, moments: random.Random, number: int
) -> None:
    level = str(1 + number % 2)
    run = cluster.start(front_proxy_extra_flags={"v": level})
    interrupted(cluster, run, moments.uniform(0.5, seconds), run.kill, level)


@pytest.mark.parametrize("number", range(CUTS))
def test_after_a_cut_connection_the_next_run_finishes(
    cluster: Cluster, seconds: float, moments: random.Random, number: int
) -> None:
    level = str(3 + number % 2)
    run = cluster.start(front_proxy_extra_flags={"v": level})

    def cut() -> None:
        for master in cluster.masters:
            # the sessions, not the daemon that takes new ones
            master.node.run("pkill", "-KILL", "-f", "^sshd: root", check=False)
        run.wait()

    interrupted(cluster, run, moments.uniform(0.5, seconds), cut, level)
