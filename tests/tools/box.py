# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the sessions of noxfile.py share: a virtual environment, a copy of the collection, and the counting of tests."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import typing as t

import nox
import nox.command
from environments import environment, with_environment
from home import add_bootstrap, make_home
from places import CACHE
from pythons import survey
from tally import Tally
from tree import copy_tree

CI = bool(os.environ.get("CI"))


class Box:
    """A session's virtual environment and its copy of the collection."""

    def __init__(
        self,
        session: nox.Session,
        name: str,
        requirements: t.Sequence[str],
        python: str | None = None,
        *,
        tree: str | None = None,
    ) -> None:
        self.session = session
        self.folder = environment(name, requirements, python)
        self.tree = copy_tree(tree or session.name)
        # the folder above ansible_collections
        self.root = self.tree.parents[2]
        self.env = with_environment(self.folder, survey()[1])
        home = make_home(self.root / "home", str(self.folder / "bin" / "python"))
        self.env.update(
            ANSIBLE_COLLECTIONS_PATH=str(self.root),
            ANSIBLE_NOCOLOR="1",
            # as a path, because Ansible looks ~ up in the password database
            ANSIBLE_REMOTE_TMP=str(home / ".ansible" / "tmp"),
            HOME=str(home),
            XDG_CACHE_HOME=str(CACHE.parent),
        )

    def run(self, *command: str, cwd: pathlib.Path | None = None, env: dict[str, str] | None = None) -> None:
        """Run a command of the environment, by default in the copy; the session fails if it does."""
        with self.session.chdir(cwd or self.tree):
            program = self.folder / "bin" / command[0]
            words = (str(program) if program.exists() else command[0], *command[1:])
            self.session.run(*words, env={**self.env, **(env or {})}, include_outer_env=False, external=True)

    def succeeds(self, *command: str) -> bool:
        """Run a command and return whether it succeeded."""
        try:
            self.run(*command)
        except nox.command.CommandFailed:
            return False
        return True

    def output(self, *command: str, cwd: pathlib.Path | None = None) -> str:
        """Run a command quietly and return what it prints on its standard output."""
        with self.session.chdir(cwd or self.tree):
            words = (str(self.folder / "bin" / command[0]), *command[1:])
            return str(
                self.session.run(*words, env=self.env, include_outer_env=False, external=True, silent=True, stderr=None)
            )

    def pytest(self, *arguments: str) -> None:
        """Run pytest in the copy, with this collection importable, and count its tests."""
        report = CACHE / "results" / f"{self.session.name}.xml"
        report.parent.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        try:
            command = ("pytest", f"--junit-xml={report}", *arguments, *self.session.posargs)
            self.run(*command, env={"PYTHONPATH": str(self.root)})
        finally:
            if report.exists():
                tally = Tally()
                tally.add_junit([report])
                tally.save(self.session.name)


def leave_out(session: nox.Session, reason: str) -> None:
    """End a session whose subject this machine lacks: a skip for a person, a failure in CI."""
    if CI:
        session.error(reason)
    Tally(skipped=1, left_out=[reason]).save(session.name)
    session.skip(reason)


def _unobtainable(box: Box, package: pathlib.Path) -> dict[str, str]:
    """Return the sanity tests whose tools cannot be had here, each with the reason.

    Nearly all tools come from where everything else comes from. A release of ansible-core can name an archive from
    elsewhere, too, and that may be out of reach.
    """
    found: dict[str, str] = {}
    folder = box.root / "archives"
    for path in sorted(package.glob("_data/requirements/sanity.*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, at, address = (part.strip() for part in line.partition(" @ "))
            fetch = ("python", "-m", "pip", "download", "-qq", "--no-deps", "--retries", "1", "--timeout", "15")
            if at and not box.succeeds(*fetch, "--dest", str(folder), f"{name} @ {address}"):
                found[path.name.split(".")[1]] = (
                    f"its {name} is to come from an archive outside of the package index, which cannot be fetched here"
                )
    return found


def ansible_test(box: Box, command: str, *arguments: str, only: t.Literal["first", "last"] | None = None) -> None:
    """Run ansible-test in the copy, and count its tests.

    only: on the oldest or the newest Python that is installed, if no option says otherwise, in place of all.
    The versions of Python that it wants and does not find are noted as left out, and so is a sanity test whose tools
    cannot be had.
    """
    package = box.output(
        "python", "-c", "import ansible_test, json; from ansible_test._util.target.common import constants as c;"
        "print(json.dumps([ansible_test.__path__[0], c.REMOTE_ONLY_PYTHON_VERSIONS + c.CONTROLLER_PYTHON_VERSIONS]))"
    )  # fmt: skip
    folder, versions = json.loads(package)
    add_bootstrap(box.root / "home", str(box.folder / "bin" / "python"), pathlib.Path(folder))
    missing = [version for version in versions if version not in survey()[0]]
    installed = [version for version in versions if version not in missing]
    chosen = {"first": installed[:1], "last": installed[-1:]}.get(only or "", [])
    choices: list[list[str]] = [["--python", version] for version in chosen if not box.session.posargs] or [[]]
    unobtainable = _unobtainable(box, pathlib.Path(folder)) if command == "sanity" else {}
    output = box.tree / "tests" / "output"
    for kind in ("junit", "data"):
        shutil.rmtree(output / kind, ignore_errors=True)
    tally = Tally()
    try:
        skips = (word for test in unobtainable for word in ("--skip-test", test))
        words = ("--venv", "--color", "no", "--truncate", "0", *arguments, *skips, *box.session.posargs)
        for python in choices:
            box.run("ansible-test", command, *python, *words)
    finally:
        if command == "integration":
            # one for each target: its JUnit reports have one for each task, rescued ones among the failures
            for report in output.glob("data/integration-*.json"):
                tally.passed += len(json.loads(report.read_text(encoding="utf-8"))["targets"])
        else:
            tally.add_junit(sorted(output.glob("junit/*.xml")))
            tally.left_out += [f"Python {', '.join(missing)}: not installed"] if missing else []
            tally.left_out += [f"{test}: {reason}" for test, reason in unobtainable.items()]
            tally.skipped += len(unobtainable)
        tally.save(box.session.name)
