# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused, with a sentence and without a change; and the wishes that people have, on masters that differ."""

from __future__ import annotations

import os
import re
import shutil
import typing as t
from pathlib import Path

from sandboxes import PAIR, SandboxCase, openssl

PASSPHRASE = "correct horse battery staple"


class OneMasterClusters(SandboxCase):
    """Many clusters of one master each, in one run: every refusal, and every wish."""

    def cluster(self, host: str, **variables: t.Any) -> Path:
        """A cluster named like its only host; returns the manifest."""
        options = {key: variables.pop(key) for key in ("bare", "certificates_dir") if key in variables}
        self.add_cluster(host, variables={"front_proxy_cluster": host, **variables}, **options)
        return self.masters[host].manifest

    @staticmethod
    def rewrite(manifest: Path, old: str, new: str) -> None:
        text = manifest.read_text(encoding="utf-8")
        manifest.write_text(text.replace(old, new, 1), encoding="utf-8")
        if text.count(old) == 0:
            raise AssertionError(f"{old!r} is not in {manifest}")

    def add_refused(self) -> dict[str, str]:
        """Clusters that must be refused; by host, what the message must say."""
        self.rewrite(
            self.cluster("shell"), "    - kube-apiserver\n", "    - /bin/sh\n    - -c\n    - exec kube-apiserver\n"
        )
        self.rewrite(self.cluster("uid"), "  name: kube-apiserver\n", "  name: kube-apiserver\n  uid: 0b1c\n")
        self.rewrite(
            self.cluster("twice"),
            "    - --secure-port=6443\n",
            "    - --requestheader-allowed-names=a\n    - --secure-port=6443\n    - --requestheader-allowed-names=b\n",
        )
        truncated = self.cluster("truncated")
        truncated.write_text(truncated.read_text(encoding="utf-8")[:700] + "\n  - [", encoding="utf-8")
        sibling = self.cluster("sibling")
        shutil.copy2(sibling, sibling.with_name("kube-apiserver.yaml.bak"))
        self.cluster("none").unlink()
        self.cluster("old-release", front_proxy_extra_flags={"requestheader-uid-headers": "X-Remote-Uid"})
        self.cluster("own-flag", front_proxy_extra_flags={"proxy-client-key-file": "/tmp/key"})
        self.cluster("headers", front_proxy_username_headers=["X-My-User"])
        self.cluster("routing", front_proxy_aggregator_routing="maybe")
        self.cluster("validity", front_proxy_validity="soon")
        self.cluster("key-type", front_proxy_key_type="Ed25519")
        for host, names in {"shared": "front-proxy-client", "shared-open": ""}.items():
            manifest = self.cluster(host, bare=False)
            folder = self.masters[host].certificates
            shutil.copy2(folder / "ca.crt", folder / "front-proxy-ca.crt")
            self.rewrite(manifest, "allowed-names=front-proxy-client", f"allowed-names={names}")
        return {
            "shell": "shell",
            "uid": "metadata.uid",
            "twice": "requestheader-allowed-names",
            "truncated": "kube-apiserver.yaml",
            "sibling": "kube-apiserver.yaml.bak",
            "none": "There is no manifest at /etc/kubernetes/manifests/kube-apiserver.yaml",
            "old-release": "requestheader-uid-headers.*1.32",
            "own-flag": "proxy-client-key-file",
            "headers": "X-Remote-User",
            "routing": "maybe",
            "validity": "soon",
            "key-type": "Ed25519",
            "shared": "front_proxy_allow_shared_ca",
            "shared-open": "anyone with a client certificate.*1.35",
        }

    def add_wishes(self) -> set[str]:
        """Clusters that must be configured."""
        self.cluster("kubespray", certificates_dir="/etc/kubernetes/ssl")
        unmounted = self.cluster("unmounted", front_proxy_certificates_dir="/etc/front-proxy")
        self.assertNotIn("/etc/front-proxy", unmounted.read_text(encoding="utf-8"))
        self.cluster(
            "wishes",
            front_proxy_allowed_names=["aggregator", "front-proxy-client"],
            front_proxy_username_headers=["X-Remote-User", "X-My-User"],
            front_proxy_group_headers=["X-Remote-Group", "X-My-Group"],
            front_proxy_extra_headers_prefix=["X-Remote-Extra-", "X-My-Extra-"],
            front_proxy_extra_flags={"profiling": "false", "enable-bootstrap-token-auth": None},
            front_proxy_aggregator_routing=True,
            front_proxy_key_type="ECDSA",
            front_proxy_key_curve="P-384",
            front_proxy_ca_subject={"common_name": "my-ca", "country": "DE", "organization": ["Example"]},
            front_proxy_ca_validity="20y",
            front_proxy_validity="90d",
        )
        return {"kubespray", "unmounted", "wishes"}

    def test_all(self) -> None:
        refused, wished = self.add_refused(), self.add_wishes()
        self.write_inventory()
        everything = self.seen()
        checked = self.play("--check", "--diff", expect=None)
        self.assert_untouched(everything)
        before = self.seen(*refused)
        run = self.play("--diff", expect=None)
        self.assert_untouched(before, *refused)
        for host, words in refused.items():
            with self.subTest(refused=host):
                message = run.failures.get(host, "(nothing was refused)")
                self.assertRegex(message, words)
                self.assertNotIn("Traceback", message)
                self.assertLess(len(message), 500)
                self.assertFalse((self.pki / host).exists(), "a CA was made for it")
                self.assertEqual(checked.failures.get(host), message, "--check says otherwise")
        self.assertEqual(set(run.failures), set(refused))
        self.assertNotIn("Traceback", run.output)
        for host in wished:
            self.assertIn(host, run.changed_hosts)
        self.assertEqual({host for host, dummy in checked.changed} & wished, wished)
        self.check_wishes()

        before = self.seen()
        again = self.play(expect=None)
        self.assert_untouched(before)
        self.assertEqual(again.changed, set())

    def check_wishes(self) -> None:
        self.assert_configured("kubespray")

        text = self.masters["unmounted"].manifest.read_text(encoding="utf-8")
        self.assert_flag("unmounted", "requestheader-client-ca-file", "/etc/front-proxy/front-proxy-ca.crt")
        self.assertRegex(text, r"- mountPath: /etc/front-proxy\n")
        self.assertRegex(text, r"path: /etc/front-proxy\n *type: Directory")
        folder = self.masters["unmounted"].root / "etc/front-proxy"
        self.assertEqual(sorted(os.listdir(folder)), sorted(PAIR))

        for flag, value in {
            "requestheader-allowed-names": "aggregator,front-proxy-client",
            "requestheader-username-headers": "X-Remote-User,X-My-User",
            "requestheader-group-headers": "X-Remote-Group,X-My-Group",
            "requestheader-extra-headers-prefix": "X-Remote-Extra-,X-My-Extra-",
            "profiling": "false",
            "enable-bootstrap-token-auth": None,
            "enable-aggregator-routing": "true",
        }.items():
            self.assert_flag("wishes", flag, value)
        self.assert_pair("wishes", common_name="aggregator")
        ca = self.masters["wishes"].certificates / "front-proxy-ca.crt"
        shown = openssl("x509", "-in", str(ca), "-noout", "-text", "-nameopt", "RFC2253")
        self.assertRegex(shown, r"Subject: *CN=my-ca,O=Example,C=DE|Subject: *.*CN=my-ca")
        self.assertIn("NIST CURVE: P-384", shown)
        self.assertIn("CA:TRUE", shown)


