# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role on three bare masters, from the first run to a renewal, and on masters that kubeadm configured."""

from __future__ import annotations

import json
import shutil
import typing as t
from pathlib import Path

from sandboxes import Run, SandboxCase, snapshot


class BareMasters(SandboxCase):
    """A cluster without aggregation layer."""

    def test_from_bare_to_renewed(self) -> None:
        self.add_cluster("m1", "m2", "m3")
        self.write_inventory()

        before = self.seen()
        predicted = self.play("--check", "--diff")
        self.assert_untouched(before)
        self.assertEqual(predicted.changed_hosts, {"m1", "m2", "m3"})
        self.assertIn("would be done", predicted.summary)

        real = self.play("--diff")
        self.assertEqual(real.changed, predicted.changed)
        self.assertEqual(self.reasons(real), self.reasons(predicted))
        self.assert_configured("m1", "m2", "m3")
        self.assertEqual(len(real.ran("front_proxy_ca")), 1)
        self.assertEqual(len(real.ran("front_proxy_client")), 1)
        self.assertEqual(len(real.ran("apiserver")), 3)
        self.assertIn("+    - --requestheader-username-headers=X-Remote-User", real.output)
        self.assertIn("a private key (not shown)", real.output)
        for host in ("m1", "m2", "m3"):
            self.assertRegex(real.summary, rf"{host}: 3 files written, manifest changed")
        ours = (self.pki / "kubernetes", self.pki)
        self.assertEqual([oct(folder.stat().st_mode & 0o777) for folder in ours], ["0o700", "0o700"])

        before = self.seen()
        for arguments in ([], ["--check", "--diff"]):
            again = self.play(*arguments)
            self.assert_nothing_changed(again, before)
            # one round trip a master: it is observed, and that is all
            self.assertEqual(len(again.ran("apiserver_info")), 3)
            self.assertEqual(again.ran("apiserver") + again.ran("front_proxy_ca") + again.ran("front_proxy_client"), [])
            # and one process: what is done once is done for the first one
            told = {task["task"].rpartition(" : ")[2] for task in again.tasks if task["host"] in ("m2", "m3")}
            self.assertEqual(told, {"Observe this master"})
            self.assertRegex(again.summary, r"m3: nothing to do")

        self.check_cut_off()
        self.check_cut_off_on_all()
        self.check_fourth_master()
        self.check_renewal()
        self.check_lost_controller()

    @staticmethod
    def reasons(run: Run) -> dict[str, list[str]]:
        return {task["host"]: task["result"]["reasons"] for task in run.ran("apiserver")}

    def check_cut_off(self) -> None:
        """A run was killed between key and certificate: the next one goes back, and then does all of it."""
        backups = self.cut_off("m2")
        before = self.seen()
        predicted = self.play("--check")
        self.assert_untouched(before)
        self.assertIn("was cut off and is finished first", predicted.summary)
        run = self.play()
        self.assertEqual(run.changed_hosts, {"m2"})
        self.assertRegex(run.summary, r"first: Rolled back a change that began at \S+ and was cut off")
        self.assert_configured("m1", "m2", "m3")
        self.assertFalse((backups / "pending").exists())
        before = self.seen()
        self.assert_nothing_changed(self.play(), before)

    def check_cut_off_on_all(self) -> None:
        """Two masters are left like this, and one cannot be finished: the second one is not begun."""
        folders = [self.cut_off(name) for name in ("m1", "m3")]
        saved = folders[0] / "pending" / "journal.json"
        journal = saved.read_text(encoding="utf-8")
        obstacle = self.masters["m1"].certificates / "front-proxy-client.key"
        # what is to be removed cannot be: a folder is in its place, which the notes take for their own
        key = obstacle.read_bytes()
        obstacle.unlink()
        (obstacle / "full").mkdir(parents=True)
        saved.write_text(json.dumps(self.marked(json.loads(journal), obstacle)), encoding="utf-8")
        other = self.seen("m3")
        run = self.play(expect=None)
        self.assertRegex(run.summary, r"m1: FAILED")
        self.assertRegex(run.output, r"Not begun, because m1 of the same cluster failed; mend that first, then run")
        self.assertEqual(self.seen("m3"), other)
        (obstacle / "full").rmdir()
        obstacle.rmdir()
        obstacle.write_bytes(key)
        saved.write_text(json.dumps(self.marked(json.loads(journal), obstacle)), encoding="utf-8")
        run = self.play()
        finished = [
            task["host"] for task in run.tasks if task["task"].endswith("Finish what was cut off on this master")
        ]
        self.assertEqual(finished, ["m1", "m3"])
        self.assert_configured("m1", "m2", "m3")

    @staticmethod
    def marked(journal: dict[str, t.Any], key: Path) -> dict[str, t.Any]:
        """The journal, which takes what is at this place for what it put there itself."""
        status = key.stat()
        for entry in journal["files"]:
            if entry["path"] == str(key):
                entry["new"] = f"{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"
        return {**journal, "state": "applying"}

    def cut_off(self, name: str) -> Path:
        """Leave a master as if its first change had been killed between key and certificate; give its backups."""
        root, pki = self.masters[name].root, self.masters[name].certificates
        backups = root / "etc/kubernetes/front-proxy-backup"
        first = min(folder for folder in backups.iterdir() if folder.is_dir())
        pending = first.rename(backups / "pending")
        journal = json.loads((pending / "journal.json").read_text(encoding="utf-8"))
        manifest = root / "etc/kubernetes/manifests/kube-apiserver.yaml"
        shutil.copyfile(pending / journal["manifest"]["copy"], manifest)
        shutil.copyfile(pki / "sa.key", pki / "front-proxy-client.key")
        journal = self.marked(journal, pki / "front-proxy-client.key")
        (pending / "journal.json").write_text(json.dumps(journal), encoding="utf-8")
        return backups

    def check_fourth_master(self) -> None:
        """A master that joins gets the same CA, and nobody else is touched."""
        before = self.seen()
        self.add_cluster("m4")
        # the same cluster has the same client CA
        for file in ("ca.crt", "ca.key"):
            shutil.copy2(self.masters["m1"].certificates / file, self.masters["m4"].certificates / file)
        self.write_inventory()
        joined = self.play()
        self.assertEqual(joined.changed_hosts, {"m4"})
        self.assert_configured("m1", "m2", "m3", "m4")
        self.assertEqual({path: self.seen()[path] for path in before}, before)

    def check_renewal(self) -> None:
        """A pair that is due is replaced on all masters by one new pair; no manifest changes."""
        manifests = [master.manifest for master in self.masters.values()]
        before, cas = snapshot(*manifests), {self.content(host, "front-proxy-ca.crt") for host in self.masters}
        old = {self.content(host, "front-proxy-client.key") for host in self.masters}
        renewed = self.play("--diff", "-e", "front_proxy_renew_before=9999/10000")
        self.assertEqual(renewed.changed_hosts, set(self.masters))
        self.assertEqual(snapshot(*manifests), before)
        new = {self.content(host, "front-proxy-client.key") for host in self.masters}
        self.assertEqual(len(new), 1)
        self.assertFalse(new & old, "a renewal makes a new key")
        self.assertEqual({self.content(host, "front-proxy-ca.crt") for host in self.masters}, cas)
        self.assert_configured(*self.masters)
        self.assertIn("due for renewal", renewed.summary)

    def check_lost_controller(self) -> None:
        """Without the controller's folder nothing changes: the CA is on the masters."""
        shutil.rmtree(self.pki)
        before = self.seen()
        self.assert_nothing_changed(self.play(), before)


