"""What voters say to each other: the bodies of the mesh's datagrams. Pure values.

Ages travel, not times: the receiver turns an age into a time on its own clock, so that a peer's
wrong clock moves nothing. What is asked for is padded by the asker: nothing is ever answered with
more octets than it brought.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from bouncer.mesh.heartbeat import MAX_BODY, Age, Counter, Short

Blob = Annotated[str, Field(max_length=1000)]  # base64
Word = Annotated[str, Field(pattern=r"^[a-z0-9.+-]{1,24}$")]  # shown to the operator as it is
PADDING = MAX_BODY - 80  # of a question
MAX_PLACES = 8  # networks told in a greeting
MAX_SETTINGS = 32  # told in a greeting: a newer release may have more than we
MAX_OVER = 16  # closings in one answer


@dataclass(frozen=True, slots=True)
class SettingsSaid:
    """In a HELLO: what must be equal at all voters. Places are digests of lobby and room."""

    k: Annotated[int, Field(ge=1, le=16)]
    places: Annotated[dict[Short, Short], Field(max_length=MAX_PLACES)] = field(
        default_factory=dict
    )
    settings: Annotated[dict[Short, Word], Field(max_length=MAX_SETTINGS)] = field(
        default_factory=dict
    )


@dataclass(frozen=True, slots=True)
class VoteSaid:
    """A vote, or with an empty verdict its withdrawal. Signed."""

    voter: Short
    verdict: Literal["site", "service", "home", ""]
    silent_s: Age = 0.0
    drill: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Forward your last heartbeat and notice; tell me what your probe of the primary sees."""

    number: Counter
    pad: str = ""


@dataclass(frozen=True, slots=True)
class Forwarded:
    """A heartbeat or a maintenance notice as the bouncer signed it, and how long ago it came."""

    number: Counter
    kind: Literal["heartbeat", "maintenance"]
    statement: Blob
    age_s: Age


@dataclass(frozen=True, slots=True)
class Probed:
    """The primary answered a probe of this voter so long ago."""

    number: Counter
    age_s: Age


@dataclass(frozen=True, slots=True)
class IncidentSaid:
    """The incident an agent holds open."""

    id: Short
    kind: Annotated[int, Field(ge=1, le=4)]
    spoken: bool
    recovering: bool
    verdict: Literal["site", "service", "home"]
    silent_s: Age
    drill_left_s: Age = 0.0


@dataclass(frozen=True, slots=True)
class ClosedSaid:
    """An incident is over. Signed by the agent that says so.

    `in_force`: it was stood down by hand, and that still holds at the sender.
    """

    agent: Short
    id: Short
    by_hand: bool
    age_s: Age
    in_force: bool = False


@dataclass(frozen=True, slots=True)
class ClaimSaid:
    """I speak on this network. Signed."""

    agent: Short
    network: Short
    incident: Short
    rank: Annotated[int, Field(ge=0, le=16)]
    line_age_s: Age | None = None
    nick: Short = ""  # ours there: whose line it is


@dataclass(frozen=True, slots=True)
class PresentSaid:
    """Our nick on each public network, so that who is op there lets us into the room."""

    nicks: Annotated[dict[Short, Short], Field(max_length=8)]


@dataclass(frozen=True, slots=True)
class JournalSaid:
    """A burned nonce or code, or a person verified; repeated until received."""

    id: Short
    what: Literal["spent", "verified"]
    incident: Short = ""
    spent: Short = ""
    claim_id: Short = ""
    handle: Short = ""
    network: Short = ""
    nick: Short = ""
    proof: Annotated[int, Field(ge=1, le=4)] = 1
    phase: Short = "VERIFIED"
    evidence: Short = ""  # the digest of what proved it
    recalled: bool = False


@dataclass(frozen=True, slots=True)
class Fetched:
    """Which incidents are over? Padded."""

    number: Counter
    pad: str = ""


@dataclass(frozen=True, slots=True)
class OverSaid:
    """The latest closings: (id, by hand, age in s). `in_force`: the latest by hand still holds."""

    number: Counter
    closed: Annotated[tuple[tuple[Short, bool, Age], ...], Field(max_length=MAX_OVER)] = ()
    in_force: bool = False
