# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One hostile master among two clusters: whatever it says, the other cluster and the controller are as without it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

from sandboxes import Run, SandboxCase

VERIFY = "kubeops.aggregation_layer.verify"
LIAR = Path(__file__).resolve().parent / "lying_python.py"
# a refusal names the master; with the others it is believed, and only its own cluster is told what follows
REFUSED = ("shape", "huge", "escape", "deep")
BELIEVED = ("facts", "noise", "name", "flags")


class Hostile(SandboxCase):
    """Root on g1 of green is hostile; b1 and b2 are of blue."""

    def setUp(self) -> None:
        super().setUp()
        self.mark = self.folder / "mark"
        for cluster, hosts in {"blue": ("b1", "b2"), "green": ("g1", "g2")}.items():
            self.add_cluster(*hosts, variables={"front_proxy_cluster": cluster})
        self.hosts["g1"]["ansible_python_interpreter"] = str(LIAR)
        self.write_inventory()
        LIAR.chmod(0o755)

    def lies(self, lie: str, playbook: str, *arguments: str) -> Run:
        """Run a playbook, whatever its end is."""
        env = {"LIE": lie, "MARK": str(self.mark), "HONEST_PYTHON": sys.executable, "PKI": str(self.pki)}
        results = self.folder / "results.jsonl"
        results.unlink(missing_ok=True)
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), playbook, *arguments],
            env=self.environment(TASK_RESULTS=str(results), **env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        tasks = tuple(json.loads(line) for line in results.read_text(encoding="utf-8").splitlines())
        run = Run(done.returncode, done.stdout.decode("utf-8", "replace"), tasks)
        self.assertFalse(self.mark.exists(), f"{lie}: a command of the master was run\n{run.output[-3000:]}")
        steering = {character for character in run.output if unicodedata.category(character) in ("Cc", "Cf")} - {"\n"}
        self.assertEqual(steering, set(), f"{lie}: the terminal is steered")
        self.assertNotIn("Traceback", run.output)
        self.assertNotIn("$REDACTED$", run.output)
        return run

    def report(self, lie: str) -> tuple[Run, list[object], dict[str, object]]:
        """Verify: the run, what was found of blue, and the clusters with their masters."""
        path = self.folder / "report.json"
        path.unlink(missing_ok=True)
        run = self.lies(lie, VERIFY, "-e", f"front_proxy_report={path}")
        document = json.loads(path.read_text(encoding="utf-8"))
        return run, [found for found in document["findings"] if found["cluster"] == "blue"], document["clusters"]

    def test_no_lie_reaches_further(self) -> None:
        honest = self.report("none")
        self.assertEqual(honest[2], {"blue": ["b1", "b2"], "green": ["g1", "g2"]})
        for lie in (*REFUSED, *BELIEVED, "apiservice"):
            with self.subTest(lie=lie):
                run, blue, clusters = self.report(lie)
                self.assertEqual(blue, honest[1])
                self.assertEqual(clusters, honest[2])
                self.assertNotEqual(run.status, 0)
                # told by the master that fails, or by what is found of it
                self.assertIn("g1", run.output)

    def test_no_lie_keeps_the_other_cluster_from_being_configured(self) -> None:
        for lie in REFUSED:
            with self.subTest(lie=lie):
                run = self.lies(lie, "kubeops.aggregation_layer.configure", "--check")
                self.assertEqual(set(run.failures), {"g1", "g2"}, run.output[-3000:])
                self.assertTrue(run.failures["g2"].startswith("Not begun, because g1 of the same cluster is refused"))
        run = self.lies("shape", "kubeops.aggregation_layer.configure")
        self.assertEqual(set(run.failures), {"g1", "g2"})
        self.assert_configured("b1", "b2")
        self.assertEqual(os.listdir(self.pki), ["blue"])
        self.lies("facts", "kubeops.aggregation_layer.configure")
        self.assert_configured("g1", "g2")
        for lie in REFUSED:
            self.assertEqual(set(self.lies(lie, VERIFY).failures), {"g1", "g2"}, "a host fails for another cluster")

    def test_no_key_of_another_cluster_is_had(self) -> None:
        self.lies("none", "kubeops.aggregation_layer.configure", "--limit", "b1,b2")
        blue = (self.pki / "blue" / "front-proxy-client.key").read_bytes()
        run = self.lies("other_cluster", "kubeops.aggregation_layer.configure", "--limit", "g1")
        for root in self.roots("g1", "g2"):
            for path in root.rglob("*.key"):
                self.assertNotEqual(path.read_bytes(), blue)
        # where the folder serves others, one whose client CA is not seen gets nothing
        self.lies("none", "kubeops.aggregation_layer.configure", "--limit", "g2")
        (self.masters["g1"].certificates / "front-proxy-client.key").unlink(missing_ok=True)
        before = self.seen("g1")
        run = self.lies("other_cluster", "kubeops.aggregation_layer.configure")
        self.assertIn("front_proxy_allow_unknown_client_ca: true", run.failures["g1"])
        self.assert_untouched(before, "g1")


class NothingButTheContract(SandboxCase):
    """The results of the tasks hold what is documented, whatever else is said."""

    def test_results(self) -> None:
        self.add_cluster("g1")
        self.hosts["g1"]["ansible_python_interpreter"] = str(LIAR)
        self.write_inventory()
        LIAR.chmod(0o755)
        env = {"LIE": "facts", "MARK": str(self.folder / "mark"), "HONEST_PYTHON": sys.executable, "PKI": str(self.pki)}
        run = self.play(env=env)
        for action in ("apiserver_info", "apiserver"):
            for result in run.ran(action, host="g1"):
                told = set(result["result"]) - {"invocation"}
                odd = told & {"ansible_facts", "add_host", "warnings", "diff", "skipped", "results", "carry"}
                self.assertEqual(odd, set(), action)
                self.assertFalse([key for key in told if key.startswith("_ansible_new")])
