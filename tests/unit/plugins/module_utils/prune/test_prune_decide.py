# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""States of a cluster, and what of the published CAs and names no master has any more."""

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import Certificate
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.decide import (
    Decision,
    decide,
    longest_wait,
    read_uses,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._prune.use import Use
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._published import CA, NAMES
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    cluster_ca,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    kubeadm,
    master,
    sentence,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.prune.fake_api import FakeApi
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Layer
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.test_verify_no_alarm import (
    authority,
    through_an_intermediate,
)

OWN, OLD, NAMED = make_ca(), make_ca("old"), make_ca("former", "former-ca")
FLAG, ALLOWED = "requestheader-client-ca-file", "requestheader-allowed-names"
BUNDLE, PAIR = f"{PKI}/front-proxy-ca.crt", f"{PKI}/front-proxy-client.crt"
Given = t.Union[FakeMaster, Layer, Seen]


def seen(*given: Given) -> t.List[Seen]:
    layers = [Layer(each) if isinstance(each, FakeMaster) else each for each in given]
    return [each.seen() if isinstance(each, Layer) else each for each in layers]


def uses(*given: Given) -> t.List[Use]:
    return read_uses("kubernetes", seen(*given))


def decided(api: FakeApi, *given: Given) -> Decision:
    return decide(uses(*given), api.published)


def gone(decision: Decision) -> t.List[str]:
    return [*(ca.fingerprint for ca in decision.cas), *decision.names]


def refused(*given: Given, api: t.Optional[FakeApi] = None) -> str:
    with pytest.raises(PlanError) as caught:
        decided(api or FakeApi(OWN, OLD), *given)
    return sentence(str(caught.value))


def fresh(fake: FakeMaster, path: str, age: float, **more: t.Any) -> Seen:
    """A master of which a file is so many seconds old."""
    layer = Layer(fake)
    facts = layer.facts()
    facts["files"][path].update(stamp=f"1:2:3:{int((NOW.timestamp() - age) * 1e9)}", **more)
    facts["process"]["started"] = NOW.timestamp() - 1000
    return Seen(fake.name, "kubernetes", facts)


class TestCas:
    def test_nothing_is_old(self) -> None:
        assert decided(FakeApi(OWN), kubeadm("m1"), kubeadm("m2")) == Decision()

    def test_what_no_master_has_goes(self) -> None:
        both = (kubeadm("m1"), kubeadm("m2"))
        assert gone(decided(FakeApi(OLD, OWN, NAMED), *both)) == [OLD.fingerprint, NAMED.fingerprint]

    def test_what_one_master_has_in_its_file_stays(self) -> None:
        assert decided(FakeApi(OWN, OLD), kubeadm("m1"), kubeadm("m2").put_ca(OWN, OLD)) == Decision()

    def test_a_ca_that_was_made_anew_with_its_key_stays(self) -> None:
        """verify says nothing of it either: who has the key is trusted anyway."""
        again = make_ca("ca", "front-proxy-ca", NOW)
        assert again.fingerprint != OWN.fingerprint and decided(FakeApi(again, OWN), kubeadm()) == Decision()

    def test_what_signed_a_pair_stays(self) -> None:
        late = kubeadm("m2").put_ca(OWN).put_pair(make_leaf("old"))
        (stays,) = decided(FakeApi(OWN, OLD), kubeadm("m1"), late).stays
        assert stays.startswith("CN=front-proxy-ca (key ") and stays.endswith(": it signed the pair of m2")

    def test_what_signed_a_pair_through_an_intermediate_stays(self) -> None:
        root = authority("root", "root")
        late = through_an_intermediate(shown=True).put_ca(OWN)
        assert "it signed the pair of m1" in decided(FakeApi(OWN, root), late).stays[0]

    def test_what_a_running_server_names_stays(self) -> None:
        stale = Layer(kubeadm("m2"), offered=[cluster_ca(), OWN, NAMED])
        decision = decided(FakeApi(OWN, OLD, NAMED), kubeadm("m1"), stale)
        assert gone(decision) == [OLD.fingerprint]
        assert "the running kube-apiserver of m2 names it" in decision.stays[0]

    def test_two_of_one_name_are_loaded_and_one_is_in_the_file(self) -> None:
        stale = Layer(kubeadm("m2"), offered=[cluster_ca(), OWN, OLD])
        decision = decided(FakeApi(OWN, OLD), kubeadm("m1"), stale)
        assert not decision.any and "another one of its name that is in no file" in decision.stays[0]

    def test_one_name_and_a_pair_that_is_not_accepted(self) -> None:
        """The file has the new CA, and the server may have the old one of the same name."""
        facts = Layer(kubeadm("m2")).facts()
        facts["probe"].update(accepted=False, status=401)
        decision = decided(FakeApi(OWN, OLD, NAMED), kubeadm("m1"), Seen("m2", "kubernetes", facts))
        assert gone(decision) == [NAMED.fingerprint]
        assert "which of them it has loaded is not known" in decision.stays[0]

    def test_the_client_ca_goes_where_it_was_the_front_proxys(self) -> None:
        """From a shared CA to one of its own: it is loaded, but for clients."""
        assert gone(decided(FakeApi(cluster_ca(), OWN), kubeadm("m1"), kubeadm("m2"))) == [cluster_ca().fingerprint]

    def test_a_flag_that_runs_otherwise_than_it_is_written(self) -> None:
        other = kubeadm("m2").put(f"{PKI}/other.crt", NAMED.pem)
        running = [word.replace(BUNDLE, f"{PKI}/other.crt") for word in other.command]
        other.argv = running
        layer = Layer(other, offered=[cluster_ca(), NAMED])
        assert decided(FakeApi(OWN, NAMED), kubeadm("m1"), layer) == Decision()

    def test_what_cannot_be_read_stays_and_is_told(self) -> None:
        api = FakeApi(OWN, OLD)
        broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        api.data[CA] += broken + "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
        decision = decided(api, kubeadm())
        assert gone(decision) == [OLD.fingerprint]
        assert decision.stays == ("2 of the published front-proxy CAs: it cannot be read here",)

    @pytest.mark.parametrize("published", [(OLD,), (OLD, NAMED), ()])
    def test_the_last_one_stays(self, published: t.Sequence[Certificate]) -> None:
        """What the masters have is not published, for some other reason: that is another finding."""
        decision = decided(FakeApi(*published), kubeadm())
        assert not decision.any and bool(decision.stays) == bool(published)

    def test_a_cluster_without_a_front_proxy(self) -> None:
        decision = decided(FakeApi(OLD), master("m1"))
        assert not decision.any and "no master has a front-proxy CA" in decision.stays[0]

    def test_a_master_without_a_front_proxy_beside_one_that_has_it(self) -> None:
        assert gone(decided(FakeApi(OWN, OLD), kubeadm("m1"), master("m2"))) == [OLD.fingerprint]

    def test_nothing_is_published(self) -> None:
        api = FakeApi()
        api.data.clear()
        assert decided(api, kubeadm()) == Decision()


class TestNames:
    def test_what_no_master_allows_goes(self) -> None:
        assert gone(decided(FakeApi(OWN, names=["front-proxy-client", "", "a"]), kubeadm("m1"))) == ["", "a"]

    def test_what_one_master_allows_stays(self) -> None:
        wide = kubeadm("m2", flags={ALLOWED: "front-proxy-client,a"})
        assert gone(decided(FakeApi(OWN, names=["front-proxy-client", "a", "b"]), kubeadm("m1"), wide)) == ["b"]

    @pytest.mark.parametrize("value", ["", None])
    def test_where_one_master_allows_any_all_stay(self, value: t.Optional[str]) -> None:
        anybody = kubeadm("m2", flags={ALLOWED: value})
        decision = decided(FakeApi(OWN, names=["front-proxy-client", "a"]), kubeadm("m1"), anybody)
        assert not decision.any and "m2 allows any name" in decision.stays[0]

    def test_what_runs_counts_as_well_as_what_is_written(self) -> None:
        changed = kubeadm("m1")
        changed.argv = [
            word.replace("names=front-proxy-client", "names=front-proxy-client,a") for word in changed.command
        ]
        assert decided(FakeApi(OWN, names=["front-proxy-client", "a"]), changed) == Decision()
        changed.argv = [word.replace("names=front-proxy-client", "names=") for word in kubeadm("m1").command]
        assert "m1 allows any" in decided(FakeApi(OWN, names=["front-proxy-client", "b"]), changed).stays[0]

    def test_the_name_of_a_pair_stays(self) -> None:
        other = kubeadm("m2").put_pair(make_leaf(common_name="aggregator"))
        decision = decided(FakeApi(OWN, names=["front-proxy-client", "aggregator", "a"]), kubeadm("m1"), other)
        assert gone(decision) == ["a"] and decision.stays == ("the name 'aggregator': the pair of m2 has it",)

    def test_the_last_name_stays(self) -> None:
        """An empty list allows any."""
        decision = decided(FakeApi(OWN, names=["a", "b"]), kubeadm("m1"))
        assert not decision.any and "none of them is one that a master allows" in decision.stays[0]

    def test_an_empty_list_stays(self) -> None:
        assert decided(FakeApi(OWN, names=[]), kubeadm("m1")) == Decision()

    def test_a_list_that_cannot_be_read_stays_and_is_told(self) -> None:
        api = FakeApi(OWN)
        api.data[NAMES] = "front-proxy-client"
        assert decided(api, kubeadm("m1")).stays == ("all published names: their list cannot be read",)


class TestRefusals:
    def test_a_master_that_is_left_out(self) -> None:
        out = Seen("m2", "kubernetes", None, "it was not looked at", left_out=True)
        assert "m2 is left out of this run" in refused(kubeadm("m1"), out)

    def test_a_master_that_cannot_be_reached(self) -> None:
        lost = Seen("m2", "kubernetes", None, "unreachable: no route.")
        assert "m2 could not be looked at (unreachable: no route), and may hold" in refused(kubeadm("m1"), lost)

    def test_what_runs_is_not_seen(self) -> None:
        assert "m2: no kube-apiserver runs there" in refused(kubeadm("m1"), kubeadm("m2", running=False))
        assert "has loaded cannot be seen (Connection" in refused(kubeadm("m1"), kubeadm("m2", answers=False))
        assert "only files below /root were looked at" in refused(kubeadm("m2", root="/root"))
        mute = Layer(kubeadm("m2"), more={"handshake": {"names": None, "error": "it hung up"}})
        assert "m2: which CAs its kube-apiserver has loaded cannot be seen (it hung up)" in refused(mute)

    def test_a_file_that_is_not_there_or_cannot_be_read(self) -> None:
        assert f"m1: {BUNDLE} (--{FLAG}) is not there" in refused(kubeadm().without(BUNDLE))
        assert f"{PAIR} (--proxy-client-cert-file) is not there" in refused(kubeadm().without(PAIR))
        assert f"no certificate in PEM form in {BUNDLE}" in refused(kubeadm().put(BUNDLE, "nothing"))

    def test_a_file_that_the_container_does_not_see(self) -> None:
        facts = Layer(kubeadm()).facts()
        facts["files"][BUNDLE]["in_container"] = False
        assert f"sees another file at {BUNDLE}" in refused(Seen("m1", "kubernetes", facts))

    def test_a_manifest_that_cannot_be_read(self) -> None:
        facts = Layer(kubeadm()).facts()
        facts["manifest"]["text"] = "kind: ["
        assert refused(Seen("m1", "kubernetes", facts)).startswith("m1: ")

    def test_masters_of_two_clusters(self) -> None:
        assert "different client CAs" in refused(kubeadm("m1"), kubeadm("m2", cluster="green"))

    def test_a_server_that_is_none_of_the_masters(self) -> None:
        api = FakeApi(OWN, OLD, servers=["192.0.2.1", "192.0.2.2", "2001:DB8::1"])
        own = kubeadm("m1", flags={"advertise-address": "192.0.2.1"})
        assert "at 192.0.2.2, 2001:db8::1 that is none of the masters" in refused(own, api=api)
        # one that does not say its address may be one of them, and only one
        six = kubeadm("m2", flags={"advertise-address": "::", "bind-address": "2001:0db8::1"})
        assert "at 192.0.2.2 that" in refused(own, six, api=api)
        assert gone(decided(api, own, six, kubeadm("m3"))) == [OLD.fingerprint]
        # a master that is down is not among those that the cluster knows
        assert gone(decided(FakeApi(OWN, OLD, servers=["192.0.2.1"]), own, six)) == [OLD.fingerprint]


class TestFreshFiles:
    @pytest.mark.parametrize("age, wait", [(0, 66), (30, 36), (64.5, 1), (66, 0), (990, 0), (-500, 66)])
    def test_it_waits_until_they_are_loaded(self, age: float, wait: int) -> None:
        found, why = longest_wait(uses(kubeadm("m1"), fresh(kubeadm("m2"), BUNDLE, age)))
        assert found == wait
        assert (f"{BUNDLE} on m2 is new" in why) == bool(wait)

    def test_what_is_older_than_the_server_is_loaded(self) -> None:
        assert longest_wait(uses(fresh(kubeadm("m1"), BUNDLE, 1100))) == (0, "")
        # the start of a process is known to a second
        assert longest_wait(uses(fresh(kubeadm("m1"), BUNDLE, 1001)))[0] == 0

    @pytest.mark.parametrize("more", [{"is_link": True}, {"links": 2}])
    def test_a_change_that_a_newer_server_may_not_see(self, more: t.Dict[str, t.Any]) -> None:
        assert "it is a link, whose change it may not see" in refused(fresh(kubeadm("m1"), PAIR, 500, **more))
        assert uses(fresh(kubeadm("m1"), PAIR, 1100, **more))
        # before 1.23 it looks once a minute
        assert uses(fresh(kubeadm("m1", release="v1.22.1"), PAIR, 500, **more))

    def test_a_pair_that_an_old_server_reads_at_its_start_only(self) -> None:
        old = kubeadm("m1", release="v1.19.16")
        assert "this release reads it at its start only" in refused(fresh(old, PAIR, 500))
        assert uses(fresh(old, BUNDLE, 500))
