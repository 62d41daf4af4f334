# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What in the way that Ansible is run would give a secret away, or do harm to a cluster."""

from __future__ import annotations

import shutil
import typing as t

from ansible import constants as C
from ansible.module_utils.parsing.convert_bool import boolean

__all__ = ["leak", "signs_as_another", "unfit_strategy"]


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


def signs_as_another(
    clusters: t.Mapping[str, t.Mapping[str, t.Any]], extra: t.Mapping[str, t.Any], template: t.Callable[[t.Any], t.Any]
) -> str | None:
    """Say which extra variable keeps what is to be signed from being signed here, by the one who runs Ansible.

    clusters: of the plan; extra: what was set with -e, which beats all that the role could set; template: of Ansible.
    None if there is none, or if nothing is to be signed.
    """
    if not any(each.get("make_ca") or each.get("adopt") or each.get("sign") for each in clusters.values()):
        return None
    given = {
        name: template(extra[name])
        for name in ("ansible_become", "ansible_connection", "ansible_python_interpreter")
        if name in extra
    }
    connection, python = given.get("ansible_connection"), given.get("ansible_python_interpreter")
    if boolean(given.get("ansible_become", False), strict=False):
        name, what = "ansible_become", "would sign on the controller as another user than the one who runs Ansible"
        instead = "use --become (-b), or set it for the group of the masters in the inventory"
    elif connection not in (None, "local", "ansible.builtin.local"):
        name, what = "ansible_connection", "would sign on the controller through it, perhaps as another user"
        instead = "use --connection (-c), or set it for the group of the masters in the inventory"
    elif python and not str(python).startswith("auto") and not shutil.which(str(python)):
        name, what = "ansible_python_interpreter", "would sign on the controller with that Python, which is not there"
        instead = "set it for the group of the masters in the inventory"
    else:
        return None
    return f"{name} is {given[name]} on the command line (-e) and beats all else, so the role {what}; {instead}."
