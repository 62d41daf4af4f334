# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments in the cache: made when they are missing, made again when they are unfinished or out of date."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import typing as t

from places import ENVIRONMENTS, ToolError, locked
from pythons import maker

STAMP = "finished.json"


def _describe(python: str, requirements: t.Sequence[str]) -> str:
    """Return what a finished environment is told by: the interpreter that it was made for and what was asked for."""
    program = "import json, sys; print(json.dumps([sys.version, sys.base_prefix]))"
    try:
        done = subprocess.run(
            [python, "-I", "-c", program], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise ToolError(f"{python} does not run ({exc}): mend it, or set PYTHON to another one.") from exc
    version, prefix = json.loads(done.stdout)
    return json.dumps({"python": version, "prefix": prefix, "requirements": sorted(requirements)})


def _is_finished(folder: pathlib.Path, expected: str) -> bool:
    """Whether that environment was made to the end, for this interpreter and these requirements, and still runs."""
    try:
        if (folder / STAMP).read_text(encoding="utf-8") != expected:
            return False
        done = subprocess.run(
            [str(folder / "bin" / "python"), "-c", ""],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0


def environment(name: str, requirements: t.Sequence[str], version: str | None = None) -> pathlib.Path:
    """Return the folder of the environment of that name, after making it if need be.

    version: of the Python that makes it; None stands for the one that runs this.
    The stamp is written last: one that an interrupted run left half-made, or whose interpreter is gone, is made anew.
    """
    folder = ENVIRONMENTS / name
    base = maker(version) if version else sys.executable
    if base is None:
        raise ToolError(f"There is no Python {version} with venv for the environment {name}: install it.")
    expected = _describe(str(base), requirements)
    with locked(f"environment-{name}"):
        if _is_finished(folder, expected):
            return folder
        print(f"Making a virtual environment in {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        python = str(folder / "bin" / "python")
        for command in (
            [str(base), "-m", "venv", str(folder)],
            [python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", "--no-input", *requirements],
        ):
            if subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False).returncode:
                raise ToolError(
                    f"The virtual environment {folder} cannot be made; what failed stands above. Run this again then."
                )
        (folder / STAMP).write_text(expected, encoding="utf-8")
    return folder


def with_environment(folder: pathlib.Path, path: str) -> dict[str, str]:
    """Return the variables of this process, with that environment first on the PATH and without settings of Ansible."""
    env = {key: value for key, value in os.environ.items() if not key.startswith(("ANSIBLE_", "NOX"))}
    env["VIRTUAL_ENV"] = str(folder)
    env["PATH"] = f"{folder / 'bin'}{os.pathsep}{path}"
    return env
