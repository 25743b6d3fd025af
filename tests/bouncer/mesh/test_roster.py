"""The roster: signed, versioned, never falling; witnesses get no people."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from bouncer.mesh.enrolment import publish
from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import (
    Credential,
    Member,
    Roster,
    RosterFault,
    Voter,
    fallback_toml,
    read_roster,
    sign_roster,
)
from fallback.config import parse
from storage import directory, schema
from storage.records import Agent, Staff

OWNER, OTHER = MeshKey(b"o" * 32), MeshKey(b"x" * 32)
FRA = Voter("fra", str(MeshKey(b"f" * 32).public), "192.0.2.1:6690")
HEL = Voter("hel", str(MeshKey(b"h" * 32).public), "192.0.2.2:6690", "witness")
ALICE = Member("alice", oncall=2, nicks={"libera": ("alice",)}, keys=(Credential("ssh", "k"),))
BOB = Member("Bob", oncall=1)
ROSTER = Roster(str(OWNER.public), 7, 1000, voters=(FRA, HEL), staff=(ALICE, BOB))


def test_what_was_signed_is_read_again() -> None:
    assert read_roster(sign_roster(OWNER, ROSTER), OWNER.public) == ROSTER


def test_another_s_signature_is_refused() -> None:
    with pytest.raises(RosterFault, match="pinned key"):
        read_roster(sign_roster(OTHER, ROSTER), OWNER.public)


def test_a_lower_version_is_refused_and_the_same_one_taken() -> None:
    document = sign_roster(OWNER, ROSTER)
    assert read_roster(document, OWNER.public, held_version=7).version == 7
    with pytest.raises(RosterFault, match="older"):
        read_roster(document, OWNER.public, held_version=8)


@given(st.binary(max_size=500))
def test_any_octets_are_refused(document: bytes) -> None:
    with pytest.raises(RosterFault):
        read_roster(document, OWNER.public)


@given(st.data())
def test_one_changed_octet_is_refused(data: st.DataObject) -> None:
    document = sign_roster(OWNER, ROSTER)
    place = data.draw(st.integers(0, len(document) - 1))
    forged = document[:place] + bytes([document[place] ^ 1]) + document[place + 1 :]
    with pytest.raises(RosterFault):
        read_roster(forged, OWNER.public)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (replace(ROSTER, voters=(FRA, replace(HEL, name="fra"))), "twice"),
        (replace(ROSTER, voters=(FRA, replace(FRA, name="again"))), "twice"),
        (replace(ROSTER, voters=(replace(FRA, key="muster1:!"),)), "cannot be read"),
        (replace(ROSTER, format=9), "update this agent"),
        (replace(ROSTER, org=str(OTHER.public)), "another bouncer"),
    ],
)
def test_what_the_owner_should_never_sign_is_refused(changed: Roster, said: str) -> None:
    with pytest.raises(RosterFault, match=said):
        read_roster(sign_roster(OWNER, changed), OWNER.public)


def test_a_witness_gets_the_voters_alone() -> None:
    seen = ROSTER.for_witness()
    assert seen.staff == ()
    assert seen.voters == ROSTER.voters


def test_rank_is_the_place_among_the_agents() -> None:
    assert ROSTER.rank("fra") == 0
    assert ROSTER.rank("hel") is None
    assert [one.handle for one in ROSTER.on_call()] == ["Bob", "alice"]
    assert ROSTER.member("ALICE") is ALICE


# -- published from the store -------------------------------------------------------------------


@pytest.fixture
def connection() -> sa.Connection:  # type: ignore[misc]
    engine = sa.create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def published(connection: sa.Connection, wall_ms: int, held: int = 0) -> Roster:
    return publish(connection, OWNER, wall_ms, held)[0]


def test_the_version_rises_with_the_content_and_only_with_it(connection: sa.Connection) -> None:
    directory.add_agent(connection, Agent("fra", FRA.address, FRA.key))
    first = published(connection, 1000)
    again = published(connection, 2000)
    assert (again.version, again.issued_ms) == (first.version, 2000)
    directory.add_staff(connection, Staff("alice", nicks=(("net", "al"), ("net", "al2"))))
    changed = published(connection, 3000)
    assert changed.version == first.version + 1
    assert changed.member("alice") == Member("alice", nicks={"net": ("al", "al2")})
    directory.remove_agent(connection, "fra")
    assert published(connection, 4000).version == first.version + 2
    # A voter holds a newer one: from before an older database was put back.
    assert published(connection, 5000, first.version + 2).version == first.version + 2
    assert published(connection, 6000, 100).version == 101
    assert published(connection, 7000, 100).version == 101


def test_a_network_is_one_in_whatever_case_it_was_written() -> None:
    """A person is enrolled at the bouncer, the network stands in the voter's own file."""
    alice = Member("alice", accounts={"Libera": "Al"}, nicks={"LIBERA": ("al", "al_")})
    assert alice.account_on("libera") == "Al"
    assert alice.nicks_on("libera") == ("al", "al_")
    assert alice.account_on("oftc") == ""
    assert alice.nicks_on("oftc") == ()


# -- the printed configuration ------------------------------------------------------------------


@pytest.mark.parametrize("role", ["agent", "witness"])
@pytest.mark.parametrize("name", ["fra", "frankfurt", "f" * 32])
def test_the_printed_configuration_is_one_the_voter_takes(
    name: str, role: str, tmp_path: Path
) -> None:
    text = fallback_toml(
        name=name,
        role=role,
        address="198.51.100.7:6690",
        primary=["ircs://192.0.2.1:6697"],
        primary_key=str(OWNER.public),
    )
    config = parse(tomllib.loads(text), tmp_path / "fallback.toml")
    assert config.primary_key == OWNER.public
    assert config.mesh.port == 6690
    assert len(config.landmark) == 5
    assert bool(config.network) == (role == "agent")
    for network in config.network:
        assert len(network.second_nick) <= 16, "Libera.Chat's NICKLEN"
