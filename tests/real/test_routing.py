# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What configure decides about --enable-aggregator-routing beside a real kube-apiserver: by more than one look."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest
from support.ansible_run import Ansible
from support.configured import CONFIGURE
from support.extension import GROUP, Extension
from support.live import LiveMaster
from support.proxy import ConnectProxy
from test_verify_ways import SELECTOR

if t.TYPE_CHECKING:
    from conftest import MakeMaster

DAEMON_SETS = "/apis/apps/v1/namespaces/kube-system/daemonsets"
# the kubelet beside each master has the name of this machine
NODE = os.uname().nodename.lower()
IS_SET = "--enable-aggregator-routing is set to true"


class Foretell(t.Protocol):
    """The type of the fixture ``foretell``."""

    def __call__(self, master: LiveMaster) -> str:
        """What configure would do, in one line."""


@pytest.fixture
def foretell(ansible: Ansible, tmp_path: Path) -> Foretell:
    """Run the playbook in check mode."""

    def run(master: LiveMaster) -> str:
        inventory = tmp_path / "inventory"
        lines = ["[masters]", master.inventory_line, "[masters:vars]", "ansible_connection=local"]
        inventory.write_text("\n".join([*lines, "ansible_python_interpreter={{ ansible_playbook_python }}"]) + "\n")
        variables = json.dumps({"front_proxy_pki_dir": str(tmp_path / "pki")})
        words = ("--inventory", str(inventory), "--extra-vars", variables, "--check")
        return " ".join(ansible.run("ansible-playbook", CONFIGURE, *words).split())

    return run


def make_daemon_set(master: LiveMaster, **spec: t.Any) -> None:
    """As kubeadm makes it; no controller runs here, so that its pods are just being made."""
    labels = {"k8s-app": "kube-proxy"}
    pod = {"containers": [{"name": "kube-proxy", "image": "kube-proxy"}], **spec}
    template = {"metadata": {"labels": labels}, "spec": pod}
    document = {"metadata": {"name": "kube-proxy"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    master.server.wait_until(lambda: "kube-system" in json.dumps(master.get("/api/v1/namespaces")))
    master.post(DAEMON_SETS, document)


def test_a_master_without_kube_proxy_gets_it(make_master: MakeMaster, foretell: Foretell) -> None:
    """Nothing is left to doubt: the API knows of none, and the address does not answer."""
    master = make_master("alone", enable_aggregator_routing=None)
    said = foretell(master)
    assert IS_SET in said and "the Service kubernetes (10.96.0.1:443) does not answer from here" in said, said


def test_a_kube_proxy_that_is_just_being_replaced(make_master: MakeMaster, foretell: Foretell) -> None:
    master = make_master("replaced", enable_aggregator_routing=None)
    make_daemon_set(master, tolerations=[{"operator": "Exists"}], nodeSelector={"kubernetes.io/os": "linux"})
    node = {"metadata": {"name": NODE, "labels": {"kubernetes.io/os": "linux"}}}
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    master.post("/api/v1/nodes", {**node, "spec": {"taints": [taint]}})
    said = foretell(master)
    assert IS_SET not in said and "the DaemonSet kube-proxy of kube-system runs kube-proxy on this node" in said, said


def test_a_kube_proxy_for_other_nodes(make_master: MakeMaster, foretell: Foretell) -> None:
    master = make_master("others", enable_aggregator_routing=None)
    make_daemon_set(master)
    taint = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
    master.post("/api/v1/nodes", {"metadata": {"name": NODE}, "spec": {"taints": [taint]}})
    assert IS_SET in foretell(master)


def test_a_proxy_that_covers_the_services_only(make_master: MakeMaster, foretell: Foretell) -> None:
    master = make_master("proxied", enable_aggregator_routing=None)
    master.environment = {
        "HTTPS_PROXY": "http://somebody:hunter2@proxy.example.com:3128",
        "NO_PROXY": "127.0.0.1,localhost,192.0.2.0/24,10.96.0.0/12",
    }
    master.restart()
    said = foretell(master)
    assert IS_SET not in said and "hunter2" not in said
    assert "the proxy http://proxy.example.com:3128 (HTTPS_PROXY), and NO_PROXY covers the Services but not" in said
    master.environment["NO_PROXY"] = "*"
    master.restart()
    assert IS_SET in foretell(master)


def test_a_tunnel_that_leads_to_the_services(
    make_master: MakeMaster, foretell: Foretell, address: str, extension: Extension, tmp_path: Path
) -> None:
    master = make_master("tunnelled", enable_aggregator_routing=None)
    selector, socket = tmp_path / "egress.yaml", tmp_path / "konnectivity-server.socket"
    selector.write_text(SELECTOR.format(socket=socket))
    master.set_flags({"egress-selector-config-file": str(selector)})
    with ConnectProxy(str(socket)) as tunnel:
        tunnel.leads_to = (address, extension.port)
        master.restart()
        said = foretell(master)
        assert IS_SET not in said and f"as {selector} says" in said, said
        # that an extension API server answers is enough by itself
        master.register(GROUP, address, extension.port)
        master.server.wait_until(lambda: f"v1.{GROUP} answers through this master" in foretell(master))