class KubeadmMasters(SandboxCase):
    """A cluster on which kubeadm did all but routing."""

    def test_only_routing_changes(self) -> None:
        self.add_cluster("m1", "m2", bare=False)
        self.write_inventory()
        before = self.seen()
        for arguments in (["--check"], []):
            kept = self.play(*arguments)
            self.assert_nothing_changed(kept, before)
        # a sandbox has no processes to look at, so nothing is known and nothing is decided
        self.assertIn("set front_proxy_aggregator_routing", kept.summary)
        self.assertFalse(self.pki.exists(), "nothing was to be signed, so nothing was to be kept")

        pairs = {host: self.content(host, "front-proxy-client.crt") for host in self.masters}
        routed = self.play("-e", "front_proxy_aggregator_routing=true")
        self.assertEqual(routed.changed_hosts, {"m1", "m2"})
        for host in self.masters:
            self.assert_flag(host, "enable-aggregator-routing", "true")
        self.assert_configured("m1", "m2")
        self.assert_nothing_changed(self.play("-e", "front_proxy_aggregator_routing=true"), self.seen())
        # auto never takes away what is there
        self.assert_nothing_changed(self.play(), self.seen())

        self.play("-e", "front_proxy_aggregator_routing=false")
        for host in self.masters:
            self.assert_flag(host, "enable-aggregator-routing", "false")
        self.assertEqual({host: self.content(host, "front-proxy-client.crt") for host in self.masters}, pairs)
