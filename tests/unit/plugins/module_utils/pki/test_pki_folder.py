# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is seen of a PKI folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.folder import PkiFolder, read_folder
from ansible_collections.kubeops.aggregation_layer.tests.unit.plugins.module_utils.pki import support


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pki"
    path.mkdir(mode=0o700)
    return path


def fill(folder: Path) -> None:
    ca = support.make_ca()
    support.put(folder, "front-proxy-ca.crt", ca.pem, 0o644)
    support.put(folder, "front-proxy-ca.key", support.key().to_pem())
    support.put(folder, "front-proxy-client.crt", support.make_client(ca).pem, 0o644)
    support.put(folder, "front-proxy-client.key", support.key("client").to_pem())


def test_none(folder: Path) -> None:
    assert read_folder(str(folder / "x")) == PkiFolder(path=str(folder / "x"), exists=False)


def test_an_empty_one(folder: Path) -> None:
    assert read_folder(str(folder)) == PkiFolder(path=str(folder), exists=True)


def test_a_full_one(folder: Path) -> None:
    fill(folder)
    before = support.checksums(folder)
    seen = read_folder(str(folder))
    assert seen.exists and seen.ca_key == "plain" and seen.ca_key_matches is True
    assert seen.ca[0].is_ca and seen.client[0].common_name == "front-proxy-client"
    assert seen.client_key_matches is True and seen.client_unreadable == ""
    assert support.checksums(folder) == before
    secret = (folder / "front-proxy-ca.key").read_text().splitlines()[1]
    assert secret not in repr(seen)


def test_an_encrypted_key_is_not_opened(folder: Path) -> None:
    fill(folder)
    support.put(folder, "front-proxy-ca.key", support.key().to_pem("secret"))
    seen = read_folder(str(folder))
    assert seen.ca_key == "encrypted" and seen.ca_key_matches is None


def test_an_external_ca(folder: Path) -> None:
    fill(folder)
    (folder / "front-proxy-ca.key").unlink()
    seen = read_folder(str(folder))
    assert seen.ca and seen.ca_key == "absent" and seen.ca_key_matches is None


def test_keys_of_others(folder: Path) -> None:
    fill(folder)
    for name in ("ca", "client"):
        support.put(folder, f"front-proxy-{name}.key", support.key("other").to_pem())
    seen = read_folder(str(folder))
    assert seen.ca_key_matches is False and seen.client_key_matches is False and seen.client_unreadable == ""


@pytest.mark.parametrize("name", ["front-proxy-client.crt", "front-proxy-client.key"])
def test_half_a_client(name: str, folder: Path) -> None:
    fill(folder)
    (folder / name).unlink()
    assert read_folder(str(folder)).client_key_matches is None


def test_a_damaged_client_is_no_error(folder: Path) -> None:
    fill(folder)
    support.put(folder, "front-proxy-client.key", b"garbage")
    seen = read_folder(str(folder))
    assert seen.client and seen.client_key_matches is False and "holds no private key" in seen.client_unreadable
    support.put(folder, "front-proxy-client.crt", b"\xff\x00garbage")
    seen = read_folder(str(folder))
    assert seen.client == () and seen.client_key_matches is None and "no certificate in PEM" in seen.client_unreadable


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("front-proxy-ca.crt", b"\xff\xfe garbage", "no certificate in PEM form in .*/pki/front-proxy-ca.crt"),
        ("front-proxy-ca.key", b"garbage", "front-proxy-ca.key holds no private key"),
        ("front-proxy-ca.key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "damaged"),
    ],
)
def test_a_damaged_ca_is_an_error(name: str, content: bytes, word: str, folder: Path) -> None:
    fill(folder)
    support.put(folder, name, content)
    with pytest.raises(PkiError, match=word):
        read_folder(str(folder))


@pytest.mark.parametrize("name", ["front-proxy-ca.key", "front-proxy-client.key"])
def test_an_open_key_is_an_error(name: str, folder: Path) -> None:
    fill(folder)
    (folder / name).chmod(0o640)
    with pytest.raises(PkiError, match=f"chmod 0600 .*{name}"):
        read_folder(str(folder))


def test_an_open_folder_is_an_error(folder: Path) -> None:
    folder.chmod(0o755)
    with pytest.raises(PkiError, match="chmod 0700"):
        read_folder(str(folder))


def test_a_file_is_no_folder(folder: Path) -> None:
    with pytest.raises(PkiError, match="is not a folder"):
        read_folder(str(support.put(folder, "x", b"")))


def test_others_must_not_be_able_to_put_another_folder_in_its_place(folder: Path) -> None:
    fill(folder)
    folder.parent.chmod(0o777)
    with pytest.raises(PkiError, match=r"can be written to by group or others \(mode 0777\).*run chmod go-w"):
        read_folder(str(folder))
    for mode in (0o1777, 0o755, 0o700):
        folder.parent.chmod(mode)
        assert read_folder(str(folder)).exists


def test_which_cluster_it_is_for(folder: Path) -> None:
    fill(folder)
    assert read_folder(str(folder)).client_cas == ()
    support.put(folder, "client-ca-keys", "aa\nbb\n", 0o600)
    assert read_folder(str(folder)).client_cas == ("aa", "bb")
