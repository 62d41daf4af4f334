# Copyright: (c) 2026, the kubeops.aggregation_layer authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long certificates live, and when they are due for renewal."""

from __future__ import annotations

import re
import typing as t
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from fractions import Fraction

from .errors import PkiError

# How far NotBefore is set back, so that a master whose clock is behind accepts a new certificate at once: Kubernetes
# compares strictly (kubeadm sets back 5 minutes since 1.27). A clock that is further behind than this cannot be served.
BACKDATE = timedelta(hours=1)

DEFAULT_CA_VALIDITY = "10y"
DEFAULT_CLIENT_VALIDITY = "365d"
DEFAULT_RENEW_BEFORE = "1/3"

_SECONDS = {"y": 365 * 86400, "w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SHARE_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%")
_SHARE_FRACTION = re.compile(r"(\d+)\s*/\s*(\d+)")
_LONGEST_TEXT = 40


def parse_duration(text: str, *, what: str = "the duration") -> timedelta:
    """
    '365d', '10y', '876000h' or '8760h0m0s' as a duration.

    y = 365 days, w, d, h, m = minutes, s; whole numbers; several units from the largest to the smallest.
    PkiError if it is not written so, not above zero, or longer than can be counted.
    """
    cleaned = str(text).strip()
    match = _DURATION.fullmatch(cleaned) if cleaned.isascii() and len(cleaned) <= _LONGEST_TEXT else None
    if not cleaned or match is None:
        raise PkiError(
            f"{_capital(what)} {_shown(text)} is not a duration: write a whole number and a unit, such as 365d, 10y (a "
            "year is 365 days) or 876000h."
        )
    seconds = sum(int(number) * unit for number, unit in zip(match.groups(), _SECONDS.values()) if number)
    if seconds == 0:
        raise PkiError(f"{_capital(what)} {_shown(text)} must be above zero.")
    try:
        return timedelta(seconds=seconds)
    except OverflowError:
        raise PkiError(f"{_capital(what)} {_shown(text)} is longer than a certificate can express.") from None


def end_of_life(start: datetime, validity: timedelta) -> datetime:
    """`start` plus `validity`; PkiError beyond the year 9999, the last that a certificate can hold (RFC 5280)."""
    try:
        return start + validity
    except OverflowError:
        raise PkiError(
            f"A validity of {readable_duration(validity)} reaches beyond the year 9999, the last that a certificate "
            "can hold; ask for a shorter one."
        ) from None


@dataclass(frozen=True)
class RenewBefore:
    """How long before its end a certificate is renewed: a duration, or a share of its whole life."""

    text: str
    duration: timedelta | None = None
    share: Fraction | None = None

    @classmethod
    def parse(cls, text: str, *, what: str = "renew_before") -> RenewBefore:
        """From '90d', '33%' or '1/3'; PkiError if it is none of these, zero, or the whole life or more."""
        cleaned = str(text).strip()
        share: Fraction | None = None
        percent = _SHARE_PERCENT.fullmatch(cleaned) if cleaned.isascii() and len(cleaned) <= _LONGEST_TEXT else None
        fraction = _SHARE_FRACTION.fullmatch(cleaned) if cleaned.isascii() and len(cleaned) <= _LONGEST_TEXT else None
        if percent is not None:
            share = Fraction(percent.group(1)) / 100
        elif fraction is not None:
            # A share of x/0 is as wrong as one above the whole.
            share = Fraction(int(fraction.group(1)), int(fraction.group(2))) if int(fraction.group(2)) else Fraction(2)
        if share is not None:
            if not 0 < share < 1:
                raise PkiError(
                    f"{_capital(what)} {_shown(text)} must be more than nothing and less than the whole life."
                )
            return cls(text=cleaned, share=share)
        try:
            return cls(text=cleaned, duration=parse_duration(cleaned, what=what))
        except PkiError as exc:
            if "is not a duration" not in str(exc):
                raise
            raise PkiError(
                f"{_capital(what)} {_shown(text)} is neither a duration such as 90d nor a share of the life such as "
                "33% or 1/3."
            ) from None

    def deadline(self, *, not_before: datetime, not_after: datetime) -> datetime:
        """From when on a certificate with these dates is due for renewal."""
        if self.share is not None:
            life = not_after - not_before
            return not_after - timedelta(seconds=int(life.total_seconds() * self.share))
        try:
            return not_after - t.cast(timedelta, self.duration)
        except OverflowError:
            return datetime.min.replace(tzinfo=timezone.utc)

    def check_fits(self, validity: timedelta) -> None:
        """PkiError if a certificate of this validity would be due for renewal the moment it is made."""
        if self.duration is not None and self.duration >= validity:
            raise PkiError(
                f"renew_before ({self.text}) is not shorter than the validity ({readable_duration(validity)}), so "
                "every run would renew the certificate; ask for a longer validity or a shorter renew_before."
            )


def utc_now() -> datetime:
    """The present second as an aware UTC time; certificates know no smaller unit."""
    return datetime.now(tz=timezone.utc).replace(microsecond=0)


def iso(moment: datetime) -> str:
    """An aware time as in 2026-01-31T12:00:00Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")


def readable_duration(duration: timedelta) -> str:
    """A duration in whole days, or in hours and minutes when it is shorter than two days."""
    seconds = int(duration.total_seconds())
    if abs(seconds) >= 2 * 86400:
        return f"{seconds // 86400} days"
    if abs(seconds) >= 2 * 3600:
        return f"{seconds // 3600} hours"
    return f"{seconds // 60} minutes"


def _shown(text: object) -> str:
    shown = str(text)
    return repr(shown if len(shown) <= _LONGEST_TEXT else shown[:_LONGEST_TEXT] + "…")


def _capital(text: str) -> str:
    """The name of an option begins a sentence as it is; words such as 'the duration' get a capital."""
    return text[:1].upper() + text[1:] if " " in text else text


__all__ = (
    "BACKDATE",
    "DEFAULT_CA_VALIDITY",
    "DEFAULT_CLIENT_VALIDITY",
    "DEFAULT_RENEW_BEFORE",
    "RenewBefore",
    "end_of_life",
    "iso",
    "parse_duration",
    "readable_duration",
    "utc_now",
)
