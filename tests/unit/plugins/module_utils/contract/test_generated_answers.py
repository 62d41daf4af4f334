# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that a hostile master could give, by the thousand: none of them reaches another cluster, or a shell.

Each is what an honest master tells, with some of its values replaced, taken away or put elsewhere.
"""

from __future__ import annotations

import copy
import json
import os
import re
import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.readers import ContractError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.survey import Survey, read_survey
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.clusters import Report, plan_clusters
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.wish import Wish
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen, judge
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.table import table
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import planning
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    NOW,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    cluster_ca,
    kubeadm,
    master,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import (
    COMMAND,
    Extension,
    Layer,
    apiservice,
    replica,
    service,
    stuck,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

Path = t.Tuple[t.Union[str, int], ...]
# GENERATED_ANSWERS=10000 takes some minutes
EXAMPLES = int(os.environ.get("GENERATED_ANSWERS") or examples(4000))
MARK = "x;touch${IFS}/reached;`id`$(id)|&<>'\"\\!#\n\x1b]0;t\x07\u202e{{ lookup('pipe', 'id') }}"
BLUE = {"blue": ["b1", "b2"]}


def honest() -> t.Dict[str, t.Any]:
    """What the hostile master would tell if it were honest: it has a layer, and an extension that does not answer."""
    marks = {"meta.helm.sh/release-name": "a", "app.kubernetes.io/instance": "a"}
    setters = [{"manager": "a", "operation": "Apply", "group": True, "service": False}]
    each = apiservice(marks=marks, applied="a/b", setters=[*setters, {**setters[0], "group": False, "service": True}])
    behind = service(marks={**marks, "app.kubernetes.io/instance": "b"}, replicas=[replica(1), replica(2, error="x")])
    dead = Extension(status=503, body="service unavailable", each=each, service=behind)
    around = {
        "providers": [{"namespace": "a", "name": "metrics-server", "marks": marks, "ready": True}],
        "stuck": [stuck("a.b/v1"), stuck("wardle.example.com/v1alpha1")],
        "stale": ["wardle.example.com/v1alpha1"],
        "kubeadm_config": "v1beta2",
    }
    layer = Layer(kubeadm("g1", cluster="green", release="v1.37.2"), extension=dead, around=around)
    told: t.Dict[str, t.Any] = json.loads(json.dumps(layer.facts()))
    return told


def places(value: t.Any, path: Path = ()) -> t.Iterator[Path]:
    """All places in a document."""
    if path:
        yield path
    items: t.Iterable[t.Tuple[t.Union[str, int], t.Any]] = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, item in items:
        yield from places(item, (*path, key))


HONEST = honest()
PLACES = sorted(places(HONEST), key=str)
VALUES = [
    *(None, True, False, 0, 1, -1, 2**31, 2**70, 1e308, float("nan"), float("inf"), 0.5),
    *("", "x", "/", "/x", "0644", "200", "v1.36.2", MARK, MARK * 30, "\ud800", "\x00", "x" * 20000),
    *([], {}, [[]], [{}], {"x": {}}, {MARK: MARK}, [MARK], ["/etc/kubernetes/pki/ca.crt"] * 3),
    *(
        make_ca().pem,
        [make_ca().pem],
        cluster_ca("blue").pem,
        [cluster_ca("blue").pem],
        [make_leaf("ca", MARK[:60]).pem],
    ),
    *("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ["-----BEGIN CERTIFICATE-----\n"] * 2),
    *("--requestheader-allowed-names=" + MARK, ["kube-apiserver", "--secure-port=" + MARK]),
    *("kind: [", "a: &a [*a]\n", "[" * 3000, "apiVersion: v1\nkind: Pod\n", HONEST["manifest"]["text"] + "# " + MARK),
    *(HONEST["manifest"]["text"].replace("front-proxy-client'", "x; y'"), HONEST["manifest"]["text"] * 2),
    *(HONEST["manifest"]["text"].replace("/etc/kubernetes/pki", "/etc/" + MARK.replace("'", "").replace("\n", "")),),
]
TEXTS = [value for value in VALUES if isinstance(value, str)]


def changed(changes: t.Sequence[t.Tuple[Path, str, t.Any]]) -> t.Dict[str, t.Any]:
    """The honest answer with these changes, as far as their places are still there."""
    told = copy.deepcopy(HONEST)
    for path, kind, value in changes:
        holder: t.Any = told
        try:
            for key in path[:-1]:
                holder = holder[key]
            if kind == "gone":
                del holder[path[-1]]
            elif kind == "renamed" and isinstance(holder, dict):
                holder[value if isinstance(value, str) else "other"] = holder.pop(path[-1])
            else:
                holder[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue
    return told


CHANGES = st.lists(
    st.tuples(
        st.sampled_from(PLACES),
        st.sampled_from(["set", "set", "set", "gone", "renamed"]),
        st.one_of(st.sampled_from(VALUES), st.sampled_from(TEXTS)),
    ),
    min_size=1,
    max_size=3,
)


def report(name: str, cluster: str, facts: t.Any, failure: str = "") -> Report:
    path = f"/controller/pki/{cluster}"
    return Report(name, cluster, True, facts, failure, Wish(), planning.settings(path))


# what is honest in this play
OTHERS = {
    "g2": ("green", Layer(kubeadm("g2", cluster="green")).facts()),
    "b1": ("blue", Layer(master("b1", cluster="blue")).facts()),
    "b2": ("blue", Layer(kubeadm("b2", ca="other", cluster="blue")).facts()),
}


def planned(facts: t.Any, failure: str) -> t.Dict[str, t.Any]:
    reports = [report("g1", "green", facts, failure)]
    reports += [report(name, cluster, told) for name, (cluster, told) in OTHERS.items()]
    folders = {"/controller/pki/blue": planning.folder(make_ca("other"), ca_key="plain")}
    found = plan_clusters(reports, read_folder=lambda path: folders.get(path) or planning.folder(), now=NOW)
    return t.cast(t.Dict[str, t.Any], found)


def judged(facts: t.Optional[Survey], failure: str) -> t.Any:
    seen = [Seen("g1", "green", facts, failure)]
    seen += [Seen(name, cluster, t.cast(Survey, told)) for name, (cluster, told) in OTHERS.items()]
    return judge(seen, command=COMMAND)


def of_blue(plan: t.Mapping[str, t.Any], verdict: t.Any) -> t.Any:
    """All that is decided and found of the other cluster."""
    waves = [name for wave in plan["waves"] for name in wave if name.startswith("b")]
    findings = [found.as_dict() for found in verdict.findings if found.cluster == "blue"]
    return [plan["clusters"]["blue"], plan["hosts"]["b1"], plan["hosts"]["b2"], waves, findings]


EXPECTED = of_blue(planned(HONEST, ""), judged(t.cast(Survey, HONEST), ""))


def unquoted(fix: str) -> str:
    """What a shell would take as its own of a fix: all that is not between single quotes."""
    return re.sub(r"'[^']*'", "", fix)


def assert_shown_is_clean(plan: t.Mapping[str, t.Any], verdict: t.Any) -> None:
    for line in table(verdict):
        assert line.text.isprintable() and len(line.text) < 20000
    for found in verdict.findings:
        assert all(text.isprintable() for text in (found.title, found.consequence, found.fix, *found.evidence))
        # what is of a master is quoted: none of its signs stands where a shell reads them
        assert not re.search(r"[`$\\|<>!\n]|touch|\{\{", unquoted(found.fix)), found.fix
        command, dummy, note = found.fix.partition("  # ")
        assert re.fullmatch(r"[A-Za-z0-9 .,:/@_+-]*", note) or not note, found.fix
    for name in ("g1", "g2"):
        host = plan["hosts"][name]
        shown = [host["found"], *host["reasons"], *host["warnings"], host.get("routing") or ""]
        assert all(text.isprintable() for text in [*shown, *host["error"].split("\n")])
        # only files of the folder of its own cluster
        assert all(os.path.dirname(file["src"]) == "/controller/pki/green" for file in host["files"])
    assert plan["clusters"]["green"].get("folder", "/controller/pki/green") == "/controller/pki/green"


@settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(CHANGES)
def test_nothing_that_a_master_says_reaches_further(changes: t.Sequence[t.Tuple[Path, str, t.Any]]) -> None:
    told = changed(changes)
    facts: t.Optional[Survey] = None
    failure = ""
    try:
        facts = read_survey(told)
    except ContractError as error:
        failure = str(error)
        assert failure.isprintable() and len(failure) < 500
        if len(changes) > 1:
            return  # that a refusal reaches nobody is shown by those with one change
    plan, verdict = planned(facts, failure), judged(facts, failure)
    json.dumps(plan)
    assert of_blue(plan, verdict) == EXPECTED
    assert_shown_is_clean(plan, verdict)
    if facts is None:
        assert plan["hosts"]["g1"]["error"] == failure and plan["clusters"]["green"]["culprit"] == "g1"
        assert [found.kind.id for found in verdict.findings if found.hosts == ("g1",)] == ["master-not-seen"]


def test_what_is_read_again_is_the_same() -> None:
    """A typed answer that was registered, and is read once more, is the same answer."""
    facts = read_survey(HONEST)
    assert read_survey(json.loads(json.dumps(facts))) == facts == HONEST
    assert f"{PKI}/front-proxy-client.key" in facts["files"]
