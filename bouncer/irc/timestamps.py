"""The one form of time on IRC, `2011-10-19T16:40:51.620Z`, and milliseconds since 1970.

Every line has one, so what recurs is remembered: chat comes in order, and its second or minute is
nearly always the last one. Source: IRCv3 server-time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_MINUTE_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", re.ASCII | re.IGNORECASE)
_SECOND_FORM = re.compile(r"(\d\d)(?:\.(\d{1,9}))?Z", re.ASCII | re.IGNORECASE)
_TO_MINUTE = len("2011-10-19T16:40:")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)
# Looked up in a third of the time that it takes to format them.
_SECONDS = tuple(f"{second:02d}." for second in range(60))
_MILLISECONDS = tuple(f"{ms:03d}Z" for ms in range(1000))


def parse_time(text: str) -> int | None:
    """Milliseconds, None for what is not a time. A leap second counts as the one before it."""
    if len(text) == 24 and text[23] == "Z" and text[20:23].isdecimal():  # nearly all
        at_ms = second_ms(text[:20])
        if at_ms is not None:
            return at_ms + int(text[20:23])
    try:
        minute_ms = _minute_ms(text[:_TO_MINUTE])
    except ValueError:
        return None
    second = _SECOND_FORM.fullmatch(text, _TO_MINUTE)
    if second is None or int(second[1]) > 60:
        return None
    return minute_ms + min(int(second[1]), 59) * 1000 + int(f"{second[2] or ''}000"[:3])


@lru_cache(maxsize=64)
def second_ms(text: str) -> int | None:
    """Of `2011-10-19T16:40:51.`, None for all else."""
    return parse_time(f"{text[:19]}Z") if text[19] == "." else None


@lru_cache(maxsize=64)
def _minute_ms(text: str) -> int:
    """Raises ValueError where it is none, or where there is none: the 31st of February, say."""
    if _MINUTE_FORM.fullmatch(text) is None:
        raise ValueError(text)
    return (datetime.fromisoformat(f"{text.upper()}00+00:00") - _EPOCH) // _MINUTE * 60_000


def format_time(time_ms: int) -> str:
    """Raises OverflowError outside of the years 1 to 9999."""
    minutes, ms = divmod(time_ms, 60_000)
    return _minute_text(minutes) + _SECONDS[ms // 1000] + _MILLISECONDS[ms % 1000]


@lru_cache(maxsize=1024)  # a page of history may reach over hours
def _minute_text(minutes: int) -> str:
    return (_EPOCH + minutes * _MINUTE).isoformat()[:_TO_MINUTE]
