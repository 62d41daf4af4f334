# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role in the plays of others, and the playbook as people call it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import typing as t
from pathlib import Path

from sandboxes import COLLECTION, CONFIGURE, SandboxCase

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
        self.write_inventory(group="somebodys")
        before = self.seen()
        mine = play({"import_role": {"name": ROLE}}, hosts="somebodys")
        for arguments in ((), ("-e", "front_proxy_hosts=m1")):
            run = self.play("--limit", "m1", *arguments, playbook=mine, expect=None)
            self.assert_untouched(before)
            self.assertIn("front_proxy_hosts", run.failures["m1"])
        self.play("-e", "front_proxy_hosts=somebodys", playbook=mine)
        self.assert_configured("m1", "m2", "m3")

    def test_a_group_that_the_role_knows(self) -> None:
        for group in ("kube_master", "kube_control_plane"):
            self.write_inventory(group=group)
            mine = play({"import_role": {"name": ROLE}}, hosts=group)
            run = self.play("--check", "--limit", "m1", playbook=mine)
            looked = [each for task in run.ran("apiserver_info") for each in task["result"].get("results", ())]
            self.assertEqual({each["item"] for each in looked}, {"m2", "m3"})


class SecondCall(SandboxCase):
    """The role called again in the same play: it starts from what is there, not from what the first call found."""

    def setUp(self) -> None:
        super().setUp()
        self.add_cluster("m1", "m2", "m3")
        self.write_inventory()

    def rescued(self, *mending: dict[str, t.Any], **role: t.Any) -> list[str]:
        """Let a first call fail, mend what made it fail, call again; returns the lines of the second summary."""
        call = {"import_role": {"name": ROLE}}
        run = self.play(playbook=play({"block": [{**call, **role}], "rescue": [*mending, call]}))
        self.assertEqual(run.output.count("rescued=0"), 3 - len(run.failures), "who was rescued")
        self.assertEqual(len(run.summaries), 2)
        lines: list[str] = run.summaries[1]
        self.assertNotIn("FAILED", "\n".join(lines))
        self.assertNotIn("Not begun", "\n".join(lines))
        self.assert_configured("m1", "m2", "m3")
        self.assert_nothing_changed(self.play(), self.seen())
        return lines

    def test_a_manifest_that_the_play_mends(self) -> None:
        manifest = self.masters["m1"].manifest
        good = shutil.copy2(manifest, self.folder / "good")
        manifest.write_text("kind: [", encoding="utf-8")
        lines = self.rescued(
            {"copy": {"src": str(good), "dest": str(manifest), "mode": "0600"}, "when": "inventory_hostname == 'm1'"}
        )
        for host in self.masters:
            self.assertIn(f"  {host}: 3 files written, manifest changed", lines)

    def test_one_master_that_fails_when_the_others_are_done(self) -> None:
        """Only that one is in the rescue; what the play knows of the others is from before their change."""
        obstacle = self.masters["m3"].root / "etc/kubernetes/front-proxy-backup"
        obstacle.write_text("in the way", encoding="utf-8")
        lines = self.rescued({"file": {"path": str(obstacle), "state": "absent"}})
        masters = [line for line in lines if line.startswith("  m")]
        self.assertEqual(masters, ["  m3: 3 files written, manifest changed"])

    def test_a_failure_to_sign(self) -> None:
        lines = self.rescued(vars={"front_proxy_ca_subject": {"country": "nowhere"}})
        self.assertIn("  m3: 3 files written, manifest changed", lines)

    def test_verify_and_verify_again(self) -> None:
        verify = {"import_role": {"name": ROLE, "tasks_from": "verify"}}
        configure = {"import_role": {"name": ROLE}}
        run = self.play(playbook=play({"block": [verify], "rescue": [configure, verify]}))
        self.assertRegex(run.output, r"BROKEN: [\s\S]*OK: the aggregation layer works")
        forgotten = [task for task in run.tasks if task["task"].endswith("Forget an earlier call of the role")]
        self.assertEqual([task["status"] for task in forgotten], ["skipped", "skipped", "ok"])


class Operator(SandboxCase):
    """What is signed is signed by the one who runs Ansible."""

    def setUp(self) -> None:
        super().setUp()
        self.add_cluster("m1", "m2", variables={"ansible_become": False})
        self.write_inventory()
        # group_vars/all hold for the controller, too
        groups = json.loads(self.inventory.read_text(encoding="utf-8"))
        groups["all"] = {"vars": {"ansible_become": True}}
        self.inventory.write_text(json.dumps(groups), encoding="utf-8")
        self.log = self.folder / "sudo.log"
        programs = self.folder / "bin"
        programs.mkdir()
        sudo = programs / "sudo"
        # -H -S -n -u root COMMAND
        sudo.write_text(f'#!/bin/sh\necho "$@" >> \'{self.log}\'\nshift 5\nexec "$@"\n', encoding="utf-8")
        sudo.chmod(0o755)
        # without the second one, Ansible leaves sudo out where root becomes root
        self.env = {"PATH": f"{programs}:{os.environ['PATH']}", "ANSIBLE_BECOME_ALLOW_SAME_USER": "1"}

    def test_without_sudo(self) -> None:
        for arguments in ((), ("--become", "-e", "front_proxy_renew_before=9999/10000")):
            self.play(*arguments, env=self.env)
            self.assert_configured("m1", "m2")
        self.assertFalse(self.log.exists(), "something was done with sudo")

    def test_what_the_command_line_forces_is_refused(self) -> None:
        before = self.seen()
        run = self.play("-e", "ansible_become=true", env=self.env, expect=None)
        self.assert_untouched(before)
        self.assertEqual(len(self.log.read_text(encoding="utf-8").splitlines()), 2, "the masters, and nothing else")
        self.assertRegex(run.failures["m1"], r"^ansible_become is true on the command line .* --become")
        self.assertIn("FAILED: ansible_become is true", run.summary)


