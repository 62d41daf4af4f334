# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For generated masters: one run brings all to the wanted state, the next finds nothing, and no key is in any plan."""

from __future__ import annotations

import json
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import (
    certificates,
    planning,
    support,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import report
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    kubeadm,
    master,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

QUICK = settings(max_examples=examples(20), deadline=None, database=None, suppress_health_check=list(HealthCheck))

CRT, KEY, CA = f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-client.key", f"{PKI}/front-proxy-ca.crt"

#: What can have happened to a master since it was set up.
EVENTS: t.Dict[str, t.Callable[[FakeMaster], t.Any]] = {
    "no key": lambda fake: fake.files.pop(KEY, None),
    "no certificate": lambda fake: fake.files.pop(CRT, None),
    "no CA": lambda fake: fake.files.pop(CA, None),
    "garbage": lambda fake: fake.put(CRT, "rubbish"),
    "another key": lambda fake: fake.put(KEY, certificates.key_pem("another"), "0600"),
    "expired": lambda fake: fake.put_pair(make_leaf(validity=9 * DAY)),
    "due": lambda fake: fake.put_pair(make_leaf(validity=12 * DAY)),
    "masters": lambda fake: fake.put_pair(make_leaf(organization="system:masters")),
    "link": lambda fake: fake.put(CRT, make_leaf(common_name="linked").pem, is_link=True),
    "down": lambda fake: setattr(fake, "running", False),
    "silent": lambda fake: setattr(fake, "answers", False),
    "old process": lambda fake: setattr(fake, "argv", ["kube-apiserver"]),
    "cut off": lambda fake: setattr(fake, "pending", {"started": "then"}),
    "no kube-proxy": lambda fake: setattr(fake, "evidence", ()),
    "sandbox": lambda fake: setattr(fake, "root", "/sandbox"),
}
FLAGS: t.Dict[str, t.List[t.Optional[str]]] = {
    "requestheader-allowed-names": [
        None,
        "",
        '""',
        "front-proxy-client",
        "aggregator",
        "a,front-proxy-client",
        '"x,y"',
    ],
    "requestheader-extra-headers-prefix": [None, "X-Remote-Extra", "x-remote-extra-", "X-Remote-Extra-,"],
    "requestheader-username-headers": [None, "X-Remote-User", "X-User"],
    "enable-aggregator-routing": [None, "true", "false", "True"],
    "proxy-client-cert-file": [None, CRT],
    "profiling": [None, "False"],
}
RELEASES = ["v1.18.2", "v1.20.2", "v1.28.4", "v1.36.2", None]


@st.composite
def fake_masters(draw: t.Any, name: str) -> FakeMaster:
    """A master in some state, below the CA that is called ca, or bare."""
    flags = {flag: draw(st.sampled_from(values)) for flag, values in FLAGS.items() if draw(st.booleans())}
    make = draw(st.sampled_from([kubeadm, master]))
    mounts = draw(st.sampled_from([None, [], [support.MountSpec(PKI, "/srv/pki")]])) if make is master else None
    fake = make(name, flags=flags, mounts=mounts, release=draw(st.sampled_from(RELEASES)))
    for event in draw(st.lists(st.sampled_from(sorted(EVENTS)), max_size=3, unique=True)):
        EVENTS[event](fake)
    return fake


WISHES = st.builds(
    Wish,
    common_name=st.sampled_from([None, "aggregator"]),
    allowed_names=st.sampled_from([None, None, ("aggregator", "b"), ("aggregator",)]),
    username_headers=st.sampled_from([("X-Remote-User",), ("X-Remote-User", "X-Mine")]),
    routing=st.sampled_from(["auto", "true", "false"]),
    extra_flags=st.sampled_from([{}, {"profiling": "false"}, {"profiling": None, "v": "2"}]),
    certificates_dir=st.sampled_from([None, "/opt/pki"]),
    # some of these masters hide their client CA
    allow_unknown_client_ca=st.just(True),
)


def put_ca(controller: planning.Controller) -> None:
    """Lay the CA that is called ca on the controller, with its key."""
    controller.path.mkdir(mode=0o700)
    (controller.path / "front-proxy-ca.crt").write_text(make_ca().pem)
    (controller.path / "front-proxy-ca.key").write_text(certificates.key_pem("ca"))
    (controller.path / "front-proxy-ca.key").chmod(0o600)


def secrets(controller: planning.Controller) -> t.List[str]:
    """The lines of every private key that takes part."""
    texts = [certificates.key_pem(name) for name in ("ca", "client", "client m1", "client m2", "another", "server")]
    texts += [path.read_text() for path in controller.path.glob("*.key")]
    return [line for text in texts for line in text.splitlines() if not line.startswith("-----")]


@QUICK
@given(st.tuples(fake_masters("m1"), fake_masters("m2")), WISHES)
def test_one_run_does_all_and_the_next_finds_nothing(masters: t.Tuple[FakeMaster, ...], wish: Wish) -> None:
    for fake in masters:
        fake.certificates_dir = wish.certificates_dir
    with tempfile.TemporaryDirectory() as temporary:
        controller = planning.Controller(Path(temporary))
        put_ca(controller)
        first = controller.run(*masters, wish=wish)
        assert first["clusters"]["kubernetes"]["error"] == ""
        assert all(fake.started <= 1 for fake in masters), "a master restarted twice"
        if "stays in --requestheader-allowed-names for now" in json.dumps(first):
            first = controller.run(*masters, wish=wish)  # a name that no list held goes once no pair has it
            assert all(fake.started <= 2 for fake in masters)
        restarted = [fake.started for fake in masters]
        second = controller.run(*masters, wish=wish)
        for name, found in second["hosts"].items():
            assert (name, found["action"], found["files"], found["reasons"]) == (name, "nothing", [], [])
        cluster = second["clusters"]["kubernetes"]
        assert (cluster["make_ca"], cluster["adopt"], cluster["sign"], second["waves"]) == (False, None, "", [])
        assert restarted == [fake.started for fake in masters]
        text = json.dumps([first, second])
        assert "PRIVATE KEY" not in text
        assert not [line for line in secrets(controller) if line in text]


@QUICK
@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=1, max_size=7))
def test_waves_hold_each_master_that_needs_something_once_and_one_of_a_cluster(
    hosts: t.List[t.Tuple[str, bool, bool]],
) -> None:
    reports = []
    for place, (cluster, bare, answers) in enumerate(hosts):
        fake = (master if bare else kubeadm)(f"m{place}", cluster=cluster, answers=answers)
        reports.append(report(fake, cluster=cluster))
    pki = planning.folder(make_ca(), ca_key="plain")
    done = planning.plan(*reports, pki=pki)
    needing = [name for name, found in done["hosts"].items() if found["action"] != "nothing"]
    waved = [name for wave in done["waves"] for name in wave]
    assert sorted(waved) == sorted(needing) and len(set(waved)) == len(waved)
    cluster_of = {each.name: each.cluster for each in reports}
    for wave in done["waves"]:
        assert wave and len({cluster_of[name] for name in wave}) == len(wave)
    # a failure of any of them stops the others of its cluster
    for name in needing:
        assert name in done["clusters"][cluster_of[name]]["members"]


def test_a_bare_cluster_on_an_empty_controller_is_done_in_one_run(tmp_path: Path) -> None:
    masters = [master("m1"), master("m2", evidence=()), master("m3", answers=False)]
    controller = planning.Controller(tmp_path)
    first = controller.run(*masters)
    assert first["waves"] == [["m3"], ["m1"], ["m2"]] and [fake.started for fake in masters] == [1, 1, 1]
    second = controller.run(*masters)
    assert second["waves"] == [] and second["clusters"]["kubernetes"]["ca_reason"] == "the controller's"
    # and a throw-away controller adopts what is there
    third = planning.Controller(tmp_path / "new")
    third.path.parent.mkdir(mode=0o700)
    assert third.run(*masters)["waves"] == []


def test_a_process_older_than_its_manifest_is_waited_for_and_no_file_is_written(tmp_path: Path) -> None:
    masters = [kubeadm("m1"), kubeadm("m2", argv=["kube-apiserver"])]
    controller = planning.Controller(tmp_path)
    put_ca(controller)
    first = controller.run(*masters)
    assert (first["hosts"]["m2"]["action"], first["hosts"]["m2"]["files"], masters[1].started) == ("wait", [], 0)
    assert controller.run(*masters)["waves"] == []
