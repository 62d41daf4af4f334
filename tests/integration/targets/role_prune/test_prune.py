# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""kubeops.aggregation_layer.prune on masters whose kube-apiservers are pretended: check, run, run again, refuse."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
import time
import typing as t
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from sandboxes import Run, SandboxCase, make_authority, name

PRUNE, VERIFY = "kubeops.aggregation_layer.prune", "kubeops.aggregation_layer.verify"
ROLE = "kubeops.aggregation_layer.front_proxy"
HERE = Path(__file__).resolve().parent
CAS, NAMES = "requestheader-client-ca-file", "requestheader-allowed-names"
# The start of a process is known to a second: files that are this much older have been read at the start for sure.
OLDER = 3.5


class PruneCase(SandboxCase):
    """Two masters of one cluster, of which a CA and a name that they had before are still published."""

    def setUp(self) -> None:
        super().setUp()
        self.servers: dict[str, subprocess.Popen[str]] = {}
        self.addCleanup(self.stop)
        self.add_cluster("m1", "m2", bare=False)
        for host in ("m1", "m2"):
            self.move(host)
        self.write_inventory()
        time.sleep(OLDER)
        for host in ("m1", "m2"):
            self.start(host)
        self.own = self.content("m1", "front-proxy-ca.crt").decode()
        self.old = make_authority(name("front-proxy-ca")).certificate.public_bytes(Encoding.PEM).decode()
        self.publish(**{CAS: self.old + self.own, NAMES: '["former","front-proxy-client"]'})

    # ---- masters

    def move(self, host: str) -> None:
        """Let a master be this machine: its files are where its manifest says, below its folder."""
        master = self.masters[host]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        text = master.manifest.read_text(encoding="utf-8").replace(master.certificates_dir, str(master.certificates))
        text = text.replace("--secure-port=6443", f"--secure-port={port}\n    - --bind-address=127.0.0.1")
        master.manifest.write_text(text, encoding="utf-8")
        self.hosts[host] = {"front_proxy_manifest": str(master.manifest)}

    def start(self, host: str) -> None:
        lines = self.masters[host].manifest.read_text(encoding="utf-8").splitlines()
        words = [line[6:] for line in lines if line.startswith("    - --")]
        server = subprocess.Popen(
            ["kube-apiserver", str(HERE / "pretended_apiserver.py"), *words],
            executable=os.path.realpath(sys.executable),
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "CONFIG_MAP": str(self.config_map)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.servers[host] = server
        assert server.stdout is not None
        self.assertEqual(server.stdout.readline(), "serving\n")

    def stop(self, *hosts: str) -> None:
        for host in hosts or tuple(self.servers):
            server = self.servers.pop(host)
            server.kill()
            server.communicate()

    # ---- what is published

    @property
    def config_map(self) -> Path:
        return self.folder / "config-map.json"

    def published(self) -> dict[str, str]:
        with open(self.config_map, encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            data: dict[str, str] = json.load(stream)["data"]
        return data

    def publish(self, **data: str) -> None:
        with open(self.config_map, "r+", encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            found = json.load(stream)
            found["data"].update(data)
            stream.seek(0)
            stream.truncate()
            stream.write(json.dumps(found))

    # ---- runs

    def run_as_root(self, *arguments: str, playbook: str = PRUNE, **how: t.Any) -> Run:
        env = {"AS_ROOT": "1", "PYTHONPATH": os.pathsep.join([str(HERE / "site"), os.environ.get("PYTHONPATH", "")])}
        return self.play(*arguments, playbook=playbook, env=env, **how)

    def prune(self, *arguments: str, **how: t.Any) -> Run:
        return self.run_as_root("-e", "front_proxy_prune_watch=2", *arguments, **how)

    def refused(self, *arguments: str, hosts: t.Collection[str] = ("m1", "m2")) -> str:
        """The run fails on these hosts with one sentence, and changes nothing."""
        before = self.published()
        run = self.prune(*arguments, expect=None)
        self.assertEqual(set(run.failures), set(hosts), run.output[-3000:])
        self.assertEqual(self.published(), before)
        (sentence,) = set(run.failures.values())
        return sentence


class Prune(PruneCase):
    """What goes, and that it stays out."""

    def test_check_and_run_and_run_again(self) -> None:
        before = self.published()
        run = self.prune("--check", "--diff")
        self.assertEqual(run.changed_hosts, {"m1"})
        self.assertIn("would be taken out of", run.summary)
        self.assertIn("-name 'former': no master allows it", run.output)
        self.assertEqual(self.published(), before)

        run = self.prune()
        self.assertEqual(
            run.changed, {("m1", "kubeops.aggregation_layer.front_proxy : Take out what no master has any more")}
        )
        self.assertRegex(run.summary, r"(?s)taken out of .*CA CN=front-proxy-ca .*name 'former': .*still out after 2 s")
        self.assertEqual(self.published(), {**before, CAS: self.own, NAMES: '["front-proxy-client"]'})
        self.assertNotIn("PRIVATE KEY", run.output)

        run = self.prune("-vvv")
        self.assertEqual(run.changed, set())
        self.assertIn("nothing to take out", run.summary)
        self.assertEqual(self.published(), {**before, CAS: self.own, NAMES: '["front-proxy-client"]'})

    def test_the_fix_is_what_verify_says(self) -> None:
        report = self.folder / "report.json"
        self.run_as_root("-e", f"front_proxy_report={report}", "-e", "front_proxy_fail_on=never", playbook=VERIFY)
        findings = json.loads(report.read_text(encoding="utf-8"))["findings"]
        fixes = {each["fix"] for each in findings if each["id"] in ("ca-still-trusted", "name-still-allowed")}
        self.assertEqual(fixes, {f"run: ansible-playbook -i {self.inventory} {PRUNE}"})

    def test_new_files_are_waited_for(self) -> None:
        """One master has got its files just now; until its kube-apiserver reads them, it has others."""
        os.utime(self.masters["m2"].certificates / "front-proxy-client.crt")
        began = time.monotonic()
        self.assertIn("not yet: ", self.prune("--check").summary)
        self.assertLess(time.monotonic() - began, 50)
        run = self.prune()
        self.assertGreater(time.monotonic() - began, 60)
        self.assertIn("front-proxy-client.crt on m2 is new, and its kube-apiserver may need", run.output)
        self.assertEqual(run.changed_hosts, {"m1"})
        self.assertEqual(self.published()[CAS], self.own)

    def test_a_play_that_calls_the_role_twice(self) -> None:
        """What the first call saw is not what the second one decides by."""
        call = {"import_role": {"name": ROLE, "tasks_from": "prune"}}
        tasks = [call, call]
        run = self.run_as_root(
            "-e", "front_proxy_prune_watch=0", playbook=[{"hosts": "masters", "gather_facts": False, "tasks": tasks}]
        )
        self.assertIn("taken out of", "\n".join(run.summaries[0]))
        self.assertIn("nothing to take out", "\n".join(run.summaries[1]))


class Refused(PruneCase):
    """Where one master is not known, nothing is decided."""

    def test_masters_that_are_not_known(self) -> None:
        self.assertIn("m2 is left out of this run (--limit", self.refused("--limit", "m1", hosts=["m1"]))
        self.assertIn(
            "front_proxy_hosts is m1, which is one host of masters",
            self.refused("-e", "front_proxy_hosts=m1", hosts=["m1"]),
        )
        self.hosts["m2"]["ansible_python_interpreter"] = "/none/python"
        self.write_inventory()
        self.assertIn("m2 could not be looked at (", self.refused())
        del self.hosts["m2"]["ansible_python_interpreter"]
        self.write_inventory()
        self.stop("m2")
        self.assertIn("m2: no kube-apiserver runs there", self.refused())

    def test_only_the_cluster_that_is_not_known(self) -> None:
        self.add_cluster("b1", bare=False, variables={"front_proxy_cluster": "blue"})
        self.write_inventory()
        run = self.prune(expect=None)
        self.assertEqual(set(run.failures), {"b1"})
        self.assertIn("of blue: b1: only files below", run.failures["b1"])
        self.assertIn("cluster kubernetes: taken out of", run.summary)
        self.assertEqual(self.published()[CAS], self.own)

    def test_what_a_server_that_is_not_in_the_inventory_has_comes_back(self) -> None:
        with open(self.masters["m2"].certificates / "front-proxy-ca.crt", "a", encoding="ascii") as stream:
            stream.write(self.old)
        self.stop("m2")
        self.start("m2")
        del self.hosts["m2"]
        self.write_inventory()
        run = self.prune("-e", "front_proxy_prune_watch=20", expect=None)
        self.assertIn("came back after", run.failures["m1"])
        self.assertIn(self.old, self.published()[CAS])
