# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for ssh: run the command on this machine. What Ansible says of a connection over ssh is then all there."""

from __future__ import annotations

import subprocess
import sys

# The options of ssh(1) that Ansible uses and that have a value.
WITH_VALUE = ("-o", "-i", "-p", "-l", "-F", "-O", "-E")


def main() -> int:
    """Find the command behind the options and the host, and run it; return its exit status."""
    words = sys.argv[1:]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in WITH_VALUE else words[1:]
    if len(words) < 2:
        # a question about what ssh can do
        return 0
    return subprocess.run(["/bin/sh", "-c", " ".join(words[1:])], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
