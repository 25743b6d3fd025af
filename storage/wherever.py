"""Where a message stands that is to be deleted: what it was said in may be called otherwise now."""

from __future__ import annotations

from sqlalchemy import Connection, select

from storage import coverage, index, merging, schema
from storage.message import Position, id_of
from storage.messages import MSGID_CANDIDATES, buffer_number, buffer_targets, find_msgid
from storage.tokens import msgid_token, network_token
from storage.words import Wanted

_m = schema.messages.c
_ANY_WORDS = Wanted()


def find_wherever(
    connection: Connection, network_id: int, target: str, msgid: str
) -> Position | None:
    """In this conversation, or in what is about to become a part of one; anywhere on the network
    where the target has nothing (any more)."""
    if buffer_number(connection, network_id, target) is None:
        return _find_in_network(connection, network_id, msgid)
    names = [target]
    if merging.is_going_on(connection):
        names += filter(merging.is_aside, buffer_targets(connection, network_id))
    places = (find_msgid(connection, network_id, name, msgid) for name in names)
    return next(filter(None, places), None)


def _find_in_network(connection: Connection, network_id: int, msgid: str) -> Position | None:
    if not msgid:
        return None
    places = select(_m.time_ms, _m.id).where(_m.network_id == network_id)
    own = places.where(_m.id == id_of(msgid), _m.msgid == "")
    if found := connection.execute(own).first():
        return Position(*found)
    trailing = index.of(connection)
    covered = trailing.covered(connection)
    tokens = (msgid_token(msgid), network_token(network_id))
    ids = trailing.find(connection, tokens, _ANY_WORDS, covered, MSGID_CANDIDATES)
    stretches = (_m.id.between(*each) for each in coverage.uncovered(connection, covered))
    for condition in (_m.id.in_(ids), *stretches):
        query = places.where(_m.msgid == msgid, condition).order_by(_m.id.desc()).limit(1)
        if found := connection.execute(query).first():
            return Position(*found)
    return None
