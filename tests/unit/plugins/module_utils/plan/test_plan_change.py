# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written on one master, why, whether it restarts; the order that is sent and the diff that is shown."""

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._contract.order import Order, write_order
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._manifest.pod import read_pod
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import iso
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.change import (
    ANNOTATION,
    FileWish,
    MasterChange,
    decide_change,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.errors import PlanError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._plan.order import build_order, show_change
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan import certificates, support
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.certificates import (
    make_ca,
    make_leaf,
)
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.planning import wished
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.plan.support import (
    PKI,
    FakeMaster,
    File,
    kubeadm,
    master,
    sentence,
)

CA, CRT, KEY = f"{PKI}/front-proxy-ca.crt", f"{PKI}/front-proxy-client.crt", f"{PKI}/front-proxy-client.key"
SEVEN = support.proxy_flags()


def decide(fake: FakeMaster, *files: FileWish, flags: t.Optional[support.Flags] = None) -> MasterChange:
    return decide_change(fake.read(), SEVEN if flags is None else flags, files, container="kube-apiserver")


def refused(fake: FakeMaster, *files: FileWish, flags: t.Optional[support.Flags] = None) -> str:
    with pytest.raises(PlanError) as error:
        decide(fake, *files, flags=flags)
    return str(error.value)


def new_pair() -> t.List[FileWish]:
    return [wished(KEY, certificates.key_pem("client")), wished(CRT, make_leaf().pem)]


# --- flags and folders


def test_a_bare_master_gets_its_flags_and_restarts() -> None:
    change = decide(master())
    assert change.text is not None and not change.files and not change.empty
    assert {name: read_pod(change.text).flag(name) for name in SEVEN} == SEVEN
    assert change.restart == "kube-apiserver reads its flags at its start only"
    assert "--requestheader-allowed-names is set to 'front-proxy-client'; it was not set" in change.flag_reasons


def test_a_master_that_is_right_is_left_alone() -> None:
    change = decide(kubeadm())
    assert change.empty and change.reasons == () and change.flag_reasons == () and change.restart == ""


def test_each_flag_that_changes_has_its_reason() -> None:
    fake = kubeadm(flags={"profiling": "False", "v": "2"})
    change = decide(fake, flags={"v": None, "profiling": "false", "requestheader-allowed-names": "other"})
    assert change.flag_reasons == (
        "--v is taken out; it was '2'",
        "--requestheader-allowed-names is set to 'other'; it was 'front-proxy-client'",
    )


def test_a_folder_that_is_not_mounted_gets_a_volume() -> None:
    change = decide(master(mounts=[]))
    assert f"{PKI} was not mounted into the pod" in change.reasons
    assert [mount.host_path for mount in read_pod(change.text or "").mounts] == [PKI]


def test_a_folder_of_a_file_that_no_flag_names_is_mounted_too() -> None:
    change = decide(kubeadm(), wished("/opt/extra/ca.crt", make_ca().pem), flags={})
    assert "/opt/extra was not mounted into the pod" in change.reasons
    assert [write.wish.path for write in change.files] == ["/opt/extra/ca.crt"]


def test_a_folder_in_an_empty_dir_is_refused() -> None:
    mounts = [support.mounted(PKI), support.MountSpec("/opt/pki", None)]
    said = refused(master(mounts=mounts), flags=support.proxy_flags("/opt/pki"))
    sentence(said, "/opt/pki", "no plain hostPath", "choose another folder")


def test_a_flag_that_is_made_of_a_variable_is_refused() -> None:
    sentence(refused(master(flags={"v": "$(LEVEL)"}), flags={"v": "2"}), "--v", "$(LEVEL)")


# --- files


@pytest.mark.parametrize(
    ("there", "wish", "reason"),
    [
        (None, wished(CA, make_ca().pem), "is not there"),
        (File(make_ca("other").pem), wished(CA, make_ca().pem), "has another content"),
        (File(make_ca().pem, "0600"), wished(CA, make_ca().pem), None),
        (File(make_ca().pem, "0666"), wished(CA, make_ca().pem), "has mode 0666, not 0644"),
        (File(make_ca().pem, "0600"), wished(CA, make_ca().pem, mode="0644"), "has mode 0600, not 0644"),
        (File(make_ca().pem, uid=7), wished(CA, make_ca().pem, owner="root"), "has the owner user7, not root"),
        (File(make_ca().pem, gid=7), wished(CA, make_ca().pem, group="root"), "has the group group7, not root"),
        (File(make_ca().pem), wished(CA, make_ca().pem), None),
        (File(make_ca().pem, uid=7), wished(CA, make_ca().pem), None),
        (File(make_ca().pem, uid=7, gid=8), wished(CA, make_ca().pem, owner="7", group="group8"), None),
        (File(make_ca().pem), FileWish(CA, None), "has another content"),
    ],
)
def test_a_file_is_written_only_if_it_differs(there: t.Optional[File], wish: FileWish, reason: t.Optional[str]) -> None:
    fake = kubeadm().without(CA)
    if there is not None:
        fake.files[CA] = there
    change = decide(fake, wish)
    assert len(change.files) == bool(reason)
    assert change.reasons == ((f"{CA} {reason}",) if reason else ())


@pytest.mark.parametrize(
    ("there", "mode", "reason"),
    [
        ("client m1", "0600", None),
        ("client m1", "0640", None),
        ("client m1", "0644", "has mode 0644, not 0600"),
        ("client", "0600", "is another key"),
        (None, "0600", "is not there"),
    ],
)
def test_a_key_is_told_by_the_certificate_that_it_loads_with(
    there: t.Optional[str], mode: str, reason: t.Optional[str]
) -> None:
    fake = kubeadm().without(KEY)
    if there:
        fake.put(KEY, certificates.key_pem(there), mode)
    change = decide(fake, wished(KEY, certificates.key_pem("client m1")))
    assert change.reasons == ((f"{KEY} {reason}",) if reason else ())


def test_a_key_that_is_not_made_yet_is_another_one() -> None:
    change = decide(kubeadm(), FileWish(KEY, None, is_key=True))
    assert change.reasons == (f"{KEY} is another key",)


def test_a_file_is_written_where_the_volume_comes_from() -> None:
    fake = kubeadm(mounts=[support.MountSpec(PKI, "/srv/pki")])
    assert order(fake, wished(CA, make_ca().pem)).files[0].path == "/srv/pki/front-proxy-ca.crt"


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        (lambda fake: fake, (0, 0)),
        (
            lambda fake: fake.put(f"{PKI}/apiserver.key", "-----BEGIN PRIVATE KEY-----", "0600", uid=11, gid=12),
            (11, 12),
        ),
        (lambda fake: fake.put(CA, "rubbish", uid=21, gid=22), (21, 22)),
        (lambda fake: fake.without(f"{PKI}/apiserver.key"), (-1, -1)),
    ],
)
def test_a_file_belongs_to_whom_it_belonged_and_a_new_one_to_whom_the_servers_key_belongs(
    change: t.Callable[[FakeMaster], FakeMaster], owner: t.Tuple[int, int]
) -> None:
    (file,) = order(change(master()), wished(CA, make_ca().pem)).files
    assert (file.uid, file.gid) == owner


