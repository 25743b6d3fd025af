"""How long, as people write it: `90s`, `15m`, `30min`, `1h30m`, `2.5h`, `2d`. Pure."""

from __future__ import annotations

import re

_UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(min|[smhd])\s*")
_WHOLE = re.compile(f"(?:{_PART.pattern})+")


def seconds_of(text: str) -> float | None:
    """None for what is no duration; a number without its unit is none."""
    text = text.strip().casefold()
    if not _WHOLE.fullmatch(text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
