# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Missing, old and broken libraries get one clear sentence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible_collections.kubeops.aggregation_layer.plugins.doc_fragments import _cryptography
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import deps
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError

PLUGINS = Path(deps.__file__).parents[2]


def test_what_is_installed_will_do() -> None:
    deps.require()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("CRYPTOGRAPHY_VERSION", None, ("cryptography is not installed", "'cryptography>=38.0.4'", "pip install")),
        ("CRYPTOGRAPHY_VERSION", "38.0.3", ("cryptography 38.0.3 is too old", "'cryptography>=38.0.4'")),
        ("CRYPTOGRAPHY_VERSION", "3.4.8", ("cryptography 3.4.8 is too old",)),
        ("PYOPENSSL_VERSION", None, ("pyOpenSSL is not installed", "'pyopenssl>=23.0.0'")),
        ("PYOPENSSL_VERSION", "22.1.0", ("pyOpenSSL 22.1.0 is too old",)),
    ],
)
def test_what_will_not_do(
    name: str, value: str | None, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deps, name, value)
    with pytest.raises(PkiError) as caught:
        deps.require()
    assert all(word in str(caught.value) for word in (*words, sys.executable))


def test_both_missing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deps, "CRYPTOGRAPHY_VERSION", None)
    monkeypatch.setattr(deps, "PYOPENSSL_VERSION", None)
    with pytest.raises(PkiError, match=r"cryptography is not installed and pyOpenSSL is not installed; .*'pyopenssl"):
        deps.require()


def test_a_broken_library_is_told_from_a_missing_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(deps.IMPORT_PROBLEMS, "pyOpenSSL", "module 'lib' has no attribute 'X'")
    with pytest.raises(PkiError, match=r"cannot be imported \(module 'lib' has no attribute 'X'\)"):
        deps.require()


def test_everything_imports_without_the_libraries(tmp_path: Path) -> None:
    """The modules say what is missing; they do not end in a traceback."""
    for name in ("cryptography", "OpenSSL"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')\n")
    package = deps.__name__.rpartition(".")[0]
    code = "import importlib\n" + "".join(
        f"importlib.import_module('{package}.{path.stem}')\n"
        for path in sorted(Path(deps.__file__).parent.glob("*.py"))
        if path.stem != "__init__"
    )
    code += f"from {package} import deps\ntry:\n    deps.require()\nexcept Exception as exc:\n    print(exc)\n"
    search = [str(tmp_path), *filter(None, sys.path)]
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path[:0] = {search!r}\n{code}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.stdout.count("\n") == 1, done.stdout
    assert "cryptography is not installed and pyOpenSSL is not installed" in done.stdout


@pytest.mark.parametrize(
    ("older", "newer"), [("38.0.4", "38.0.10"), ("9.0", "10.0"), ("50.0.0.dev1", "50.0.1"), ("23.0.0", "26.4.0")]
)
def test_versions_are_compared_as_numbers(older: str, newer: str) -> None:
    assert deps.version_tuple(older) < deps.version_tuple(newer)


def test_the_documentation_names_the_same_versions() -> None:
    documented = yaml.safe_load(_cryptography.ModuleDocFragment.DOCUMENTATION)["requirements"]
    assert documented == [
        f"cryptography >= {deps.MINIMUM_CRYPTOGRAPHY}",
        f"pyOpenSSL >= {deps.MINIMUM_PYOPENSSL}",
    ]


def test_one_place_imports_the_libraries() -> None:
    for path in (PLUGINS / "module_utils" / "_pki").glob("*.py"):
        if path.name != "deps.py":
            for line in path.read_text("utf-8").splitlines():
                assert not line.strip().startswith(
                    ("import cryptography", "from cryptography", "import OpenSSL", "from OpenSSL")
                )
