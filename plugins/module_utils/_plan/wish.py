# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wanted of the aggregation layer, as the variables of the role say it."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from .errors import PlanError

__all__ = ["AGGREGATION_FLAGS", "ROUTING_FLAG", "DEFAULT_COMMON_NAME", "Wish", "check_release", "parse_release"]

DEFAULT_COMMON_NAME = "front-proxy-client"

# The seven of the documentation ("Configure the Aggregation Layer").
AGGREGATION_FLAGS = (
    "requestheader-client-ca-file",
    "requestheader-allowed-names",
    "requestheader-extra-headers-prefix",
    "requestheader-group-headers",
    "requestheader-username-headers",
    "proxy-client-cert-file",
    "proxy-client-key-file",
)
ROUTING_FLAG = "enable-aggregator-routing"

# The header that every extension API server reads; with others only, kube-apiserver from 1.27 on warns that "API
# aggregation will not work" (staging/src/k8s.io/apiserver/pkg/server/options/authentication.go).
_STANDARD = {
    "username_headers": "X-Remote-User",
    "group_headers": "X-Remote-Group",
    "extra_headers_prefix": "X-Remote-Extra-",
}

# First releases that know a flag: an older kube-apiserver does not start with it. Source: the flags of 1.20 and 1.36
# and the change logs between (pkg/controlplane/apiserver/options/options.go, options/authentication.go).
_FIRST_RELEASE = {
    "aggregator-reject-forwarding-redirect": (1, 26),
    "peer-ca-file": (1, 28),
    "peer-advertise-ip": (1, 28),
    "peer-advertise-port": (1, 28),
    "requestheader-uid-headers": (1, 32),
}
_OURS = {
    "requestheader-client-ca-file": "front_proxy_certificates_dir",
    "requestheader-allowed-names": "front_proxy_allowed_names",
    "requestheader-username-headers": "front_proxy_username_headers",
    "requestheader-group-headers": "front_proxy_group_headers",
    "requestheader-extra-headers-prefix": "front_proxy_extra_headers_prefix",
    "proxy-client-cert-file": "front_proxy_certificates_dir",
    "proxy-client-key-file": "front_proxy_certificates_dir",
    "enable-aggregator-routing": "front_proxy_aggregator_routing",
}
# What is compared with the front-proxy CA: it must stay what was observed.
_UNTOUCHABLE = ("client-ca-file",)


@dataclass(frozen=True)
class Wish:
    """What is wanted. None means: whatever is right already stays, and the usual where there is nothing.

    common_name: of pairs that are signed; allowed_names: the exact list; the headers: lists of names; routing:
    ``auto``, ``true`` or ``false``; extra_flags: a value, or None for absent; certificates_dir: the folder for new
    files; ca_from: the host whose CA is to be everybody's, or ``controller``; renew_before: as in
    ``front_proxy_client``; allow_shared_ca, allow_unknown_client_ca: see the variables of these names.
    """

    common_name: str | None = None
    allowed_names: tuple[str, ...] | None = None
    username_headers: tuple[str, ...] = (_STANDARD["username_headers"],)
    group_headers: tuple[str, ...] = (_STANDARD["group_headers"],)
    extra_headers_prefix: tuple[str, ...] = (_STANDARD["extra_headers_prefix"],)
    routing: str = "auto"
    extra_flags: t.Mapping[str, str | None] = field(default_factory=dict)
    certificates_dir: str | None = None
    ca_from: str | None = None
    allow_shared_ca: bool = False
    allow_unknown_client_ca: bool = False

    def check(self) -> None:
        """Raise PlanError if the wish contradicts itself or Kubernetes."""
        for name, standard in _STANDARD.items():
            values = getattr(self, name)
            if standard.lower() not in [value.lower() for value in values]:
                raise PlanError(
                    f"front_proxy_{name} does not hold {standard}, which is the one that extension API servers read: "
                    "API aggregation would not work; add it to the list."
                )
            if any(not value.strip() for value in values):
                raise PlanError(
                    f"front_proxy_{name} holds an empty name, and kube-apiserver 1.36 does not start with one; take it "
                    "out."
                )
        if self.allowed_names is not None and any(not name.strip() for name in self.allowed_names):
            raise PlanError(
                "front_proxy_allowed_names holds an empty name: no certificate has that, and kube-apiserver 1.36 does "
                "not start with it; take it out."
            )
        if self.allowed_names and self.common_name and self.common_name not in self.allowed_names:
            raise PlanError(
                f"front_proxy_common_name is {self.common_name}, which front_proxy_allowed_names "
                f"({', '.join(self.allowed_names)}) does not hold: kube-apiserver would refuse our own pair; make them "
                "agree."
            )
        if self.routing not in ("auto", "true", "false"):
            raise PlanError(f"front_proxy_aggregator_routing is {self.routing!r}; it takes auto, true or false.")
        if self.certificates_dir is not None and not self.certificates_dir.startswith("/"):
            raise PlanError(f"front_proxy_certificates_dir is {self.certificates_dir!r}; it takes an absolute path.")
        for name in self.extra_flags:
            variable = _OURS.get(name)
            if variable:
                raise PlanError(
                    f"front_proxy_extra_flags holds {name}, which the role decides itself; set {variable} instead."
                )
            if name in _UNTOUCHABLE:
                raise PlanError(
                    f"front_proxy_extra_flags holds {name}, which tells whom the whole cluster trusts and is no matter "
                    "of the aggregation layer; set it where the cluster is made."
                )
            if name.startswith("-") or not name or any(character.isspace() or character in "=_" for character in name):
                raise PlanError(
                    f"front_proxy_extra_flags holds the name {name!r}; write flags as kube-apiserver's documentation "
                    "does, without the dashes in front and without a value, such as requestheader-uid-headers."
                )


def parse_release(version: str | None) -> tuple[int, int] | None:
    """Take major and minor out of ``v1.36.2`` or ``1.20.2+vendor``; None if it is no version."""
    if not version:
        return None
    parts = version.lstrip("v").split(".")
    if len(parts) < 2 or not parts[0].isdigit():
        return None
    minor = parts[1].rstrip("+")
    return (int(parts[0]), int(minor)) if minor.isdigit() else None


def check_release(flags: t.Mapping[str, str | None], release: tuple[int, int] | None) -> None:
    """Raise PlanError if this release does not know one of the extra flags. Flags not known here are let through."""
    for name, value in flags.items():
        first = _FIRST_RELEASE.get(name)
        if value is not None and first and release and release < first:
            raise PlanError(
                f"front_proxy_extra_flags sets {name}, which kube-apiserver knows from {first[0]}.{first[1]} on, and "
                f"this master runs {release[0]}.{release[1]}: it would not start; take the flag out for this master."
            )
