# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaded by every Python of a run: the modules take whoever runs the test for root, as they do on a master."""

from __future__ import annotations

import os

if "AS_ROOT" in os.environ:
    os.geteuid = lambda: 0
