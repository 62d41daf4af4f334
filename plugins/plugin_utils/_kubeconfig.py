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
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError

__all__ = ["read_kubeconfig"]


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


def read_kubeconfig(path: str) -> tuple[str, dict[str, str]]:
    """Give the user's name, and his credentials: ``certificate`` with ``key``, or ``token``. Raises PlanError.

    Source: the format is that of k8s.io/client-go/tools/clientcmd/api/v1.
    """
    try:
        with open(path, encoding="utf-8") as stream:
            config = yaml.safe_load(stream)
        if not isinstance(config, dict):
            raise PlanError(f"{path} is no kubeconfig; name the right file in front_proxy_kubeconfig.")
        context = _named(config, "context", config.get("current-context"))
        user, folder = _named(config, "user", context.get("user")), os.path.dirname(path)
        token = user.get("token") or _content(user, "tokenFile", folder)
        found = {
            "certificate": _content(user, "client-certificate", folder),
            "key": _content(user, "client-key", folder),
            "token": str(token).strip() if token else None,
        }
    except OSError as error:
        raise PlanError(f"Cannot read {error.filename or path}: {error.strerror}; mend that and run again.") from None
    except (yaml.YAMLError, binascii.Error, UnicodeDecodeError, ValueError):
        # what the library says may quote the file, and with it a key
        raise PlanError(f"{path} is no kubeconfig that can be read; name the right file.") from None
    if not found["token"] and not (found["certificate"] and found["key"]):
        raise PlanError(
            f"The user {context.get('user')} of {path} has neither a client certificate with a key nor a token; name a "
            "kubeconfig whose user has one."
        )
    return str(context.get("user")), {name: value for name, value in found.items() if value}
