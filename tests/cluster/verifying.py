# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify the cluster as users do: by the playbook, by the report that it writes, and by pasting what it says."""

from __future__ import annotations

import json
import shlex
import time
import typing as t

from conftest import Cluster
from watch.master import wait_for

__all__ = ["VERIFY", "Verified", "paste", "publish_only_what_is_held", "verify", "wait_until_found"]

VERIFY = "kubeops.aggregation_layer.verify"
# between two looks, each of which is work for the machine that the masters are on, too
PAUSE = 2
CONFIG_MAP = ("--namespace=kube-system", "configmap", "extension-apiserver-authentication")


class Verified(t.NamedTuple):
    """What was found, and what was printed."""

    findings: list[dict[str, t.Any]]
    output: str

    @property
    def ids(self) -> list[str]:
        return [found["id"] for found in self.findings]


def verify(cluster: Cluster, *under: str, **variables: t.Any) -> Verified:
    """Run the playbook; it fails only if it is told to, by ``front_proxy_fail_on``. under: see `Playbook.under`."""
    report = cluster.folder / "report.json"
    report.unlink(missing_ok=True)
    given = {"front_proxy_report": str(report), "front_proxy_fail_on": "never", **variables}
    run = cluster.ansible.under(*under).start(VERIFY, **given).succeeded()
    assert "PRIVATE KEY" not in run.output + report.read_text()
    assert {counts.changed for counts in run.recap.values()} == {0}
    return Verified(json.loads(report.read_text())["findings"], run.output)


def have_extensions_checked(cluster: Cluster) -> None:
    """Touch the APIServices of extension API servers: kube-apiserver then checks them now, and not within 30 s."""
    # that a master does not answer may be what is looked for
    listed = "--output=jsonpath={range .items[?(@.spec.service)]}{.metadata.name} {end}"
    names = cluster.bed.kubectl("get", "apiservices", listed, check=False).split()
    if names:
        touched = f"cluster-test={time.time_ns()}"
        cluster.bed.kubectl("annotate", "--overwrite", "apiservices", *names, touched, check=False)


def wait_until_found(cluster: Cluster, *ids: str) -> Verified:
    """Verify until just this is found."""
    seen: list[Verified] = []

    def found() -> bool:
        if seen:
            have_extensions_checked(cluster)
            time.sleep(PAUSE)
        seen.append(verify(cluster))
        return seen[-1].ids == list(ids)

    try:
        wait_for(found, f"findings {ids}", seconds=150)
    except AssertionError:
        raise AssertionError(seen[-1].output) from None
    return seen[-1]


def paste(cluster: Cluster, fix: str) -> None:
    """Do what a fix says: a command for the controller, or for a host."""
    where, _colon, command = fix.partition(": ")
    words = shlex.split(command, comments=True)
    if where == "run":
        assert words[:2] == ["ansible-playbook", "-i"], fix
        cluster.ansible.start(words[3], *words[4:], front_proxy_pki_dir=str(cluster.folder / "pki")).succeeded()
    else:
        (master,) = [each for each in cluster.masters if where == f"run on {each.name}"]
        master.node.run("sh", "-c", command)


def publish_only_what_is_held(cluster: Cluster) -> None:
    """Take what earlier tests left out of the ConfigMap, at once and without a look at the masters."""
    data = {
        "requestheader-client-ca-file": cluster.masters[0].read("front-proxy-ca.crt").decode(),
        "requestheader-allowed-names": '["front-proxy-client"]',
    }
    cluster.bed.kubectl("patch", *CONFIG_MAP, "--type=merge", f"--patch={json.dumps({'data': data})}")
