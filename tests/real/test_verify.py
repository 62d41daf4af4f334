# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify on a real kube-apiserver: each fault is caused, seen alone, mended, and then no longer seen."""

from __future__ import annotations

import json
import re
import signal
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import issue, make_authority, name
from support.ansible_run import Ansible
from support.live import LiveMaster
from support.verified import CONFIG_MAP, PUBLISHED_CAS, PUBLISHED_NAMES, Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

pytestmark = pytest.mark.differs


@pytest.fixture(scope="module")
def healthy(make_master: MakeMaster) -> LiveMaster:
    """A master as kubeadm makes it."""
    return make_master()


def test_a_healthy_master_has_no_finding(healthy: LiveMaster, look: Look) -> None:
    verified = look(healthy, front_proxy_fail_on="untidy")
    assert verified.findings == [], verified.output
    assert verified.table[0] == "OK: the aggregation layer works, no finding on 1 master of 1 cluster"


@pytest.fixture
def kept(healthy: LiveMaster) -> t.Iterator[LiveMaster]:
    """The healthy master, whose files, modes and manifest a test may change; it runs on as it was."""
    with healthy.kept():
        yield healthy


def expired(master: LiveMaster) -> None:
    master.sign(master.front_proxy, age=400)


def nearly_expired(master: LiveMaster) -> None:
    master.sign(master.front_proxy, age=350)


def another_name(master: LiveMaster) -> None:
    master.sign(master.front_proxy, common_name="stranger")


def for_servers(master: LiveMaster) -> None:
    master.sign(master.front_proxy, client=False, hosts=["front-proxy-client"])


def by_the_client_ca(master: LiveMaster) -> None:
    master.sign(master.authorities.cluster)


def by_nobody(master: LiveMaster) -> None:
    master.sign(make_authority(name("front-proxy-ca")))


def another_key(master: LiveMaster) -> None:
    issue(master.front_proxy, name("front-proxy-client"), client=True).write(master.folder / "scratch", "other")
    (master.pki / "front-proxy-client.key").write_bytes((master.folder / "scratch" / "other.key").read_bytes())


def open_key(master: LiveMaster) -> None:
    (master.pki / "front-proxy-client.key").chmod(0o644)


def other_flags(master: LiveMaster) -> None:
    master.set_flags({"enable-aggregator-routing": "false"})


def not_yet(master: LiveMaster) -> None:
    master.sign(master.front_proxy, age=-2)


def administrator(master: LiveMaster) -> None:
    master.sign(master.front_proxy, organization="system:masters")


def no_certificate(master: LiveMaster) -> None:
    (master.pki / "front-proxy-client.crt").unlink()


def damaged_ca(master: LiveMaster) -> None:
    bundle = master.pki / "front-proxy-ca.crt"
    bundle.write_text(bundle.read_text().replace("-----END", "-n-----END"))


def expired_ca(master: LiveMaster) -> None:
    old = make_authority(name("front-proxy-ca"), age=4000)
    master.trust(old)
    master.sign(old)


def another_ca_first(master: LiveMaster) -> None:
    master.trust(make_authority(name("front-proxy-ca")), master.front_proxy)


def open_ca(master: LiveMaster) -> None:
    (master.pki / "front-proxy-ca.crt").chmod(0o666)


def no_manifest(master: LiveMaster) -> None:
    master.manifest.unlink()


def manifest_with_uid(master: LiveMaster) -> None:
    master.manifest.write_text(master.manifest.read_text().replace("metadata:\n", "metadata:\n  uid: one\n", 1))


PAIR_FAULTS = {
    "master-not-seen": no_manifest,
    "manifest-unclear": manifest_with_uid,
    "file-missing": no_certificate,
    "file-unreadable": damaged_ca,
    "ca-expired": expired_ca,
    "bundle-order": another_ca_first,
    "file-writable-by-others": open_ca,
    "pair-not-yet-valid": not_yet,
    "pair-is-an-administrator": administrator,
    "pair-expired": expired,
    "pair-expires-soon": nearly_expired,
    "pair-name-not-allowed": another_name,
    "pair-not-for-clients": for_servers,
    "pair-signed-by-client-ca": by_the_client_ca,
    "pair-not-signed-by-ca": by_nobody,
    "key-of-another-certificate": another_key,
    "key-readable-by-others": open_key,
    "process-not-as-manifest": other_flags,
}


@pytest.mark.parametrize("kind", PAIR_FAULTS)
def test_a_fault_of_the_pair(kind: str, kept: LiveMaster, look: Look) -> None:
    PAIR_FAULTS[kind](kept)
    verified = look(kept)
    assert verified.ids == [kind], verified.output
    assert verified.findings[0]["title"] in verified.table[0]


def test_what_was_mended_is_no_longer_seen(healthy: LiveMaster, look: Look) -> None:
    assert look(healthy).ids == []


