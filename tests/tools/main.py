# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands behind make: demo, test, list, bench, shell, reference, clean."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys

from environments import environment, with_environment
from home import make_home
from pins import DEMO, DOCS, TESTS_NEW
from places import CACHE, NAME, NAMESPACE, ROOT, ToolError, locked
from pythons import survey
from runner import Runner, run_sessions
from tree import copy_tree


def demo() -> int:
    """Run tests/demo/run with Ansible and this collection at hand."""
    script = ROOT / "tests" / "demo" / "run"
    if not script.exists():
        raise ToolError(f"{script} is missing: the checkout is not complete.")
    with locked("cache", shared=True), locked("demo"):
        folder = environment(*DEMO)
        tree = copy_tree("demo", keep_output=False)
        env = with_environment(folder, survey()[1])
        env["ANSIBLE_COLLECTIONS_PATH"] = str(tree.parents[2])
        home = make_home(tree.parents[2] / "home", str(folder / "bin" / "python"))
        env["HOME"] = str(home)
        # as a path, because Ansible looks ~ up in the password database
        env["ANSIBLE_REMOTE_TMP"] = str(home / ".ansible" / "tmp")
        return subprocess.run([str(script)], cwd=ROOT, env=env, check=False).returncode


def shell() -> int:
    """Start a shell in the checkout, with Ansible, pytest and this collection at hand."""
    folder = environment(*TESTS_NEW)
    # Python and Ansible are content with a link; ansible-test is not
    live = CACHE / "live" / "ansible_collections" / NAMESPACE / NAME
    with locked("live"):
        if not live.exists() or not live.samefile(ROOT):
            live.unlink(missing_ok=True)
            live.parent.mkdir(parents=True, exist_ok=True)
            live.symlink_to(ROOT)
    env = with_environment(folder, survey()[1])
    env["ANSIBLE_COLLECTIONS_PATH"] = env["PYTHONPATH"] = str(live.parents[2])
    return subprocess.run([os.environ.get("SHELL") or "/bin/sh"], cwd=live, env=env, check=False).returncode


def reference() -> int:
    """Write docs/reference and docs/findings.md from the documentation of the plugins and the role, and their data."""
    with locked("cache", shared=True), locked("reference"):
        folder = environment(*DOCS)
        tree = copy_tree("reference", keep_output=False)
        env = with_environment(folder, survey()[1])
        env["ANSIBLE_COLLECTIONS_PATH"] = str(tree.parents[2])
        env["HOME"] = str(make_home(tree.parents[2] / "home", str(folder / "bin" / "python")))
        for name in ("reference.py", "findings.py"):
            script = ROOT / "tests" / "tools" / name
            done = subprocess.run([str(folder / "bin" / "python"), str(script)], cwd=ROOT, env=env, check=False)
            if done.returncode:
                return done.returncode
        return 0


def bench(options: list[str]) -> int:
    """Run tests/bench/run, on a copy of the collection, so that edits meanwhile are not measured."""
    with locked("cache", shared=True), locked("bench"):
        folder = environment(*TESTS_NEW)
        tree = copy_tree("bench", keep_output=False)
        command = [str(folder / "bin" / "python"), str(ROOT / "tests" / "bench" / "run"), "--collection", str(tree)]
        env = with_environment(folder, survey()[1])
        return subprocess.run([*command, *options], cwd=ROOT, env=env, check=False).returncode


def clean() -> int:
    """Remove everything that the tools keep, except built Kubernetes binaries, which take minutes to make."""
    if CACHE.is_dir():
        with locked("cache"):
            for entry in sorted(CACHE.iterdir()):
                # beds: a cluster may run there, and a bed takes itself down
                if entry.is_dir() and not entry.name.startswith(("kubernetes-", "beds")):
                    print(f"removing {entry}")
                    shutil.rmtree(entry)
            (CACHE / "pip.conf").unlink(missing_ok=True)
    return 0


def main() -> int:
    """Run one command; return the exit status."""
    parser = argparse.ArgumentParser(prog="tests/tools/run", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("demo", help=demo.__doc__)
    test = commands.add_parser("test", help="run test sessions, all of them if none is named")
    test.add_argument(
        "--jobs",
        type=int,
        default=int(os.environ.get("JOBS") or min((os.cpu_count() or 1) + 1, 5)),
        help="sessions at a time",
    )
    test.add_argument(
        "session", nargs="*", help="a session or a tag, see list; after --, what is handed to the session"
    )
    commands.add_parser("list", help="list the test sessions")
    commands.add_parser("bench", help=bench.__doc__)
    commands.add_parser("shell", help=shell.__doc__)
    commands.add_parser("reference", help=reference.__doc__)
    commands.add_parser("clean", help=clean.__doc__)
    arguments, options = sys.argv[1:], []
    if "--" in arguments:
        position = arguments.index("--")
        arguments, options = arguments[:position], arguments[position + 1 :]
    given = parser.parse_args(arguments)
    try:
        if given.command == "test":
            return run_sessions(given.session, jobs=max(1, given.jobs), options=options)
        if given.command == "list":
            for name, tags in Runner(jobs=1).sessions().items():
                print(f"{name:20} {', '.join(tags)}")
            return 0
        if given.command == "bench":
            return bench(options)
        return {"demo": demo, "shell": shell, "reference": reference, "clean": clean}[given.command]()
    except ToolError as exc:
        print(exc, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
