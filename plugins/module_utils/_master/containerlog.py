# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The last words of a kube-apiserver, from the log files that the kubelet keeps."""

from __future__ import annotations

import glob
import json
import os

from .places import Places

__all__ = ["has_words", "last_words", "last_write", "list_logs"]

_LINES = 8
_LENGTH = 400
_TAIL = 64 * 1024


def list_logs(places: Places, pod: str, container: str) -> list[str]:
    """List the logs of a container of a static pod, the newest last: a file for every start of it.

    pod: ``NAMESPACE_NAME`` as in the kubelet's folder names (``kube-system_kube-apiserver``).
    Source: BuildContainerLogsDirectory of pkg/kubelet/kuberuntime: /var/log/pods/NS_NAME-NODE_UID/CONTAINER/N.log,
    where N counts the starts of one pod.
    """
    pattern = os.path.join(glob.escape(places.real("/var/log/pods/" + pod)) + "-*_*", glob.escape(container), "*.log")
    found = []
    for path in glob.glob(pattern):
        try:
            found.append((os.stat(path).st_mtime, path))
        except OSError:
            continue
    return [path for dummy, path in sorted(found)]


def _message(line: str) -> str:
    """Take the text out of a line of a container log: the CRI's form, or Docker's JSON."""
    if line.startswith("{"):
        try:
            return str(json.loads(line).get("log", line)).rstrip()
        except (ValueError, AttributeError, RecursionError):
            return line
    words = line.split(" ", 3)
    return words[3] if len(words) == 4 and words[1] in ("stdout", "stderr") else line


def last_write(log: str) -> float:
    """Give the time of day at which a log was written last; 0 where it is gone, as the kubelet removes old ones."""
    try:
        return os.stat(log).st_mtime
    except OSError:
        return 0.0


def has_words(log: str) -> bool:
    """Tell whether something was written to a log. It is there before the program that writes to it is."""
    try:
        return os.stat(log).st_size > 0
    except OSError:
        return False


def last_words(log: str) -> list[str]:
    """Give the last lines of a log file, without the runtime's own columns; empty if it cannot be read."""
    try:
        with open(log, "rb") as stream:
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _TAIL))
            data = stream.read()
    except OSError:
        return []
    lines = [_message(line)[:_LENGTH] for line in data.decode("utf-8", "replace").splitlines()]
    return [line for line in lines if line.strip()][-_LINES:]
