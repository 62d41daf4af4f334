# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can come of a smoke test, as the results of its steps."""

from __future__ import annotations

import typing as t
from dataclasses import replace

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.smoke import (
    Asked,
    Begun,
    Caller,
    Ended,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.smoke import Smoke
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    Extension,
    Given,
    Layer,
    apiservice,
)

BEGUN: Begun = {"address": "192.0.2.1", "port": 4000, "swept": []}
ENDED: Ended = {"served": 2, "refused": [], "left": []}
CALLER: Caller = {
    "user": "kubeops:aggregation-layer:smoke-test",
    "groups": ["system:masters", "system:authenticated"],
    "certificate": "front-proxy-client",
    "serial": "01",
}


def asked(caller: t.Optional[Caller] = None) -> Asked:
    """What came of a call: whom the server saw."""
    return {"asked_as": CALLER["user"], "status": 200, "error": None, "body": "", "caller": caller or CALLER}


def failed(body: str = "service unavailable") -> Asked:
    """A call that did not reach the server."""
    return {"asked_as": CALLER["user"], "status": 503, "error": None, "body": body, "caller": None}


def smoked(
    *calls: t.Optional[Asked],
    failures: t.Optional[t.Dict[str, str]] = None,
    **steps: t.Union[Begun, Ended, None],
) -> t.List[Seen]:
    """As many healthy masters as calls, the first one with the server. steps: begun and ended, where not as usual."""
    seen = []
    begun = t.cast(t.Optional[Begun], steps.get("begun", BEGUN))
    ended = t.cast(t.Optional[Ended], steps.get("ended", ENDED))
    for number, call in enumerate(calls):
        first = number == 0
        smoke = Smoke(begun, call, ended, failures or {}) if first else Smoke(asked=call)
        flags = {"advertise-address": f"192.0.2.{number + 1}"}
        seen.append(replace(Layer(kubeadm(f"m{number + 1}", flags=flags)).seen(), smoke=smoke))
    return seen


def refused() -> t.Sequence[Given]:
    why = "the certificate that is shown is not accepted: self signed certificate in certificate chain"
    return smoked(asked(), failed(), ended={"served": 2, "refused": [{"from": "192.0.2.2", "why": why}], "left": []})


def not_reached() -> t.Sequence[Given]:
    return smoked(asked(), failed("error trying to reach service: dial tcp 192.0.2.1:4000: i/o timeout"))


def other_caller() -> t.Sequence[Given]:
    nobody: Caller = {**CALLER, "user": ""}
    return smoked(asked(), asked(nobody))


def not_run() -> t.Sequence[Given]:
    why = "The Service of the smoke test cannot be made (HTTP 403)."
    return smoked(None, None, begun=None, ended=None, failures={"begin": why})


def left_over() -> t.Sequence[Given]:
    each = apiservice(name="v1.ab.smoke-test.kubeops", group="ab.smoke-test.kubeops", version="v1")
    dead = Layer(kubeadm(), extension=Extension(status=503, body="service unavailable", each=each))
    facts = dead.facts()
    facts["layer"]["through"] = {each["name"]: {"status": 503, "body": "service unavailable", "error": None}}
    return [Seen("m1", "kubernetes", facts)]


SMOKE_CASES: t.Dict[str, t.Callable[[], t.Sequence[Given]]] = {
    "smoke-test-refused": refused,
    "smoke-test-not-reached": not_reached,
    "smoke-test-other-caller": other_caller,
    "smoke-test-not-run": not_run,
    "smoke-test-left-over": left_over,
}