class ControllersFolder(SandboxCase):
    """The PKI folder on the controller."""

    def setUp(self) -> None:
        super().setUp()
        self.add_cluster("m1", "m2")
        self.write_inventory()

    def test_open_to_others(self) -> None:
        folder = self.pki / "kubernetes"
        folder.mkdir(mode=0o700, parents=True)
        folder.chmod(0o755)
        before = self.seen()
        run = self.play(expect=None)
        self.assert_untouched(before)
        self.assertRegex(run.failures["m1"], rf"{re.escape(str(folder))}.*chmod 0700")

    def test_key_of_another_ca(self) -> None:
        self.play("--limit", "m1")
        folder = self.pki / "kubernetes"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(folder / "front-proxy-ca.key"))
        (folder / "front-proxy-ca.key").chmod(0o600)
        before = self.seen()
        run = self.play("-e", "front_proxy_renew_before=9999/10000", expect=None)
        self.assert_untouched(before)
        self.assertIn("front-proxy-ca.key", "\n".join(run.failures.values()))

    def test_unreadable(self) -> None:
        folder = self.pki / "kubernetes"
        folder.mkdir(mode=0o700, parents=True)
        # nobody can read a link that leads to itself, and without it root could read everything
        certificate = folder / "front-proxy-ca.crt"
        certificate.symlink_to(certificate.name)
        before = self.seen()
        run = self.play(expect=None)
        self.assert_untouched(before)
        self.assertIn(str(folder), run.failures["m1"])

    def test_passphrase(self) -> None:
        words = self.folder / "words.yml"
        words.write_text(f"front_proxy_ca_passphrase: {PASSPHRASE}\n", encoding="utf-8")
        words.chmod(0o600)
        self.play("-e", f"@{words}")
        self.assert_configured("m1", "m2")
        key = self.pki / "kubernetes" / "front-proxy-ca.key"
        self.assertIn("BEGIN ENCRYPTED PRIVATE KEY", key.read_text(encoding="ascii"))
        # to read it one needs the passphrase only when something is to be signed
        before = self.seen()
        self.assert_nothing_changed(self.play(), before)
        renew = ("-e", "front_proxy_renew_before=9999/10000")
        wrong = ("-e", "front_proxy_ca_passphrase=incorrect-donkey")
        for arguments in (renew, (*renew, *wrong)):
            run = self.play(*arguments, expect=None)
            self.assert_untouched(before)
            message = "\n".join(run.failures.values())
            self.assertIn("passphrase", message)
            self.assertIn(str(key), message)
            self.assertNotIn(PASSPHRASE, run.output)
        self.play("-e", f"@{words}", *renew)
        self.assert_configured("m1", "m2")
        self.assertNotEqual(self.seen(), before)

    def test_kept_remote_files(self) -> None:
        before = self.seen()
        run = self.play(env={"ANSIBLE_KEEP_REMOTE_FILES": "1"}, expect=None)
        self.assert_untouched(before)
        self.assertIn("ANSIBLE_KEEP_REMOTE_FILES", run.failures["m1"])
        keys = list(self.pki.rglob("*.key"))
        self.assert_no_key_left(*keys)
        self.assert_hidden(run.output, *keys)
