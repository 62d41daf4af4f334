# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, shares and the moment of renewal."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki import lifetime
from ansible_collections.kubeops.aggregation_layer.plugins.module_utils._pki.errors import PkiError
from hypothesis import given
from hypothesis import strategies as st

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("365d", timedelta(days=365)),
        ("10y", timedelta(days=3650)),
        ("876000h", timedelta(days=36500)),
        ("90m", timedelta(minutes=90)),
        ("2w", timedelta(days=14)),
        ("8760h0m0s", timedelta(days=365)),
        (" 1y6d ", timedelta(days=371)),
    ],
)
def test_durations(text: str, wanted: timedelta) -> None:
    assert lifetime.parse_duration(text) == wanted


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "not a duration"),
        ("365", "not a duration"),
        ("d", "not a duration"),
        ("-1d", "not a duration"),
        ("1.5y", "not a duration"),
        ("1h1d", "not a duration"),
        ("1 d", "not a duration"),
        ("٣d", "not a duration"),
        ("9" * 60 + "d", "not a duration"),
        ("0d", "above zero"),
        ("0h0m0s", "above zero"),
        ("999999999999y", "longer than"),
    ],
)
def test_what_is_no_duration(text: str, word: str) -> None:
    with pytest.raises(PkiError, match=word) as caught:
        lifetime.parse_duration(text, what="validity")
    assert str(caught.value).startswith("validity ")


@given(st.integers(1, 9999), st.sampled_from("ywdhms"))
def test_a_number_and_a_unit(number: int, unit: str) -> None:
    seconds = {"y": 31536000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}[unit]
    assert lifetime.parse_duration(f"{number}{unit}") == timedelta(seconds=number * seconds)


@given(st.text(max_size=60))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    for parse in (lifetime.parse_duration, lifetime.RenewBefore.parse):
        try:
            parse(text)
        except PkiError as exc:
            assert str(exc).endswith(".")


def test_the_year_9999_is_the_last() -> None:
    assert lifetime.end_of_life(START, timedelta(days=7900 * 365)).year > 9800
    with pytest.raises(PkiError, match="year 9999"):
        lifetime.end_of_life(START, timedelta(days=8000 * 365))


@pytest.mark.parametrize(
    ("text", "days_before_the_end"), [("1/3", 100), ("33.333333%", 99.999999), ("50%", 150), ("90d", 90), ("24h", 1)]
)
def test_deadlines(text: str, days_before_the_end: float) -> None:
    end = START + timedelta(days=300)
    deadline = lifetime.RenewBefore.parse(text).deadline(not_before=START, not_after=end)
    assert abs((end - deadline) - timedelta(days=days_before_the_end)) < timedelta(seconds=2)


@pytest.mark.parametrize("text", ["0%", "100%", "1/1", "3/2", "0/3", "1/0", "0d"])
def test_shares_that_are_no_share(text: str) -> None:
    with pytest.raises(PkiError, match=r"whole life|above zero"):
        lifetime.RenewBefore.parse(text)


def test_neither_share_nor_duration() -> None:
    with pytest.raises(PkiError, match=r"renew_before 'soon' is neither a duration such as 90d nor a share"):
        lifetime.RenewBefore.parse("soon")


@given(st.integers(1, 99), st.integers(2, 4000))
def test_a_share_lies_within_the_life(percent: int, days: int) -> None:
    end = START + timedelta(days=days)
    assert START < lifetime.RenewBefore.parse(f"{percent}%").deadline(not_before=START, not_after=end) < end


def test_a_deadline_before_all_time_is_the_first_moment() -> None:
    renew = lifetime.RenewBefore(text="x", duration=timedelta(days=900000))
    assert renew.deadline(not_before=START, not_after=START) < START


def test_a_renewal_must_be_shorter_than_the_life() -> None:
    renew = lifetime.RenewBefore.parse("90d")
    renew.check_fits(timedelta(days=91))
    lifetime.RenewBefore.parse("99%").check_fits(timedelta(hours=1))
    with pytest.raises(PkiError, match="every run would renew"):
        renew.check_fits(timedelta(days=90))


@pytest.mark.parametrize(
    ("duration", "wanted"),
    [(timedelta(days=3), "3 days"), (timedelta(hours=47), "47 hours"), (timedelta(minutes=90), "90 minutes")],
)
def test_durations_for_people(duration: timedelta, wanted: str) -> None:
    assert lifetime.readable_duration(duration) == wanted


def test_times_for_people() -> None:
    assert lifetime.iso(START) == "2026-01-01T00:00:00Z"
    assert lifetime.iso(START.astimezone(timezone(timedelta(hours=2)))) == "2026-01-01T00:00:00Z"
    assert lifetime.utc_now().tzinfo is timezone.utc
    assert lifetime.utc_now().microsecond == 0
