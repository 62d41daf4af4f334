# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether what runs on a master shows what its manifest and files say."""

from __future__ import annotations

import typing as t

from .._argv import flag_that_differs
from .master import Master

__all__ = ["unproven"]


def unproven(master: Master, flags: t.Mapping[str, str | None]) -> str:
    """Say what the running server does not show of a manifest and files that are right; empty if it shows all."""
    if not master.live:
        return ""
    process, probe = master.facts["process"], master.probe
    if process is None:
        return "no kube-apiserver is running"
    different = flag_that_differs(process["argv"], master.as_written(flags))
    if different:
        return f"the running kube-apiserver does not have --{different} as its manifest says"
    if not probe or not probe["accepted"]:
        status, error = (probe["status"], probe["error"]) if probe else (None, None)
        answer = f"HTTP {status}" if status else error or "not asked"
        return f"the running kube-apiserver does not accept the pair ({answer})"
    return ""
