# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for evidence that this machine can reach the address of a Service: kube-proxy, its traces, or a replacement."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import typing as t

from .process import Process

__all__ = ["can_see_traces", "service_routing_evidence"]

_SECONDS = 10

# Programs that route Service addresses on the machine that they run on.
_ROUTERS = {
    "kube-proxy": "the process kube-proxy runs",
    "cilium-agent": "the process cilium-agent runs (Cilium, in place of kube-proxy)",
    "kube-router": "the process kube-router runs (in place of kube-proxy)",
    "ovnkube": "the process ovnkube runs (OVN-Kubernetes, in place of kube-proxy)",
}
# Network interfaces that only such a program makes.
_INTERFACES = {
    "kube-ipvs0": "the interface kube-ipvs0 is there (kube-proxy, IPVS mode)",
    "bpfin.cali": "the interface bpfin.cali is there (Calico's eBPF data plane, in place of kube-proxy)",
}


def _program(process: Process) -> str | None:
    # the second word only behind hyperkube: elsewhere it is an argument (grep kube-proxy)
    words = process.argv[1:2] if process.name == "hyperkube" else process.argv[:1]
    for word in words:
        name = word.rsplit("/", 1)[-1]
        if name in _ROUTERS:
            return name
    return None


_FOLDERS = "/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin:/usr/local/bin"
# The kubelet keeps the logs of each pod of its node in a folder NAMESPACE_NAME_UID, while a container starts anew, too.
_POD_LOGS = "/var/log/pods"
_PODS = ("kube-system_kube-proxy-", "kube-system_cilium-", "kube-system_kube-router-")
# Folders of such pods that route nothing.
_OTHER_PODS = re.compile(r"kube-system_cilium-(operator|envoy|test)|kube-system_kube-proxy-exporter")


def can_see_traces() -> bool:
    """Whether a program is there that can be asked for what kube-proxy leaves in the kernel."""
    return any(shutil.which(command, path=_FOLDERS) for command in ("iptables-save", "nft"))


def _pods_here() -> list[str]:
    """Name the pods of this node that route Services; they may be starting anew just now."""
    try:
        names = os.listdir(_POD_LOGS)
    except OSError:
        return []
    return sorted({name.split("_")[1] for name in names if name.startswith(_PODS) and not _OTHER_PODS.match(name)})


def _prints(command: str, arguments: t.Sequence[str], needle: str) -> bool:
    """Tell whether a command prints a line that begins with the needle; False if it is missing, slow or fails."""
    program = shutil.which(command, path=_FOLDERS)
    if program is None:
        return False
    try:
        done = subprocess.run(
            [program, *arguments],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return any(line.startswith(needle) for line in done.stdout.decode("utf-8", "replace").splitlines())


def service_routing_evidence(processes: t.Iterable[Process]) -> list[str]:
    """List the evidence, a sentence each; empty where there is none.

    The chains that the kubelet itself makes (KUBE-MARK-MASQ, KUBE-POSTROUTING, KUBE-FIREWALL, ...) are none:
    only kube-proxy makes KUBE-SERVICES (pkg/proxy/iptables). The tables are asked last: they can be large.
    """
    names = {name for name in map(_program, processes) if name}
    evidence = [_ROUTERS[name] for name in sorted(names)]
    evidence += [text for name, text in _INTERFACES.items() if os.path.exists(f"/sys/class/net/{name}")]
    if not evidence and _prints("iptables-save", (), ":KUBE-SERVICES "):
        evidence.append("iptables has the chain KUBE-SERVICES (kube-proxy, iptables mode)")
    if not evidence and any(
        _prints("nft", ("list", "tables"), f"table {family} kube-proxy") for family in ("ip", "ip6")
    ):
        evidence.append("nftables has the table kube-proxy (kube-proxy, nftables mode)")
    if not evidence:
        evidence += [f"the pod {name[:200]} is on this node, as {_POD_LOGS} shows" for name in _pods_here()[:3]]
    return evidence
