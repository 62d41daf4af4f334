# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The third-party libraries of this package: imported in this one place, with the oldest versions that do."""

from __future__ import annotations

import contextlib
import re
import sys
import typing as t
import warnings

from .errors import PkiError

# The doc fragment _cryptography.py states the same two versions; a unit test compares them.
MINIMUM_CRYPTOGRAPHY = "38.0.4"
MINIMUM_PYOPENSSL = "23.0.0"

CRYPTOGRAPHY_VERSION: str | None = None
PYOPENSSL_VERSION: str | None = None
# Why a library that is installed cannot be imported, e.g. a pyOpenSSL far older than its cryptography.
IMPORT_PROBLEMS: dict[str, str] = {}

with warnings.catch_warnings():
    # Libraries announce the end of an old Python or of an old option when they are imported; that is not for our user.
    warnings.simplefilter("ignore")
    try:
        import cryptography
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as exc:
        if not isinstance(exc, ModuleNotFoundError):
            IMPORT_PROBLEMS["cryptography"] = str(exc)
        x509 = hashes = serialization = ec = ed25519 = rsa = None  # type: ignore[assignment]
        ExtendedKeyUsageOID = NameOID = None  # type: ignore[assignment,misc]
    else:
        CRYPTOGRAPHY_VERSION = cryptography.__version__
    try:
        import OpenSSL
        from OpenSSL import crypto as openssl
    except ModuleNotFoundError:
        openssl = None  # type: ignore[assignment]
    except Exception as exc:  # an old pyOpenSSL fails with AttributeError on a new cryptography
        IMPORT_PROBLEMS["pyOpenSSL"] = str(exc)
        openssl = None  # type: ignore[assignment]
    else:
        PYOPENSSL_VERSION = str(getattr(OpenSSL, "__version__", "0"))


def version_tuple(version: str) -> tuple[int, ...]:
    """The leading numbers of a version, so that '38.0.4' < '38.0.10' < '50.0.0.dev1'."""
    numbers: list[int] = []
    for part in version.split("."):
        match = re.match(r"\d+", part)
        if match is None:
            break
        numbers.append(int(match.group()))
    return tuple(numbers)


def _problem(*, name: str, found: str | None, minimum: str) -> str | None:
    """One clause on what is wrong with a library, or None."""
    if name in IMPORT_PROBLEMS:
        return f"{name} is installed but cannot be imported ({IMPORT_PROBLEMS[name]})"
    if found is None:
        return f"{name} is not installed"
    if version_tuple(found) < version_tuple(minimum):
        return f"{name} {found} is too old"
    return None


def require() -> None:
    """Raises PkiError if a library is missing or too old; otherwise does nothing."""
    problems: list[str] = []
    packages: list[str] = []
    for name, package, found, minimum in (
        ("cryptography", "cryptography", CRYPTOGRAPHY_VERSION, MINIMUM_CRYPTOGRAPHY),
        ("pyOpenSSL", "pyopenssl", PYOPENSSL_VERSION, MINIMUM_PYOPENSSL),
    ):
        problem = _problem(name=name, found=found, minimum=minimum)
        if problem is not None:
            problems.append(problem)
            packages.append(f"'{package}>={minimum}'")
    if problems:
        raise PkiError(
            f"For this Python ({sys.executable}) {' and '.join(problems)}; install it with {sys.executable} -m pip "
            f"install {' '.join(packages)}, or set ansible_python_interpreter to a Python that has it."
        )


@contextlib.contextmanager
def quiet() -> t.Iterator[None]:
    """A context in which no warning of a library reaches the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


__all__ = (
    "CRYPTOGRAPHY_VERSION",
    "ExtendedKeyUsageOID",
    "MINIMUM_CRYPTOGRAPHY",
    "MINIMUM_PYOPENSSL",
    "NameOID",
    "PYOPENSSL_VERSION",
    "ec",
    "ed25519",
    "hashes",
    "openssl",
    "quiet",
    "require",
    "rsa",
    "serialization",
    "version_tuple",
    "x509",
)
