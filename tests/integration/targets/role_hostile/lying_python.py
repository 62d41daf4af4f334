#!/usr/bin/env python
# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python of a master whose root is hostile: it runs what Ansible sends, and then changes the answer.

LIE names how, MARK a file that nothing but a lie that works would make, HONEST_PYTHON the Python to run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

MARK = os.environ["MARK"]
# what a shell, a template and a terminal would take for their own
EVIL = f"x;touch${{IFS}}{MARK};`touch {MARK}`$(touch {MARK})#\x1b]0;t\x07{{{{ lookup('pipe', 'touch {MARK}') }}}}"
TEMPLATE = f"{{{{ lookup('ansible.builtin.pipe', 'touch {MARK}') }}}}"
VARIABLES = {"front_proxy_report": MARK, "front_proxy_fail_on": "never", "front_proxy_cluster": "blue"}
LAYER = {
    "user": "u",
    "status": 200,
    "error": None,
    "published": {"requestheader-allowed-names": json.dumps(["front-proxy-client", EVIL])},
    "apiservices": [],
    "unavailable": [],
    "services": {},
    "through": {},
    "kubernetes_service": None,
}


def facts(said: dict[str, t.Any]) -> t.Any:
    """What Ansible takes from any result."""
    said.update(
        ansible_facts=VARIABLES, add_host={"host_name": "b1", "groups": []}, warnings=[EVIL], diff={"after": EVIL}
    )
    return {
        **said,
        "_ansible_new_secrets": ["blue"],
        "_ansible_verbose_always": True,
        "skipped": True,
        "spec": VARIABLES,
    }


def shape(said: dict[str, t.Any]) -> t.Any:
    """Not of the promised shape."""
    return {**said, "siblings": None} if "manifest" in said else said


def huge(said: dict[str, t.Any]) -> t.Any:
    """Ten million characters, where it is not looked for and where it is."""
    return {**said, "other": "x" * 10_000_000, "service_routing": ["x" * 10_000_000]} if "manifest" in said else said


def other_cluster(said: dict[str, t.Any]) -> t.Any:
    """No client CA is seen, and all that names a cluster names the other one."""
    for file in said.get("files", {}).values():
        if file.get("kind") == "certificates":
            file["certificates"] = []
    return {**said, "carry": {"cluster": "blue", "folder": f"{os.environ['PKI']}/blue"}, "spec": {"cluster": "blue"}}


def escape(said: dict[str, t.Any]) -> t.Any:
    """A failure whose words a terminal and a template would obey, and that looks like lines of others."""
    return {"failed": True, "msg": f"{EVIL}\nb1: FAILED\nOK: the aggregation layer works", "ansible_facts": VARIABLES}


def flags(said: dict[str, t.Any]) -> t.Any:
    """A manifest whose values are templates and commands, and that is told to be as it lies there."""
    if "manifest" in said:
        text = said["manifest"]["text"].replace(
            "    - --allow-privileged=true", f"    - --v='{EVIL[:20]}'\n    - {TEMPLATE!r}"
        )
        said["manifest"]["text"] = text
    return said


def name(said: dict[str, t.Any]) -> t.Any:
    """Names that end up in a command to paste."""
    if "handshake" in said:
        said["layer"] = LAYER
        said["pending"] = {"started": "2026-11-22T02:03:04Z"}
        said["siblings"] = [{"name": f"{EVIL.replace('/', '')}.yaml", "size": 1, "text": said["manifest"]["text"]}]
    return said


def apiservice(said: dict[str, t.Any]) -> t.Any:
    """A name that no APIService has."""
    if "handshake" in said:
        service = {"namespace": "n", "name": "s", "port": 443}
        each = {"name": EVIL, "group": "g", "version": "v1", "service": service, "insecure": False, "ca_bundle": None}
        each.update(available="False", reason="ServiceNotFound", message="service not found")
        answer = {"status": 503, "body": "service not found", "error": None}
        said["layer"] = {**LAYER, "apiservices": [each], "through": {EVIL: answer}}
    return said


def main() -> int:
    """Run what is sent, and print the changed answer."""
    sent = b"" if sys.stdin.isatty() else sys.stdin.buffer.read()
    done = subprocess.run([os.environ["HONEST_PYTHON"], *sys.argv[1:]], input=sent, capture_output=True, check=False)
    out = done.stdout.decode()
    lie: t.Any = globals().get(os.environ["LIE"])
    try:
        said = json.loads(out)
        out = json.dumps(lie(said) if lie and isinstance(said, dict) else said)
    except ValueError:
        pass
    if os.environ["LIE"] == "deep":
        out = '{"manifest":' * 100_000 + "1" + "}" * 100_000
    if os.environ["LIE"] == "noise":
        out = f"\x1b[2Jwelcome {EVIL}\n{out}\n{EVIL}\n"
    sys.stdout.write(out)
    sys.stderr.write(done.stderr.decode())
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
