# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fix works when it is pasted: a fault is caused, its fix is pasted as it stands, the finding is gone.

What is no command says what a person must decide; the table at the end knows each kind of finding.
"""

from __future__ import annotations

import re
import shutil
import typing as t
from pathlib import Path

import pytest
from kubeadm_pki import make_authority, name
from support.live import LiveMaster
from support.pasted import Paste, is_command
from support.verified import Look, Verified
from test_verify import PAIR_FAULTS
from test_verify_certificates import FAULTS

if t.TYPE_CHECKING:
    from conftest import MakeMaster

# What was trusted for a while stays published: no other fault comes of a fix.
LEFT = {"ca-still-trusted", "name-still-allowed"}
SEVERITIES = ("broken", "at_risk", "will_break", "untidy")
Fault = t.Callable[[LiveMaster], None]


def flags(**given: str | None) -> Fault:
    """Flags of the manifest, with which the server then runs."""

    def cause(master: LiveMaster) -> None:
        master.set_flags({name.replace("_", "-"): value for name, value in given.items()})
        master.restart()

    return cause


def no_layer(master: LiveMaster) -> None:
    flags(**dict.fromkeys(flag for flag in master.flags if flag.startswith(("requestheader-", "proxy-client-"))))(
        master
    )


def stray(master: LiveMaster) -> None:
    master.manifest.with_name("kube-apiserver.yaml.bak").write_text(master.manifest.read_text())


def clients_ca(master: LiveMaster, **more: str | None) -> None:
    master.sign(master.authorities.cluster)
    flags(requestheader_client_ca_file=master.flags["client-ca-file"], **more)(master)


#: By kind, what causes it. The fix of each is a command.
PASTED: dict[str, Fault] = {
    **{
        kind: {**PAIR_FAULTS, **FAULTS}[kind]
        for kind in (
            "file-missing",
            "file-writable-by-others",
            "key-of-another-certificate",
            "key-readable-by-others",
            "pair-expired",
            "pair-expires-soon",
            "pair-is-an-administrator",
            "pair-name-not-allowed",
            "pair-not-for-clients",
            "pair-not-signed-by-ca",
            "pair-signed-by-client-ca",
            "pair-without-usage",
            "weak-signature",
        )
    },
    "layer-not-configured": no_layer,
    "proxy-client-half-set": flags(proxy_client_key_file=None),
    "proxy-client-not-set": flags(proxy_client_key_file=None, proxy_client_cert_file=None),
    "requestheader-ca-not-set": flags(requestheader_client_ca_file=None),
    "header-not-standard": flags(requestheader_extra_headers_prefix="X-Remote-Extra"),
    "allowed-names-any": flags(requestheader_allowed_names=None),
    "no-route-to-services": flags(enable_aggregator_routing=None),
    "kubelet-not-running": LiveMaster.stop_kubelet,
    "stray-manifest": stray,
}
#: The same, where a newer server does not start with that.
OLDER: dict[str, Fault] = {
    "allowed-names-only-blank": flags(requestheader_allowed_names='""'),
    "allowed-names-with-blank": flags(requestheader_allowed_names="front-proxy-client,"),
    "any-client-is-a-front-proxy": lambda master: clients_ca(master, requestheader_allowed_names=None),
}


@pytest.fixture(scope="module")
def healthy(make_master: MakeMaster) -> LiveMaster:
    """A master as kubeadm makes it."""
    return make_master()


@pytest.fixture
def broken(healthy: LiveMaster) -> t.Iterator[LiveMaster]:
    """The healthy master, which a test may break in every way."""
    with healthy.kept():
        yield healthy
    healthy.manifest.with_name("kube-apiserver.yaml.bak").unlink(missing_ok=True)
    if healthy.kubelet is None:
        healthy.start_kubelet()
    if not healthy.runs_its_manifest:
        healthy.restart()


def mended(kind: str, look: Look, paste: Paste, *masters: LiveMaster) -> Verified:
    """Paste the fix of this kind, which is found, and see that it is gone and that nothing as bad came."""
    before = look(*masters)
    assert kind in before.ids, before.output
    fixes = [found["fix"] for found in before.findings if found["id"] == kind]
    printed = [paste(fix, *masters) for fix in fixes]
    after = look(*masters)
    worst = min(SEVERITIES.index(found["severity"]) for found in before.findings if found["id"] == kind)
    new = {found["id"] for found in after.findings if SEVERITIES.index(found["severity"]) <= worst} - set(before.ids)
    assert kind not in after.ids and new <= LEFT, "\n".join([*fixes, *printed, after.output])
    return after


@pytest.mark.parametrize("kind", PASTED)
def test_a_fix_that_is_pasted(kind: str, broken: LiveMaster, look: Look, paste: Paste) -> None:
    PASTED[kind](broken)
    assert set(mended(kind, look, paste, broken).ids) <= LEFT


@pytest.mark.parametrize("ends", [("key",), ("crt", "key")])
def test_a_missing_pair(ends: t.Sequence[str], broken: LiveMaster, look: Look, paste: Paste) -> None:
    for end in ends:
        (broken.pki / f"front-proxy-client.{end}").unlink()
    before = look(broken)
    assert set(before.ids) == {"file-missing"} and len({found["fix"] for found in before.findings}) == 1, before.output
    paste(before.findings[0]["fix"], broken)
    assert look(broken).ids == []


@pytest.mark.differs
@pytest.mark.before(35)
@pytest.mark.parametrize("kind", OLDER)
def test_a_fix_that_is_pasted_on_older_releases(kind: str, make_master: MakeMaster, look: Look, paste: Paste) -> None:
    master = make_master(kind)
    OLDER[kind](master)
    mended(kind, look, paste, master)


def give_key(master: LiveMaster, folder: Path) -> None:
    """Do what the comment behind a command says: the CA's files of a master, for the controller."""
    place = folder / "pki" / "kubernetes"
    place.mkdir(parents=True, exist_ok=True)
    for each in (place.parent, place):
        each.chmod(0o700)
    for file in ("front-proxy-ca.crt", "front-proxy-ca.key"):
        shutil.copy(master.pki / file, place / file)
        (place / file).chmod(0o600)


