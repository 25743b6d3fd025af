"""From the bouncer's own tables to the roster it signs; the version rises when the content does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from sqlalchemy import Connection

from bouncer.mesh import dismissals
from bouncer.mesh.keys import MeshKey, PublicKey
from bouncer.mesh.roster import DEFAULT_K, Credential, Member, Roster, Voter
from storage import directory
from storage.records import Agent, Staff

VERSION = "roster_version"
CONTENT = "roster_content"
QUORUM = "roster_k"
_Role = Literal["agent", "witness"]
_Kind = Literal["ssh", "certfp", "recovery", "totp"]


def publish(
    connection: Connection, key: MeshKey, wall_ms: int, held: int = 0
) -> tuple[Roster, dict[str, Voter]]:
    """The roster as it stands in the store, under a version that is new if anything changed;
    and the voters that were removed and have yet to hear it (see `dismissals`).

    `held`: the version a voter is known to hold. One above ours is from before our database was
    put back to an older one; voters refuse what is below, so ours goes above it.
    """
    roster = compile_roster(
        directory.list_agents(connection),
        directory.list_staff(connection),
        key.public,
        k=quorum(connection),
    )
    version = int(directory.get_meta(connection, VERSION) or 0)
    content = roster.content()
    if held > version or content != directory.get_meta(connection, CONTENT):
        version = max(version, held) + 1
        directory.put_meta(connection, VERSION, str(version))
        directory.put_meta(connection, CONTENT, content)
    gone = dismissals.follow(connection, roster.voters, version, wall_ms)
    dismissed = dismissals.sign(key, gone)
    published = replace(roster, version=version, issued_ms=wall_ms, dismissed=dismissed)
    return published, dismissals.to_dial(gone, wall_ms)


def quorum(connection: Connection) -> int:
    """How many voters must agree, as `agent quorum` has set it."""
    return int(directory.get_meta(connection, QUORUM) or DEFAULT_K)


def compile_roster(
    agents: Sequence[Agent], staff: Sequence[Staff], owner: PublicKey, k: int = DEFAULT_K
) -> Roster:
    """Voters by rank and people by handle, without version and time."""
    voters = [
        Voter(agent.name, agent.key, agent.address, role)
        for agent in sorted(agents, key=lambda agent: (agent.position, agent.id))
        for role in get_args(_Role)
        if role == agent.role
    ]
    return Roster(
        org=str(owner),
        version=0,
        issued_ms=0,
        k=k,
        voters=tuple(voters),
        staff=tuple(_member(person) for person in staff),
    )


def _member(person: Staff) -> Member:
    nicks: dict[str, list[str]] = {}
    for network, nick in person.nicks:
        nicks.setdefault(network, []).append(nick)
    return Member(
        handle=person.handle,
        display=person.display,
        role=person.role,
        oncall=person.oncall,
        admin=person.admin,
        nicks={network: tuple(preferred) for network, preferred in nicks.items()},
        accounts=dict(person.accounts),
        keys=tuple(
            Credential(known, public)
            for kind, public in person.keys
            for known in get_args(_Kind)
            if known == kind
        ),
    )
