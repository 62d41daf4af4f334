# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only newer releases do, and what verify makes of it."""

from __future__ import annotations

import json
import typing as t

import pytest
from kubeadm_pki import make_authority, name
from support.live import CONFIG_MAP, PUBLISHED_CAS, LiveMaster
from support.service import ServiceError
from support.verified import Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

pytestmark = pytest.mark.differs


@pytest.mark.since(23)
def test_files_are_read_at_once(make_master: MakeMaster, look: Look) -> None:
    master = make_master("fast")
    new = make_authority(name("front-proxy-ca"))
    master.trust(new)
    master.sign(new)
    assert master.server is not None
    master.server.wait_until(lambda: new_is_published(master))
    # nothing was restarted, and the pair is accepted; what was published before is never taken out
    assert look(master).ids == ["ca-still-trusted"]
    master.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (master.pki / "front-proxy-ca.crt").read_text()}})
    assert look(master).ids == []


def new_is_published(master: LiveMaster) -> bool:
    return (master.pki / "front-proxy-ca.crt").read_text() in master.get(CONFIG_MAP)["data"][PUBLISHED_CAS]


@pytest.mark.parametrize("version", ["VersionTLS12", "VersionTLS13"])
def test_the_cas_that_are_loaded_are_told_in_every_version_of_tls(
    version: str, make_master: MakeMaster, look: Look
) -> None:
    master = make_master(version.lower(), tls_min_version=version)
    seen = look(master)
    unseen = "could not be seen in the TLS handshake"
    assert seen.ids == [] and unseen not in " ".join(seen.output.split()), seen.output
    # a server that runs with another CA than its manifest names
    other = make_authority(name("another-front-proxy-ca"))
    flag = "requestheader-client-ca-file"
    own = master.flags[flag]
    other.write(master.folder / "scratch", "other")
    master.set_flags({flag: str(master.folder / "scratch" / "other.crt")})
    master.restart()
    master.set_flags({flag: own})
    assert "process-not-as-manifest" in look(master).ids


def test_a_server_with_an_address_of_ipv6_only(make_master: MakeMaster, look: Look) -> None:
    master = make_master("six", address="::1", service_cluster_ip_range="fd00:10:96::/112")
    assert look(master).ids == []
    reached = look(master, front_proxy_smoke=True)
    assert reached.ids == [] and "through six an extension API server saw" in " ".join(reached.output.split())


@pytest.mark.since(32)
def test_the_uid_of_a_user_has_a_header_too(make_master: MakeMaster, look: Look) -> None:
    master = make_master("uid", requestheader_uid_headers="X-Remote-Uid")
    assert look(master).ids == []
    assert json.loads(master.get(CONFIG_MAP)["data"]["requestheader-uid-headers"]) == ["X-Remote-Uid"]


@pytest.mark.since(31)
@pytest.mark.parametrize("anonymous", ["off", "health only", "flag"])
def test_a_server_that_lets_nobody_in_without_a_name(anonymous: str, make_master: MakeMaster, look: Look) -> None:
    master = make_master(anonymous.replace(" ", "-"))
    if anonymous == "flag":
        master.set_flags({"anonymous-auth": "false"})
    else:
        path = master.folder / "authentication.yaml"
        conditions = [{"path": path} for path in ("/livez", "/readyz", "/healthz")]
        allowed = {"enabled": False} if anonymous == "off" else {"enabled": True, "conditions": conditions}
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1beta1",
            "kind": "AuthenticationConfiguration",
            "anonymous": allowed,
        }
        path.write_text(json.dumps(document))
        master.set_flags({"authentication-config": str(path)})
    master.restart()
    assert look(master).ids == []


@pytest.mark.since(30)
def test_users_whose_tokens_somebody_else_signs(make_master: MakeMaster, look: Look) -> None:
    """Structured authentication: the front proxy is one more way in, whatever the others are."""
    master = make_master("issuer")
    path = master.folder / "authentication.yaml"
    document = {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",
        "kind": "AuthenticationConfiguration",
        "jwt": [
            {
                "issuer": {"url": "https://issuer.example.com", "audiences": ["kubernetes"]},
                "claimMappings": {"username": {"claim": "sub", "prefix": "issuer:"}},
            }
        ],
    }
    path.write_text(json.dumps(document))
    master.set_flags({"authentication-config": str(path)})
    master.restart()
    assert look(master).ids == []


@pytest.mark.since(28)
def test_the_pair_is_also_shown_to_other_kube_apiservers(make_master: MakeMaster, look: Look) -> None:
    master = make_master("peers")
    master.set_flags({"peer-ca-file": str(master.pki / "ca.crt")})
    master.restart()
    assert look(master).ids == []


@pytest.mark.since(35)
def test_one_ca_for_clients_too_ends_the_server(make_master: MakeMaster, look: Look) -> None:
    master = make_master("overlap")
    master.set_flags({"requestheader-client-ca-file": master.flags["client-ca-file"]})
    master.sign(master.authorities.cluster)
    master.restart()
    shared = look(master)
    assert shared.ids == ["ca-shared-with-clients", "ca-still-trusted"], shared.output
    master.set_flags({"requestheader-allowed-names": None})
    with pytest.raises(ServiceError):
        master.restart()
    assert "server-not-running" in look(master).ids


@pytest.mark.since(36)
@pytest.mark.parametrize("names", ['""', "front-proxy-client,"])
def test_blank_names_end_the_server(names: str, make_master: MakeMaster, look: Look) -> None:
    master = make_master(f"blank{len(names)}")
    master.set_flags({"requestheader-allowed-names": names})
    with pytest.raises(ServiceError):
        master.restart()
    found = look(master).findings
    assert any(each["id"].startswith("allowed-names-") and each["severity"] == "broken" for each in found)
