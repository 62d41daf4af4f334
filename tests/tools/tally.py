# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session counted (passed, failed, skipped) and left out, kept in a file for the runner."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import re
import typing as t
import xml.etree.ElementTree

from places import RESULTS

# What ansible-test says of a sanity test for a kind of file that there is none of, and for a Python that is not
# installed; a session notes the latter once for all its tests.
_NO_SKIP = r"^No tests applicable\.$|because it could not be found\.$"


@dataclasses.dataclass
class Tally:
    """The numbers of one session; left_out holds one sentence for each thing that could not be tested here."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    left_out: list[str] = dataclasses.field(default_factory=list)

    def add_junit(self, paths: t.Iterable[pathlib.Path]) -> None:
        """Add the tests of JUnit reports, as pytest and ansible-test write them."""
        for path in paths:
            for case in xml.etree.ElementTree.parse(path).iter("testcase"):
                outcomes = {child.tag for child in case}
                if outcomes & {"failure", "error"}:
                    self.failed += 1
                elif "skipped" in outcomes:
                    reason = next(child.get("message") or child.text or "" for child in case if child.tag == "skipped")
                    if not re.search(_NO_SKIP, reason):
                        self.skipped += 1
                        self.left_out.append(
                            f"{case.get('classname')}::{case.get('name')}: {reason or 'no reason given'}"
                        )
                else:
                    self.passed += 1

    def save(self, session: str) -> None:
        """Write it where the runner looks for it."""
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{session}.json").write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")


def forget(session: str) -> None:
    """Remove what an earlier run of that session counted."""
    (RESULTS / f"{session}.json").unlink(missing_ok=True)


def load(session: str, *, succeeded: bool) -> Tally:
    """Return what that session counted; one that counts nothing is itself one test, and a failed one has a failure."""
    try:
        tally = Tally(**json.loads((RESULTS / f"{session}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        tally = Tally()
    if succeeded and not (tally.passed or tally.failed or tally.skipped):
        tally.passed = 1
    if not succeeded and not tally.failed:
        tally.failed = 1
    return tally
