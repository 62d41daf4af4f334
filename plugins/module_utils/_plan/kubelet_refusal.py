# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody would take up a change of the manifest: a kubelet that runs, and reads the manifest's folder."""

from __future__ import annotations

import typing as t

from .._command_line import flag_that_differs
from .._errors import PlanError
from .._observed.kubelet import unread
from .._observed.master import Master

__all__ = ["refuse_unread", "unread_warning"]


def _upper(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def unread_warning(master: Master) -> tuple[str, ...]:
    """Say that no kubelet runs the manifest, where nothing is to be changed in it."""
    found = unread(master)
    if found is None:
        return ()
    return (f"{_upper(found.why)}, so a change of the manifest has no effect; {found.remedy}.",)


def _is_waited_for(master: Master, flags: t.Mapping[str, str | None]) -> bool:
    process = master.facts["process"]
    return process is None or flag_that_differs(process["argv"], master.as_written(flags)) is not None


def refuse_unread(master: Master, flags: t.Mapping[str, str | None], *, changes: bool) -> None:
    """Raise PlanError if somebody must take up the manifest, and no kubelet does.

    flags: those that are wanted; changes: whether the manifest is to be changed; where it is not, its flags may still
    not be those that run.
    """
    found = unread(master)
    if found is not None and (changes or _is_waited_for(master, flags)):
        raise PlanError(
            f"{_upper(found.why)}: kube-apiserver would not be started with what is written into "
            f"{master.facts['manifest']['path']}, so nothing is written; {found.remedy}, then run again."
        )
