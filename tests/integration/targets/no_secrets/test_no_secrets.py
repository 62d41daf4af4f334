# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No private key and no passphrase is in any output, log or temporary file, however much is asked for."""

from __future__ import annotations

from pathlib import Path

from sandboxes import SandboxCase, key_lines

PASSPHRASE = "Eine-ganz-geheime-Losung-4711"


class NoSecrets(SandboxCase):
    """Everything that a run leaves behind is searched for every key that there is."""

    def setUp(self) -> None:
        super().setUp()
        self.words = self.folder / "words.yml"
        self.words.write_text(f"front_proxy_ca_passphrase: {PASSPHRASE}\n", encoding="utf-8")
        self.lines: set[str] = set()
        self.searched: list[Path] = []

    def gather(self) -> None:
        """Remember all keys that are there now; some will be replaced."""
        for folder in (self.pki, *self.roots()):
            for key in folder.rglob("*.key"):
                self.lines |= key_lines(key)

    def assert_unseen(self, run_output: str) -> None:
        """Search the output, and every file that is not a key in its own place."""
        self.gather()
        places = {"(output)": run_output}
        own = {self.pki, *self.roots()}
        for path in self.folder.rglob("*"):
            if not path.is_file() or path == self.words or (path.suffix == ".key" and own & set(path.parents)):
                continue
            places[str(path)] = path.read_bytes().decode("utf-8", "replace")
        for place, text in places.items():
            self.assertFalse(PASSPHRASE in text, f"the passphrase is in {place}")
            for line in self.lines:
                where = text.find(line)
                self.assertEqual(where, -1, f"a part of a private key is in {place}, after {text[:where][-300:]!r}")

    def run_loudly(self, *arguments: str, expect: int | None = 0, **variables: str) -> str:
        env = {"ANSIBLE_LOG_PATH": str(self.folder / f"log-{self.runs}"), **variables}
        run = self.play("-vvvvv", "--diff", "-e", f"@{self.words}", *arguments, env=env, expect=expect)
        self.assertGreater(len(run.output), 5000)
        if "ANSIBLE_LOG_PATH" not in variables:
            self.assertGreater(Path(env["ANSIBLE_LOG_PATH"]).stat().st_size, 5000)
        self.assert_unseen(run.output)
        return run.output

    def test_search_finds_a_key(self) -> None:
        """The search itself can fail."""
        self.add_cluster("m1")
        self.gather()
        self.assertTrue(self.lines)
        key = self.masters["m1"].certificates / "apiserver.key"
        for text in (key.read_text(encoding="ascii"), repr(key.read_text(encoding="ascii")), PASSPHRASE):
            with self.assertRaises(AssertionError):
                self.assert_unseen(text)
        copied = self.temporary / "copied"
        copied.write_bytes(key.read_bytes())
        with self.assertRaises(AssertionError):
            self.assert_unseen("")

    def test_role(self) -> None:
        for key_type in ("RSA", "ECDSA"):
            with self.subTest(key_type):
                host = key_type.lower()
                self.add_cluster(host, variables={"front_proxy_cluster": host, "front_proxy_key_type": key_type})
        self.write_inventory()
        self.run_loudly("--check")
        self.run_loudly()
        self.run_loudly("-e", "front_proxy_renew_before=9999/10000")
        self.assert_configured("rsa")
        self.assert_configured("ecdsa")

    def test_failing_role(self) -> None:
        self.add_cluster("m1", "m2")
        self.write_inventory()
        obstacle = self.masters["m1"].root / "etc/kubernetes/front-proxy-backup"
        obstacle.write_text("in the way", encoding="utf-8")
        self.run_loudly(expect=None)
        # the key is there now, and the wrong one at that
        (self.pki / "kubernetes" / "front-proxy-client.key").write_bytes(
            (self.masters["m1"].certificates / "sa.key").read_bytes()
        )
        self.run_loudly(expect=None)
        self.run_loudly(expect=None, ANSIBLE_KEEP_REMOTE_FILES="1")

    def test_debug(self) -> None:
        """Ansible itself prints what modules are given if ANSIBLE_DEBUG is set: that must be refused."""
        self.add_cluster("m1")
        self.write_inventory()
        before = self.seen()
        output = self.run_loudly(expect=None, ANSIBLE_DEBUG="1")
        self.assertIn("ANSIBLE_DEBUG", output)
        self.assert_untouched(before)

    def test_modules(self) -> None:
        """The modules alone in a playbook, with contents given as text, and mistakes."""
        self.add_cluster("m1", bare=False)
        self.write_inventory()
        pki = self.masters["m1"].certificates
        loaded = "{{ lookup('ansible.builtin.file', '%s') }}"
        files = [
            {
                "path": "/etc/kubernetes/pki/front-proxy-client.key",
                "content": loaded % (pki / "apiserver-kubelet-client.key"),
            },
            {
                "path": "/etc/kubernetes/pki/front-proxy-client.crt",
                "content": loaded % (pki / "apiserver-kubelet-client.crt"),
            },
        ]
        apiserver = {"root": "{{ front_proxy_root }}", "files": files}
        module = "kubeops.aggregation_layer.apiserver"
        mistakes = [
            {**apiserver, "files": [{**files[0], "mode": "0644"}]},
            {**apiserver, "files": [{**files[0], "colour": "red"}]},
            {**apiserver, "files": [files[0], {**files[1], "content": loaded % (pki / "apiserver.crt")}]},
            {**apiserver, "files": [{**files[0], "path": "/etc/kubernetes/pki/front-proxy-client.crt"}]},
        ]
        tasks = [
            {"name": f"Mistake {place}", module: each, "ignore_errors": True} for place, each in enumerate(mistakes)
        ]
        tasks.append({"name": "Right", module: apiserver})
        tasks.append({"kubeops.aggregation_layer.apiserver_info": {"root": "{{ front_proxy_root }}"}})
        play = [{"hosts": "masters", "gather_facts": False, "tasks": tasks}]
        env = {"ANSIBLE_LOG_PATH": str(self.folder / "log"), "ANSIBLE_PIPELINING": "0"}
        run = self.play("-vvvvv", "--diff", playbook=play, env=env)
        self.assertEqual(len([task for task in run.tasks if task["status"] == "failed"]), len(mistakes))
        self.assertIn(("m1", "Right"), run.changed)
        self.assert_unseen(run.output)
