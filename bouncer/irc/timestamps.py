"""The one form of time on IRC, `2011-10-19T16:40:51.620Z`, and milliseconds since 1970.

Source: IRCv3 server-time.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?Z\Z", re.ASCII | re.IGNORECASE
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def parse_time(text: str) -> int | None:
    """Milliseconds, None for what is not a time. A leap second counts as the one before it."""
    form = _FORM.match(text)
    if form is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in form.groups()[:6])
    try:
        time = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC)
    except ValueError:
        return None
    milliseconds = int(((form[7] or "") + "000")[:3])
    return (time - _EPOCH) // _MILLISECOND + milliseconds if second <= 60 else None


def format_time(time_ms: int) -> str:
    """Raises OverflowError outside of the years 1 to 9999."""
    time = _EPOCH + timedelta(milliseconds=time_ms)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03}Z".rjust(24, "0")
