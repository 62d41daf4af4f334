# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/reference from the documentation of the plugins and the role, or see that it is still what they say.

    python3 reference.py [--check]

Wants antsibull-docs and ansible-core on PATH, and the collection below ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
import tempfile

NAME = "kubeops.aggregation_layer"
ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"

# What a page says about a server to install from and about its maker is no part of the reference.
LEFT_OUT = (
    re.compile(r"\.\. Created with .*\n\n?"),
    re.compile(r"This [\w ]+ is part of the .*\n(?:.+\n|\n(?=(?:It is not|To check|To install|You need|To use)))*"),
    re.compile(r"(?:It is not included in|To check whether it is|To install it use|You need further).*\n(?:.+\n)*\n?"),
    re.compile(r"Collection links\n[~+^=-]+\n\n(?:\* .*\n)+\n?"),
)


def generate(target: pathlib.Path) -> None:
    """Let antsibull-docs write all pages into an empty folder."""
    options = ["--use-current", "--squash-hierarchy", "--output-format", "simplified-rst", "--fail-on-error"]
    subprocess.run(["antsibull-docs", "collection", *options, "--dest-dir", str(target), NAME], check=True)


def pages(folder: pathlib.Path) -> dict[str, str]:
    """Give the text of every page by its name, without what is left out."""
    found = {}
    for path in sorted(folder.glob("*.rst")):
        text = path.read_text(encoding="utf-8")
        for pattern in LEFT_OUT:
            text = pattern.sub("", text)
        text = "\n".join(line.rstrip() for line in text.splitlines())
        found[path.name] = re.sub(r"\n{4,}", "\n\n\n", text).strip() + "\n"
    return found


def main() -> int:
    """Write or compare; 1 if they differ."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(pathlib.Path(scratch))
        wanted = pages(pathlib.Path(scratch))
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.rst")}
    if "--check" in sys.argv[1:]:
        stale = sorted(name for name in {*wanted, *present} if wanted.get(name) != present.get(name))
        if stale:
            names = ", ".join(stale)
            print(f"docs/reference is not what the plugins say ({names}); run `make reference`.", file=sys.stderr)
        return int(bool(stale))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in set(present) - set(wanted):
        (FOLDER / name).unlink()
    for name, text in wanted.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