def test_a_server_key_that_lies_on_no_host_tells_no_owner() -> None:
    mounts = [support.mounted(PKI), support.MountSpec("/tls", None)]
    fake = master(flags={"tls-private-key-file": "/tls/tls.key"}, mounts=mounts)
    (file,) = order(fake, wished(CA, make_ca().pem)).files
    assert (file.uid, file.gid) == (-1, -1)


def test_what_is_no_certificate_is_refused() -> None:
    sentence(refused(kubeadm(), FileWish(CA, "rubbish")), CA, "no certificate in PEM form")


# --- restarts


def test_new_files_alone_need_no_restart() -> None:
    change = decide(kubeadm(), wished(CA, make_ca("other").pem), *new_pair())
    assert len(change.files) == 3 and change.text is None and change.restart == ""


def single_file(fake_path: str) -> t.List[support.MountSpec]:
    return [support.mounted(PKI), support.MountSpec(fake_path, fake_path, "File")]


@pytest.mark.parametrize(
    ("fake", "words"),
    [
        (kubeadm(release="v1.19.16"), "only from 1.20 on"),
        (kubeadm(release=None, image="kube-apiserver:v1.18.2"), "only from 1.20 on"),
        (kubeadm(running=False), "no kube-apiserver is running"),
        (kubeadm().put(CRT, make_leaf(common_name="old").pem, is_link=True), f"{CRT} was a link"),
        (kubeadm().put(CRT, make_leaf(common_name="old").pem, links=2), f"{CRT} was a link"),
        (kubeadm(mounts=single_file(CRT)), f"{CRT} is mounted as a single file"),
    ],
)
def test_new_files_that_the_server_would_not_take_up_restart_it(fake: FakeMaster, words: str) -> None:
    change = decide(fake, *new_pair())
    assert words in change.restart
    assert ANNOTATION in read_pod(change.text or "").annotations
    # a second change must restart it again
    other = decide(fake, wished(CRT, make_leaf(common_name="other").pem))
    assert read_pod(other.text or "").annotations != read_pod(change.text or "").annotations
    # and without a change there is nothing to restart for
    assert decide(fake).empty