@pytest.fixture
def pair_of_masters(make_master: MakeMaster) -> tuple[LiveMaster, LiveMaster]:
    """Two masters of one cluster."""
    first = make_master("m1")
    return first, make_master("m2", of=first)


def test_masters_with_different_cas(
    pair_of_masters: tuple[LiveMaster, LiveMaster], look: Look, paste: Paste, tmp_path: Path
) -> None:
    first, second = pair_of_masters
    new = make_authority(name("front-proxy-ca"))
    second.trust(new)
    second.sign(new)
    second.restart()
    (found,) = look(first, second).findings
    assert re.search(r"  # first copy front-proxy-ca\.crt and front-proxy-ca\.key in \S+/pki of m1 to", found["fix"]), (
        found["fix"]
    )
    give_key(first, tmp_path)
    mended("masters-hold-different-cas", look, paste, first, second)


def test_masters_with_different_names(pair_of_masters: tuple[LiveMaster, LiveMaster], look: Look, paste: Paste) -> None:
    flags(requestheader_allowed_names="front-proxy-client,former")(pair_of_masters[1])
    mended("allowed-names-differ", look, paste, *pair_of_masters)


#: Fixes that are commands, and pasted by another test, which brings about what it takes.
BY_OTHERS = {
    "ca-still-trusted",
    "change-cut-off",
    "file-not-readable-by-server",
    "name-still-allowed",
    "service-address-silent",
    "smoke-test-left-over",
}
#: Commands that help when something else is mended, too, or is there: an admission webhook that keeps kube-apiserver
#: from publishing, a restart of the peers, an older kubeadm, a release that still starts.
NOT_ALONE = {
    "kubeadm-config-too-old",
    "name-not-published",
    "no-start-from-1-35",
    "peer-refuses-the-pair",
    "smoke-test-not-reached",
    "smoke-test-other-caller",
    "smoke-test-refused",
}
#: By kind, what a person must decide or look at: words of its fix.
DECIDED: dict[str, str] = {
    "address-not-allowed": "let that proxy through",
    "api-not-readable": "mend the other findings first",
    "apiservice-claimed-twice": "decide who is to serve",
    "apiservice-seen-unavailable": "look again after a minute",
    "bundle-order": "put the CA that signs first",
    "bundles-differ": "finish the rotation, or",
    "ca-expired": "make a new front-proxy CA",
    "ca-expired-in-bundle": "take it out of",
    "ca-expires-soon": "plan the rotation",
    "ca-is-none": "put a CA in its place",
    "ca-not-published": "look again after a minute",
    "ca-shared-with-clients": "make a new front-proxy CA",
    "ca-shared-with-etcd": "make a new front-proxy CA",
    "ca-shared-with-kubelets": "make a new front-proxy CA",
    "ca-shared-with-service-accounts": "make a new front-proxy CA",
    "clock-differs": "set both clocks right",
    "discovery-stale": "look at the log",
    "extension-certificate-not-trusted": "BASE64-OF-ITS-CA",
    "extension-fails": "look at the log",
    "extension-forbids": "bind its service account",
    "extension-not-there": "bring the extension API server back, or",
    "extension-refuses-the-pair": "take --requestheader-client-ca-file out",
    "extension-silent": "see whether its pods run",
    "file-unreadable": "put the right file there, or",
    "files-not-loaded": "wait a minute",
    "flag-twice": "take the wrong one out",
    "header-not-published": "look again after a minute",
    "kubelet-reads-another-folder": "decide which",
    "manifest-unclear": "mend what is said here",
    "master-not-seen": "mend what is said here",
    "metrics-v1-not-registered": "update what is behind",
    "namespace-does-not-end": "look again after",
    "nothing-published": "look again after a minute",
    "pair-not-yet-valid": "set the clocks right",
    "pair-vouches-for-itself": "make a new front-proxy CA",
    "pod-names-api-objects": "put what these objects hold into files",
    "process-not-as-manifest": "see why the kubelet",
    "proxy-in-the-way": "add",
    "server-not-answering": "look at the log",
    "server-not-running": "look at the logs",
    "some-endpoints-fail": "see why these pods do not answer",
    "smoke-test-not-run": "mend what is said here",
    "tunnel-not-reached": "see on",
    "tunnel-without-agents": "see why",
}


