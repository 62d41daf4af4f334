# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the credentials of a kubeconfig's current user on the controller."""

from __future__ import annotations

import base64
import binascii
import os
import typing as t

import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.credentials import Credentials
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.plugin_utils._paths import from_here

__all__ = ["read_kubeconfig", "refuse_for_several_clusters"]

_VARIABLE, _CLUSTER = "front_proxy_kubeconfig", "front_proxy_cluster"


def _named(config: t.Mapping[str, t.Any], kind: str, name: t.Any) -> t.Mapping[str, t.Any]:
    for entry in config.get(f"{kind}s") or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(kind), dict):
            found: t.Mapping[str, t.Any] = entry[kind]
            return found
    raise PlanError(f"The kubeconfig has no {kind} {name!r}; set its current-context to one that is whole.")


def _content(user: t.Mapping[str, t.Any], name: str, folder: str) -> str | None:
    """What a kubeconfig holds under NAME-data, or names as a file, which is relative to the kubeconfig itself."""
    if user.get(f"{name}-data"):
        return base64.b64decode(str(user[f"{name}-data"]), validate=True).decode("ascii")
    if not user.get(name):
        return None
    with open(os.path.join(folder, str(user[name])), encoding="ascii") as stream:
        return stream.read()


def refuse_for_several_clusters(path: str, cluster: str, variables: t.Mapping[str, t.Any]) -> None:
    """Raise PlanError if hosts of another cluster of this play are given the same kubeconfig.

    path: of the kubeconfig; cluster: of the host for which it is read; variables: of that host's task. Whoever is root
    on a master reads what is sent to it. A host that says nothing of its own is taken to get what this one gets.
    """
    hostvars = variables.get("hostvars") or {}
    for name in variables.get("ansible_play_hosts_all") or ():
        host = hostvars.get(name) or {}
        theirs = str(host.get(_CLUSTER) or cluster)
        if theirs != cluster and os.path.realpath(from_here(str(host.get(_VARIABLE) or path))) == os.path.realpath(
            path
        ):
            raise PlanError(
                f"{_VARIABLE} is {path} for the clusters {cluster} and {theirs} alike, and its credentials are sent to "
                f"every master: those of {theirs} could use them in {cluster}; set {_VARIABLE} in the group of each "
                "cluster, or run for one cluster with --limit."
            )


def _authority(cluster: t.Mapping[str, t.Any], path: str) -> str:
    """The CAs by which the server of the kubeconfig is known. Raises PlanError if there are none."""
    found = _content(cluster, "certificate-authority", os.path.dirname(path))
    if not found:
        raise PlanError(
            f"{path} does not say by which CA its server is known (certificate-authority or certificate-authority-data "
            "of its cluster), so its credentials could go to somebody else; add the CA."
        )
    return found


def read_kubeconfig(path: str) -> tuple[str, Credentials]:
    """Give the user's name and credentials, out of the current context. Raises PlanError.

    Source: the format is that of k8s.io/client-go/tools/clientcmd/api/v1.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            config = yaml.safe_load(stream)
        if not isinstance(config, dict):
            raise PlanError(f"{path} is no kubeconfig; name the right file in front_proxy_kubeconfig.")
        context = _named(config, "context", config.get("current-context"))
        user, folder = _named(config, "user", context.get("user")), os.path.dirname(path)
        authority = _authority(_named(config, "cluster", context.get("cluster")), path)
        token = user.get("token") or _content(user, "tokenFile", folder)
        certificate, key = _content(user, "client-certificate", folder), _content(user, "client-key", folder)
    except OSError as error:
        raise PlanError(f"Cannot read {error.filename or path}: {error.strerror}; mend that and run again.") from None
    except (yaml.YAMLError, binascii.Error, UnicodeDecodeError, ValueError):
        # what the library says may quote the file, and with it a key
        raise PlanError(f"{path} is no kubeconfig that can be read; name the right file.") from None
    found: Credentials = {"authority": authority}
    if token:
        found["token"] = str(token).strip()
    if certificate and key:
        found["certificate"], found["key"] = certificate, key
    if len(found) == 1:
        raise PlanError(
            f"The user {context.get('user')} of {path} has neither a client certificate with a key nor a token; name a "
            "kubeconfig whose user has one."
        )
    return str(context.get("user")), found