class Playbook(SandboxCase):
    """kubeops.aggregation_layer.configure and verify: whom they work on."""

    VERIFY = "kubeops.aggregation_layer.verify"

    def setUp(self) -> None:
        super().setUp()
        self.add_cluster("m1", "m2", bare=False)

    def write_groups(self, groups: t.Mapping[str, t.Sequence[str]], **variables: t.Any) -> None:
        """Write an inventory folder with these groups, and a worker; variables: files of group_vars."""
        self.inventory = self.folder / "inventory"
        (self.inventory / "group_vars").mkdir(parents=True, exist_ok=True)
        everybody = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "front_proxy_pki_dir": str(self.pki),
        }
        content = {
            "all": {"hosts": {**self.hosts, "worker": {}}, "vars": everybody},
            **{group: {"hosts": {host: {} for host in hosts}} for group, hosts in groups.items()},
        }
        (self.inventory / "hosts.json").write_text(json.dumps(content), encoding="utf-8")
        for group, value in variables.items():
            text = json.dumps({"front_proxy_hosts": value})
            (self.inventory / "group_vars" / f"{group}.yml").write_text(text, encoding="utf-8")

    def assert_looked_at(self, *arguments: str, hosts: t.Sequence[str] = ("m1", "m2")) -> None:
        """Both playbooks look at these hosts, and at nobody else."""
        for playbook, module in ((CONFIGURE, "apiserver_info"), (self.VERIFY, "aggregation_layer_info")):
            run = self.play(*arguments, playbook=playbook)
            self.assertEqual(sorted(task["host"] for task in run.ran(module)), [*hosts])

    def assert_nobody(self, *arguments: str, words: str) -> None:
        """Both playbooks fail with these words."""
        before = self.seen()
        for playbook in (CONFIGURE, self.VERIFY):
            run = self.play(*arguments, playbook=playbook, expect=None)
            self.assertEqual(run.ran("apiserver_info") + run.ran("aggregation_layer_info"), [])
            self.assertRegex(run.output, words)
        self.assert_untouched(before)

    def test_group_vars_for_all(self) -> None:
        for value in ("control", "{{ 'con' ~ 'trol' }}"):
            self.write_groups({"control": ("m1", "m2"), "masters": ("worker",)}, all=value)
            self.assert_looked_at()
        self.assert_looked_at("--limit", "m2,worker", hosts=["m2"])
        self.assert_nobody("--limit", "worker", words=r"--limit worker leaves none of the masters \(control\)")
        self.assert_looked_at("-e", "front_proxy_hosts=m1", hosts=["m1"])

    def test_the_groups_of_others(self) -> None:
        self.write_groups({"kube_master": ("m1", "m2")})
        self.assert_looked_at("--tags", "front_proxy")
        self.write_groups({"kube_master": ("worker",), "kube_control_plane": ("m1", "m2")})
        self.assert_looked_at()
        self.assert_looked_at("--limit", "m1", hosts=["m1"])
        self.assert_nobody("--limit", "worker", words="--limit worker leaves none of the masters")
        self.write_groups({"kube_control_plane": ("m1", "m2"), "masters": ()})
        self.assert_nobody(words="no hosts in masters.*front_proxy_hosts")

    def test_group_vars_of_the_masters(self) -> None:
        """They come too late to choose hosts."""
        self.write_groups({"control": ("m1", "m2")}, control="control")
        self.assert_looked_at()
        self.write_groups({"control": ("m1", "m2"), "masters": ("m1",)}, masters="control")
        self.assert_nobody(words="front_proxy_hosts is control for m1.*group_vars/all")
        self.write_groups({"control": ("m1",), "more": ("m2",)}, more="more")
        self.assert_nobody(words="front_proxy_hosts is control for m1, more for m2.*group_vars/all")

    def test_no_group_and_no_hosts(self) -> None:
        self.write_groups({"somebody_else": ("m1", "m2")})
        self.assert_nobody(words="none of the groups masters, kube_control_plane, kube_master; set front_proxy_hosts")
        self.assert_nobody("--limit", "m1", words="none of the groups masters")
        self.assert_nobody("-e", "front_proxy_hosts=nobody", words="no hosts in nobody")
        self.assert_nobody("-e", '{"front_proxy_hosts": ["m1"]}', words="which is no pattern")
        self.play("--syntax-check")
        self.assert_nobody("-i", os.devnull, "--limit", "nobody", words="nobody")
        self.inventory = Path(os.devnull)
        self.assert_nobody("--limit", "m1", words="no hosts in masters")

    def test_a_master_that_is_the_controller(self) -> None:
        self.hosts["localhost"] = self.hosts.pop("m1")
        self.write_groups({"kube_control_plane": ("localhost", "m2")})
        self.assert_looked_at(hosts=["localhost", "m2"])
        self.assert_looked_at("--limit", "m2", hosts=["m2"])


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
