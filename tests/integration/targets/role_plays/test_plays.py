# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role in the plays of others, and the playbook as people call it."""

from __future__ import annotations

import subprocess
import typing as t
from pathlib import Path

from sandboxes import COLLECTION, SandboxCase

ROLE = "kubeops.aggregation_layer.front_proxy"


def play(*tasks: dict[str, t.Any], **keywords: t.Any) -> list[dict[str, t.Any]]:
    """A play on the masters, without facts."""
    return [{"hosts": "masters", "gather_facts": False, "tasks": list(tasks), **keywords}]


class OthersPlays(SandboxCase):
    """Three bare masters, configured by somebody's own play."""

    def setUp(self) -> None:
        super().setUp()
        self.add_cluster("m1", "m2", "m3")
        self.write_inventory()

    def test_serial(self) -> None:
        mine = play({"import_role": {"name": ROLE}}, serial=1)
        self.play(playbook=mine)
        self.assert_configured("m1", "m2", "m3")
        self.assertEqual(len({self.content(host, "front-proxy-client.key") for host in self.masters}), 1)
        self.assert_nothing_changed(self.play(playbook=mine), self.seen())

    def test_include_role_with_tags_and_without_become(self) -> None:
        mine = play(
            {"name": "Never run", "fail": {"msg": "not asked for"}},
            {
                "include_role": {"name": ROLE, "apply": {"tags": ["layer"], "become": False}},
                "tags": ["layer"],
            },
            become=False,
        )
        self.play("--tags", "layer", playbook=mine)
        self.assert_configured("m1", "m2", "m3")
        self.assert_nothing_changed(self.play("--tags", "layer", playbook=mine), self.seen())

    def test_strategy_free(self) -> None:
        """Whether it works or is refused: nothing may be half done or different on each master."""
        before = self.seen()
        run = self.play(playbook=play({"import_role": {"name": ROLE}}, strategy="free"), expect=None)
        self.assert_untouched(before)
        self.assertRegex("\n".join(run.failures.values()), "strategy")

    def test_a_failure_that_the_play_rescues_stops_the_cluster(self) -> None:
        (self.masters["m1"].root / "etc/kubernetes/front-proxy-backup").write_text("in the way", encoding="utf-8")
        role = {"import_role": {"name": ROLE}}
        rescued = play({"block": [role], "rescue": [{"debug": {"msg": "and on it goes"}}]})
        before = self.seen("m1", "m2", "m3")
        for mine, status in ((rescued, 0), (play(role, ignore_errors=True), None)):
            run = self.play(playbook=mine, expect=status)
            self.assert_untouched(before, "m1", "m2", "m3")
            self.assertIn("Not begun, because m1 of the same cluster failed", run.output)

    def test_a_cluster_that_only_the_play_names(self) -> None:
        """The other hosts do not know of it, and one of them may hold its CA."""
        mine = play({"import_role": {"name": ROLE}}, vars={"front_proxy_cluster": "blue"})
        run = self.play("--limit", "m1", playbook=mine)
        looked = [each for task in run.ran("apiserver_info") for each in task["result"].get("results", ())]
        self.assertEqual({each["item"] for each in looked}, {"m2", "m3"})
        self.assert_configured("m1")

    def test_a_group_that_the_role_was_not_told(self) -> None:
        self.write_inventory(group="kube_control_plane")
        before = self.seen()
        mine = play({"import_role": {"name": ROLE}}, hosts="kube_control_plane")
        for arguments in ((), ("-e", "front_proxy_hosts=m1")):
            run = self.play("--limit", "m1", *arguments, playbook=mine, expect=None)
            self.assert_untouched(before)
            self.assertIn("front_proxy_hosts", run.failures["m1"])
        self.play("-e", "front_proxy_hosts=kube_control_plane", playbook=mine)
        self.assert_configured("m1", "m2", "m3")


class Playbook(SandboxCase):
    """kubeops.aggregation_layer.configure."""

    def test_other_group_and_tag(self) -> None:
        self.add_cluster("m1", "m2")
        self.write_inventory(group="kube_control_plane")
        self.play("-e", "front_proxy_hosts=kube_control_plane", "--tags", "front_proxy")
        self.assert_configured("m1", "m2")

    def test_no_hosts(self) -> None:
        self.write_inventory(group="somebody_else")
        run = self.play(expect=None)
        self.assertRegex(run.output, r"masters.*front_proxy_hosts|front_proxy_hosts.*masters")

    def test_limit_to_nobody(self) -> None:
        self.add_cluster("m1")
        self.write_inventory()
        self.hosts["m1"]["elsewhere"] = True
        self.play("--limit", "nobody", expect=None)


class Installed(SandboxCase):
    """The collection as ansible-galaxy builds and installs it."""

    def test_from_the_archive(self) -> None:
        self.installed = self.folder / "installed"
        self.galaxy("build", str(COLLECTION), "--output-path", str(self.folder))
        archive = next(self.folder.glob("kubeops-aggregation_layer-*.tar.gz"))
        self.galaxy("install", "--offline", "--no-deps", "-p", str(self.installed), str(archive))
        self.add_cluster("m1", "m2")
        self.write_inventory()
        self.play()
        self.assert_configured("m1", "m2")
        self.assert_nothing_changed(self.play("--check"), self.seen())

    def galaxy(self, *arguments: str) -> None:
        command: list[str | Path] = ["ansible-galaxy", "collection", *arguments]
        done = subprocess.run(command, env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
