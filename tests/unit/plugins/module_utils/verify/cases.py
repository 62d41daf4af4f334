# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a case is: a kind of finding, and masters that cause it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Given

Case = t.Callable[[], t.Sequence[Given]]
NAMES = "requestheader-allowed-names"


class Cases(t.Dict[str, Case]):
    """Functions that cause a finding, by the id of its kind."""

    def of(self, kind: str) -> t.Callable[[Case], Case]:
        """Say of which kind the finding is that a function causes."""

        def keep(function: Case) -> Case:
            self[kind] = function
            return function

        return keep
