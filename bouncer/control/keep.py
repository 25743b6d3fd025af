"""How long and how much of the history is kept: the options that users, networks and channels
share, how their words are read, and how a limit is told."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bouncer.control.grammar import Option
from storage.records import Channel, Network, User

_AGE = re.compile(r"(\d{1,5})([dwy])")
_AGE_S = {"d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
_SIZE = re.compile(r"(\d{1,6})([kmgt])(i?b)?")
_SIZE_BYTES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def age(text: str) -> int:
    """`90d`, `12w` or `2y` in seconds."""
    form = _AGE.fullmatch(text.casefold())
    if form is None or not int(form[1]):
        raise ValueError(f'"{text}" is no age; write days, weeks or years, as 90d, 12w or 2y')
    return int(form[1]) * _AGE_S[form[2]]


def size(text: str) -> int:
    """`500M`, `2G` or `2GiB` in bytes."""
    form = _SIZE.fullmatch(text.casefold())
    if form is None or not int(form[1]):
        raise ValueError(f'"{text}" is no size; write KiB, MiB or GiB, as 800K, 500M or 2G')
    return int(form[1]) * _SIZE_BYTES[form[2]]


def age_or_default(text: str) -> int | None:
    return None if text.casefold() == "default" else age(text)


def size_or_default(text: str) -> int | None:
    return None if text.casefold() == "default" else size(text)


OPTIONS = (
    Option(
        "--keep-age",
        ("AGE|default",),
        "let messages go when they are older: 90d, 12w, 2y; the nearest setting counts",
        age_or_default,
        "keep_age_s",
    ),
    Option(
        "--keep-size",
        ("SIZE|default",),
        "let the oldest go when all take more: 500M, 2G",
        size_or_default,
        "keep_bytes",
    ),
)


def limits(record: User | Network | Channel) -> Iterator[str]:
    """What a list says of a record's own limits; nothing where it has none."""
    if record.keep_age_s is not None:
        yield f"kept {record.keep_age_s // 86_400:,} days"
    if record.keep_bytes is not None:
        yield f"kept up to {told(record.keep_bytes)}"


def told(octets: float) -> str:
    """A size for people."""
    for unit in ("bytes", "KiB", "MiB"):
        if octets < 1024:
            return f"{octets:.0f} {unit}"
        octets /= 1024
    return f"{octets:.1f} GiB"