def test_the_run_fails_and_its_first_line_names_the_cause(
    ansible: Ansible, kept: LiveMaster, look: Look, tmp_path: Path
) -> None:
    expired(kept)
    with pytest.raises(AssertionError, match="status 2") as failed:
        look(kept, front_proxy_fail_on="broken")
    lines = str(failed.value).splitlines()
    first = next(line for line in lines if line.startswith("BROKEN"))
    assert first.startswith("BROKEN: m1: the proxy client's certificate has expired")
    assert any(line.startswith("  fix:") and "kubeadm certs renew front-proxy-client" in line for line in lines)
    nearly_expired(kept)
    look(kept, front_proxy_fail_on="at_risk")  # which is worse
    with pytest.raises(AssertionError, match="status 2"):
        look(kept, front_proxy_fail_on="will_break")


def test_a_kubeconfig_reads_what_the_pair_cannot(kept: LiveMaster, look: Look, tmp_path: Path) -> None:
    expired(kept)
    blind = look(kept)
    assert "nothing is known of APIServices" in blind.output
    config = tmp_path / "kubeconfig"
    certificate, key = kept.administrator
    config.write_text(
        json.dumps(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"user": "admin", "cluster": "here"}}],
                "clusters": [
                    {"name": "here", "cluster": {"certificate-authority": str(kept.pki / "ca.crt")}},
                ],
                "users": [
                    {"name": "admin", "user": {"client-certificate": str(certificate), "client-key": str(key)}},
                ],
            }
        )
    )
    seeing = look(kept, "-vvvvv", front_proxy_kubeconfig=str(config))
    assert seeing.ids == ["pair-expired"] and "nothing is known" not in seeing.output
    assert key.read_text().splitlines()[1] not in seeing.output


def test_a_stray_backup(kept: LiveMaster, look: Look) -> None:
    stray = kept.manifest.with_name("kube-apiserver.yaml.bak")
    stray.write_text(kept.manifest.read_text())
    try:
        assert look(kept).ids == ["stray-manifest"]
    finally:
        stray.unlink()
    assert look(kept).ids == []


@pytest.mark.before(23)
def test_renewed_files_that_the_process_has_not_loaded(make_master: MakeMaster, look: Look) -> None:
    master = make_master("renewed")
    new = make_authority(name("front-proxy-ca"))
    master.trust(new)
    master.sign(new)
    stale = look(master)
    # both CAs have one name, so the handshake cannot tell them apart: the refusal does
    assert stale.ids == ["files-not-loaded"], stale.output
    assert "refuses it (HTTP 401)" in stale.findings[0]["evidence"][0]
    master.restart()
    # nobody takes the old one out of what is published
    assert look(master).ids == ["ca-still-trusted"]
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (master.pki / "front-proxy-ca.crt").read_text()}})
    assert look(master).ids == []


@pytest.mark.before(23)
def test_a_process_that_still_names_another_ca(make_master: MakeMaster, look: Look) -> None:
    master = make_master("named")
    master.trust(master.front_proxy, make_authority(name("front-proxy-ca-2")))
    stale = look(master)
    assert stale.ids == ["files-not-loaded"], stale.output
    assert "does not name CN=front-proxy-ca-2" in stale.findings[0]["evidence"][0]
    master.restart()
    assert look(master).ids == []


@pytest.mark.before(36)
def test_quotation_marks_in_the_allowed_names(make_master: MakeMaster, look: Look) -> None:
    master = make_master("quoted", requestheader_allowed_names='""')
    assert look(master).ids == ["allowed-names-only-blank"]
    master.set_flags({"requestheader-allowed-names": "front-proxy-client,"})
    master.restart()
    assert look(master).ids == ["allowed-names-with-blank"]
    assert look(master, front_proxy_target_release="1.35").ids == []
    asked = look(master, front_proxy_target_release="1.36")
    assert [found["severity"] for found in asked.findings] == ["broken"]
    master.set_flags({"requestheader-allowed-names": "front-proxy-client"})
    master.restart()
    # the empty name stays published
    assert look(master).ids == ["name-still-allowed"]
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_NAMES: '["front-proxy-client"]'}})
    assert look(master).ids == []


def test_flags_that_kubernetes_ignores(make_master: MakeMaster, look: Look) -> None:
    master = make_master("half", proxy_client_key_file=None)
    assert look(master).ids == ["proxy-client-half-set"]
    flags = master.flags
    master.set_flags({flag: None for flag in flags if flag.startswith(("requestheader-", "proxy-client-"))})
    master.restart()
    assert look(master).ids == ["layer-not-configured"]
    certificates = {
        "proxy-client-cert-file": str(master.pki / "front-proxy-client.crt"),
        "proxy-client-key-file": str(master.pki / "front-proxy-client.key"),
    }
    master.set_flags({**certificates, "requestheader-allowed-names": "front-proxy-client"})
    master.restart()
    assert look(master).ids == ["requestheader-ca-not-set"]
    whole = {flag: value for flag, value in flags.items() if flag.startswith("requestheader-")}
    master.set_flags({**whole, **dict.fromkeys(certificates)})
    master.restart()
    assert look(master).ids == ["proxy-client-not-set"]
    master.set_flags({**certificates, "requestheader-extra-headers-prefix": "X-Remote-Extra"})
    master.restart()
    assert look(master).ids == ["header-not-standard"]
    master.set_flags({**whole, "requestheader-allowed-names": None})
    master.restart()
    assert look(master).ids == ["allowed-names-any"]
    master.set_flags(whole)
    master.restart()
    assert look(master).ids == []


