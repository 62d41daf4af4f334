# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters by the hundred: nothing that a master has is ever taken out, and all that none has is."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    bundle_text,
    is_signed_by,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.decide import decide, read_uses
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import (
    CA,
    NAMES,
    blocks_of,
    names_of,
    names_text,
    without_blocks,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    cluster_ca,
    leaf_of,
    make_ca,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import kubeadm
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.prune.fake_api import FakeApi
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Layer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# two of one name, two of names of their own, and the CA of the clients
CAS = {
    "ca": make_ca(),
    "again": make_ca("again"),
    "b": make_ca("b", "b"),
    "c": make_ca("c", "c"),
    "cluster kubernetes": cluster_ca(),
}
PAIRS = {name: leaf_of(ca, name) for name, ca in CAS.items()}
SIGNED = {name: [ca.fingerprint for ca in CAS.values() if is_signed_by(pair, ca)] for name, pair in PAIRS.items()}
ALLOWED = ["front-proxy-client", "a", "b", ""]
UNREADABLE = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


class State(t.NamedTuple):
    """A master: the CAs in its file, which one signed its pair (empty: the first of them), its list of names, and what
    it has loaded besides."""

    held: t.List[str]
    signer: str
    names: t.List[str]
    loaded: t.List[str]

    @property
    def pair(self) -> Certificate:
        return PAIRS[self.signer or self.held[0]]


MASTERS = st.lists(
    st.builds(
        State,
        st.lists(st.sampled_from(sorted(CAS)), min_size=1, max_size=3, unique=True),
        st.sampled_from(["", "", "", "b", "c"]),
        st.sampled_from([ALLOWED[:1], ALLOWED[:2], ALLOWED, ALLOWED[1:3], []]),
        st.sampled_from([["b"], [], ["again"], [], ["c"]]),
    ),
    min_size=1,
    max_size=3,
)
TEXTS = st.lists(
    st.one_of(st.sampled_from(sorted(CAS)), st.sampled_from(["unreadable", "text"])), min_size=1, max_size=8
)


def layer(number: int, state: State) -> Layer:
    names = ",".join(name or '""' for name in state.names)
    fake = kubeadm(f"m{number}", flags={"requestheader-allowed-names": names})
    fake.put_ca(*(CAS[name] for name in state.held)).put_pair(state.pair)
    loaded = {name: CAS[name] for name in ["cluster kubernetes", *state.held, *state.loaded]}
    return Layer(fake, offered=list(loaded.values()))


def text_of(parts: t.Sequence[str]) -> str:
    other = {"unreadable": UNREADABLE, "text": "# text\n"}
    return "".join(other.get(part) or bundle_text([CAS[part]]) for part in parts)


@settings(max_examples=examples(500), deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(MASTERS, TEXTS, st.lists(st.sampled_from([*ALLOWED, "x"]), max_size=5))
def test_only_what_no_master_has_goes(
    masters: t.Sequence[State], parts: t.Sequence[str], names: t.Sequence[str]
) -> None:
    uses = read_uses("kubernetes", [layer(number, state).seen() for number, state in enumerate(masters)])
    api = FakeApi(names=names)
    api.data[CA] = text_of(parts)
    decision = decide(uses, api.published)
    gone = {ca.fingerprint for ca in decision.cas}

    held = {CAS[name].fingerprint for state in masters for name in state.held}
    signers = [ca for state in masters for ca in SIGNED[state.signer or state.held[0]]]
    loaded = {CAS[name].fingerprint for state in masters for name in state.loaded}
    assert not gone & {*held, *signers, *loaded}

    # all else stays to the byte, and in its order
    left = [part for part in parts if part not in CAS or CAS[part].fingerprint not in gone]
    api.data[CA] = without_blocks(api.data[CA], gone)
    assert api.data[CA] == text_of(left)
    assert not gone or held & {block.fingerprint for block in blocks_of(api.data[CA])}

    allowed = {name for state in masters for name in state.names}
    if not all(state.names for state in masters):
        assert not decision.names
    assert not {*decision.names} & {*allowed, "front-proxy-client"}
    api.data[NAMES] = names_text([name for name in names if name not in decision.names])
    assert not names or names_of(api.data[NAMES])

    # a second run has nothing to do
    assert not decide(uses, api.published).any

    # nothing is left out of fear: what has a name of its own, is nowhere and is not the last one goes
    if held & {CAS[part].fingerprint for part in parts if part in CAS}:
        wanted = {CAS[name].fingerprint for name in ("b", "c") if name in parts} - {*held, *signers, *loaded}
        assert wanted <= gone
    if all(state.names for state in masters) and allowed & {*names}:
        assert {*names} - allowed - {"front-proxy-client"} == {*decision.names}
