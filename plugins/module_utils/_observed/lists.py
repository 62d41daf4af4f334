# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""List flags, as kube-apiserver reads them."""

from __future__ import annotations

import csv
import io
import typing as t

__all__ = ["read_list", "write_list"]


def read_list(value: str | None) -> tuple[str, ...] | None:
    """Read a list flag as kube-apiserver does (pflag's StringSlice: one line of CSV); None if it is not set."""
    if value is None:
        return None
    if value == "":
        return ()
    try:
        return tuple(next(csv.reader([value], strict=True), ()))
    except csv.Error:
        return (value,)


def write_list(values: t.Sequence[str]) -> str:
    """Write a list flag so that read_list, and kube-apiserver, gives these values."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()