def test_an_expired_ca_in_the_bundle(make_master: MakeMaster, look: Look) -> None:
    master = make_master("bundle")
    master.trust(master.front_proxy, make_authority(name("former"), age=4000))
    master.restart()
    assert look(master).ids == ["ca-expired-in-bundle"]
    master.trust(master.front_proxy)
    master.restart()
    assert look(master).ids == []


@pytest.mark.before(35)
def test_one_ca_for_clients_too(make_master: MakeMaster, look: Look) -> None:
    master = make_master("shared")
    own = master.flags["requestheader-client-ca-file"]
    master.set_flags({"requestheader-client-ca-file": master.flags["client-ca-file"]})
    master.sign(master.authorities.cluster)
    master.restart()
    shared = look(master)
    # and the CA that it had before is still published
    assert shared.ids == ["ca-shared-with-clients", "ca-still-trusted"], shared.output
    assert "even without a header" in shared.findings[0]["evidence"][0]
    master.set_flags({"requestheader-allowed-names": None})
    master.restart()
    assert look(master).ids == ["any-client-is-a-front-proxy", "ca-still-trusted", "no-start-from-1-35"]
    # a kubelet's certificate is enough to be an administrator: what is found is true
    assert master.server is not None
    answer = master.server.request(
        "/api/v1/namespaces",
        certificate=master.pki / "apiserver-kubelet-client.crt",
        key=master.pki / "apiserver-kubelet-client.key",
        headers={"X-Remote-User": "anybody", "X-Remote-Group": "system:masters"},
    )
    assert answer.status == 200
    master.set_flags({"requestheader-client-ca-file": own, "requestheader-allowed-names": "front-proxy-client"})
    master.sign(master.front_proxy)
    master.restart()
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (master.pki / "front-proxy-ca.crt").read_text()}})
    assert look(master).ids == []


def test_a_server_that_hangs(make_master: MakeMaster, look: Look) -> None:
    master = make_master("hung")
    assert master.server is not None
    process = master.server.process
    process.send_signal(signal.SIGSTOP)
    try:
        assert look(master).ids == ["server-not-answering"]
    finally:
        process.send_signal(signal.SIGCONT)
    assert look(master).ids == []


def test_one_ca_for_etcd_and_one_key_for_service_accounts(make_master: MakeMaster, look: Look) -> None:
    master = make_master("reuse")
    pki = master.pki
    (pki / "etcd" / "ca.crt").write_bytes((pki / "front-proxy-ca.crt").read_bytes())
    (pki / "sa.key").write_bytes((pki / "front-proxy-ca.key").read_bytes())
    # no etcd certificate is used here: only the flag is looked at
    master.set_flags({"etcd-cafile": str(pki / "etcd" / "ca.crt")})
    assert look(master).ids == ["ca-shared-with-etcd", "ca-shared-with-service-accounts"]


def test_no_way_to_services(make_master: MakeMaster, look: Look) -> None:
    master = make_master("unrouted", enable_aggregator_routing=None)
    missing = look(master)
    assert missing.ids == ["no-route-to-services"]
    assert "front_proxy_aggregator_routing=true" in missing.findings[0]["fix"]
    master.set_flags({"enable-aggregator-routing": "true"})
    master.restart()
    assert look(master).ids == []


def test_the_api_is_read_as_the_aggregator_does_it(healthy: LiveMaster) -> None:
    """The user alone may read nothing of what verify needs: the group is needed, and the aggregator has it, too."""
    server, pair = healthy.server, (healthy.pki / "front-proxy-client.crt", healthy.pki / "front-proxy-client.key")
    assert server is not None
    alone = {"X-Remote-User": "system:kube-aggregator"}
    for path in (CONFIG_MAP, "/apis/apiregistration.k8s.io/v1/apiservices", "/metrics"):
        statuses = [
            server.request(path, certificate=pair[0], key=pair[1], headers=headers).status
            for headers in (alone, {**alone, "X-Remote-Group": "system:masters"})
        ]
        assert statuses == [403, 200], path


def test_every_kind_of_finding_is_caused_by_a_test() -> None:
    tests = Path(__file__).resolve().parents[1]
    caused = "".join(path.read_text() for where in ("real", "cluster") for path in (tests / where).glob("test_*.py"))
    kinds = re.findall(r"^### (\S+)$", (tests.parent / "docs" / "findings.md").read_text(), re.MULTILINE)
    assert len(kinds) > 60
    assert [kind for kind in kinds if f'"{kind}"' not in caused] == []
