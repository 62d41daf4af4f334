# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the script targets share: sandboxed masters, runs of ansible-playbook on them, and questions about both."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import typing as t
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
COLLECTIONS = Path(os.environ["ANSIBLE_COLLECTIONS_PATH"].split(":")[0])
COLLECTION = COLLECTIONS / "ansible_collections" / "kubeops" / "aggregation_layer"
sys.path.insert(0, str(COLLECTION / "tests" / "sandbox"))

from kubeadm_pki import issue, make_authority, name
from make_masters import Authorities, Master, make_authorities, make_master

__all__ = [
    "COLLECTION",
    "CONFIGURE",
    "Authorities",
    "Master",
    "Run",
    "SandboxCase",
    "Snapshot",
    "issue",
    "key_lines",
    "make_authorities",
    "make_authority",
    "name",
    "openssl",
    "snapshot",
]

CONFIGURE = "kubeops.aggregation_layer.configure"
PAIR = ("front-proxy-ca.crt", "front-proxy-client.crt", "front-proxy-client.key")
Snapshot = t.Dict[str, t.Tuple[t.Any, ...]]


def snapshot(*folders: Path) -> Snapshot:
    """All that lies below the folders, each with mode, owner, time of change and content."""
    found: Snapshot = {}
    for folder in folders:
        for path in [folder, *sorted(folder.rglob("*"))]:
            if not os.path.lexists(path):
                continue
            facts = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(facts.st_mode) else ""
            found[str(path)] = (oct(facts.st_mode), facts.st_uid, facts.st_gid, facts.st_mtime_ns, content)
    return found


