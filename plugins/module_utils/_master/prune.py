# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take front-proxy CAs and names out of what the cluster publishes, by an order that says exactly which.

Every kube-apiserver adds what it has loaded to the ConfigMap, once a minute, and takes nothing out of it but what has
expired (pkg/controlplane/controller/clusterauthenticationtrust). So what comes back within that time is still loaded
somewhere.
"""

from __future__ import annotations

import time
import typing as t

from .._contract.credentials import Credentials
from .._contract.observation import ObservedProcess
from .._contract.prune import Published, Taken, Watched
from .._published import CA, NAMES, blocks_of, names_of, names_text, without_blocks
from .api import Answer, Api
from .asking import api_of, login_of
from .endpoints import addresses_of_service
from .errors import MasterError
from .layer import CONFIG_MAP

__all__ = ["PRUNER", "look", "take_out", "watch"]

# As whom the ConfigMap is changed, for whoever reads the audit log. No such user exists; its group may do it.
PRUNER = "kubeops:aggregation-layer:prune"
_WRITE = f"{CONFIG_MAP}?fieldManager=kubeops-aggregation-layer"
_PAUSE = 2.0
_SHOWN = 300


class _Found(t.NamedTuple):
    """The ConfigMap. version: its resourceVersion, None if there is none."""

    version: str | None
    data: t.Mapping[str, str]


def _why(answer: Answer) -> str:
    return " ".join((answer.error or f"HTTP {answer.status}: {answer.body[:_SHOWN]}").split())


def _read(api: Api) -> _Found:
    """Read the ConfigMap. Raises MasterError."""
    answer = api.get(CONFIG_MAP)
    if answer.status == 404:
        return _Found(None, {})
    found = answer.json()
    if not isinstance(found, dict):
        raise MasterError(
            f"The ConfigMap extension-apiserver-authentication cannot be read through this master ({_why(answer)}); "
            "mend that, or name somebody who may in front_proxy_kubeconfig, and run again."
        )
    data = {name: str(value) for name, value in (found.get("data") or {}).items()}
    return _Found(str((found.get("metadata") or {}).get("resourceVersion") or ""), data)


def _ask(process: ObservedProcess, user: str | None, credentials: Credentials | None) -> Api:
    return api_of(process, login_of(process, user or PRUNER, credentials))


def _published(api: Api, found: _Found) -> Published:
    return {
        "version": found.version,
        "cas": found.data.get(CA),
        "names": found.data.get(NAMES),
        "servers": sorted({address for address, dummy in addresses_of_service(api.get, "default", "kubernetes")}),
    }


def look(*, process: ObservedProcess, user: str | None, credentials: Credentials | None) -> Published:
    """Read what is published, and where the cluster has kube-apiservers. Raises MasterError.

    process: the kube-apiserver of this master, as it was observed; user, credentials: as for `survey`.
    """
    api = _ask(process, user, credentials)
    try:
        return _published(api, _read(api))
    finally:
        api.close()


def _change(data: t.Mapping[str, str], cas: t.Sequence[str], names: t.Sequence[str]) -> dict[str, str]:
    """Give the new texts by key. Raises MasterError where nothing would be left, whoever asks for it."""
    changed = {}
    if cas:
        changed[CA] = without_blocks(data.get(CA, ""), frozenset(cas))
        if not blocks_of(changed[CA]):
            raise MasterError("No front-proxy CA would be left in what is published, so none is taken out.")
    if names:
        kept = [name for name in names_of(data.get(NAMES)) or () if name not in names]
        if not kept:
            raise MasterError("No name would be left in what is published, which allows any, so none is taken out.")
        changed[NAMES] = names_text(kept)
    return changed


def take_out(
    *,
    process: ObservedProcess,
    user: str | None,
    credentials: Credentials | None,
    version: str,
    cas: t.Sequence[str],
    names: t.Sequence[str],
) -> Taken:
    """Take these CAs (fingerprints) and names out, if the ConfigMap still has this resourceVersion.

    Everything else in it stays as it is. Raises MasterError.
    """
    api = _ask(process, user, credentials)
    try:
        found = _read(api)
        if found.version != version:
            return {"taken": False, "now": _published(api, found)}
        change = {"metadata": {"resourceVersion": version}, "data": _change(found.data, cas, names)}
        answer = api.patch(_WRITE, change)
        if answer.status == 409:
            return {"taken": False, "now": _published(api, _read(api))}
    finally:
        api.close()
    if answer.status != 200:
        raise MasterError(
            f"The ConfigMap extension-apiserver-authentication cannot be changed through this master ({_why(answer)}); "
            "mend that (a policy of the cluster, or the rights of the user in front_proxy_kubeconfig), and run again."
        )
    return {"taken": True, "now": None}


def _back(data: t.Mapping[str, str], cas: t.Sequence[str], names: t.Sequence[str]) -> tuple[list[str], list[str]]:
    there = {block.fingerprint for block in blocks_of(data.get(CA, ""))}
    allowed = names_of(data.get(NAMES)) or ()
    return [ca for ca in cas if ca in there], [name for name in names if name in allowed]


def watch(
    *,
    process: ObservedProcess,
    user: str | None,
    credentials: Credentials | None,
    cas: t.Sequence[str],
    names: t.Sequence[str],
    seconds: float,
) -> Watched:
    """Look for this long whether something comes back. Ends as soon as it does. Raises MasterError.

    A kube-apiserver that does not answer for a moment is asked again; at the end it must.
    """
    api = _ask(process, user, credentials)
    began = time.monotonic()
    while True:
        over = time.monotonic() - began >= seconds
        try:
            found = _back(_read(api).data, cas, names)
        except MasterError:
            if over:
                raise
            found = ([], [])
        if over or any(found):
            api.close()
            return {"cas": found[0], "names": found[1], "seconds": round(time.monotonic() - began)}
        time.sleep(min(_PAUSE, max(0.0, began + seconds - time.monotonic())))
