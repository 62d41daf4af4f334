# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A hostile master among those of its cluster: it is refused, or what it has stays; nothing that others have goes."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.prune import read_published
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import read_survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.decide import (
    decide,
    longest_wait,
    read_uses,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.told import as_result, diff, summary
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import CA, NAMES
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.contract import (
    test_generated_answers as generated,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import make_ca
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.prune.fake_api import FakeApi
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Layer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HONEST = Layer(kubeadm("g2", cluster="green").put_ca(make_ca(), make_ca("next", "next"))).facts()
HELD = {make_ca().fingerprint, make_ca("next", "next").fingerprint}
LONGEST = 20000


def assert_clean(*texts: str) -> None:
    for text in texts:
        assert text.isprintable() and len(text) < LONGEST, text


@settings(max_examples=generated.EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(generated.CHANGES, st.sampled_from(generated.TEXTS), st.sampled_from(generated.TEXTS))
def test_nothing_that_another_master_has_goes(
    changes: t.Sequence[t.Tuple[generated.Path, str, t.Any]], cas: str, names: str
) -> None:
    api = FakeApi(make_ca(), make_ca("old", "old"), make_ca("next", "next"), names=["front-proxy-client", names])
    api.data[CA] += cas
    if len(names) % 2:
        api.data[NAMES] = names
    try:
        facts = read_survey(generated.changed(changes))
        published = read_published(api.published)
    except ContractError as error:
        assert_clean(str(error))
        return
    try:
        uses = read_uses("green", [Seen("g1", "green", facts), Seen("g2", "green", HONEST)])  # type: ignore[arg-type]
        decision = decide(uses, published)
    except PlanError as error:
        assert_clean(str(error))
        return
    assert not HELD & {ca.fingerprint for ca in decision.cas} and "front-proxy-client" not in decision.names
    told = as_result(decision)
    lines = summary("green", "g1", decision, checking=False, notes=[])
    assert_clean(longest_wait(uses)[1], *lines, *told["stays"], *(each["name"] for each in told["names"]))
    assert_clean(*diff(decision)["before"].split("\n"))
