"""Durations: one way to write them, whoever reads them."""

from __future__ import annotations

import pytest

from bouncer.control import outage, readers
from bouncer.durations import seconds_of
from fallback.config import read_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("30min", 1800),
        ("2H", 7200),
        ("2.5h", 9000),
        ("1h30m", 5400),
        (" 1 h 30 min ", 5400),
        ("2d", 172_800),
        ("0s", 0),
    ],
)
def test_what_people_write_is_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "90", "h", "1x", "-1h", "1h-", "1.h", "٣s", "1234567890s"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert seconds_of(text) is None


@pytest.mark.parametrize("text", ["1h30m", "90min"])
def test_every_command_and_file_reads_the_same(text: str) -> None:
    assert outage.read_seconds(text) == readers.duration(text) == 5400
    assert read_duration("suspect", text) == 5400
