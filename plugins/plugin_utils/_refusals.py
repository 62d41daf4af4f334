# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in the way that Ansible is run would give a secret away, or do harm to a cluster."""

from __future__ import annotations

import typing as t

from ansible import constants as C

__all__ = ["leak", "unfit_strategy"]


def leak() -> str | None:
    """Say which setting of Ansible would give private keys or passphrases away; None if there is none."""
    if C.DEFAULT_KEEP_REMOTE_FILES:
        return (
            "ANSIBLE_KEEP_REMOTE_FILES is set, so what modules are given, a private key or a passphrase, would stay in "
            "temporary folders; unset it and run again."
        )
    if C.DEFAULT_DEBUG:
        return (
            "ANSIBLE_DEBUG is set, so Ansible would print what modules are given, a private key or a passphrase; unset "
            "it and run again (-vvvvv is fine)."
        )
    return None


def unfit_strategy(task: t.Any) -> str | None:
    """Say why the strategy of the play of this task does not fit; None if it does, or is not to be found out."""
    while task is not None and not hasattr(task, "_play"):
        task = getattr(task, "_parent", None)
    name = str(getattr(getattr(task, "_play", None), "strategy", None) or "linear")
    if name.rpartition(".")[2] in ("linear", "debug"):
        return None
    return (
        f"The play uses the strategy {name}, in which every host goes on by itself, so several masters of a cluster "
        "could restart at once; use strategy: linear for it."
    )
