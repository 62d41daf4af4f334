# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand in for the journal of systemd and for syslog in every Python that is started, and write down what they get.

The file is the one that SYSTEM_LOG names. The journal then fails, so that the next one, syslog, gets it too.
"""

from __future__ import annotations

import json
import os
import sys
import syslog
import types
import typing as t


def _write(kind: str, words: t.Sequence[t.Any], fields: t.Mapping[str, t.Any]) -> None:
    with open(os.environ["SYSTEM_LOG"], "a", encoding="utf-8") as stream:
        stream.write(json.dumps([kind, words, fields], default=repr) + "\n")


def _to_journal(*words: t.Any, **fields: t.Any) -> None:
    _write("journal", words, fields)
    raise OSError("There is no journal here.")


def _to_syslog(*words: t.Any) -> None:
    _write("syslog", words, {})


if "SYSTEM_LOG" in os.environ:
    syslog.openlog = syslog.syslog = _to_syslog  # type: ignore[assignment]
    package = types.ModuleType("systemd")
    journal, daemon = types.ModuleType("systemd.journal"), types.ModuleType("systemd.daemon")
    journal.send = journal.sendv = _to_journal  # type: ignore[attr-defined]
    daemon.booted = lambda: True  # type: ignore[attr-defined]
    package.journal, package.daemon = journal, daemon  # type: ignore[attr-defined]
    sys.modules.update({"systemd": package, "systemd.journal": journal, "systemd.daemon": daemon})
