# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For each finding of one master, what causes it."""

from __future__ import annotations

import typing as t

from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import serialization
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._verify.judge import Seen
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    DAY,
    NOW,
    YEAR,
    cluster_ca,
    key,
    key_pem,
    leaf_of,
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    KUBELET,
    PKI,
    FakeMaster,
    kubeadm,
    master,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.cases import NAMES, Cases
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.verify.support import Given, Layer

MASTER_CASES = Cases()
case = MASTER_CASES.of


def flags(**given: t.Optional[str]) -> FakeMaster:
    return kubeadm(flags={name.replace("_", "-"): value for name, value in given.items()})


def paired(**how: t.Any) -> FakeMaster:
    """A master with another pair."""
    leaf = make_leaf(**how)
    return kubeadm().put_pair(leaf, how.get("owner", "client"))


def shared(names: t.Optional[str] = "front-proxy-client", **more: t.Any) -> FakeMaster:
    """A master whose front-proxy CA is the cluster's."""
    found = kubeadm(flags={NAMES: names}, **more)
    found.put_ca(cluster_ca())
    return found.put_pair(leaf_of(cluster_ca(), "cluster kubernetes"))


@case("master-not-seen")
def master_not_seen() -> t.Sequence[Given]:
    return kubeadm("m1"), Seen("m2", "kubernetes", None, "m2 is unreachable.")


@case("manifest-unclear")
def manifest_unclear() -> t.Sequence[Given]:
    facts = Layer(kubeadm("m2")).facts()
    facts["manifest"]["text"] = facts["manifest"]["text"].replace("metadata:", "metadata:\n  uid: a")
    return kubeadm("m1"), Seen("m2", "kubernetes", facts)


@case("layer-not-configured")
def layer_not_configured() -> t.Sequence[Given]:
    return (master(),)


@case("proxy-client-half-set")
def proxy_client_half_set() -> t.Sequence[Given]:
    return (flags(proxy_client_key_file=None),)


@case("proxy-client-not-set")
def proxy_client_not_set() -> t.Sequence[Given]:
    return (flags(proxy_client_key_file=None, proxy_client_cert_file=None),)


@case("requestheader-ca-not-set")
def requestheader_ca_not_set() -> t.Sequence[Given]:
    return (Layer(flags(requestheader_client_ca_file=None), offered=[cluster_ca()]),)


@case("header-not-standard")
def header_not_standard() -> t.Sequence[Given]:
    return (flags(requestheader_extra_headers_prefix="X-Remote-Extra"),)


@case("allowed-names-only-blank")
def allowed_names_only_blank() -> t.Sequence[Given]:
    return (flags(requestheader_allowed_names='""'),)


@case("allowed-names-with-blank")
def allowed_names_with_blank() -> t.Sequence[Given]:
    return (flags(requestheader_allowed_names="front-proxy-client,"),)


@case("allowed-names-any")
def allowed_names_any() -> t.Sequence[Given]:
    return (flags(requestheader_allowed_names=None),)


@case("flag-twice")
def flag_twice() -> t.Sequence[Given]:
    return (kubeadm(extra=[f"--requestheader-client-ca-file={PKI}/other.crt"]),)


@case("file-missing")
def file_missing() -> t.Sequence[Given]:
    return (kubeadm().without(f"{PKI}/front-proxy-client.crt"),)


@case("file-unreadable")
def file_unreadable() -> t.Sequence[Given]:
    text = make_ca().pem.splitlines()
    cut = "\n".join([text[0], text[3], text[-1]])
    return (Layer(kubeadm().put(f"{PKI}/front-proxy-ca.crt", cut), offered=[cluster_ca(), make_ca()]),)


@case("key-of-another-certificate")
def key_of_another_certificate() -> t.Sequence[Given]:
    return (kubeadm().put(f"{PKI}/front-proxy-client.key", key_pem("stranger"), "0600"),)


@case("pair-signed-by-client-ca")
def pair_signed_by_client_ca() -> t.Sequence[Given]:
    return (kubeadm().put_pair(leaf_of(cluster_ca(), "cluster kubernetes")),)


@case("pair-not-signed-by-ca")
def pair_not_signed_by_ca() -> t.Sequence[Given]:
    return (paired(ca="another"),)


@case("pair-expired")
def pair_expired() -> t.Sequence[Given]:
    return (paired(start=NOW - 2 * YEAR),)


@case("pair-not-yet-valid")
def pair_not_yet_valid() -> t.Sequence[Given]:
    return (paired(start=NOW + DAY),)


@case("pair-expires-soon")
def pair_expires_soon() -> t.Sequence[Given]:
    return (paired(start=NOW - YEAR + 10 * DAY),)


@case("pair-name-not-allowed")
def pair_name_not_allowed() -> t.Sequence[Given]:
    return (Layer(flags(requestheader_allowed_names="aggregator"), names=["aggregator"]),)


@case("pair-not-for-clients")
def pair_not_for_clients() -> t.Sequence[Given]:
    return (paired(usage="server"),)


@case("pair-without-usage")
def pair_without_usage() -> t.Sequence[Given]:
    return (paired(usage=""),)


@case("pair-is-an-administrator")
def pair_is_an_administrator() -> t.Sequence[Given]:
    return (paired(organization="system:masters"),)


@case("ca-expired")
def ca_expired() -> t.Sequence[Given]:
    old = make_ca("old", start=NOW - 11 * YEAR, validity=10 * YEAR)
    return (kubeadm().put_ca(old).put_pair(leaf_of(old, "old")),)


