# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Flags that kube-apiserver reads otherwise than they seem: what is known of them is what the server says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from make_masters import make_cluster
from support.ansible_run import Ansible
from support.configured import CONFIGURE
from support.verified import Look

if t.TYPE_CHECKING:
    from conftest import MakeMaster

pytestmark = pytest.mark.differs

NAMES = "--requestheader-allowed-names=front-proxy-client"
BARE = "--requestheader-allowed-names"
SAID = (
    "--requestheader-allowed-names has no value, so kube-apiserver takes the next item (--requestheader-client-ca-file="
)

# The tables, from the product: which flags take a value, and which are booleans.
TABLES = """\
import sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils import _argv
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest import value_flags
print(*sorted(value_flags.VALUE_FLAGS))
print(*sorted(_argv.BOOLEAN_FLAGS))
"""


def test_the_flags_that_take_a_value_are_known(binaries: str, collections_path: Path) -> None:
    program = str(shutil.which("kube-apiserver", path=binaries))
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    flag = r"^\s+(?:-\w, )?--([a-z][\w-]*)(\[=\S*\])?(?: (\S+))?(?:\s{2,}|$)"
    found = {
        name: bool(kind) and "[=" not in kind + optional
        for name, optional, kind in re.findall(flag, told, re.MULTILINE)
    }
    tables = subprocess.run(
        [sys.executable, "-c", TABLES, str(collections_path)], capture_output=True, text=True, check=True
    ).stdout
    values, booleans = (set(line.split()) for line in tables.splitlines())
    assert len(found) > 150
    assert {name for name, takes in found.items() if takes} - values == set()
    assert {name for name, takes in found.items() if not takes} - booleans == set()


def test_a_flag_without_a_value_is_told(make_master: MakeMaster, look: Look) -> None:
    master = make_master("swallow")
    master.manifest.write_text(master.manifest.read_text().replace(NAMES, BARE))
    (found,) = look(master).findings
    assert found["id"] == "manifest-unclear" and SAID in found["evidence"][0], found


def test_a_flag_without_a_value_is_refused_before_anything_is_made(ansible: Ansible, tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path / "masters", masters=2, bare=False)
    second = cluster.masters[1]
    assert NAMES in second.manifest.read_text()
    second.manifest.write_text(second.manifest.read_text().replace(NAMES, BARE))
    before = [master.manifest.read_text() for master in cluster.masters]
    with pytest.raises(AssertionError) as failed:
        ansible.playbook(CONFIGURE, inventory=cluster.inventory, variables={"front_proxy_pki_dir": str(tmp_path / "p")})
    assert SAID in " ".join(str(failed.value).split())
    assert [master.manifest.read_text() for master in cluster.masters] == before
    assert not (tmp_path / "p").exists()
