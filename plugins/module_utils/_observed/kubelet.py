# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether somebody would take up a change of the manifest."""

from __future__ import annotations

import posixpath
import typing as t

from .._contract.observation import ObservedKubelet
from .master import Master

__all__ = ["Unread", "unread"]


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
            "front_proxy_manifest_path",
            first,
        )
    return Unread(
        f"the kubelet of this host runs what lies in {first['folder']} (as {first['told_by']} says), and {path} does "
        "not lie there",
        "name the manifest that it runs in front_proxy_manifest_path, or put this one there",
        first,
    )