@case("ca-expired-in-bundle")
def ca_expired_in_bundle() -> t.Sequence[Given]:
    return (kubeadm().put_ca(make_ca(), make_ca("old", "former", start=NOW - 11 * YEAR)),)


@case("ca-expires-soon")
def ca_expires_soon() -> t.Sequence[Given]:
    old = make_ca("old", start=NOW - YEAR, validity=YEAR + 100 * DAY)
    return (kubeadm().put_ca(old).put_pair(leaf_of(old, "old", start=NOW, validity=90 * DAY)),)


@case("ca-is-none")
def ca_is_none() -> t.Sequence[Given]:
    none = leaf_of(make_ca(), "ca", "front-proxy-ca", owner="none", usage="")
    return (kubeadm().put_ca(none).put_pair(leaf_of(none, "none")),)


@case("bundle-order")
def bundle_order() -> t.Sequence[Given]:
    return (kubeadm().put_ca(make_ca("next", "next"), make_ca()),)


@case("key-readable-by-others")
def key_readable_by_others() -> t.Sequence[Given]:
    fake = kubeadm()
    path = f"{PKI}/front-proxy-client.key"
    return (fake.put(path, fake.files[path].content, "0644"),)


@case("file-not-readable-by-server")
def file_not_readable_by_server() -> t.Sequence[Given]:
    return (kubeadm(user=(65534, 65534)),)


@case("file-writable-by-others")
def file_writable_by_others() -> t.Sequence[Given]:
    fake = kubeadm()
    path = f"{PKI}/front-proxy-ca.crt"
    return (fake.put(path, fake.files[path].content, "0666"),)


@case("weak-signature")
def weak_signature() -> t.Sequence[Given]:
    # no library signs with SHA-1 any more: what is judged is how the certificate was read
    return (kubeadm(release="v1.20.2"),)


@case("any-client-is-a-front-proxy")
def any_client_is_a_front_proxy() -> t.Sequence[Given]:
    return (shared(None, release="v1.36.0"),)


@case("no-start-from-1-35")
def no_start_from_1_35() -> t.Sequence[Given]:
    return (shared(None),)


@case("ca-shared-with-clients")
def ca_shared_with_clients() -> t.Sequence[Given]:
    return (shared(),)


def with_file(path: str, content: str, **more: t.Any) -> Layer:
    """A master on which one more file was looked at."""
    fake = kubeadm(flags=more.pop("flags", None)).put(path, content)
    layer = Layer(fake)
    facts = fake._describe(path)
    layer.more = {"files": {**layer.facts()["files"], path: facts}, **more}
    return layer


@case("ca-shared-with-etcd")
def ca_shared_with_etcd() -> t.Sequence[Given]:
    path = f"{PKI}/etcd/ca.crt"
    return (with_file(path, make_ca().pem, flags={"etcd-cafile": path}),)


@case("ca-shared-with-kubelets")
def ca_shared_with_kubelets() -> t.Sequence[Given]:
    return (with_file("/etc/kubelet.crt", make_ca().pem, kubelet_client_ca="/etc/kubelet.crt"),)


@case("ca-shared-with-service-accounts")
def ca_shared_with_service_accounts() -> t.Sequence[Given]:
    pem = (
        key("ca").public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return (Layer(kubeadm(), more={"public_keys": {f"{PKI}/sa.pub": [pem.decode("ascii")]}}),)


@case("pair-vouches-for-itself")
def pair_vouches_for_itself() -> t.Sequence[Given]:
    return (kubeadm().put_pair(make_leaf(), "client").put_ca(make_leaf()),)


@case("kubelet-not-running")
def kubelet_not_running() -> t.Sequence[Given]:
    return (kubeadm(kubelets=()),)


@case("kubelet-reads-another-folder")
def kubelet_reads_another_folder() -> t.Sequence[Given]:
    return (kubeadm(kubelets=[{**KUBELET, "folder": "/srv/pods", "reads": False}]),)


@case("server-not-running")
def server_not_running() -> t.Sequence[Given]:
    return (kubeadm(running=False),)


@case("server-not-answering")
def server_not_answering() -> t.Sequence[Given]:
    return (kubeadm(answers=False),)


@case("process-not-as-manifest")
def process_not_as_manifest() -> t.Sequence[Given]:
    fake = kubeadm()
    fake.argv = [*fake.command, "--enable-aggregator-routing=true"]
    return (fake,)


@case("files-not-loaded")
def files_not_loaded() -> t.Sequence[Given]:
    return (Layer(kubeadm(), offered=[cluster_ca(), make_ca("old", "former")]),)


@case("stray-manifest")
def stray_manifest() -> t.Sequence[Given]:
    fake = kubeadm()
    fake.siblings = [{"name": "kube-apiserver.yaml.bak", "size": 9, "text": fake.text}]
    return (fake,)


@case("pod-names-api-objects")
def pod_names_api_objects() -> t.Sequence[Given]:
    fake = kubeadm()
    fake.text = fake.text.replace("spec:\n", "spec:\n  serviceAccountName: kube-apiserver\n", 1)
    return (fake,)


@case("change-cut-off")
def change_cut_off() -> t.Sequence[Given]:
    return (kubeadm(pending={"started": "2026-01-01T00:00:00Z"}),)


@case("clock-differs")
def clock_differs() -> t.Sequence[Given]:
    return (kubeadm(skew=-3700.0),)


@case("no-route-to-services")
def no_route_to_services() -> t.Sequence[Given]:
    return (Layer(kubeadm(evidence=()), kubernetes_error="timeout: timed out"),)
