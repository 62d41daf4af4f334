# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A controller's folder in memory or real, and plans for masters."""

from __future__ import annotations

import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca import CaWish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.ca_files import CaRequest, ensure_ca
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client import ClientWish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.client_files import (
    ClientRequest,
    ensure_client,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import PkiFolder, read_folder
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import KeySpec
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import RenewBefore
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import FileWish, decide_change
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.clusters import (
    ClusterSettings,
    Report,
    plan_clusters,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wanted import read_files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import NOW, YEAR
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    FOLDER,
    FakeMaster,
    sentence,
)


def folder(
    *bundle: Certificate,
    ca_key: str = "absent",
    client: t.Optional[Certificate] = None,
    client_key_matches: t.Optional[bool] = None,
) -> PkiFolder:
    """The controller's PKI folder."""
    return PkiFolder(
        path=FOLDER,
        exists=bool(bundle),
        ca=bundle,
        ca_key=ca_key,
        client=(client,) if client else (),
        client_key_matches=bool(client) if client_key_matches is None else client_key_matches,
    )


def settings(path: str = FOLDER, renew_before: str = "1/3") -> ClusterSettings:
    return ClusterSettings(folder=path, renew_before=renew_before, container="kube-apiserver")


def report(
    fake: t.Union[FakeMaster, str],
    *,
    wish: t.Optional[Wish] = None,
    cluster: str = "kubernetes",
    targeted: bool = True,
    failure: str = "",
    path: str = FOLDER,
    renew_before: str = "1/3",
) -> Report:
    """What is known of a master; only its name: it was not looked at, or (failure) could not be."""
    if isinstance(fake, str):
        return Report(fake, cluster, targeted, None, failure, None, None)
    carried = settings(path, renew_before) if targeted else None
    return Report(fake.name, cluster, targeted, fake.observe(), "", (wish or Wish()) if targeted else None, carried)


def plan(
    *seen: t.Union[FakeMaster, Report],
    wish: t.Optional[Wish] = None,
    pki: t.Union[PkiFolder, t.Callable[[str], PkiFolder], None] = None,
    renew_before: str = "1/3",
) -> t.Dict[str, t.Any]:
    """Plan for masters, or reports of them."""
    reports = [
        each if isinstance(each, Report) else report(each, wish=wish, renew_before=renew_before) for each in seen
    ]
    found = pki if callable(pki) else (lambda dummy: pki or folder())
    return plan_clusters(reports, read_folder=found, now=NOW)


def refusal(done: t.Mapping[str, t.Any], host: str, cluster: str = "kubernetes") -> str:
    """The sentence with which the plan refuses a cluster; the others of it are told who is the culprit."""
    found = done["clusters"][cluster]
    assert found["error"], found
    assert done["waves"] == [] or all(host not in wave for wave in done["waves"])
    assert found["culprit"] == host
    for name in found["members"]:
        each = done["hosts"][name]
        assert each["action"] == "refused" and each["files"] == []
        if name == host:
            assert each["error"] == found["error"]
        else:
            sentence(each["error"], f"Not begun, because {host} of the same cluster is refused: ")
    return str(found["error"])


class Controller:
    """A real PKI folder on this machine, worked on as the role's second step does."""

    def __init__(self, path: Path) -> None:
        self.path = path / "kubernetes"

    def read(self, path: str) -> PkiFolder:
        return read_folder(path)

    def sign(self, cluster: t.Mapping[str, t.Any]) -> None:
        """What roles/front_proxy/tasks/sign.yml does."""
        if not (cluster["make_ca"] or cluster["adopt"] is not None or cluster["sign"]):
            return
        place = Path(cluster["folder"])
        spec = KeySpec.of(kind="ECDSA")
        ca = CaRequest(
            certificate_path=str(place / "front-proxy-ca.crt"),
            privatekey_path=str(place / "front-proxy-ca.key"),
            wish=CaWish(Subject.of(common_name="front-proxy-ca"), spec, 10 * YEAR),
            adopt=cluster["adopt"],
        )
        ensure_ca(ca, check=False, now=NOW)
        if cluster["sign"]:
            wanted = ClientWish.of(
                renew_before=RenewBefore.parse("1/3"),
                subject=Subject.of(common_name=cluster["common_name"]),
                key=spec,
            )
            client = ClientRequest(
                certificate_path=str(place / "front-proxy-client.crt"),
                privatekey_path=str(place / "front-proxy-client.key"),
                ca_certificate_path=ca.certificate_path,
                ca_privatekey_path=ca.privatekey_path,
                wish=wanted,
            )
            ensure_client(client, check=False, now=NOW)

    def run(self, *masters: FakeMaster, wish: t.Optional[Wish] = None) -> t.Dict[str, t.Any]:
        """Plan, sign, apply wave by wave; gives the plan."""
        done = plan_clusters(
            [report(each, wish=wish, path=str(self.path)) for each in masters], read_folder=self.read, now=NOW
        )
        for cluster in done["clusters"].values():
            if not cluster["error"]:
                self.sign(cluster)
        by_name = {each.name: each for each in masters}
        for wave in done["waves"]:
            for name in wave:
                self._apply(by_name[name], done["hosts"][name])
        return done

    @staticmethod
    def _apply(fake: FakeMaster, wanted: t.Mapping[str, t.Any]) -> None:
        wishes, contents = read_files(wanted["files"], str, checking=False)
        fake.apply(decide_change(fake.read(), wanted["flags"], wishes, container="kube-apiserver"), contents)
        # what the master waits for: the kubelet runs what the manifest says
        fake.answers = fake.running = True
        fake.argv = None


def wished(path: str, content: str, **more: t.Any) -> FileWish:
    """A wanted file as the action reads it."""
    wishes, dummy = read_files([{"path": path, "content": content, **more}], str, checking=False)
    return wishes[0]
