# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of the decisions: PlanError, and HostError for what is wrong with one master."""

from __future__ import annotations

import contextlib
import typing as t

from .._shown import UserError, printable

__all__ = ["HostError", "PlanError", "about_host"]


class PlanError(UserError):
    """What is wanted cannot or must not be done. The message is for a person: what, where, why, what to do."""


class HostError(PlanError):
    """What is wrong with one master of a cluster. host: its name, which the message need not repeat."""

    def __init__(self, host: str, message: str) -> None:
        super().__init__(message)
        self.host = host


@contextlib.contextmanager
def about_host(name: str) -> t.Iterator[None]:
    """Turn what is refused, or goes wrong, while one master is looked at into a HostError of that master."""
    try:
        yield
    except HostError:
        raise
    except UserError as error:
        raise HostError(name, str(error)) from None
    except Exception as error:
        # whatever a master says that nobody thought of: it must not stop the other clusters
        why = f"{type(error).__name__}: {printable(str(error), longest=200)}"
        raise HostError(
            name,
            f"What {name} says of itself cannot be understood ({why}); "
            "look at its manifest and its certificates, and if they are right, report this.",
        ) from None
