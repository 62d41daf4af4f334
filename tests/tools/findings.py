# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write docs/findings.md from the catalogue of findings, or see that it is still what the catalogue says.

    python3 findings.py [--check]

Wants the collection below ANSIBLE_COLLECTIONS_PATH.
"""

from __future__ import annotations

import importlib
import os
import pathlib
import sys
import typing as t

NAME = "ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.catalogue"
PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "findings.md"

HEAD = """\
# Findings

What `ansible-playbook -i INVENTORY kubeops.aggregation_layer.verify` can find. This page is made from the data that it
works with (`make reference`).

| severity | meaning |
|---|---|
| broken | it does not work now, or it lets in whom it must not |
| at risk | it works, and one step of somebody breaks it |
| will break | at a release or a date that is named |
| untidy | it does no harm yet |

The worst finding comes first. Of findings that are equally bad, the one that explains others comes first, as on this
page. What a finding explains besides is a note, not a finding. Words in capitals are filled in from what was seen.
"""

# What stands in place of what is filled in.
SHOWN = {
    "command": "ansible-playbook -i INVENTORY kubeops.aggregation_layer.configure",
    "prune": "ansible-playbook -i INVENTORY kubeops.aggregation_layer.prune",
    "verify": "ansible-playbook -i INVENTORY kubeops.aggregation_layer.verify",
    "new_pair": "run on HOST: kubeadm certs renew front-proxy-client, where kubeadm has the key of the CA; elsewhere "
    "run: ansible-playbook -i INVENTORY kubeops.aggregation_layer.configure",
    "other_pair": "run on HOST: mv front-proxy-client.crt front-proxy-client.crt.old && mv front-proxy-client.key "
    "front-proxy-client.key.old && kubeadm init phase certs front-proxy-client, where kubeadm has the key of the CA; "
    "elsewhere run: ansible-playbook -i INVENTORY kubeops.aggregation_layer.configure",
    "way": "run: ansible-playbook -i INVENTORY kubeops.aggregation_layer.configure -e "
    "front_proxy_aggregator_routing=true, where a master has no kube-proxy; else let it connect to ADDRESS (firewall)",
    "mend": "chown USER PATH && chmod 0600 PATH",
    "allow": """-e '{"front_proxy_allowed_names": ["NAME"]}'""",
    "allow_shared": """-e '{"front_proxy_allowed_names": ["NAME"], "front_proxy_allow_shared_ca": true}'""",
    "remedy": "put PATH into the folder that the kubelet reads",
    "fix": "run: ansible-playbook -i INVENTORY kubeops.aggregation_layer.configure -e "
    """'{"front_proxy_allowed_names": ["NAME"]}'""",
    "restart": "wait a minute and look again (1.20 to 1.22 load files every 60 s); else restart kube-apiserver: move "
    "its manifest out of its folder, and back after 30 s",
}


class Shown(t.Dict[str, str]):
    """Shows what is filled in as a word in capitals."""

    def __missing__(self, key: str) -> str:
        return SHOWN.get(key, key.upper())


def filled(text: str) -> str:
    """Fill a template in for the page; what Markdown would take for something else is kept as it is."""
    return text.format_map(Shown()).replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")


def sentence(title: str) -> str:
    """Begin with a capital, unless it is a program's name."""
    return title if title.startswith("kube-") else title[:1].upper() + title[1:]


def page() -> str:
    """Give the text of the page."""
    sys.path[:0] = os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(os.pathsep)
    parts = [HEAD]
    for subject, kinds in importlib.import_module(NAME).SUBJECTS.items():
        parts.append(f"\n## {subject}\n")
        for kind in kinds:
            fault = "" if kind.ours else "\n* **not the front proxy's fault**"
            parts.append(
                f"\n### {kind.id}\n\n{filled(sentence(kind.title))}.\n\n"
                f"* **severity:** {kind.severity.replace('_', ' ')}{fault}\n"
                f"* **consequence:** {filled(kind.consequence)}\n"
                f"* **fix:** {filled(kind.fix)}\n"
                f"* **to cause it:** {filled(kind.cause.replace('{', '{{').replace('}', '}}'))}\n"
                f"* **source:** {filled(kind.source)}\n"
            )
    return "".join(parts)


def main() -> int:
    """Write or compare; 1 if they differ."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        print("docs/findings.md is not what the catalogue says; run `make reference`.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
