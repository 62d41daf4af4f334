# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Get ready to ask the running kube-apiserver of this master for more than what a look at it takes."""

from __future__ import annotations

from .._contract.credentials import Credentials
from .._contract.observation import ObservedProcess
from .api import Api
from .errors import MasterError
from .login import Login, login_as, pair_of
from .process import endpoint

__all__ = ["api_of", "login_of"]

_SECONDS = 15.0


def login_of(process: ObservedProcess, user: str, credentials: Credentials | None) -> Login:
    """Give the way to ask the kube-apiserver that was observed; see `login_as`. Raises MasterError."""
    login = login_as(user, pair_of(tuple(process["argv"]), process["pid"]), credentials)
    if login is None:
        raise MasterError("The kube-apiserver of this master has no front-proxy pair to ask with.")
    return login


def api_of(process: ObservedProcess, login: Login) -> Api:
    """Give its API; close it at the end. Raises MasterError."""
    try:
        return Api(*endpoint(tuple(process["argv"])), login, seconds=_SECONDS)
    except (OSError, ValueError) as error:
        raise MasterError(f"The pair of this master does not load ({type(error).__name__}).") from None
