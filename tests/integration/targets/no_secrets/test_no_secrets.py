# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No private key, passphrase or token is in any output, event, variable, cache, log or temporary file.

ansible-core before 2.22 takes the values of no_log options out of a module's result. From 2.22 on it masks them only in
what it shows. So what is searched here is also what nobody is shown: what a callback plugin is given, and variables.
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
import typing as t
from pathlib import Path

from sandboxes import CONFIGURE, Run, SandboxCase, key_lines

HERE = Path(__file__).resolve().parent
STAND_INS = HERE / "stand_ins"
VERIFY = "kubeops.aggregation_layer.verify"
MODULE = "kubeops.aggregation_layer"

PASSPHRASE = "Eine-ganz-geheime-Losung-4711"
TOKEN = "eyJhbGciOiJSUzI1NiIsImtpZCI6Ikthc3Blcmwtd2FyLWhpZXIifQ"

# Where a secret could come to light, and how much has to be there so that a search says something.
PLACES = {
    "output": 5000,
    "log": 5000,
    "events": 5000,
    "variables": 2000,
    "fact cache": 100,
    "system log": 1000,
    "kept": 1000,
    "left": 0,
}


class NoSecrets(SandboxCase):
    """Everything that a run shows, hands on or leaves behind is searched for every secret that there is."""

    def setUp(self) -> None:
        super().setUp()
        self.words = self.folder / "words.yml"
        self.words.write_text(f"front_proxy_ca_passphrase: {PASSPHRASE}\n", encoding="utf-8")
        self.kubeconfig = self.folder / "kubeconfig"
        # whose it is can only be told of one that is kept: that of the smoke test lives in memory
        self.secrets = {"PRIVATE KEY-----": "a private key"}
        # the beginnings: what is cut off has no end
        for name, text in (("the passphrase", PASSPHRASE), ("the token", TOKEN)):
            self.secrets[text[:18]] = self.secrets[base64.b64encode(text.encode()).decode()[:24]] = name
        self.python = self.program("python", "watched_python.py")
        self.ssh = self.program("ssh", "ssh.py")

    def program(self, name: str, script: str) -> Path:
        """Make a program of one of the stand-ins, run by the Python that runs this."""
        path = self.folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_INS / script} "$@"\n', encoding="utf-8")
        path.chmod(0o755)
        return path

    def write_kubeconfig(self, master: str) -> None:
        """Write a kubeconfig whose user has a token, and a certificate with a key, too."""
        folder = self.masters[master].certificates
        data = {
            f"client-{kind}-data": base64.b64encode((folder / f"apiserver-kubelet-client.{end}").read_bytes()).decode()
            for kind, end in (("certificate", "crt"), ("key", "key"))
        }
        authority = base64.b64encode((folder / "ca.crt").read_bytes()).decode()
        content = {
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"user": "admin", "cluster": "here"}}],
            "clusters": [{"name": "here", "cluster": {"certificate-authority-data": authority}}],
            "users": [{"name": "admin", "user": {"token": TOKEN, **data}}],
        }
        self.kubeconfig.write_text(json.dumps(content), encoding="utf-8")
        key = data["client-key-data"]
        # what lies between the beginning, which is the same in every key, and the end
        self.secrets.update({key[at : at + 40]: "the kubeconfig's key" for at in range(600, len(key) - 80, 40)})

    # ---- runs

    def loud_run(self, *arguments: str, expect: int | None = 0, playbook: t.Any = CONFIGURE, **variables: str) -> Run:
        """Run a playbook with all that can be asked for, and have everything written down that can be."""
        run = self.runs + 1
        own = self.folder / f"run-{run}"
        (own / "kept").mkdir(parents=True)
        env = {
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(own / "cache"),
            "ANSIBLE_CALLBACKS_ENABLED": "task_results,every_event",
            "ANSIBLE_CALLBACK_PLUGINS": f"{self.environment()['ANSIBLE_CALLBACK_PLUGINS']}:{HERE / 'callbacks'}",
            "ANSIBLE_LOG_PATH": str(own / "log"),
            "ANSIBLE_SSH_EXECUTABLE": str(self.ssh),
            "EVENTS": str(own / "events"),
            "KEPT": str(own / "kept"),
            "PYTHONPATH": f"{STAND_INS / 'site'}:{os.environ.get('PYTHONPATH', '')}",
            "SYSTEM_LOG": str(own / "system log"),
            "VARIABLES": str(own / "variables"),
            "WATCHED": str(self.temporary),
        }
        python = ("-e", f"ansible_python_interpreter={self.python}")
        play = ("-vvvvv", "--diff", "-e", f"@{self.words}", *python, *arguments)
        done = self.play(*play, playbook=playbook, env={**env, **variables}, expect=expect)
        (own / "output").write_text(done.output, encoding="utf-8")
        return done

    def around(self, playbook: str) -> list[dict[str, t.Any]]:
        """A playbook with facts before it, and after it with all that it registered among the facts."""
        before = {"hosts": "masters", "gather_facts": True, "gather_subset": ["!all", "min"], "tasks": []}
        names = "observed plan ca client applied proof surveyed smoke_begun smoke_asked judged"
        registered = {f"kept_{name}": f"{{{{ front_proxy__{name} | default(None) }}}}" for name in names.split()}
        task = {"name": "Keep it", "ansible.builtin.set_fact": {**registered, "cacheable": True}}
        after = {"hosts": "masters", "gather_facts": False, "tasks": [task]}
        return [before, {"ansible.builtin.import_playbook": playbook}, after]

    # ---- the search

    def gather(self) -> None:
        """Remember all keys that are there now; some will be replaced."""
        for folder in (self.pki, *self.roots()):
            for key in folder.rglob("*.key"):
                self.secrets.update(dict.fromkeys(key_lines(key), f"the key {key.relative_to(self.folder)}"))

    def texts(self, number: int) -> dict[str, dict[Path, str]]:
        """By place, all files to be searched after that run."""
        own = self.folder / f"run-{number}"
        found: dict[str, dict[Path, str]] = {place: {} for place in PLACES}
        homes = {self.pki, *self.roots()}
        for path in self.folder.rglob("*"):
            secret = path in (self.words, self.kubeconfig) or (path.suffix == ".key" and homes & set(path.parents))
            if secret or not path.is_file():
                continue
            place = "left"
            if own in path.parents:
                place = {"cache": "fact cache"}.get(path.relative_to(own).parts[0], path.relative_to(own).parts[0])
            elif self.folder in path.parents and path.relative_to(self.folder).parts[0].startswith("run-"):
                # searched after that run
                continue
            found[place][path] = path.read_bytes().decode("utf-8", "replace")
        return found

    def leaks(self, number: int | None = None) -> dict[str, set[str]]:
        """By place, what came to light there."""
        self.gather()
        found: dict[str, set[str]] = {}
        for place, files in self.texts(number or self.runs).items():
            for path, text in files.items():
                for secret, what in self.secrets.items():
                    at = text.find(secret)
                    if at >= 0:
                        found.setdefault(place, set()).add(f"{what}, in {path}, after {text[:at][-200:]!r}")
        return found

    def assert_unseen(self) -> None:
        """Nothing came to light in the last run, and everything was written down that was to be searched."""
        for place, files in self.texts(self.runs).items():
            size = sum(len(text) for text in files.values())
            self.assertGreaterEqual(size, PLACES[place], f"there is too little in the place {place!r}")
        self.assertEqual(self.leaks(), {}, "secrets can be seen")

    def run_unseen(self, *arguments: str, **options: t.Any) -> Run:
        """Run the role, and search."""
        run = self.loud_run(*arguments, playbook=self.around(options.pop("playbook", CONFIGURE)), **options)
        self.assert_unseen()
        return run

    # ---- what is run

    def test_search(self) -> None:
        """The search finds a secret in each of the places: here are tasks that put it there."""
        self.add_cluster("m1")
        self.write_inventory()
        key = self.masters["m1"].certificates / "apiserver.key"
        shown = f"{{{{ lookup('ansible.builtin.file', '{key}') }}}}"
        secrets = [shown, "{{ front_proxy_ca_passphrase }}", TOKEN]
        tasks = [
            {"ansible.builtin.debug": {"msg": secrets}},
            {"ansible.builtin.set_fact": {"told": secrets, "cacheable": True}},
            {"ansible.builtin.command": {"argv": ["echo", *secrets]}},
            {"ansible.builtin.copy": {"content": "\n".join(secrets), "dest": f"{self.temporary}/left"}},
        ]
        self.loud_run(playbook=[{"hosts": "masters", "gather_facts": False, "tasks": tasks}], ANSIBLE_PIPELINING="0")
        found = self.leaks()
        self.assertEqual(set(found), set(PLACES))
        for place, leaks in found.items():
            for what in ("the passphrase", "the token", f"the key {key.relative_to(self.folder)}"):
                self.assertTrue(any(leak.startswith(what) for leak in leaks), f"{what} is not found in {place!r}")

    def test_role(self) -> None:
        for key_type in ("RSA", "ECDSA"):
            host = key_type.lower()
            self.add_cluster(host, variables={"front_proxy_cluster": host, "front_proxy_key_type": key_type})
        self.write_inventory()
        self.run_unseen("--check")
        self.run_unseen()
        self.run_unseen("-e", "front_proxy_renew_before=9999/10000")
        self.assert_configured("rsa")
        self.assert_configured("ecdsa")

    def test_manifest(self) -> None:
        """Variables of the manifest's containers are somebody's secrets, too. They stay where Ansible keeps results.

        The manifest goes to the controller and back as it is, so they are in variables, and in what a module is sent.
        """
        self.add_cluster("m1", "m2", variables={"ansible_connection": "ssh"})
        self.write_inventory()
        secret = "Vault-Losung-0815-sehr-geheim"
        env = f"    env:\n    - name: VAULT\n      value: {secret}\n    - {{value: '{secret}', name: A}}\n"
        for master in self.masters.values():
            text = master.manifest.read_text(encoding="utf-8")
            self.assertIn("\n    image:", text)
            text = text.replace("\n    image:", f"\n    - --token={secret}\n{env}    image:", 1)
            master.manifest.write_text(text, encoding="utf-8")
        for arguments, expect in ((["--check"], 0), ([], 0), ([], 0), (["-e", "front_proxy_manifest=/etc/no"], None)):
            # without what the tasks were given: the observation, too, and Ansible hands that to callback plugins
            run = self.loud_run(*arguments, expect=expect, ONLY_RESULTS="1")
            for place in ("output", "log", "events", "system log"):
                texts = self.texts(self.runs)[place]
                self.assertGreaterEqual(sum(map(len, texts.values())), 1000, place)
                for path, text in texts.items():
                    at = text.find(secret)
                    self.assertEqual(at, -1, f"{path}, after {text[:at][-300:]!r}")
            if expect is None:
                # what is wrong is said all the same
                self.assertIn("There is no manifest at /etc/no", run.output)
        self.assertIn(secret, self.masters["m1"].manifest.read_text(encoding="utf-8"))
        self.loud_run(playbook=VERIFY)
        for text in self.texts(self.runs)["output"].values():
            self.assertNotIn(secret, text)

    def test_role_over_ssh(self) -> None:
        """The connection plugin for ssh tells more than the one for this machine."""
        self.add_cluster("m1", "m2", variables={"ansible_connection": "ssh"})
        self.write_inventory()
        run = self.run_unseen()
        self.assertIn("ESTABLISH SSH CONNECTION", run.output)
        self.assert_configured("m1", "m2")

    def test_verify(self) -> None:
        """The credentials of a kubeconfig go to every master, and those of the smoke test to one."""
        self.add_cluster("m1", bare=False)
        self.write_inventory()
        self.write_kubeconfig("m1")
        given = ("-e", f"front_proxy_kubeconfig={self.kubeconfig}", "-e", "front_proxy_smoke=true")
        run = self.run_unseen(*given, playbook=VERIFY)
        self.assertTrue(run.ran("aggregation_layer_info"))
        self.hosts["m1"]["ansible_connection"] = "ssh"
        self.write_inventory()
        run = self.run_unseen(*given, playbook=VERIFY)
        self.assertIn("ESTABLISH SSH CONNECTION", run.output)

    def seeming(self, action: str, arguments: t.Mapping[str, t.Any], **variables: str) -> Run:
        """Run an action on a master that seems to run a kube-apiserver, which does not answer."""
        nothing = ("status", "error", "apiservices", "unavailable", "kubernetes_service", "kubeadm_config")
        layer = {**dict.fromkeys(nothing), "providers": [], "stuck": [], "stale": []}
        told = ("accepted", "status", "reload_hook", "version", "error")
        process = {"argv": ["kube-apiserver", "--secure-port=1"], "pid": os.getpid()}
        user = {"uid": 0, "gid": 0, "groups": [], "overrides": True}
        changed = {
            "layer": {**layer, "user": "admin", "published": {}, "services": {}, "through": {}},
            # it began after all files were written
            "process": {**process, "user": user, "start_ticks": 1, "started": 4e9, "mounts": []},
            "probe": {**dict.fromkeys(told), "address": "127.0.0.1", "port": 1, "ready": True, "answers": True},
            "handshake": {"names": [], "error": None},
            "root": "",
        }
        given = {"kubeconfig": str(self.kubeconfig), "observed_var": "surveyed", **arguments}
        tasks = [
            {f"{MODULE}.aggregation_layer_info": {"root": "{{ front_proxy_root }}"}, "register": "looked"},
            {"ansible.builtin.set_fact": {"surveyed": f"{{{{ looked | combine({changed}) }}}}"}},
            {f"{MODULE}.{action}": given, "register": "told"},
        ]
        play = {"hosts": "masters", "gather_facts": True, "gather_subset": ["!all", "min"], "tasks": tasks}
        run = self.loud_run(playbook=[play], expect=None, **variables)
        self.assertTrue(list((self.folder / f"run-{self.runs}" / "kept").glob(f"{action}-*")), run.output)
        self.assert_unseen()
        return run

    def test_smoke(self) -> None:
        self.add_cluster("m1", bare=False)
        self.write_inventory()
        self.write_kubeconfig("m1")
        self.seeming("front_proxy_smoke", {"step": "begin"})
        self.seeming("front_proxy_smoke", {"step": "begin"}, CUT_OFF="front_proxy_smoke:0.999")

    def test_prune(self) -> None:
        self.add_cluster("m1", bare=False)
        self.write_inventory()
        self.write_kubeconfig("m1")
        members = {"members": ["m1"], "pattern": "masters"}
        run = self.seeming("front_proxy_prune", members)
        self.assertIn("cannot be read through this master", run.failures["m1"])
        self.seeming("front_proxy_prune", members, CUT_OFF="front_proxy_prune:0.999")

    def test_cut_off(self) -> None:
        """A module that is killed when it has printed a part of its result: Ansible hands on that part as it is."""
        for cut in ("front_proxy_ca:0.999", "front_proxy_client:0.999", "apiserver:0.999", "apiserver:0.5"):
            host = re.sub("[^a-z0-9]", "-", cut)
            with self.subTest(cut):
                self.hosts.clear()
                self.add_cluster(host, variables={"front_proxy_cluster": host})
                self.write_inventory()
                run = self.run_unseen(expect=None, CUT_OFF=cut)
                self.assertTrue(run.failures)

    def test_module_cut_off(self) -> None:
        """The same without the role, whose arguments tell Ansible beforehand that the passphrase is a secret."""
        self.add_cluster("m1")
        self.write_inventory()
        ca = {
            "certificate_path": str(self.folder / "ca.crt"),
            "privatekey_path": str(self.pki / "ca.key"),
            "passphrase": "{{ front_proxy_ca_passphrase }}",
        }
        task = {f"{MODULE}.front_proxy_ca": ca, "register": "made", "vars": {"ansible_pipelining": True}}
        play = [{"hosts": "masters", "gather_facts": True, "gather_subset": ["!all", "min"], "tasks": [task]}]
        self.loud_run(playbook=play, expect=None, CUT_OFF="front_proxy_ca:0.999", ONLY_RESULTS="1")
        self.assert_unseen()

    def test_verify_cut_off(self) -> None:
        self.add_cluster("m1", bare=False)
        self.write_inventory()
        self.write_kubeconfig("m1")
        given = ("-e", f"front_proxy_kubeconfig={self.kubeconfig}")
        self.run_unseen(*given, playbook=VERIFY, expect=None, CUT_OFF="aggregation_layer_info:0.999")

    def test_failing_role(self) -> None:
        self.add_cluster("m1", "m2")
        self.write_inventory()
        obstacle = self.masters["m1"].root / "etc/kubernetes/front-proxy-backup"
        obstacle.write_text("in the way", encoding="utf-8")
        self.run_unseen(expect=None)
        # the key is there now, and the wrong one at that
        (self.pki / "kubernetes" / "front-proxy-client.key").write_bytes(
            (self.masters["m1"].certificates / "sa.key").read_bytes()
        )
        self.run_unseen(expect=None)
        self.run_unseen(expect=None, ANSIBLE_KEEP_REMOTE_FILES="1")

    def test_debug(self) -> None:
        """Ansible itself prints what modules are given if ANSIBLE_DEBUG is set: that must be refused."""
        self.add_cluster("m1")
        self.write_inventory()
        before = self.seen()
        run = self.run_unseen(expect=None, ANSIBLE_DEBUG="1")
        self.assertIn("ANSIBLE_DEBUG", run.output)
        self.assert_untouched(before)

    def test_invocation(self) -> None:
        """From 2.22 on a result can be made to hold what a module was given, with the values of no_log options."""
        self.add_cluster("m1")
        self.write_inventory()
        self.write_kubeconfig("m1")
        self.run_unseen(ANSIBLE_INJECT_INVOCATION="1")
        given = ("-e", f"front_proxy_kubeconfig={self.kubeconfig}")
        self.run_unseen(*given, playbook=VERIFY, ANSIBLE_INJECT_INVOCATION="1")

    def test_modules(self) -> None:
        """The modules alone in a playbook, with contents given as text, and mistakes.

        What a user writes into a task is among its arguments, and Ansible gives those to callback plugins. So here only
        the results are searched among the events.
        """
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
        module = f"{MODULE}.apiserver"
        mistakes = [
            {**apiserver, "files": [{**files[0], "mode": "0644"}]},
            {**apiserver, "files": [{**files[0], "colour": "red"}]},
            {**apiserver, "files": [files[0], {**files[1], "content": loaded % (pki / "apiserver.crt")}]},
            {**apiserver, "files": [{**files[0], "path": "/etc/kubernetes/pki/front-proxy-client.crt"}]},
        ]
        tasks: list[dict[str, t.Any]] = [
            {"name": f"Mistake {place}", module: each, "ignore_errors": True, "register": f"mistake_{place}"}
            for place, each in enumerate(mistakes)
        ]
        tasks.append({"name": "Right", module: apiserver, "register": "right"})
        tasks.append({f"{MODULE}.apiserver_info": {"root": "{{ front_proxy_root }}"}, "register": "seen"})
        play = [{"hosts": "masters", "gather_facts": True, "gather_subset": ["!all", "min"], "tasks": tasks}]
        run = self.loud_run(playbook=play, ANSIBLE_PIPELINING="0", ONLY_RESULTS="1")
        self.assertEqual(len([task for task in run.tasks if task["status"] == "failed"]), len(mistakes))
        self.assertIn(("m1", "Right"), run.changed)
        self.assert_unseen()
