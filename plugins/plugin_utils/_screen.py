# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for people, on the screen of whoever runs Ansible."""

from __future__ import annotations

import typing as t

from ansible import constants as C
from ansible.utils.display import Display
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._present.lines import (
    BAD,
    CHANGED,
    GOOD,
    Line,
)

__all__ = ["is_verbose", "show"]

display = Display()

_COLOURS = {BAD: C.COLOR_ERROR, CHANGED: C.COLOR_CHANGED, GOOD: C.COLOR_OK}


def show(lines: t.Iterable[Line]) -> None:
    """Print lines. Ansible colours them on a terminal only, and heeds NO_COLOR and its own settings."""
    for line in lines:
        display.display(line.text, color=_COLOURS.get(line.tone))


def is_verbose() -> bool:
    """Whether Ansible was called with -v, or more of them."""
    return bool(display.verbosity)
