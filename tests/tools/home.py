# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Home folders for the tests, so that nobody's own ~/.ansible and ~/.ansible.cfg is read or written.

ansible-test makes its virtual environments without pip, and fetches a script from the net to install pip there. It
first looks for that script in the home folder. The one that is put there here takes pip's own wheel, which pip fetches
from wherever it fetches everything else.
"""

from __future__ import annotations

import ast
import os
import pathlib
import re
import subprocess

from places import CACHE, ToolError, locked

_SETTINGS = CACHE / "pip.conf"

_SCRIPT = '''"""Install pip with the wheel of pip itself."""
import sys

sys.path.insert(0, {wheel!r})

from pip._internal.cli.main import main

arguments = [item for item in sys.argv[1:] if item not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + arguments))
'''


def _write(path: pathlib.Path, text: str) -> None:
    """Put a file in place in one step: two sessions may do it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _pip(python: str, *arguments: str) -> str:
    done = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ToolError(f"pip {' '.join(arguments)} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def pip_settings(python: str) -> str:
    """Return the settings under which pip works here, as the text of a pip.conf.

    They may come from the environment, which ansible-test does not hand on, or from the user's home.
    """
    settings: dict[str, str] = {}
    # low to high precedence: the files' "global" section, its "install" section, then the environment
    for line in _pip(python, "config", "list").splitlines():
        match = re.fullmatch(r"(global|install|:env:)\.([a-z-]+)=(.*)", line)
        if match and match[2] not in ("quiet", "verbose", "user", "target", "prefix", "require-virtualenv", "no-input"):
            settings[match[2]] = ast.literal_eval(match[3]).strip().replace("\n", "\n    ")
    settings.setdefault("cache-dir", _pip(python, "cache", "dir").strip())
    settings["disable-pip-version-check"] = "true"
    # only errors: where a package came from is no news
    settings["quiet"] = "2"
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in settings.items())


def _bootstrap_version(ansible_test: pathlib.Path) -> str:
    """Return the version of pip that this ansible-test wants to install, read from its source."""
    text = (ansible_test / "_internal" / "python_requirements.py").read_text(encoding="utf-8")
    match = re.search(r"\bpip='([0-9.]+)'", text)
    if not match:
        raise ToolError(
            f"{ansible_test} no longer says which pip it wants: adapt tests/tools/home.py to this ansible-core."
        )
    return match[1]


def save_pip_settings(python: str) -> None:
    """Note pip's present settings for the homes that are made from now on; python is an interpreter that has pip."""
    _write(_SETTINGS, pip_settings(python))


def make_home(folder: pathlib.Path, python: str) -> pathlib.Path:
    """Make a home folder with pip's settings in it and return it."""
    if not _SETTINGS.exists():
        save_pip_settings(python)
    _write(folder / ".config" / "pip" / "pip.conf", _SETTINGS.read_text(encoding="utf-8"))
    return folder


def add_bootstrap(home: pathlib.Path, python: str, ansible_test: pathlib.Path) -> None:
    """Put the script into a home folder with which the ansible-test in that other folder installs pip."""
    version = _bootstrap_version(ansible_test)
    wheel = CACHE / "pip" / f"pip-{version}-py3-none-any.whl"
    with locked("pip"):
        if not wheel.exists():
            _pip(
                python,
                "download",
                "-qq",
                "--no-deps",
                "--only-binary=:all:",
                "--dest",
                str(wheel.parent),
                f"pip=={version}",
            )
    script = home / ".ansible" / "test" / "cache" / f"get_pip_{version.replace('.', '_')}.py"
    _write(script, _SCRIPT.format(wheel=str(wheel)))