def catalogue() -> dict[str, str]:
    """The fixes by kind, as they are documented."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "findings.md").read_text()
    sections = re.findall(r"^### (\S+)$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return {kind: re.findall(r"^\* \*\*fix:\*\* (.+)$", body, re.MULTILINE)[0] for kind, body in sections}


def test_each_kind_of_finding_is_mended_by_a_command_or_says_what_to_decide() -> None:
    fixes = catalogue()
    commands = {*PASTED, *OLDER, *BY_OTHERS, *NOT_ALONE, "masters-hold-different-cas", "allowed-names-differ"}
    assert len(commands & DECIDED.keys()) == 0
    assert sorted(fixes) == sorted(commands | DECIDED.keys())
    assert [kind for kind in commands if not is_command(fixes[kind])] == []
    for kind, words in DECIDED.items():
        assert not is_command(fixes[kind]) and words in fixes[kind].replace("\\", ""), f"{kind}: {fixes[kind]}"


def test_the_others_are_pasted() -> None:
    folder = Path(__file__).resolve().parents[1]
    texts = [path.read_text() for where in ("real", "cluster") for path in (folder / where).glob("test_*.py")]
    tests = [test for text in texts for test in re.split(r"^def ", text, flags=re.MULTILINE)]
    pasting = [test for test in tests if "paste(" in test or "run_on_controller(" in test]
    assert [kind for kind in sorted(BY_OTHERS) if not any(f'"{kind}"' in test for test in pasting)] == []
