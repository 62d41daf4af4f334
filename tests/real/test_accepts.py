# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real kube-apiserver accepts what the role wrote, and refuses what it must refuse."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
from cryptography import x509
from kubeadm_pki import Pair, issue, make_authority, name
from make_masters import make_cluster
from support.ansible_run import Ansible
from support.apiserver import ApiServer, Response
from support.configured import Configured

if t.TYPE_CHECKING:
    from conftest import MakeApiServer

pytestmark = pytest.mark.differs

AS_JANE = {"X-Remote-User": "jane"}
# This check exists only in a server that was given both flags of the proxy client (kube-aggregator, since 1.20).
RELOAD_CHECK = "[+]poststarthook/aggregator-reload-proxy-client-cert ok"


@pytest.fixture(scope="module")
def configured(ansible: Ansible, kubernetes_version: str, tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """Two masters that had no aggregation layer, after the playbook."""
    folder = tmp_path_factory.mktemp("bare")
    cluster = make_cluster(folder / "masters", masters=2, kubernetes_version=kubernetes_version)
    return Configured.run(ansible, cluster, folder / "pki")


@pytest.fixture(scope="module")
def servers(configured: Configured, make_apiserver: MakeApiServer) -> list[ApiServer]:
    """The kube-apiservers of these masters, started with what is on them now."""
    return [make_apiserver(master.manifest.read_text(), root=master.root) for master in configured.cluster.masters]


@pytest.fixture
def authority(configured: Configured) -> Pair:
    """The CA that the role made."""
    return configured.authority()


def ask(server: ApiServer, pair: Pair, folder: Path, headers: t.Mapping[str, str]) -> Response:
    """GET /version with a pair that is not on any master."""
    pair.write(folder, "pair")
    return server.request("/version", certificate=folder / "pair.crt", key=folder / "pair.key", headers=headers)


def client_name(configured: Configured) -> x509.Name:
    """The subject of the pair on the first master."""
    certificate, dummy = configured.pair(configured.cluster.masters[0])
    return x509.load_pem_x509_certificate(certificate.read_bytes()).subject


def test_each_master_accepts_the_pair_of_each(configured: Configured, servers: list[ApiServer]) -> None:
    for master in configured.cluster.masters:
        certificate, key = configured.pair(master)
        answers = [server.request("/version", certificate=certificate, key=key, headers=AS_JANE) for server in servers]
        assert [answer.status for answer in answers] == [200, 200]


def test_the_user_is_the_one_in_the_header(configured: Configured, servers: list[ApiServer]) -> None:
    # /version alone does not show it: anonymous users may read it, too.
    certificate, key = configured.pair(configured.cluster.masters[0])
    path = "/api/v1/namespaces"
    jane = servers[0].request(path, certificate=certificate, key=key, headers=AS_JANE)
    master = servers[0].request(
        path, certificate=certificate, key=key, headers={**AS_JANE, "X-Remote-Group": "system:masters"}
    )
    assert jane.status == 403
    assert 'User \\"jane\\" cannot list' in jane.body
    assert master.status == 200


def test_administrators_hear_from_the_first_answer_on_whether_it_is_ready(
    configured: Configured, make_apiserver: MakeApiServer
) -> None:
    """To wait for a server relies on it: all others are forbidden to ask at first, and on some clusters for good."""
    master = configured.cluster.masters[0]
    certificate, key = configured.pair(master)
    server = make_apiserver(master.manifest.read_text(), root=master.root, wait=False)
    heard: list[int] = []

    def is_ready() -> bool:
        headers = {**AS_JANE, "X-Remote-Group": "system:masters"}
        try:
            heard.append(server.request("/readyz", certificate=certificate, key=key, headers=headers).status)
        except OSError:
            return False
        return heard[-1] == 200

    server.wait_until(is_ready)
    assert set(heard) == {500, 200}


def test_a_pair_from_another_ca_of_the_same_name_is_refused(
    configured: Configured, servers: list[ApiServer], authority: Pair, tmp_path: Path
) -> None:
    impostor = make_authority(authority.certificate.subject)
    assert ask(servers[0], issue(impostor, client_name(configured), client=True), tmp_path, AS_JANE).status == 401


def test_a_name_that_is_not_allowed_is_refused(
    configured: Configured, servers: list[ApiServer], authority: Pair, tmp_path: Path
) -> None:
    allowed = issue(authority, client_name(configured), client=True)
    stranger = issue(authority, name("not-the-front-proxy"), client=True)
    assert ask(servers[0], allowed, tmp_path / "allowed", AS_JANE).status == 200
    assert ask(servers[0], stranger, tmp_path / "stranger", AS_JANE).status == 401


def test_the_pair_alone_is_nobody(configured: Configured, servers: list[ApiServer]) -> None:
    certificate, key = configured.pair(configured.cluster.masters[0])
    assert servers[0].request("/version", certificate=certificate, key=key).status == 401


def test_the_handshake_names_the_ca(servers: list[ApiServer], authority: Pair) -> None:
    (expected,) = authority.certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    for server in servers:
        assert sorted(server.client_ca_names()) == sorted(["kubernetes", expected.value])


def test_the_pair_is_watched_for_renewal(servers: list[ApiServer]) -> None:
    for server in servers:
        assert RELOAD_CHECK in server.request("/readyz?verbose").body.splitlines()


def test_a_renewed_pair_is_accepted(
    ansible: Ansible, configured: Configured, servers: list[ApiServer], tmp_path: Path
) -> None:
    ca_certificate, ca_key = configured.authority_paths()
    certificate, key = tmp_path / "renewed.crt", tmp_path / "renewed.key"
    ansible.module(
        "kubeops.aggregation_layer.front_proxy_client",
        {
            "certificate_path": str(certificate),
            "privatekey_path": str(key),
            "ca_certificate_path": str(ca_certificate),
            "ca_privatekey_path": str(ca_key),
        },
    )
    for server in servers:
        assert server.request("/version", certificate=certificate, key=key, headers=AS_JANE).status == 200


def test_a_master_as_kubeadm_made_it_still_accepts_its_own_pair(
    ansible: Ansible, make_apiserver: MakeApiServer, kubernetes_version: str, tmp_path: Path
) -> None:
    cluster = make_cluster(tmp_path / "masters", masters=1, bare=False, kubernetes_version=kubernetes_version)
    (master,) = cluster.masters
    before = (master.certificates / "front-proxy-client.crt").read_bytes()
    certificate, key = Configured.run(ansible, cluster, tmp_path / "pki").pair(master)
    server = make_apiserver(master.manifest.read_text(), root=master.root)
    assert certificate.read_bytes() == before
    assert server.request("/version", certificate=certificate, key=key, headers=AS_JANE).status == 200


def test_a_bare_master_shows_none_of_this(
    make_apiserver: MakeApiServer, kubernetes_version: str, tmp_path: Path
) -> None:
    """What the other tests look for is not there before the role ran: they can fail."""
    (master,) = make_cluster(tmp_path / "masters", masters=1, kubernetes_version=kubernetes_version).masters
    server = make_apiserver(master.manifest.read_text(), root=master.root)
    pair = issue(make_authority(name("front-proxy-ca")), name("front-proxy-client"), client=True)
    assert ask(server, pair, tmp_path, AS_JANE).status == 401
    assert server.client_ca_names() == ["kubernetes"]
    assert "aggregator-reload-proxy-client-cert" not in server.request("/readyz?verbose").body
