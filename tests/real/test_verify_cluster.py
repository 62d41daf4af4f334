# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""verify and what belongs to a whole cluster: what its masters hold together, what is published, the smoke test."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import issue, make_authority, name
from support.live import LiveMaster
from support.verified import CONFIG_MAP, PUBLISHED_CAS, Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

pytestmark = pytest.mark.differs


def test_masters_with_different_cas(make_master: MakeMaster, look: Look) -> None:
    first = make_master("m1")
    second = make_master("m2", of=first)
    assert look(first, second).ids == []
    new = make_authority(name("front-proxy-ca"))
    second.trust(new)
    second.sign(new)
    second.restart()
    different = look(first, second)
    assert different.ids == ["masters-hold-different-cas"], different.output
    assert different.findings[0]["hosts"] == ["m1", "m2"]
    assert "-e front_proxy_ca_from=m1" in different.findings[0]["fix"]
    # each of the two alone is right, but for what the other one published
    assert look(second).ids == ["ca-still-trusted"]
    second.trust(first.front_proxy)
    second.sign(first.front_proxy)
    second.restart()
    first.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (first.pki / "front-proxy-ca.crt").read_text()}})
    assert look(first, second).ids == []


def test_masters_that_differ_in_what_does_no_harm(make_master: MakeMaster, look: Look) -> None:
    first = make_master("m1")
    second = make_master("m2", of=first)
    second.trust(first.front_proxy, make_authority(name("front-proxy-ca-2")))
    second.restart()
    different = look(first, second)
    assert different.ids == ["bundles-differ"], different.output
    assert different.findings[0]["hosts"] == ["m1", "m2"]
    second.trust(first.front_proxy)
    second.set_flags({"requestheader-allowed-names": "front-proxy-client,former"})
    second.restart()
    first.patch(CONFIG_MAP, {"data": {PUBLISHED_CAS: (first.pki / "front-proxy-ca.crt").read_text()}})
    different = look(first, second)
    assert different.ids == ["allowed-names-differ"], different.output
    assert '["former", "front-proxy-client"]' in different.findings[0]["fix"]


REQUEST_HEADER = ("client-ca-file", "allowed-names", "username-headers", "group-headers", "extra-headers-prefix")


def test_a_cluster_that_publishes_nothing(make_master: MakeMaster, look: Look) -> None:
    bare = {f"requestheader_{name.replace('-', '_')}": None for name in REQUEST_HEADER}
    master = make_master("unpublished", **bare)
    whole = make_master("pattern").flags
    webhook = master.forbid_writes("configmaps")
    master.set_flags({f"requestheader-{name}": whole[f"requestheader-{name}"] for name in REQUEST_HEADER})
    master.set_flags({"requestheader-client-ca-file": str(master.pki / "front-proxy-ca.crt")})
    master.restart()
    assert look(master).ids == ["nothing-published"]
    master.delete(webhook)
    master.restart()
    assert look(master).ids == []


def test_a_ca_that_is_not_published(make_master: MakeMaster, look: Look) -> None:
    master = make_master("unknown")
    webhook = master.forbid_writes("configmaps")
    new = make_authority(name("front-proxy-ca"))
    master.trust(new)
    master.sign(new)
    master.restart()
    assert look(master).ids == ["ca-not-published", "ca-still-trusted"]
    master.delete(webhook)
    master.restart()
    assert look(master).ids == ["ca-still-trusted"]


def kubeconfig(
    master: LiveMaster, folder: Path, user: str, organization: str = "", *, authority: str = "ca.crt"
) -> str:
    """A kubeconfig with a certificate that the cluster's CA signed. authority: the CA that its server is known by."""
    pair = issue(master.authorities.cluster, name(user, organization), client=True)
    pair.write(folder, user)
    user_entry = {"client-certificate": str(folder / f"{user}.crt"), "client-key": str(folder / f"{user}.key")}
    document = {
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"user": user, "cluster": "here"}}],
        "clusters": [{"name": "here", "cluster": {"certificate-authority": str(master.pki / authority)}}],
        "users": [{"name": user, "user": user_entry}],
    }
    (folder / "kubeconfig").write_text(json.dumps(document))
    return str(folder / "kubeconfig")


