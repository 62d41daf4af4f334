# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second opinion on edited manifests, on each Python that has the packages for it: see tests/unit/requirements.txt.

On these a package that is missing is an error.
"""

from __future__ import annotations

import sys

if (3, 10) <= sys.version_info[:2] < (3, 15):
    from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.manifest.second_opinion import (
        quick,
        test_made_up_manifests,
        test_the_corpus_is_large_enough,
        test_the_other_editor_adds_the_same_flag,
        test_the_other_parser_reads_what_the_editor_wrote,
        test_the_schema_of_the_api_takes_what_the_editor_wrote,
        test_the_schema_takes_a_folder_that_is_added,
    )

    __all__ = [
        "quick",
        "test_made_up_manifests",
        "test_the_corpus_is_large_enough",
        "test_the_other_editor_adds_the_same_flag",
        "test_the_other_parser_reads_what_the_editor_wrote",
        "test_the_schema_of_the_api_takes_what_the_editor_wrote",
        "test_the_schema_takes_a_folder_that_is_added",
    ]