@pytest.mark.parametrize(
    "fake",
    [
        kubeadm(release="v1.20.0"),
        kubeadm(release=None, image="kube-apiserver:latest"),
        kubeadm(mounts=single_file(f"{PKI}/ca.crt")),
        kubeadm(root="/sandbox", release="v1.19.0").put(CRT, make_leaf(common_name="old").pem, is_link=True),
    ],
)
def test_new_files_that_the_server_takes_up_by_itself_restart_nothing(fake: FakeMaster) -> None:
    change = decide(fake, *new_pair())
    assert change.files and change.text is None and change.restart == ""


# --- the order


def order(fake: FakeMaster, *files: FileWish, flags: t.Optional[support.Flags] = None) -> Order:
    wanted = SEVEN if flags is None else flags
    contents = {CA: make_ca().pem, KEY: certificates.key_pem("client"), CRT: make_leaf().pem}
    change = decide(fake, *files, flags=wanted)
    return build_order(fake.read(), change, wanted, contents, wait=300, lock_timeout=60)


def test_an_order_holds_what_the_module_needs() -> None:
    fake = master(mounts=[support.MountSpec(PKI, "/srv/pki")])
    built = order(fake, wished(CA, make_ca().pem), *new_pair())
    assert built.manifest == support.MANIFEST and built.manifest_text != fake.text
    assert built.manifest_seen == fake.observe()["manifest"]["checksum"]
    assert [file.path for file in built.files] == [
        "/srv/pki/front-proxy-ca.crt",
        "/srv/pki/front-proxy-client.key",
        "/srv/pki/front-proxy-client.crt",
    ]
    assert [file.mode for file in built.files] == [0o644, 0o600, 0o644]
    assert [file.seen for file in built.files] == [None, None, None]
    assert (built.bundle, built.certificate, built.key) == tuple(
        f"/srv/pki/front-proxy-{name}" for name in ("ca.crt", "client.crt", "client.key")
    )
    assert (built.pod, built.container) == ("kube-system_kube-apiserver", "kube-apiserver")
    assert (built.wait, built.lock_timeout, built.user_header) == (300, 60, "X-Remote-User")
    assert built.flags == SEVEN


def test_an_order_names_the_state_of_the_files_that_it_replaces() -> None:
    fake = kubeadm()
    (file,) = order(fake, wished(CRT, make_leaf().pem)).files
    assert file.seen == fake.observe()["files"][CRT]["stamp"]


@pytest.mark.parametrize(
    ("flag", "option", "usual"),
    [
        ("requestheader-username-headers", "user_header", "X-Remote-User"),
        ("requestheader-group-headers", "group_header", "X-Remote-Group"),
    ],
)
def test_an_order_uses_the_header_that_the_server_reads(flag: str, option: str, usual: str) -> None:
    assert order(kubeadm(flags={flag: f"X-Mine,{usual}"}), flags={})._asdict()[option] == "X-Mine"
    assert order(kubeadm(flags={flag: "X-Mine"}))._asdict()[option] == usual
    assert order(master(), flags={})._asdict()[option] == usual


def test_an_order_names_the_files_that_flags_name_now_where_none_is_asked_for() -> None:
    assert order(kubeadm(), flags={"v": "2"}).bundle == CA
    assert order(master(), flags={"v": "2"}).bundle is None


