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
from watch.master import wait_for
from watch.playbook import Run

# how often: on the newest release, and on the others
KILLS, CUTS = (3, 2), (2, 1)

# A flag that does no harm and can have another value in every test. With the same few manifests again and again, the
# kubelet would wait for minutes before it starts a container another time.
FLAG = "max-requests-inflight"


def often(times: tuple[int, int]) -> list[t.Any]:
    """The numbers of the newest release; the first ones are for the others, too."""
    return [pytest.param(number, marks=pytest.mark.differs if number < times[1] else ()) for number in range(times[0])]


@pytest.fixture(scope="module")
def moments(remark: t.Callable[[str], None]) -> random.Random:
    """Where the random moments come from; the seed is said, so that they can be had again."""
    seed = random.SystemRandom().randrange(10**6)
    remark(f"random moments of interruptions: seed {seed}")
    return random.Random(seed)


@pytest.fixture(scope="module")
def roll_seconds(whole_cluster: Cluster) -> float:
    """How long it takes to change all masters, to choose moments from."""
    whole_cluster.wait_until_ready()
    whole_cluster.configure()
    run = whole_cluster.configure(front_proxy_extra_flags={FLAG: "401"})
    return time.monotonic() - run.started


@pytest.fixture(scope="module")
def change_seconds(whole_cluster: Cluster) -> t.Iterator[float]:
    """How long it takes to change one master."""
    whole_cluster.give("m2", {"front_proxy_extra_flags": {FLAG: "601"}})
    run = whole_cluster.configure()
    yield time.monotonic() - run.started
    whole_cluster.give("m2", {})


def interrupt(cluster: Cluster, run: Run, moment: float, how: t.Callable[[], None]) -> None:
    """Interrupt a run at a moment (seconds from its start), and see that the cluster is well by itself."""
    time.sleep(max(0.0, run.started + moment - time.monotonic()))
    how()
    cluster.wait_until_ready()
    # a change that is under way goes on by itself; until its end the old manifest lies beside the new one, unread
    wait_for(cluster.is_clean, "nothing but the manifests lies in their folders", seconds=360)


def nothing_is_left(cluster: Cluster) -> bool:
    """Whether no master has a temporary file, or the copy of a key that lies there while a change is under way."""
    paths = [path for master in cluster.masters for path in master.checksums()]
    return not [path for path in paths if "/." in path or ("-backup/" in path and path.endswith(".key"))]


@pytest.mark.parametrize("number", often(KILLS))
def test_after_a_killed_controller_the_next_run_finishes(
    cluster: Cluster, roll_seconds: float, moments: random.Random, number: int
) -> None:
    flags = {FLAG: str(402 + number)}
    run = cluster.start(front_proxy_extra_flags=flags)
    interrupt(cluster, run, moments.uniform(0.5, roll_seconds), run.kill)
    cluster.configure(front_proxy_extra_flags=flags)
    assert [master.apiserver().flags[FLAG] for master in cluster.masters] == [flags[FLAG]] * 3
    assert nothing_is_left(cluster)


@pytest.mark.parametrize("number", often(CUTS))
def test_after_a_cut_connection_the_next_run_finishes(
    cluster: Cluster, change_seconds: float, moments: random.Random, number: int
) -> None:
    second = cluster.masters[1]
    flags = {FLAG: str(602 + number)}
    cluster.give("m2", {"front_proxy_extra_flags": flags})
    run = cluster.start()

    def cut() -> None:
        # the sessions, not the daemon that takes new ones
        second.node.run("pkill", "-KILL", "-f", "^sshd: root", check=False)
        run.wait()

    interrupt(cluster, run, moments.uniform(0.5, change_seconds), cut)
    cluster.configure()
    assert second.apiserver().flags[FLAG] == flags[FLAG]
    assert nothing_is_left(cluster)
