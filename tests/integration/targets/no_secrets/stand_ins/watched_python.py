# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for the Python of a master: run a module with this one, keep what others can see of it, and cut it off.

WATCHED names the folder of temporary files, of which copies are made in the folder KEPT before and after the module;
there also goes its command line. CUT_OFF is MODULE:SHARE, and then no more than that share of what the module prints
(less than 1) comes out, as of one that was killed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def keep(folder: Path, name: str) -> None:
    """Copy all temporary files as they are now."""
    for path in Path(os.environ["WATCHED"]).rglob("*"):
        try:
            if path.is_file():
                target = folder / name / path.relative_to(os.environ["WATCHED"])
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
        except OSError:
            # another host's, and gone meanwhile
            continue


def main() -> int:
    """Run it; return its exit status, or that of one that was killed."""
    given = sys.argv[1:]
    files = [Path(word).read_bytes() for word in given if os.path.isfile(word)]
    payload = b"" if files else sys.stdin.buffer.read()
    names = re.findall(rb"kubeops.aggregation_layer.plugins.modules.(\w+)", b"".join([payload, *files]))
    folder = Path(tempfile.mkdtemp(prefix=f"{names[0].decode() if names else 'other'}-", dir=os.environ["KEPT"]))
    (folder / "command").write_text(json.dumps([sys.argv, dict(os.environ)]), encoding="utf-8")
    keep(folder, "before")
    done = subprocess.run([sys.executable, *given], input=payload, capture_output=True, check=False)
    keep(folder, "after")
    sys.stderr.buffer.write(done.stderr)
    module, dummy, share = os.environ.get("CUT_OFF", "").partition(":")
    cut = module.encode() in names
    text = done.stdout.rstrip()
    sys.stdout.buffer.write(text[: int(len(text) * float(share))] if cut else done.stdout)
    return 137 if cut else done.returncode


if __name__ == "__main__":
    sys.exit(main())
