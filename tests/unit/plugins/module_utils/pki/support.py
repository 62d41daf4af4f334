# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of keys and certificates share: quick keys, CAs, a runner for modules, judges other than our code."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import subprocess
import typing as t
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as ansible_warnings
from ansible_collections.kubeops.aggregation_layer.plugins.doc_fragments import _pki_files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import ca as ca_values
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import client as client_values
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import files
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.certificate import (
    Certificate,
    from_der,
    read_certificates,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.deps import quiet, serialization, x509
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.keys import (
    KeySpec,
    PrivateKey,
    generate_key,
    load_key,
)
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.lifetime import RenewBefore, utc_now
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.names import Subject

NOW = utc_now()
YEAR = timedelta(days=365)
THIRD = RenewBefore.parse("1/3")


__all__ = ("Subject", "load_key", "utc_now")

key_usage = ca_values.key_usage

_KEYS: dict[tuple[str, str], PrivateKey] = {}


def key(name: str = "ca", curve: str = "P-256") -> PrivateKey:
    """A P-256 key; the same one for the same name, because tests need no fresh ones."""
    if (name, curve) not in _KEYS:
        _KEYS[name, curve] = generate_key(KeySpec.of(kind="ECDSA", curve=curve))
    return _KEYS[name, curve]


def make_ca(
    name: str = "ca", *, common_name: str = "front-proxy-ca", start: datetime = NOW, validity: timedelta = 10 * YEAR
) -> Certificate:
    """A CA that was made at `start` with the key of this name."""
    return ca_values.self_sign(key=key(name), subject=Subject.of(common_name=common_name), validity=validity, now=start)


def wish(common_name: str = "front-proxy-client", **changes: t.Any) -> client_values.ClientWish:
    """What a client should be like, with a quick key."""
    values: dict[str, t.Any] = {
        "subject": Subject.of(common_name=common_name),
        "renew_before": THIRD,
        "key": KeySpec.of(kind="ECDSA"),
    }
    values.update(changes)
    return client_values.ClientWish.of(**values)


def make_client(
    ca: Certificate | None = None, signer: str = "ca", *, start: datetime = NOW, **changes: t.Any
) -> Certificate:
    """A client's certificate that was made at `start`, with the key called 'client'."""
    issued, dummy = client_values.sign_client(
        wish=wish(**changes),
        ca=ca or make_ca(signer),
        ca_key=key(signer),
        public_key=key("client").public_key(),
        now=start,
    )
    return issued


def sign_raw(
    *,
    subject: t.Sequence[tuple[t.Any, str]],
    issuer: Certificate | None = None,
    signer: str = "ca",
    public: str = "client",
    extensions: t.Sequence[tuple[t.Any, bool]] = (),
    start: datetime = NOW,
    algorithm: t.Any = None,
) -> Certificate:
    """A certificate with any content, for what our own code would never sign."""
    with quiet():
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
        issuer_name = name if issuer is None else x509.load_der_x509_certificate(issuer.der).subject
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer_name)
            .public_key(key(public).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start - timedelta(hours=1))
            .not_valid_after(start + YEAR)
        )
        for value, critical in extensions:
            builder = builder.add_extension(value, critical=critical)
        signed = (
            key(signer).sign_certificate(builder) if algorithm is None else builder.sign(key(signer)._key, algorithm)
        )
        return from_der(signed.public_bytes(serialization.Encoding.DER))


def put(folder: Path, name: str, content: bytes | str, mode: int = 0o600) -> Path:
    """Writes a file."""
    path = folder / name
    path.write_bytes(content.encode("ascii") if isinstance(content, str) else content)
    path.chmod(mode)
    return path


def traditional_key(name: str = "ca") -> bytes:
    """The same key as key(name), in the older form that kubeadm and cfssl write."""
    pem: bytes = key(name)._key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return pem


def need(program: str) -> str:
    """The path of a program; a test that needs it fails without it."""
    path = shutil.which(program)
    if path is None:
        pytest.fail(f"The program {program} is not installed; Debian has cfssl in golang-cfssl and openssl in openssl.")
    return path


