# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a table as reStructuredText, which Markdown readers can read as well."""

from __future__ import annotations

import typing as t

__all__ = ["table"]


def table(head: t.Sequence[str], rows: t.Iterable[t.Sequence[object]]) -> str:
    """Give a simple table of reStructuredText, the columns as wide as they must be."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    first, *others = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    return "\n".join([rule, first, rule, *others, rule, ""])
