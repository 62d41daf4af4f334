# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody would take up a change of the manifest: a kubelet that runs, and reads the manifest's folder."""

from __future__ import annotations

import posixpath
import typing as t

from .._argv import flag_that_differs
from .._contract.observation import ObservedKubelet
from .errors import PlanError
from .master import Master

__all__ = ["Unread", "refuse_unread", "unread", "unread_warning"]


class Unread(t.NamedTuple):
    """Why nobody runs what lies in the manifest. why, remedy: for people; kubelet: the one that reads another place,
    None if none runs.
    """

    why: str
    remedy: str
    kubelet: ObservedKubelet | None


def unread(master: Master) -> Unread | None:
    """Tell why no kubelet runs this manifest; None if one does, or if nothing speaks against it.

    What is not known speaks against nothing: a program that holds a kubelet, a configuration that cannot be read.
    """
    kubelets, path = master.facts["kubelets"], master.facts["manifest"]["path"]
    if kubelets is None:
        return None
    if not kubelets:
        return Unread(
            "no kubelet runs on this host",
            "start it (systemctl start kubelet; journalctl -u kubelet tells why it ended)",
            None,
        )
    if any(kubelet["reads"] is not False for kubelet in kubelets):
        return None
    first = kubelets[0]
    if not first["folder"]:
        return Unread(
            f"the kubelet of this host runs no static pods, as neither --pod-manifest-path nor staticPodPath is set "
            f"({first['told_by']})",
            f"set staticPodPath to {posixpath.dirname(path)} there and restart the kubelet, or correct "
            "front_proxy_manifest",
            first,
        )
    return Unread(
        f"the kubelet of this host runs what lies in {first['folder']} (as {first['told_by']} says), and {path} does "
        "not lie there",
        "name the manifest that it runs in front_proxy_manifest, or put this one there",
        first,
    )


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
