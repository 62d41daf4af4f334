# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""community.crypto, for the playbook by hand: from the PyPI package ansible, in an environment in the cache."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.release import __version__ as core
from cost import BenchError
from environments import environment
from places import ToolError

__all__ = ["CRYPTO", "community_crypto", "release"]

CRYPTO = "community.crypto"
# Release 12 of the package goes with ansible-core 2.19, and so on, one by one.
_DISTANCE = 7


def community_crypto() -> Path:
    """Find the collection that fits the ansible-core of this Python, or install it. Raises BenchError."""
    wanted = int(core.split(".")[1]) - _DISTANCE
    try:
        # a pre-release where there is no release yet
        folder = environment("bench-by-hand", [f"ansible~={wanted}.0a1"])
    except ToolError as error:
        raise BenchError(str(error)) from error
    found = list(folder.glob("lib/python3*/site-packages/ansible_collections/community/crypto"))
    if not found:
        raise BenchError(f"There is no {CRYPTO} in {folder}.")
    return found[0]


def release(collection: Path) -> str:
    """The release of an installed collection."""
    described = json.loads((collection / "MANIFEST.json").read_text(encoding="utf-8"))
    return str(described["collection_info"]["version"])
