# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which cluster a master belongs to, as the CA of the cluster's client certificates tells."""

from __future__ import annotations

import typing as t

from .._pki.folder import CLIENT_CAS, PkiFolder
from .errors import HostError, PlanError
from .master import Master
from .wish import Wish

__all__ = [
    "client_keys",
    "is_of_another_cluster",
    "refuse_folder_of_another",
    "refuse_several_clusters",
    "refuse_unknown",
]


def client_keys(master: Master) -> set[str]:
    """The fingerprints of the keys of its client CAs; empty if none could be seen."""
    return {ca.key_fingerprint for ca in master.client_cas()}


def is_of_another_cluster(master: Master, masters: t.Sequence[Master]) -> bool:
    """Whether the CA of its client certificates is known, and none of these masters has it."""
    keys = client_keys(master)
    return bool(keys) and not any(keys & client_keys(other) for other in masters)


def refuse_several_clusters(masters: t.Sequence[Master]) -> None:
    """Raise PlanError if these are masters of different clusters."""
    known = [(master.name, client_keys(master)) for master in masters]
    known = [(name, keys) for name, keys in known if keys]
    for name, keys in known[1:]:
        if not keys & known[0][1]:
            raise PlanError(
                f"{known[0][0]} and {name} have different client CAs (--client-ca-file), so they are masters of "
                "different clusters; give the hosts of each cluster a front_proxy_cluster of their own."
            )


def refuse_folder_of_another(folder: PkiFolder, masters: t.Sequence[Master]) -> None:
    """Two clusters with one CA: whoever is root on a master of the one is anyone in the other."""
    for master in masters:
        keys = client_keys(master)
        if folder.ca and folder.client_cas and keys and not keys & set(folder.client_cas):
            raise HostError(
                master.name,
                f"{folder.path} on the controller holds the front-proxy CA of another cluster: it was made for one "
                f"with another client CA than {master.name} has; give each cluster a front_proxy_cluster or a "
                "front_proxy_pki_dir of its own, or, if the client CA of this one was replaced, remove "
                f"{folder.path}/{CLIENT_CAS} and run again.",
            )


def refuse_unknown(
    getting: t.Collection[str],
    masters: t.Sequence[Master],
    others: t.Sequence[Master],
    folder: PkiFolder,
    wishes: t.Mapping[str, Wish],
) -> None:
    """Refuse to send files of a folder that serves others to a master that does not show which cluster it is of.

    Whoever holds a cluster's front-proxy pair is anyone there, and root on a master decides what is seen of it.
    getting: the names of those that get files.
    """
    known = set(folder.client_cas).union(*map(client_keys, [*masters, *others]))
    if not (folder.ca or folder.client or known):
        return  # it serves nobody yet
    for master in masters:
        name = master.name
        if name in getting and not client_keys(master) and not wishes[name].allow_unknown_client_ca:
            raise HostError(
                name,
                f"{name} would get files of {folder.path} on the controller, which serves other masters, too, and "
                f"it is not known whether {name} belongs to their cluster, since no client CA was seen on it "
                "(--client-ca-file); let its manifest name the client CA of the cluster, or set "
                f"front_proxy_allow_unknown_client_ca: true for {name} if you know that it is one of them.",
            )
