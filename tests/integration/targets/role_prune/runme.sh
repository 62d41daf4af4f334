#!/usr/bin/env bash
# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
set -eu

PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$PWD/../setup_sandbox${PYTHONPATH:+:$PYTHONPATH}" \
  exec python -m unittest discover --verbose --start-directory .