@pytest.fixture(scope="module")
def healthy(make_master: MakeMaster) -> LiveMaster:
    """A master as kubeadm makes it."""
    return make_master("healthy")


def test_a_user_who_may_read_nothing(healthy: LiveMaster, look: Look, tmp_path: Path) -> None:
    blind = look(healthy, front_proxy_kubeconfig=kubeconfig(healthy, tmp_path, "nobody"))
    assert blind.ids == ["api-not-readable"], blind.output
    assert 'User "nobody" cannot get resource "configmaps"' in blind.findings[0]["evidence"][0]
    assert look(healthy).ids == []


def test_credentials_go_to_no_server_that_their_ca_does_not_know(
    healthy: LiveMaster, look: Look, tmp_path: Path
) -> None:
    other = kubeconfig(healthy, tmp_path, "admin", "system:masters", authority="front-proxy-ca.crt")
    blind = look(healthy, front_proxy_kubeconfig=other)
    assert blind.ids == ["api-not-readable"], blind.output
    assert "certificate verify failed" in blind.findings[0]["evidence"][0]


def test_the_smoke_test_of_a_healthy_master(healthy: LiveMaster, look: Look, tmp_path: Path) -> None:
    for user, given in {
        "kubeops:aggregation-layer:smoke-test": {},
        "admin": {"front_proxy_kubeconfig": kubeconfig(healthy, tmp_path, "admin", "system:masters")},
    }.items():
        verified = look(healthy, "-vvv", front_proxy_smoke=True, **given)
        assert verified.ids == [], verified.output
        shown = " ".join(verified.output.split())
        assert "through healthy an extension API server saw the certificate CN=front-proxy-client" in shown
        assert f"the user {user} and the groups system:masters, system:authenticated" in shown


def test_a_smoke_test_that_cannot_be_run(make_master: MakeMaster, look: Look) -> None:
    master = make_master("forbidden")
    webhook = master.forbid_writes("services")
    refused = look(master, front_proxy_smoke=True)
    assert refused.ids == ["smoke-test-not-run"], refused.output
    assert "The Service of the smoke test cannot be made" in refused.findings[0]["evidence"][0]
    master.delete(webhook)
    assert look(master, front_proxy_smoke=True).ids == []


def test_a_certificate_that_extension_api_servers_refuse(make_master: MakeMaster, look: Look) -> None:
    """The published names are older than the pair, and kube-apiserver cannot write them anew."""
    master = make_master("renamed", requestheader_allowed_names="former")
    master.sign(master.front_proxy, common_name="former")
    webhook = master.forbid_writes("configmaps")
    master.set_flags({"requestheader-allowed-names": "front-proxy-client"})
    master.sign(master.front_proxy)
    master.restart()
    assert look(master).ids == ["name-not-published", "name-still-allowed"]
    refused = look(master, front_proxy_smoke=True)
    assert refused.ids == ["smoke-test-refused", "name-still-allowed"], refused.output
    why = " ".join(refused.findings[0]["evidence"])
    assert "the name 'front-proxy-client' of the certificate is none of those that are published" in why
    master.delete(webhook)
    master.restart()
    assert look(master, front_proxy_smoke=True).ids == ["name-still-allowed"]


def test_a_caller_who_arrives_as_nobody(make_master: MakeMaster, look: Look) -> None:
    """Extension API servers are told to read another header than kube-apiserver sends."""
    master = make_master("headers", requestheader_username_headers="X-User")
    webhook = master.forbid_writes("configmaps")
    master.set_flags({"requestheader-username-headers": "X-Remote-User"})
    master.restart()
    assert look(master).ids == ["header-not-published"]
    other = look(master, front_proxy_smoke=True)
    assert other.ids == ["smoke-test-other-caller"], other.output
    assert "seen as nobody" in other.findings[0]["evidence"][0]
    master.delete(webhook)
    master.restart()
    assert look(master, front_proxy_smoke=True).ids == []