def test_an_order_waits_for_flags_as_the_manifest_spells_them() -> None:
    built = order(kubeadm(flags={"profiling": "False"}), flags={"profiling": "false", "v": "2"})
    assert built.flags == {"profiling": "False", "v": "2"}


def secrets(*names: str) -> t.List[str]:
    return [line for name in names for line in certificates.key_pem(name).splitlines() if not line.startswith("-----")]


def test_a_key_is_in_the_contents_of_the_order_alone() -> None:
    fake = kubeadm().put(KEY, certificates.key_pem("somebody"), "0600")
    files = [wished(CA, make_ca("other").pem), *new_pair()]
    change = decide(fake, *files)
    built = order(fake, *files)
    bare = built._replace(files=tuple(file._replace(content=b"") for file in built.files))
    shown = [write_order(bare), repr(change), repr(files), json.dumps(show_change(fake.read(), change))]
    for text in shown:
        assert "PRIVATE KEY" not in text
        for line in secrets("client", "client m1", "somebody"):
            assert line not in text


# --- the diff


def test_the_diff_shows_certificates_by_their_facts() -> None:
    fake = kubeadm()
    (shown,) = show_change(fake.read(), decide(fake, wished(CA, make_ca("other", "their-ca").pem)))
    assert (shown["before_header"], shown["after_header"]) == (CA, f"{CA} (mode 0644)")
    ca = make_ca()
    assert shown["before"] == (
        f"subject: CN=front-proxy-ca\nissuer: CN=front-proxy-ca\nSHA-256: {ca.fingerprint}\n"
        f"valid: {iso(ca.not_before)} to {iso(ca.not_after)}\n"
    )
    assert "subject: CN=their-ca\n" in shown["after"] and "BEGIN" not in shown["after"]


def test_the_diff_says_that_there_is_a_key_and_no_more() -> None:
    fake = kubeadm()
    key, dummy = show_change(fake.read(), decide(fake, *new_pair()))
    assert (key["before"], key["after"]) == ("a private key\n", "a private key (not shown)\n")
    bare = master()
    key, crt, text = show_change(bare.read(), decide(bare, *new_pair()))
    assert (key["before"], crt["before"]) == ("", "") and key["before_header"] == f"{KEY} (absent)"
    assert (text["before"], text["before_header"]) == (bare.text, support.MANIFEST)
    assert "--requestheader-client-ca-file" in text["after"]


def test_the_diff_shows_no_secret_of_the_manifest() -> None:
    fake = kubeadm()
    fake.text = fake.text.replace(
        "    image:",
        "    env:\n    - name: VAULT\n      value: geheim-4711\n    - name: TZ\n      value: UTC\n    image:",
    ).replace("    - kube-apiserver\n", "    - kube-apiserver\n    - --token=geheim-4711\n")
    change = decide(fake, flags={"enable-aggregator-routing": "true"})
    assert change.text is not None and change.text.count("geheim-4711") == 2
    (shown,) = show_change(fake.read(), change)
    for side in ("before", "after"):
        assert "geheim-4711" not in shown[side] and "value: (not shown)\n" in shown[side]
        assert "--token=(not shown)\n" in shown[side] and "value: UTC" in shown[side]
    assert "--enable-aggregator-routing=true" in shown["after"]


def test_a_reason_names_no_secret() -> None:
    fake = kubeadm()
    fake.text = fake.text.replace("    - kube-apiserver\n", "    - kube-apiserver\n    - --token=geheim-4711\n")
    change = decide(fake, flags={"token": "geheim-4712"})
    assert change.flag_reasons == ("--token is set to '(not shown)'; it was '(not shown)'",)


def test_the_diff_of_what_cannot_be_read_or_is_not_made_yet() -> None:
    fake = kubeadm().put(CA, "rubbish")
    (shown,) = show_change(fake.read(), decide(fake, FileWish(CA, None)))
    assert (shown["before"], shown["after"]) == ("unreadable\n", "made by the real run\n")


def test_a_key_that_cannot_be_read_is_refused_without_showing_it() -> None:
    with pytest.raises(PkiError) as error:
        wished(KEY, "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
    assert KEY in str(error.value) and "c2VjcmV0" not in str(error.value)
