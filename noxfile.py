# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test sessions: those that others wait for, then the longest ones. `make list` lists them.

`make test` runs one more at a time than there are processors: those with real masters wait half of their time.

Every session works on a copy of what git knows, with virtual environments in a cache (tests/tools/box.py). So nox
itself makes no environments, and nothing is written into the checkout.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import sys
import tarfile

import nox

TESTS = pathlib.Path(__file__).resolve().parent / "tests"
sys.path[:0] = [str(TESTS / "tools"), str(TESTS / "kubernetes")]

from box import Box, ansible_test, leave_out
from pins import (
    CORE_NEW,
    CORE_OLD,
    CORES,
    DEMO,
    DOCS,
    IMPORTER,
    LINT,
    NEWEST_CORE,
    NO_OLDEST_CORE,
    OLDEST_CORE,
    STYLE,
    TESTS_NEW,
    TESTS_OLD,
    TYPES,
)
from places import CACHE, NAME, NAMESPACE, locked
from releases import NEWEST, OLDEST
from tree import known_files

nox.needs_version = ">=2025.2.9"
nox.options.envdir = str(CACHE / "nox")
nox.options.default_venv_backend = "none"

# The folders that a built collection may hold, and the four of them that it needs to work.
SHIPPED = {"LICENSES", "changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
NEEDED = {"meta", "playbooks", "plugins", "roles"}
SHIPPED_FILES = {"CHANGELOG.rst", "CONTRIBUTING.md", "FILES.json", "MANIFEST.json", "README.md", "REUSE.toml"}


def first_line(path: pathlib.Path) -> bytes:
    """Return a file's first line."""
    with open(path, "rb") as stream:
        return stream.readline(200)


def kubernetes(session: nox.Session) -> None:
    """Build the programs of a release of Kubernetes, for the sessions that start them."""
    Box(session, *TESTS_NEW).run("tests/kubernetes/prepare", session.name.rpartition("-")[2])


def chosen(session: nox.Session, release: str) -> tuple[str, ...]:
    """On the newest release all tests, on the others those that are marked as different there."""
    return () if release == NEWEST.short or session.posargs else ("-m", "differs")


def cluster(session: nox.Session) -> None:
    """Three real masters, made by kubeadm on this machine: what the collection does to them and what it survives.

    On the newest release all of it, on the others what is marked as different there.
    """
    box = Box(session, *TESTS_NEW)
    release = session.name.rpartition("-")[2]
    testbed = "tests/cluster/testbed"
    if reason := box.output("python", testbed, "--lacking").strip():
        leave_out(session, reason)
    box.run("python", testbed, "--prepare", f"--release={release}")
    box.pytest("tests/cluster", f"--release={release}", f"--basetemp={box.root / 'pytest'}", *chosen(session, release))


def real(session: nox.Session) -> None:
    """A real etcd and kube-apiserver accept what the collection writes."""
    box = Box(session, *TESTS_NEW)
    release = session.name.rpartition("-")[2]
    if not (box.tree / "tests" / "kubernetes" / "prepare").exists():
        leave_out(session, "tests/kubernetes is missing: the checkout is not complete.")
    if "KUBEBUILDER_ASSETS" not in os.environ and not box.succeeds("tests/kubernetes/prepare", release):
        why = "what tests/kubernetes/prepare wants stands in the session's log"
        leave_out(session, f"there is no kube-apiserver {release} to test with; {why}")
    # One release at a time: a kubelet that a test starts is seen by every other test on this machine.
    with locked("real"):
        box.pytest("tests/real", f"--release={release}", *chosen(session, release))


OLDEST_CORE_TARGETS = (
    "module_apiserver",
    "module_front_proxy_ca",
    "no_secrets",
    "role_plays",
    "role_runs",
)


def integration(session: nox.Session) -> None:
    """Integration targets on this machine: modules, role and playbook."""
    core = session.name.rpartition("-")[2]
    box = Box(session, *CORES[core])
    # what differs between releases of the core: modules, the order of tasks, failures. The rest is ours alone.
    targets = () if core == NEWEST_CORE or session.posargs else OLDEST_CORE_TARGETS
    ansible_test(box, "integration", "--continue-on-error", *targets)


# They begin in this order. First what others need, with the quicker build ahead, and beside it what needs no build.
for _release in (OLDEST, NEWEST):
    nox.session(name=f"kubernetes-{_release.short}", tags=["kubernetes"])(kubernetes)
nox.session(name=f"integration-{NEWEST_CORE}", tags=["integration"])(integration)
for _release in (OLDEST, NEWEST):
    nox.session(name=f"cluster-{_release.short}", tags=["cluster"])(cluster)
nox.session(name=f"real-{NEWEST.short}", tags=["real"])(real)
if not NO_OLDEST_CORE:
    nox.session(name=f"integration-{OLDEST_CORE}", tags=["integration"])(integration)


def sanity(session: nox.Session) -> None:
    """ansible-test sanity, without an ignore file."""
    box = Box(session, *CORES[session.name.rpartition("-")[2]])
    ignored = sorted((box.tree / "tests" / "sanity").glob("ignore*"))
    if ignored:
        session.error(f"There is an ignore file, {ignored[0].name}: put right what sanity finds instead.")
    ansible_test(box, "sanity", "--junit")


for _core in CORES:
    nox.session(name=f"sanity-{_core}", tags=["sanity"])(sanity)


# so late that it need not wait for the tests of the other release
nox.session(name=f"real-{OLDEST.short}", tags=["real"])(real)


@nox.session(tags=["units"])
def units(session: nox.Session) -> None:
    """Unit tests by ansible-test with the newest ansible-core, on the newest Python that it knows.

    The oldest one has a session of its own; on the ones between, the sanity tests import everything. All would take a
    third of the time of all sessions.
    """
    ansible_test(Box(session, *CORE_NEW), "units", only="last")


@nox.session(name=f"units-{OLDEST_CORE}", tags=["units"])
def units_masters(session: nox.Session) -> None:
    """Unit tests by ansible-test with the oldest ansible-core, on the oldest Python that a master may have."""
    if NO_OLDEST_CORE:
        leave_out(session, NO_OLDEST_CORE)
    ansible_test(Box(session, *CORE_OLD), "units", only="first")


@nox.session(name="units-old", tags=["units"])
def units_old(session: nox.Session) -> None:
    """Unit tests with the oldest ansible-core and libraries that are supported."""
    if NO_OLDEST_CORE:
        leave_out(session, NO_OLDEST_CORE)
    Box(session, *TESTS_OLD).pytest("tests/unit", "--numprocesses=2", "--dist=loadfile")


def built(box: Box) -> pathlib.Path:
    """Build the collection in an empty folder beside the copy and return the archive."""
    folder = box.root / "built"
    shutil.rmtree(folder, ignore_errors=True)
    box.run("ansible-galaxy", "collection", "build", "--output-path", str(folder))
    return next(folder.glob(f"{NAMESPACE}-{NAME}-*.tar.gz"))


@nox.session(name="galaxy-importer", tags=["build"])
def galaxy_importer(session: nox.Session) -> None:
    """What a Galaxy server checks when it takes in the built collection; a warning is a failure."""
    box = Box(session, *IMPORTER)
    archive = built(box)
    said = box.output("python", "-m", "galaxy_importer.main", archive.name, cwd=archive.parent)
    print(said)
    if any(line.startswith(("WARNING", "ERROR")) for line in said.splitlines()):
        session.error("The importer has something to say against the collection.")


@nox.session(tags=["build"])
def build(session: nox.Session) -> None:
    """The built collection holds only what belongs, and works without any folder but the four that it needs."""
    box = Box(session, *DEMO)
    archive = built(box)
    with tarfile.open(archive) as stream:
        names = stream.getnames()
    folders = {name.partition("/")[0] for name in names if "/" in name}
    alone = {name for name in names if "/" not in name} - folders
    if strange := (folders - SHIPPED) | (alone - SHIPPED_FILES - SHIPPED):
        session.error(
            f"The built collection holds {', '.join(sorted(strange))}: name it under build_ignore in galaxy.yml."
        )

    root = box.root / "installed"
    shutil.rmtree(root, ignore_errors=True)
    env = {"ANSIBLE_COLLECTIONS_PATH": str(root)}
    box.run("ansible-galaxy", "collection", "install", "--offline", "--no-deps", "-p", str(root), str(archive), env=env)
    tree = root / "ansible_collections" / NAMESPACE / NAME
    for folder in folders - NEEDED:
        shutil.rmtree(tree / folder)
    for kind in ("module", "role"):
        box.run("ansible-doc", "--type", kind, "--list", f"{NAMESPACE}.{NAME}", env=env)
    for playbook in sorted((tree / "playbooks").glob("*.yml")):
        name = f"{NAMESPACE}.{NAME}.{playbook.stem}"
        box.run("ansible-playbook", "--inventory", "masters,", "--syntax-check", name, env=env)
    if not (box.tree / "tests" / "demo" / "run").exists():
        session.error("tests/demo/run is missing: the checkout is not complete.")
    box.run("tests/demo/run", env=env)


@nox.session(name="ansible-lint", tags=["lint"])
def ansible_lint(session: nox.Session) -> None:
    """ansible-lint with its strictest profile, without looking anything up in the net."""
    Box(session, *LINT).run("ansible-lint", "--offline", "--profile", "production", "--strict", "--nocolor")


@nox.session(tags=["docs", "lint"])
def docs(session: nox.Session) -> None:
    """The documentation of modules and role, and docs/reference and docs/findings.md, which are made from it."""
    box = Box(session, *DOCS)
    what = ("--plugin-docs", "--validate-collection-refs", "self", "--skip-rstcheck")
    box.run("antsibull-docs", "lint-collection-docs", *what, ".")
    box.run("python", "tests/tools/reference.py", "--check")
    box.run("python", "tests/tools/findings.py", "--check")


def python_files(box: Box, name: str) -> list[str]:
    """The Python files of a folder of tests."""
    return sorted(str(path) for path in (box.tree / "tests" / name).glob("*.py"))


@nox.session(tags=["lint"])
def types(session: nox.Session) -> None:
    """The annotations of everything that is shipped, and of the tools."""
    box = Box(session, *TYPES)
    cache = f"--cache-dir={CACHE / 'mypy'}"
    config = f"--config-file={box.tree / 'pyproject.toml'}"
    box.run("mypy", cache, config, "--package", f"ansible_collections.{NAMESPACE}.{NAME}.plugins", cwd=box.root)
    box.run(
        "mypy",
        cache,
        config,
        "noxfile.py",
        *python_files(box, "tools"),
        env={"MYPYPATH": "tests/tools:tests/kubernetes"},
    )
    folders = ("tools", "kubernetes", "sandbox", "real", "cluster", "bench")
    box.run(
        "mypy",
        cache,
        config,
        *(path for name in ("kubernetes", "bench", "cluster/bed", "cluster/watch") for path in python_files(box, name)),
        env={"MYPYPATH": ":".join(f"tests/{name}" for name in folders)},
    )


@nox.session(tags=["lint"])
def ruff(session: nox.Session) -> None:
    """ruff."""
    Box(session, *STYLE).run("ruff", "check", "--no-cache", "--output-format=concise")


@nox.session(tags=["lint"])
def shellcheck(session: nox.Session) -> None:
    """shellcheck, on every shell script whatever its name."""
    box = Box(session, *STYLE)
    scripts = [name for name in known_files() if re.match(rb"#!.*\b(ba)?sh\b", first_line(box.tree / name))]
    # an empty assignment before another one is meant as one
    box.run("shellcheck", "--severity=warning", "--exclude=SC1007", *scripts)


@nox.session(tags=["lint"])
def yamllint(session: nox.Session) -> None:
    """yamllint."""
    Box(session, *STYLE).run("yamllint", "--strict", ".")


@nox.session(tags=["lint"])
def reuse(session: nox.Session) -> None:
    """Every file says its licence."""
    Box(session, *STYLE).run("reuse", "lint")


@nox.session(tags=["lint"])
def changelog(session: nox.Session) -> None:
    """The changelog's fragments are well-formed."""
    Box(session, *STYLE).run("antsibull-changelog", "lint")


@nox.session(name="execution-environment", tags=["lint"])
def execution_environment(session: nox.Session) -> None:
    """What an execution environment installs for the collection is what galaxy.yml's readers are told."""
    box = Box(session, *LINT)
    said = box.output(
        "ansible-builder",
        "introspect",
        str(box.root),
        "--write-pip",
        str(box.root / "pip.txt"),
        "--write-bindep",
        str(box.root / "bindep.txt"),
    )
    print(said)
    wanted = [
        line
        for line in (box.tree / "meta" / "ee-requirements.txt").read_text(encoding="utf-8").splitlines()
        if line and line[0] != "#"
    ]
    found = (box.root / "pip.txt").read_text(encoding="utf-8")
    if lost := [line for line in wanted if line.split()[0].lower() not in found.lower()]:
        session.error(
            f"ansible-builder does not see these requirements of meta/ee-requirements.txt: {', '.join(lost)}."
        )
