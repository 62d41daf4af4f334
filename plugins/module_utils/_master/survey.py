# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that verify wants to know of one master, in one go: what `observe` tells, and more. Reads only."""

from __future__ import annotations

import os
import re
import time
import typing as t

from .._argv import flag_values, last_value
from .._contract.observation import ObservedFile
from .._contract.survey import Survey
from .files import loads_together, read_regular
from .handshake import offered_client_cas
from .layer import read_layer
from .login import AGGREGATOR, Credentials, login_as, pair_of
from .manifests import describe_manifest
from .observe import observe
from .places import Places
from .probe import Pair, ask

__all__ = ["survey"]

# Files whose keys are compared with the front-proxy CA's, and those whose public half is all that is told.
_MORE_FLAGS = (
    "etcd-cafile",
    "kubelet-certificate-authority",
    "service-account-key-file",
    "service-account-signing-key-file",
)
_FLAG_IN_TEXT = re.compile(
    r"--(" + "|".join(name.replace("-", "[-_]") for name in _MORE_FLAGS) + r")"
    r"(?:=|[\s\"',\]-]+)[\"']?(/[^\s\"',\]}\0]+)"
)
# kubeadm keeps the key of the front-proxy CA beside its certificate: who can sign there is told another way out.
_CA_FILE_IN_TEXT = re.compile(r"--requestheader[-_]client[-_]ca[-_]file(?:=|[\s\"',\]-]+)[\"']?(/[^\s\"',\]}\0]+)")
_CA_KEY = "front-proxy-ca.key"
_PUBLIC_KEY = re.compile(r"-----BEGIN ((?:RSA )?PUBLIC KEY)-----.+?-----END \1-----", re.DOTALL)


def _flag_values(text: str, argv: t.Sequence[str]) -> dict[str, list[str]]:
    """Give the paths of the further flags, as the manifest's text and the running server name them."""
    found: dict[str, list[str]] = {}
    for match in _FLAG_IN_TEXT.finditer(text):
        found.setdefault(match.group(1).replace("_", "-"), []).append(match.group(2))
    running = flag_values(argv)
    for name in _MORE_FLAGS:
        found.setdefault(name, []).extend(path for path in running.get(name, ()) if path.startswith("/"))
    return {name: list(dict.fromkeys(paths)) for name, paths in found.items()}


def _kind(files: t.Mapping[str, ObservedFile], path: str) -> str:
    return files[path].get("kind", "") if path in files else ""


def _signing_cas(files: t.Mapping[str, ObservedFile], places: Places) -> list[str]:
    """List the front-proxy CAs (paths) whose key lies beside them, so that a pair can be signed on this master."""
    fitting = []
    for path, file in files.items():
        key = os.path.join(os.path.dirname(path), _CA_KEY)
        if file.get("kind") == "certificates" and _kind(files, key) == "private_key":
            fitting += [path] * loads_together(places.real(path), places.real(key))
    return fitting


def _public_keys(path: str) -> list[str]:
    try:
        text = read_regular(path).decode("utf-8", "replace")
    except OSError:
        return []
    return [match.group(0) + "\n" for match in _PUBLIC_KEY.finditer(text)]


def _routes(argv: t.Sequence[str]) -> bool:
    return (last_value(flag_values(argv), "enable-aggregator-routing") or "false").lower() in ("true", "1", "t")


def _status_without_user(address: str, port: int, pair: Pair) -> int | None:
    """Give the status of /version with the pair and without a user's name."""
    # a header that no authenticator reads
    return ask(address, port, pair._replace(user_header="X-Nobody-Reads-This"))["status"]


def survey(
    *,
    manifest: str,
    certificates_dir: str | None,
    root: str | None,
    lock_timeout: float,
    controller_clock: float | None,
    user: str | None = None,
    credentials: Credentials | None = None,
) -> Survey:
    """Look at one master. The arguments are those of `observe`; credentials: ``certificate`` with ``key``, or
    ``token``, to read the API with in place of the front-proxy pair, as this user.

    Returns what the module ``aggregation_layer_info`` documents. Raises MasterError.
    """
    places = Places(root)
    began = time.time()  # before anything is waited for, so that the clocks can be compared
    text = describe_manifest(manifest, places)["text"]
    named = [path for paths in _flag_values(text, ()).values() for path in paths]
    named += [os.path.join(os.path.dirname(path), _CA_KEY) for path in _CA_FILE_IN_TEXT.findall(text)]
    found = observe(
        manifest=manifest,
        certificates_dir=certificates_dir,
        root=root,
        lock_timeout=lock_timeout,
        controller_clock=controller_clock,
        paths=named,
    )
    process = found["process"]
    argv = process["argv"] if process else ()
    account_keys = {
        path for name, paths in _flag_values(text, argv).items() if name.startswith("service-account") for path in paths
    }
    cas = [path for path, file in found["files"].items() if file.get("kind") == "certificates"]
    if controller_clock is not None:
        found["clock_skew"] = round(began - controller_clock, 3)
    more: Survey = {
        **found,  # type: ignore[typeddict-item]
        "ca_key_fits": _signing_cas(found["files"], places),
        "public_keys": {path: _public_keys(places.real(path)) for path in sorted(account_keys)},
        "key_fits": {
            path: [ca for ca in cas if loads_together(places.real(ca), places.real(path))]
            for path in sorted(account_keys)
            if _kind(found["files"], path) == "private_key"
        },
        "handshake": None,
        "without_user": None,
        "layer": None,
    }
    probe = found["probe"]
    if process and probe and probe["answers"]:
        pair = pair_of(argv, process["pid"])
        address, port = probe["address"], probe["port"]
        more["handshake"] = offered_client_cas(address, port)
        if pair is not None and probe["status"] is not None:
            more["without_user"] = _status_without_user(address, port, pair)
        login = login_as(user or AGGREGATOR, pair, credentials)
        if login is not None:
            more["layer"] = read_layer(
                address,
                port,
                login,
                dial_kubernetes=not _routes(argv),
                aggregator=login_as(AGGREGATOR, pair, None),
            )
    return more