def openssl(*arguments: str, stdin: bytes = b"") -> str:
    """Runs openssl and returns what it says; fails the test if openssl fails."""
    done = subprocess.run(
        [need("openssl"), *arguments], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    text = done.stdout.decode("utf-8", "replace")
    assert done.returncode == 0, text
    return text


def openssl_accepts(ca_path: Path, certificate_path: Path) -> bool:
    """Whether `openssl verify` takes the certificate for a TLS client's."""
    done = subprocess.run(
        [
            need("openssl"),
            "verify",
            "-purpose",
            "sslclient",
            "-x509_strict",
            "-CAfile",
            str(ca_path),
            str(certificate_path),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode == 0


def serial_zero_ca(folder: Path) -> tuple[Path, Path]:
    """(certificate, key) of a CA as kubeadm 1.20 makes it: serial number 0, RSA 2048, made by openssl."""
    certificate, private = folder / "zero.crt", folder / "zero.key"
    openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=front-proxy-ca",
        "-set_serial", "0", "-days", "3650",
        "-addext", "basicConstraints=critical,CA:TRUE",
        "-addext", "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign",
        "-keyout", str(private), "-out", str(certificate),
    )  # fmt: skip
    private.chmod(0o600)
    return certificate, private


class ModuleRunner:
    """Runs a module's main() as Ansible does, in this process; works with every ansible-core from 2.18 on."""

    def __init__(
        self, main: t.Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._main, self._monkeypatch, self._capsys = main, monkeypatch, capsys
        self.warnings: list[str] = []
        self.output = ""
        monkeypatch.setattr(basic.AnsibleModule, "warn", self._on_warning)

    def _on_warning(self, warning: str) -> None:
        self.warnings.append(warning)

    def __call__(self, *, check: bool = False, diff: bool = True, **options: t.Any) -> dict[str, t.Any]:
        given = {name: value for name, value in options.items() if value is not None}
        arguments = {**given, "_ansible_check_mode": check, "_ansible_diff": diff, "_ansible_remote_tmp": "/tmp"}
        self.warnings.clear()
        for name in ("_global_warnings", "_global_deprecations"):
            getattr(ansible_warnings, name, {}).clear()
        self._monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        # From 2.19 on, a module has to know how its arguments are serialised.
        self._monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        self._capsys.readouterr()
        with pytest.raises(SystemExit):
            self._main()
        captured = self._capsys.readouterr()
        assert captured.err == ""
        result: dict[str, t.Any] = json.loads(captured.out)
        # so a module tells Ansible from 2.22 on what to mask; that takes it out of the result
        result.pop("_ansible_new_secrets", None)
        self.output = json.dumps(result)
        return result

    def refused(self, **options: t.Any) -> str:
        """The sentence with which the module fails."""
        result = self(**options)
        assert result.get("failed"), result
        message = str(result["msg"])
        assert "Traceback" not in message and "\n" not in message
        assert message.endswith("."), message
        return message


def fill_disk(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Let the disk be full just when a file with one of these names is written; with none, when any is."""
    original = files._write_temporary

    def full(path: str, *more: t.Any) -> str:
        if not names or path.endswith(names):
            raise OSError(errno.ENOSPC, "full")
        return original(path, *more)

    monkeypatch.setattr(files, "_write_temporary", full)


def checksums(folder: Path) -> dict[str, str]:
    """Everything that lies in a folder: names, modes and contents."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        facts = path.lstat()
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        found[str(path.relative_to(folder))] = (
            f"{facts.st_mode:o} {facts.st_mtime_ns if path.is_file() else ''} {content}"
        )
    return found


def secrets_of(*paths: Path) -> list[str]:
    """Every line of key material in some files, to look for elsewhere."""
    lines: list[str] = []
    for path in paths:
        lines += [line for line in path.read_text("ascii").splitlines() if line and not line.startswith("-----")]
    assert lines
    return lines


def as_utc(text: str) -> datetime:
    """A time as the modules return it."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc)


def is_root() -> bool:
    """Root may read everything, so some refusals cannot be seen as root."""
    return os.geteuid() == 0


def sign_with_openssl(ca: Path, ca_key: Path, folder: Path, *more: str) -> Certificate:
    """A client's certificate that openssl signs."""
    request, signed, extensions = folder / "r.csr", folder / "r.crt", folder / "r.ext"
    private = put(folder, "r.key", key("client").to_pem())
    extensions.write_text("extendedKeyUsage=clientAuth\n")
    openssl("req", "-new", "-key", str(private), "-subj", "/CN=front-proxy-client", "-out", str(request))
    openssl(
        "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-set_serial", "7", "-days", "300",
        "-extfile", str(extensions), "-out", str(signed), *more,
    )  # fmt: skip
    return read_certificates(signed.read_text(), where=str(signed))[0]


def cfssl_ca(folder: Path) -> tuple[str, str]:
    """(certificate, key) of a CA that cfssl makes, as PEM."""
    request = {
        "CN": "front-proxy-ca",
        "key": {"algo": "ecdsa", "size": 384},
        "names": [{"C": "DE", "ST": "Bayern", "L": "Fürth", "O": "Example", "OU": "Kubernetes"}],
        "ca": {"expiry": "87600h"},
    }
    (folder / "ca.json").write_text(json.dumps(request))
    answer = _cfssl("gencert", "-initca", str(folder / "ca.json"))
    return answer["cert"], answer["key"]


def cfssl_client(folder: Path, ca: Path, ca_key: Path) -> tuple[str, str]:
    """(certificate, key) of a proxy client that cfssl makes and signs, as PEM."""
    profile = {"expiry": "8760h", "usages": ["signing", "key encipherment", "client auth"]}
    (folder / "config.json").write_text(json.dumps({"signing": {"default": profile}}))
    (folder / "c.json").write_text(json.dumps({"CN": "front-proxy-client", "key": {"algo": "rsa", "size": 2048}}))
    answer = _cfssl(
        "gencert",
        "-ca",
        str(ca),
        "-ca-key",
        str(ca_key),
        "-config",
        str(folder / "config.json"),
        str(folder / "c.json"),
    )
    return answer["cert"], answer["key"]


def _cfssl(*arguments: str) -> dict[str, str]:
    done = subprocess.run([need("cfssl"), *arguments], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    answer: dict[str, str] = json.loads(done.stdout)
    return answer


def compare_documentation(module: t.Any, documentation: dict[str, t.Any]) -> None:
    """The module's options are those of its documentation and of the fragment for files; secrets are marked as such."""
    documented = {**yaml.safe_load(_pki_files.ModuleDocFragment.DOCUMENTATION)["options"], **documentation["options"]}
    specification = module.ARGUMENT_SPEC
    assert set(documented) == set(specification)
    for name, option in specification.items():
        for part in ("type", "default", "choices", "elements", "required"):
            assert option.get(part) == documented[name].get(part), name
        assert set(option.get("options", {})) == set(documented[name].get("suboptions", {}))
        if "key" in name or "pass" in name:
            # the name of a variable is no secret
            assert option["no_log"] is ("passphrase" in name and not name.endswith("_var"))
    yaml.safe_load(module.RETURN)
    assert yaml.safe_load(module.EXAMPLES)
