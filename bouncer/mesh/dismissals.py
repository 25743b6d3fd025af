"""Voters that were removed, and whether they have heard it. Pure but for the store.

One that was cut off when it was removed would take the bouncer's silence for an outage, and the
refusal of the others for their death: alone, it would announce. So the bouncer dials it until it
has its last roster, and the roster carries a signed word for each, by which the other voters answer
one that still speaks to them.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from bouncer.mesh.heartbeat import (
    Counter,
    DatagramFault,
    Kind,
    read_body,
    sign_statement,
    write_body,
)
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import MAX_DISMISSED, Dismissal, Dismissed, Voter
from storage import directory

KEPT = "voters_dismissed"
DIAL_FOR_S = 30 * 24 * 3600.0  # then its address may be somebody else's


@dataclass(frozen=True, slots=True)
class Gone:
    """A voter as it was paired, the first version without it, and whether it was told."""

    voter: Voter
    version: Counter
    since_ms: Counter
    told: bool = False


@dataclass(frozen=True, slots=True)
class _Kept:
    voters: tuple[Voter, ...] = ()  # of the last roster
    gone: tuple[Gone, ...] = ()


def follow(
    connection: Connection, voters: Iterable[Voter], version: int, wall_ms: int
) -> tuple[Gone, ...]:
    """Who is gone, now that these are the voters of this version; full: the oldest is forgotten."""
    kept, present = _read(connection), tuple(voters)
    keys = {voter.key for voter in present}
    gone = [each for each in kept.gone if each.voter.key not in keys]
    left = [voter for voter in kept.voters if voter.key not in keys]
    gone += [Gone(voter, version, wall_ms) for voter in left]
    _write(connection, kept, _Kept(present, tuple(gone[-MAX_DISMISSED:])))
    return tuple(gone[-MAX_DISMISSED:])


def told(connection: Connection, key: str) -> None:
    """It has its last roster."""
    kept = _read(connection)
    gone = (replace(each, told=each.told or each.voter.key == key) for each in kept.gone)
    _write(connection, kept, replace(kept, gone=tuple(gone)))


def to_dial(gone: Iterable[Gone], wall_ms: int) -> dict[str, Voter]:
    """Those that have not heard it yet, by a name that no voter can have."""
    return {
        f"@{each.voter.public.key_id.hex()}": each.voter
        for each in gone
        if not each.told and wall_ms - each.since_ms < DIAL_FOR_S * 1000
    }


def sign(key: MeshKey, gone: Iterable[Gone]) -> tuple[Dismissed, ...]:
    """What the roster says of them."""
    return tuple(
        Dismissed(
            each.voter.key,
            base64.b64encode(
                sign_statement(key, Kind.DISMISSED, Dismissal(each.voter.key, each.version))
            ).decode(),
        )
        for each in gone
    )


def _read(connection: Connection) -> _Kept:
    text = directory.get_meta(connection, KEPT)
    try:
        return read_body(_Kept, text.encode()) if text else _Kept()
    except DatagramFault:
        return _Kept()


def _write(connection: Connection, before: _Kept, after: _Kept) -> None:
    if after != before:
        directory.put_meta(connection, KEPT, write_body(after).decode())
