# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module that looks at a master, and say in a sentence why it could not even start."""

from __future__ import annotations

import typing as t

__all__ = ["explain_silence"]


# What a Python says that is too old, or not whole.
_OF_AN_OLD_PYTHON = ("SyntaxError", "ImportError", "ModuleNotFoundError", "zipimport.ZipImportError")


def explain_silence(done: dict[str, t.Any]) -> dict[str, t.Any]:
    """Replace what a Python that cannot run the module prints by a sentence."""
    if done.get("failed") and "module_stdout" in done:
        done.pop("module_stdout")
        said = [line.strip() for line in str(done.pop("module_stderr", None) or "").splitlines() if line.strip()]
        why = f" (it said: {said[-1]})" if said else ""
        if any(line.startswith("Traceback") for line in said) and not said[-1].startswith(_OF_AN_OLD_PYTHON):
            done["msg"] = (
                f"The module ended unexpectedly on this master{why}; run again, and if that does not help, report it "
                "with what -vvv shows."
            )
            return done
        done["msg"] = (
            f"The module gave no result on this master{why}: its Python is missing, older than 3.8, or broken; set "
            "ansible_python_interpreter to one that is 3.8 or newer."
        )
    return done
