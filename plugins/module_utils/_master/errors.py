# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one exception of the code that runs on a master."""

from __future__ import annotations

import errno
import os

from .._shown import UserError

__all__ = ["MasterError", "explain"]


class MasterError(UserError):
    """Something on the master is in the way. The message is one sentence for a person and holds no secret."""


_WAY_OUT = {
    errno.ENOSPC: "free some space there and run again",
    errno.EDQUOT: "raise the quota there and run again",
    errno.EROFS: "the file system is mounted read-only; mount it read-write and run again",
    errno.EACCES: "run with become, as root",
    errno.EPERM: "run with become, as root, and look for an immutable flag (lsattr)",
    errno.EIO: "look at the disk (dmesg), then run again",
}


def explain(action: str, path: str, error: OSError) -> MasterError:
    """Turn a system error into a sentence: what was tried, where, why it failed, what to do.

    action: a verb phrase such as ``"write"``; path: what it was about.
    """
    why = os.strerror(error.errno) if error.errno else (error.strerror or str(error))
    advice = _WAY_OUT.get(error.errno or 0, "mend that and run again")
    return MasterError(f"Cannot {action} {path}: {why}; {advice}.")