def openssl(*arguments: str) -> str:
    """Run openssl; a failure is an error."""
    command = ["openssl", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def key_lines(path: Path) -> set[str]:
    """What nobody may see of a private key: 40 characters of each line of its text, but not of the public half."""
    lines = path.read_text(encoding="ascii").splitlines()
    # the end of each line: an EC key begins with 36 bytes that are the same in every one
    body = [line[-40:] for line in lines if not line.startswith("-----") and len(line) >= 40]
    # an RSA key begins with its modulus, which is in every certificate too; an EC key ends with its public point
    return set(body[len(body) // 3 :] if len(body) > 6 else body[:1])


@dataclasses.dataclass(frozen=True)
class Run:
    """An ansible-playbook that ended. output: both streams; tasks: what the callback task_results wrote."""

    status: int
    output: str
    tasks: tuple[dict[str, t.Any], ...]

    @property
    def changed(self) -> set[tuple[str, str]]:
        """Which task changed something (or would) on which host."""
        return {(task["host"], task["task"]) for task in self.tasks if task["result"].get("changed")}

    @property
    def changed_hosts(self) -> set[str]:
        """The hosts on which something was changed, or would be."""
        return {host for host, dummy in self.changed}

    @property
    def failures(self) -> dict[str, str]:
        """By host the message of the task that failed there."""
        bad = ("failed", "unreachable")
        return {
            task["host"]: str(task["result"].get("msg"))
            for task in self.tasks
            if task["status"] in bad and not task["ignored"]
        }

    @property
    def summary(self) -> str:
        """The text of the first summary."""
        return "\n".join(self.summaries[0]) if self.summaries else ""

    @property
    def summaries(self) -> list[list[str]]:
        """The lines of each summary: one for each time that the role was called."""
        tasks = [each for each in self.tasks if each["task"].endswith("Summary") and each["status"] != "skipped"]
        told = [each["result"]["msg"] for each in tasks]
        return [[text] if isinstance(text, str) else text for text in told]

    def ran(self, action: str, *, host: str | None = None) -> list[dict[str, t.Any]]:
        """The results of one of the collection's modules, skipped ones left out."""
        return [
            task
            for task in self.tasks
            if task["action"].endswith(f".{action}") and task["status"] != "skipped" and host in (None, task["host"])
        ]


class SandboxCase(unittest.TestCase):
    """A test with a folder of its own, which holds masters, inventory, PKI folder and temporary folders."""

    maxDiff = None
    installed = COLLECTIONS

    def setUp(self) -> None:
        # not below ansible-test's folder: ansible-core 2.22 has a socket in TMPDIR, whose path must be short
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder)
        self.inventory = self.folder / "inventory.json"
        self.pki = self.folder / "pki"
        self.hosts: dict[str, dict[str, t.Any]] = {}
        self.masters: dict[str, Master] = {}
        self.temporary = self.folder / "temporary"
        self.temporary.mkdir(mode=0o700)
        (self.folder / "ansible.cfg").touch()
        self.runs = 0

    # ---- masters

    def add_cluster(
        self,
        *hosts: str,
        authorities: Authorities | None = None,
        bare: bool = True,
        variables: t.Mapping[str, t.Any] | None = None,
        **options: t.Any,
    ) -> Authorities:
        """Make masters with these names, and put them into the inventory with these variables."""
        shared = authorities or make_authorities(bare=bare)
        for host in hosts:
            self.masters[host] = make_master(self.folder / "masters" / host, authorities=shared, **options)
            self.hosts[host] = {"front_proxy_root": str(self.masters[host].root), **(variables or {})}
        return shared

    def without_ca_key(self, *hosts: str) -> None:
        """Take the key of the front-proxy CA away, as in most clusters that are not one's own."""
        for host in hosts:
            (self.masters[host].certificates / "front-proxy-ca.key").unlink()

    def write_inventory(self, group: str = "masters") -> None:
        """Write what add_cluster gathered."""
        everybody = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "front_proxy_pki_dir": str(self.pki),
        }
        content = {group: {"hosts": self.hosts, "vars": everybody}}
        self.inventory.write_text(json.dumps(content, indent=2), encoding="utf-8")

    def roots(self, *hosts: str) -> list[Path]:
        return [self.masters[host].root for host in hosts or self.masters]

    def seen(self, *hosts: str) -> Snapshot:
        """The present state of these masters, or of all masters and the PKI folder."""
        return snapshot(*self.roots(*hosts), *([] if hosts else [self.pki]))

    # ---- runs

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment of a run: nothing of ansible-test's own settings, all temporary folders in one place."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
        env.update(
            ANSIBLE_CALLBACKS_ENABLED="task_results",
            ANSIBLE_CALLBACK_PLUGINS=str(HERE / "callbacks"),
            ANSIBLE_COLLECTIONS_PATH=str(self.installed),
            ANSIBLE_CONFIG=str(self.folder / "ansible.cfg"),
            ANSIBLE_HOME=str(self.temporary / "home"),
            ANSIBLE_LOCAL_TEMP=str(self.temporary / "local"),
            ANSIBLE_NOCOLOR="1",
            ANSIBLE_REMOTE_TEMP=str(self.temporary / "remote"),
            TMPDIR=str(self.temporary),
        )
        return {**env, **variables}

    def play(
        self,
        *arguments: str,
        playbook: str | list[dict[str, t.Any]] = CONFIGURE,
        env: t.Mapping[str, str] | None = None,
        expect: int | None = 0,
    ) -> Run:
        """Run a playbook, given by name or as data. expect: the wanted exit status, None for any but 0."""
        self.runs += 1
        results = self.folder / f"results-{self.runs}.jsonl"
        if not isinstance(playbook, str):
            file = self.folder / f"playbook-{self.runs}.yml"
            file.write_text(json.dumps(playbook), encoding="utf-8")
            playbook = str(file)
        if not self.inventory.exists():
            self.write_inventory()
        done = subprocess.run(
            ["ansible-playbook", "-i", str(self.inventory), playbook, *arguments],
            env=self.environment(TASK_RESULTS=str(results), **(env or {})),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode("utf-8", "replace")
        lines = results.read_text(encoding="utf-8").splitlines() if results.exists() else []
        run = Run(done.returncode, output, tuple(json.loads(line) for line in lines))
        if (done.returncode == 0) != (expect == 0) or (expect and done.returncode != expect):
            self.fail(f"ansible-playbook ended with {done.returncode}:\n{output[-6000:]}")
        return run

    # ---- what holds

    def assert_flag(self, host: str, flag: str, value: str | None) -> None:
        """The manifest of that master has this flag once, with this value; None: not at all."""
        text = self.masters[host].manifest.read_text(encoding="utf-8")
        found = re.findall(rf"^ *- --{re.escape(flag)}=(.*)$", text, flags=re.MULTILINE)
        self.assertEqual(found, [] if value is None else [value], f"--{flag} on {host}")

    def assert_pair(self, host: str, *, common_name: str = "front-proxy-client") -> None:
        """That master has CA, certificate and key that belong together, with the right modes; openssl says so."""
        folder = self.masters[host].certificates
        ca, certificate, key = (folder / file for file in PAIR)
        openssl("verify", "-purpose", "sslclient", "-CAfile", str(ca), str(certificate))
        public = openssl("x509", "-in", str(certificate), "-noout", "-pubkey")
        self.assertEqual(public, openssl("pkey", "-in", str(key), "-pubout"))
        subject = openssl("x509", "-in", str(certificate), "-noout", "-subject", "-nameopt", "multiline")
        self.assertIn(common_name, subject)
        self.assertEqual(
            [oct(path.stat().st_mode & 0o777) for path in (ca, certificate, key)], ["0o644", "0o644", "0o600"]
        )

    def assert_configured(self, *hosts: str) -> None:
        """These masters have the same CA, a pair, the seven flags, and a manifests folder without anything new."""
        for host in hosts:
            master = self.masters[host]
            folder = master.certificates_dir
            self.assert_pair(host)
            for flag, value in {
                "proxy-client-cert-file": f"{folder}/front-proxy-client.crt",
                "proxy-client-key-file": f"{folder}/front-proxy-client.key",
                "requestheader-allowed-names": "front-proxy-client",
                "requestheader-client-ca-file": f"{folder}/front-proxy-ca.crt",
                "requestheader-extra-headers-prefix": "X-Remote-Extra-",
                "requestheader-group-headers": "X-Remote-Group",
                "requestheader-username-headers": "X-Remote-User",
            }.items():
                self.assert_flag(host, flag, value)
            self.assert_tidy(host)
        self.assertEqual(len({self.content(host, "front-proxy-ca.crt") for host in hosts}), 1, "one CA for all")

    def assert_tidy(self, host: str) -> None:
        """Nothing but the two manifests is in their folder; the way back is closed to others and holds no key."""
        manifests = self.masters[host].manifest.parent
        self.assertEqual(sorted(os.listdir(manifests)), ["kube-apiserver.yaml", "kube-scheduler.yaml"])
        backup = self.masters[host].root / "etc/kubernetes/front-proxy-backup"
        for path in [backup, *backup.rglob("*")] if backup.exists() else []:
            mode = path.stat().st_mode
            self.assertEqual(mode & 0o077, 0, f"{path} is open to others")
            if stat.S_ISREG(mode):
                self.assertNotIn(b"PRIVATE KEY", path.read_bytes(), f"{path} holds a key")

    def content(self, host: str, file: str) -> bytes:
        """What is in a file of that master's certificates folder."""
        return (self.masters[host].certificates / file).read_bytes()

    def assert_untouched(self, before: Snapshot, *hosts: str) -> None:
        """Nothing is new, gone or different: on these masters, or anywhere."""
        now = self.seen(*hosts)
        touched = [path for path in sorted({*before, *now}) if before.get(path) != now.get(path)]
        self.assertEqual(touched, [], "something was touched")

    def assert_nothing_changed(self, run: Run, before: Snapshot) -> None:
        """The run changed nothing and said so."""
        self.assertEqual(run.changed, set())
        self.assert_untouched(before)

    def assert_hidden(self, text: str, *keys: Path) -> None:
        """The text holds no part of these private keys."""
        for key in keys:
            for line in key_lines(key):
                self.assertNotIn(line, text, f"a part of {key} can be seen")

    def assert_no_key_left(self, *keys: Path) -> None:
        """No temporary folder holds a part of these private keys."""
        for path in self.temporary.rglob("*"):
            if path.is_file():
                self.assert_hidden(path.read_bytes().decode("utf-8", "replace"), *keys)
