"""What a voter answers to another's questions, within the room that the question left. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Literal

from bouncer.mesh.heartbeat import Kind, write_body
from fallback import incident
from fallback.mesh.gossip import MAX_OVER, Forwarded, OverSaid, Probed

FORWARD_S = 120.0  # an older heartbeat proves nothing to anybody

Answer = tuple[Kind, bytes]


def evidence(
    number: int,
    room: int,
    *,
    heartbeat: tuple[bytes, float] | None,
    notices: Sequence[bytes],
    answered_s: float,
) -> Iterator[Answer]:
    """To ASK: what the primary has signed, and whether something of it answers.

    `heartbeat` with its age, `notices` by their weight, `answered_s` the age of the last class B.
    One that asks again gets what had no room before: heartbeat and notices take turns to be first.
    """
    signed = [_forward(number, "maintenance", statement, 0.0) for statement in notices]
    if heartbeat is not None and heartbeat[1] < FORWARD_S:
        beat = _forward(number, "heartbeat", *heartbeat)
        signed = [beat, *signed] if number % 2 else [*signed[:1], beat, *signed[1:]]
    if answered_s < FORWARD_S:
        signed.insert(0, (Kind.PROBED, write_body(Probed(number, max(0.0, answered_s)))))
    for kind, body in signed:
        if len(body) <= room:  # all answers together are no longer than the question
            room -= len(body)
            yield kind, body


def _forward(
    number: int, kind: Literal["maintenance", "heartbeat"], statement: bytes, age_s: float
) -> Answer:
    said = Forwarded(number, kind, base64.b64encode(statement).decode(), max(0.0, age_s))
    return Kind.FORWARD, write_body(said)


def closings(number: int, room: int, own: incident.IncidentState, now: float) -> bytes:
    """To FETCH: the latest closings, as many as there is room for."""
    latest = sorted(own.tombstones, key=lambda each: each.at)[-MAX_OVER:]
    closed = [(each.id, each.by_hand, round(max(0.0, now - each.at), 3)) for each in latest]
    while len(body := write_body(OverSaid(number, tuple(closed), own.stood_down))) > room:
        if not closed:
            break
        del closed[0]
    return body
