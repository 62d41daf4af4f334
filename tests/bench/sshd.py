# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An ssh server of the bench's own, on a loopback address, with keys that are thrown away."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import typing as t
from pathlib import Path

from cost import BenchError
from runs import hang_up

__all__ = ["Server", "private_sshd"]

_SECONDS = 10
_SETTINGS = """\
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/user_key.pub
AuthenticationMethods publickey
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
PidFile none
PrintMotd no
LogLevel ERROR
MaxStartups 1000
Subsystem sftp internal-sftp
# nothing of the user's own home is read or written: a slow .bashrc would be measured, too
SetEnv HOME={folder}/home
"""


class Server:
    """A server that runs. folder: its keys, and the home of whoever logs in."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.sockets = folder / "cp"

    def variables(self) -> dict[str, t.Any]:
        """Give what an inventory says so that any name leads here, each by a connection of its own."""
        options = {
            "HostKeyAlias": "bench",
            "HostName": "127.0.0.1",
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.folder / "known_hosts",
        }
        return {
            "ansible_port": self.port,
            "ansible_ssh_common_args": " ".join(
                ["-F none", *(f"-o {name}={value}" for name, value in options.items())]
            ),
            "ansible_ssh_private_key_file": str(self.folder / "user_key"),
        }


def _program() -> str:
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if path is None:
        raise BenchError("There is no sshd on this machine: install openssh-server (it need not be started).")
    return path  # sshd starts itself again, and wants to be called by its whole path for that


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_keys(folder: Path) -> None:
    for name in ("host_key", "user_key"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "bench", "-f", str(folder / name)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    public = (folder / "host_key.pub").read_text(encoding="ascii")
    (folder / "known_hosts").write_text(f"bench {public}", encoding="ascii")


@contextlib.contextmanager
def _separation_folder() -> t.Iterator[None]:
    """Make the folder that Debian's sshd wants as root, and that only the start of the machine's service makes."""
    folder = Path("/run/sshd")
    if os.geteuid() != 0 or folder.exists():
        yield
        return
    folder.mkdir(mode=0o755)
    try:
        yield
    finally:
        folder.rmdir()


def _wait(process: subprocess.Popen[bytes], server: Server, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=1):
            return
        time.sleep(0.05)
    raise BenchError(f"sshd did not start: {log.read_text(encoding='utf-8', errors='replace').strip()}")


@contextlib.contextmanager
def private_sshd(folder: Path) -> t.Iterator[Server]:
    """Run an sshd for the user of this process, with all its files in this folder, which is made."""
    program = _program()
    server = Server(folder, _free_port())
    for each in (folder, folder / "home", server.sockets):
        each.mkdir(mode=0o700)
    _make_keys(folder)
    settings, log = folder / "sshd_config", folder / "sshd.log"
    settings.write_text(_SETTINGS.format(folder=folder, port=server.port), encoding="utf-8")
    # should the bench be killed, the server ends with it
    words = ["setpriv", "--pdeathsig", "TERM", program, "-D", "-e", "-f", str(settings)]
    with _separation_folder(), open(log, "wb") as stream:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        try:
            _wait(process, server, log)
            yield server
        finally:
            hang_up(server.sockets)
            process.terminate()
            process.wait()
