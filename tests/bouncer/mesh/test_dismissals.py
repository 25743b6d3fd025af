"""Removed voters: known over restarts, told, bounded; how a stranger that was one is answered."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from bouncer.mesh.dismissals import DIAL_FOR_S
from bouncer.mesh.dismissals import told as tell
from bouncer.mesh.enrolment import publish
from bouncer.mesh.heartbeat import Kind, read_statement
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.peers import HELLO_GAP_S, Heard, Peers
from bouncer.mesh.roster import MAX_DISMISSED, Dismissal, Roster, read_roster, sign_roster
from storage import directory, schema
from storage.records import Agent

OWNER, FRA, HEL = (MeshKey(letter * 32) for letter in (b"o", b"f", b"h"))


@pytest.fixture
def connection() -> Iterator[sa.Connection]:
    engine = sa.create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def pair(connection: sa.Connection, key: MeshKey = FRA, name: str = "fra") -> None:
    directory.add_agent(connection, Agent(name, "192.0.2.1:6690", str(key.public)))


def words(roster: Roster) -> list[Dismissal]:
    return [
        read_statement(Dismissal, Kind.DISMISSED, OWNER.public, each.signed)
        for each in roster.dismissed
    ]


def test_a_removed_voter_is_named_by_its_key_until_it_is_paired_again(
    connection: sa.Connection,
) -> None:
    pair(connection)
    assert publish(connection, OWNER, 0)[0].dismissed == ()
    directory.remove_agent(connection, "fra")
    for _ in range(2):
        roster, to_dial = publish(connection, OWNER, 0)
        assert words(roster) == [Dismissal(str(FRA.public), 2)]
        assert [voter.name for voter in to_dial.values()] == ["fra"]
        assert read_roster(sign_roster(OWNER, roster), OWNER.public) == roster
    pair(connection)
    again = publish(connection, OWNER, 0)
    assert again[0].dismissed == ()
    assert again[1] == {}


def test_it_is_dialled_until_it_was_told_or_a_month_is_over(connection: sa.Connection) -> None:
    for key, name in ((FRA, "fra"), (HEL, "hel")):
        pair(connection, key, name)
    publish(connection, OWNER, 0)
    for name in ("fra", "hel"):
        directory.remove_agent(connection, name)
    assert len(publish(connection, OWNER, 0)[1]) == 2
    tell(connection, str(FRA.public))
    roster, to_dial = publish(connection, OWNER, 0)
    assert [voter.name for voter in to_dial.values()] == ["hel"]
    assert len(roster.dismissed) == 2, "the others answer it all the same"
    assert publish(connection, OWNER, round(DIAL_FOR_S * 1000))[1] == {}


def test_there_are_only_so_many(connection: sa.Connection) -> None:
    for number in range(MAX_DISMISSED + 2):
        pair(connection, MeshKey(bytes([number]) * 32))
        publish(connection, OWNER, 0)
        directory.remove_agent(connection, "fra")
        publish(connection, OWNER, 0)
    said = words(publish(connection, OWNER, 0)[0])
    assert len(said) == MAX_DISMISSED
    assert said[-1].key == str(MeshKey(bytes([MAX_DISMISSED + 1]) * 32).public)


def test_whatever_a_removed_voter_says_is_answered_by_that_alone() -> None:
    """FALLBACK: "the removed key is refused everywhere", "nothing is answered with more bytes than
    it brought" is the port's to see."""
    hel, fra = Peers(HEL, lambda: b"hel nonc"), Peers(FRA, lambda: b"fra nonc")
    fra.replace({"hel": HEL.public})
    hel.replace({}, {FRA.public: b"the word"})
    assert hel.names == []
    greeting = fra.seal("hel", Kind.HELLO, b"settings")
    heard = hel.receive(greeting, 10.0)
    assert (heard.peer, heard.body, heard.fresh) == ("", b"", False)
    answered = fra.receive(heard.reply, 10.0)
    assert (answered.kind, answered.body, answered.fresh) == (Kind.DISMISSED, b"the word", True)
    vote = fra.seal("hel", Kind.VOTE, b"fresh by its echo")
    assert hel.receive(vote, 10.0 + HELLO_GAP_S / 2) == Heard("", Kind.VOTE, b"", False)
    assert hel.receive(vote, 10.0 + 2 * HELLO_GAP_S).reply
    hel.replace({"fra": FRA.public}, {FRA.public: b"an older word"})
    assert hel.receive(fra.seal("hel", Kind.VOTE), 20.0).fresh
