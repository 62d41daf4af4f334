# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find the Python interpreters that really run, a PATH on which ansible-test finds just those, and who makes what."""

from __future__ import annotations

import functools
import os
import pathlib
import subprocess
import sys

# What a controller or a master may have: the targets of the oldest and of the newest ansible-core that is supported.
TARGET_VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


def _runs(path: pathlib.Path, version: str) -> pathlib.Path | None:
    """Return the folder of the interpreter behind that command, or None if it does not run, or is not the real one.

    A version manager puts a small script in place of each version that it has installed, also of those that are not
    selected; these fail when they are run. Those that are selected say where the real interpreter is. The one of a
    virtual environment is passed over: it may be gone before the environments that are made from it.
    """
    program = (
        "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable); print(sys.prefix == sys.base_prefix)"
    )
    try:
        done = subprocess.run(
            [str(path), "-I", "-c", program],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found, executable, real = done.stdout.split("\n")[:3]
    return pathlib.Path(executable).parent if found == version and executable and real == "True" else None


@functools.cache
def survey() -> tuple[dict[str, pathlib.Path], str]:
    """Return the interpreters by version, and a PATH on which each pythonX.Y is one that runs.

    Folders on PATH come first, but one that holds a pythonX.Y which does not run is left out. Those of pyenv follow.
    """
    on_path = [
        pathlib.Path(folder) for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if os.path.isabs(folder)
    ]
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT") or pathlib.Path.home() / ".pyenv")
    found: dict[str, pathlib.Path] = {}
    path: list[pathlib.Path] = []
    for folder in dict.fromkeys([*on_path, *sorted(pyenv.glob("versions/*/bin"))]):
        sound = folder in on_path
        for version in TARGET_VERSIONS:
            command = folder / f"python{version}"
            if not os.access(command, os.X_OK):
                continue
            home = _runs(command, version)
            if home is None:
                sound = False
            elif (home / command.name).exists():
                path.append(home)
                found.setdefault(version, home / command.name)
        if sound:
            path.append(folder)
    return {version: found[version] for version in TARGET_VERSIONS if version in found}, os.pathsep.join(
        map(str, dict.fromkeys(path))
    )


@functools.cache
def maker(version: str) -> pathlib.Path | None:
    """Return the interpreter of that version with which virtual environments are made; None if there is none.

    Of the version that runs this, it is the one that runs this. With PYTHON set, which names it, there is no other.
    """
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return pathlib.Path(sys.executable)
    path = None if os.environ.get("PYTHON") else survey()[0].get(version)
    try:
        # Debian has these two in a package of their own
        command = [str(path), "-I", "-c", "import ensurepip, venv"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    return path if done.returncode == 0 else None
