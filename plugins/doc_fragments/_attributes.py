# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection can do, described once. Private to the collection: it may change at any time."""

from __future__ import annotations


class ModuleDocFragment:
    # The attributes that every module states its support of.
    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Tells in check mode what it would change, and changes nothing.
  diff_mode:
    description: Shows in diff mode what it changes, or would change in check mode; never a private key.
  idempotent:
    description:
      - Run again with the same options outside check mode, it changes nothing, as long as nobody else changed what it
        looks after.
  platform:
    description: The operating systems on which it runs.
    platforms: posix
    support: full
"""

    # In addition, for every module of the collection.
    ACTIONGROUP = r"""
options: {}
attributes:
  action_group:
    description:
      - Takes the defaults that are set with C(module_defaults) for the group
        C(group/kubeops.aggregation_layer.aggregation_layer).
    support: full
    membership:
      - kubeops.aggregation_layer.aggregation_layer
"""

    # In addition, for modules that write files.
    FILES = r"""
options: {}
attributes:
  safe_file_operations:
    description:
      - Writes a file under another name in the same folder, with its final mode before its content, and renames it when
        it is complete and on the disk, so that nobody ever reads half a file and no mode is ever too wide.
"""

    # In addition, for modules that have an action plugin.
    FLOW = r"""
options: {}
attributes:
  action:
    description: Has an action plugin, which does a part of the work on the controller.
  async:
    description: Can be used with the C(async) keyword.
"""

    # Instead of stating them, for modules that only look.
    INFO_MODULE = r"""
options: {}
attributes:
  check_mode:
    support: full
    details:
      - It only looks, so it does the same in check mode.
  diff_mode:
    support: N/A
    details:
      - It only looks, so there is no difference to show.
  idempotent:
    support: full
    details:
      - It only looks.
"""
