# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clusters in one inventory, masters that disagree about the CA, and masters that a run leaves out."""

from __future__ import annotations

import typing as t

from sandboxes import SandboxCase, make_authorities

UNREACHABLE = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}


class SeveralClusters(SandboxCase):
    """Clusters go side by side, and a failure stops its own only."""

    def test_each_on_its_own(self) -> None:
        for cluster, hosts in {"blue": ("b1", "b2", "b3"), "grey": ("g1", "g2")}.items():
            self.add_cluster(*hosts, variables={"front_proxy_cluster": cluster})
        self.write_inventory()
        manifest = self.masters["b2"].manifest
        good = manifest.read_text(encoding="utf-8")
        manifest.write_text(
            good.replace("    - kube-apiserver\n", "    - /bin/sh\n    - -c\n    - kube-apiserver\n", 1),
            encoding="utf-8",
        )

        before = self.seen("b1", "b2", "b3")
        run = self.play(expect=None)
        self.assert_untouched(before, "b1", "b2", "b3")
        self.assert_configured("g1", "g2")
        self.assertEqual(set(run.failures), {"b1", "b2", "b3"}, run.failures.get("g1"))
        self.assertIn("shell", run.failures["b2"])
        for host in ("b1", "b3"):
            self.assertRegex(run.failures[host], r"^Not begun, because b2 ")
        self.assertFalse((self.pki / "blue").exists(), "a CA was made for a cluster that was refused")

        manifest.write_text(good, encoding="utf-8")
        self.assertEqual(self.play().changed_hosts, {"b1", "b2", "b3"})
        self.assert_configured("b1", "b2", "b3")
        self.assertNotEqual(self.content("b1", "front-proxy-ca.crt"), self.content("g1", "front-proxy-ca.crt"))

    def test_failure_while_writing(self) -> None:
        for cluster, hosts in {"blue": ("b1", "b2", "b3"), "grey": ("g1", "g2")}.items():
            self.add_cluster(*hosts, variables={"front_proxy_cluster": cluster})
        self.write_inventory()
        # a folder where the way back is to be kept: found out only when b1 is to be written
        obstacle = self.masters["b1"].root / "etc/kubernetes/front-proxy-backup"
        obstacle.write_text("in the way", encoding="utf-8")
        # and b1 is slow to answer, which must not put it last
        self.hosts["b1"]["slow"] = "{{ lookup('ansible.builtin.pipe', 'sleep 1') }}"
        self.write_inventory()
        mine = {
            "hosts": "masters",
            "gather_facts": False,
            "environment": {"SLOW": "{{ slow | default('') }}"},
            "tasks": [{"import_role": {"name": "kubeops.aggregation_layer.front_proxy"}}],
        }
        before = self.seen("b1", "b2", "b3")
        run = self.play(playbook=[mine], expect=None)
        self.assert_untouched(before, "b1", "b2", "b3")
        self.assertIn("front-proxy-backup", run.failures["b1"])
        for host in ("b2", "b3"):
            self.assertRegex(run.failures[host], r"^Not begun, because b1 ")
        self.assert_configured("g1", "g2")
        # running again finishes the work
        obstacle.unlink()
        self.play()
        self.assert_configured("b1", "b2", "b3")


class Disagreement(SandboxCase):
    """Masters of one cluster that hold different CAs."""

    def test_table_and_choice(self) -> None:
        shared = make_authorities(bare=False)
        other = make_authorities(bare=False)
        self.add_cluster("m1", "m3", authorities=shared)
        mixed = type(shared)(shared.cluster, shared.etcd, shared.service_accounts, other.front_proxy)
        self.add_cluster("m2", authorities=mixed)
        self.write_inventory()
        before = self.seen()
        run = self.play(expect=None)
        self.assert_untouched(before)
        message = "\n".join(run.failures.values())
        self.assertIn("front_proxy_ca_from", message)
        for host in ("m1", "m2", "m3"):
            self.assertRegex(message, rf"(?m)^{host} +front-proxy-ca +[0-9a-f]{{16}} +20[0-9]{{2}}-")

        # its key lies on m1, and must be on the controller for signing
        self.play("-e", "front_proxy_ca_from=m1", expect=None)
        folder = self.pki / "kubernetes"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.pki.chmod(0o700)
        for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
            (folder / file).write_bytes(self.content("m1", file))
            (folder / file).chmod(0o600)
        chosen = self.play("-e", "front_proxy_ca_from=m1")
        self.assertIn("m2", chosen.changed_hosts)
        self.assertNotIn("m3", chosen.changed_hosts)
        self.assert_configured("m1", "m2", "m3")
        self.assert_nothing_changed(self.play(), self.seen())


class PartOfACluster(SandboxCase):
    """A CA is made only when nobody can hold one."""

    def add(self, *hosts: str, **more: t.Any) -> None:
        self.shared = self.add_cluster(*hosts, **more)

    def test_limit_looks_at_the_others(self) -> None:
        self.add("m1", "m2", "m3")
        self.write_inventory()
        before = self.seen("m1", "m3")
        for arguments in (["--check"], []):
            run = self.play("--limit", "m2", *arguments)
            looked = [each for task in run.ran("apiserver_info") for each in task["result"].get("results", ())]
            self.assertEqual({each["item"] for each in looked}, {"m1", "m3"})
            self.assert_untouched(before, "m1", "m3")
        self.assert_configured("m2")

        # with the CA on the controller nobody else matters, even if it cannot be reached
        self.hosts["m3"].update(UNREACHABLE)
        self.write_inventory()
        self.play("--limit", "m1")
        self.assert_configured("m1", "m2")

        # it counts when it belongs to the run
        before = self.seen()
        run = self.play(expect=None)
        self.assert_untouched(before)
        self.assertIn("m3", run.failures)

    def test_unseen_master_may_hold_the_ca(self) -> None:
        self.add("m1", "m2", "m3")
        self.hosts["m3"].update(UNREACHABLE)
        self.write_inventory()
        before = self.seen()
        run = self.play("--limit", "m1", expect=None)
        self.assert_untouched(before)
        self.assertRegex(run.failures["m1"], r"No front-proxy CA was found, and m3 .*could not be looked at")

    def test_other_master_holds_the_ca(self) -> None:
        shared = make_authorities(bare=False)
        bare = type(shared)(shared.cluster, shared.etcd, shared.service_accounts, None)
        self.add_cluster("m1", "m2", authorities=bare)
        self.add_cluster("m3", authorities=shared)
        self.write_inventory()
        before = self.seen()
        run = self.play("--limit", "m1", expect=None)
        self.assert_untouched(before)
        self.assertIn("front-proxy-ca.key", run.failures["m1"])
        # the way out that the message names
        folder = self.pki / "kubernetes"
        folder.mkdir(mode=0o700, parents=True)
        self.pki.chmod(0o700)
        (folder / "front-proxy-ca.key").touch(mode=0o600)
        (folder / "front-proxy-ca.key").write_bytes(self.content("m3", "front-proxy-ca.key"))
        self.play("--limit", "m1")
        self.play()
        self.assert_configured("m1", "m2", "m3")
        self.assertEqual(self.content("m1", "front-proxy-ca.crt"), self.content("m3", "front-proxy-ca.crt"))
