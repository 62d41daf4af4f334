# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify masters that run on this machine, as users do: by the playbook, and by the report that it writes."""

from __future__ import annotations

import json
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

from support.ansible_run import Ansible
from support.live import CONFIG_MAP, PUBLISHED_CAS, LiveMaster

__all__ = ["CONFIG_MAP", "PUBLISHED_CAS", "PUBLISHED_NAMES", "Look", "Verified", "verify", "wait_for_ids"]

VERIFY = "kubeops.aggregation_layer.verify"

PUBLISHED_NAMES = "requestheader-allowed-names"


@dataclass(frozen=True)
class Verified:
    """What the playbook found, and what it printed."""

    findings: list[dict[str, t.Any]]
    output: str

    @property
    def ids(self) -> list[str]:
        return [found["id"] for found in self.findings]

    @property
    def table(self) -> list[str]:
        """What was printed, from the first line of the table on."""
        lines = self.output.splitlines()
        starts = ("OK: ", "BROKEN", "AT RISK", "WILL BREAK", "UNTIDY")
        first = next(number for number, line in enumerate(lines) if line.startswith(starts))
        return lines[first:]


def verify(ansible: Ansible, folder: Path, *given: LiveMaster | str, **variables: t.Any) -> Verified:
    """Run the playbook on these masters, with these options; it fails only as ``front_proxy_fail_on`` says."""
    masters = [each for each in given if isinstance(each, LiveMaster)]
    options = [each for each in given if isinstance(each, str)]
    inventory, report = folder / "inventory", folder / "report.json"
    lines = ["[masters]", *(master.inventory_line for master in masters), "[masters:vars]"]
    lines += ["ansible_connection=local", "ansible_python_interpreter={{ ansible_playbook_python }}"]
    # where a fix that is pasted keeps the CA
    lines.append(f"front_proxy_pki_dir={folder / 'pki'}")
    inventory.write_text("\n".join(lines) + "\n")
    report.unlink(missing_ok=True)
    variables = {"front_proxy_report": str(report), "front_proxy_fail_on": "never", **variables}
    words = ("--inventory", str(inventory), "--extra-vars", json.dumps(variables), *options)
    output = ansible.run("ansible-playbook", VERIFY, *words)
    assert "PRIVATE KEY" not in output + report.read_text()
    return Verified(json.loads(report.read_text())["findings"], output)


class Look(t.Protocol):
    """The type of the fixture ``look``."""

    def __call__(self, *given: LiveMaster | str, **variables: t.Any) -> Verified:
        """Verify these masters; a string is an option of ansible-playbook."""


def wait_for_ids(look: Look, masters: t.Sequence[t.Any], *ids: str) -> None:
    """Look until just this is found: kube-apiserver checks an APIService again after a while."""
    deadline = time.monotonic() + 120
    while True:
        verified = look(*masters)
        if verified.ids == list(ids):
            return
        assert time.monotonic() < deadline, verified.output
