# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the text of a manifest states of its kube-apiserver, read without a parser of YAML."""

from __future__ import annotations

import json
import time
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._master.stated import read_stated
from ansible_collections.kubeops.aggregation_layer.tests.unit.examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

BLOCK = """\
metadata:
  name: kube-apiserver
spec:
  containers:
  - command:
    - kube-apiserver
    # - --secure-port=1
    - --a=b,c,d   # why
    - "--b=x \\"y\\" z"
    - '--c=it''s'
    - --d
    - https://e,f
    - --profiling
    - --g_h=[::]
    - --i=
    image: registry.example.com/x:--v
  - args: [--j=k,  --l, "m n", '--o=p,q', --r=s,t]
    name: other
"""
WANTED = {
    "a": ["b,c,d"],
    "b": ['x "y" z'],
    "c": ["it's"],
    "d": ["https://e,f"],
    "profiling": ["true"],
    "g-h": ["[::]"],
    "i": [""],
    "j": ["k"],
    "l": ["m n"],
    "o": ["p,q"],
    "r": ["s,t"],
}


def flags_of(text: str) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in read_stated(text).flags.items()}


class TestText:
    """What a text states."""

    def test_blocks_and_flows(self) -> None:
        assert flags_of(BLOCK) == WANTED

    @pytest.mark.parametrize("indent", [None, 1])
    def test_json(self, indent: int | None) -> None:
        container = {"command": ["kube-apiserver"], "args": ["--a=b,c", "--d", "e", '--f="g"', "--profiling"], "x": "y"}
        text = json.dumps({"metadata": {"name": "n", "namespace": "s"}, "c": [container]}, indent=indent)
        assert flags_of(text) == {"a": ["b,c"], "d": ["e"], "f": ['"g"'], "profiling": ["true"]}
        assert read_stated(text).names == {"n"} and read_stated(text).namespaces == {"s"}

    @pytest.mark.parametrize(
        "text",
        [
            'command: ["/bin/sh", "-c", "exec /usr/local/bin/kube-apiserver --a=b,c --d=e 1>>/var/log/x 2>&1"]',
            "command: [/go-runner, --log-file=/x, --, kube-apiserver, '--a=b,c', --d, e]",
            "- sh\n- -c\n- |\n  exec kube-apiserver \\\n    --a=b,c \\\n    --d='e'\n",
            "- sh\n- -c\n- exec kube-apiserver --a=b,c --d=e\n",
            "command: [\n  kube-apiserver,\n  '--a=b,c',\n  --d, e ]\n",
        ],
    )
    def test_launchers_and_scripts(self, text: str) -> None:
        assert flags_of(text) == {"a": ["b,c"], "d": ["e"]}

    def test_all_values_of_a_flag(self) -> None:
        assert flags_of("- --a=1\n- --a=2\n") == {"a": ["1", "2"]}

    def test_the_rest(self) -> None:
        text = (
            "metadata: {name: the-name, generateName: x, labels: {app.kubernetes.io/name: y}, uid: 0-1}\n"
            "spec:\n  hostNetwork: true\n  serviceAccountName: z\n  volumes:\n  - name: 'volume'\n"
            '  securityContext:\n    runAsUser: 12\n  other: {"runAsUser": 34}\n'
        )
        found = read_stated(text)
        assert found.names == {"the-name", "volume"} and found.namespaces == {"default"} and found.pod_uids == {"0-1"}
        assert found.users == {12, 34} and found.host_network
        assert not read_stated("hostNetwork: truely").host_network

    @settings(deadline=None, max_examples=examples(200))
    @given(
        st.lists(
            st.one_of(
                st.sampled_from(["\n", "- ", "--a", "=", ", ", '"', "'", "[", "]", "{", ": ", "#", "\\", "--", "key:"]),
                st.text(max_size=5),
            ),
            max_size=40,
        )
    )
    def test_any_text(self, parts: t.List[str]) -> None:
        text = "".join(parts)
        assert all(name for name in read_stated(text).flags)

    def test_long_texts_take_no_time(self) -> None:
        began = time.monotonic()
        for part in ("--a", "--a=b ", '"', "'", '\\"', "- ", "name: ", "-", "[", ",", " ", "\n- --a=b", "a:", "#", ":"):
            read_stated(part * (100000 // len(part)))
            read_stated('"' + part * (100000 // len(part)))
        assert time.monotonic() - began < 30
