"""Who is staff, who votes, and how that reaches the voters: one signed, versioned document.

The bouncer owns it, signs the exact octets and sends them to each voter on change and every 6 h.
Agents get all of it, witnesses the voters alone. It holds public keys and hashes only: no phone
numbers, mail addresses or host names. A lower version than the one held is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, TypeVar

from pydantic import Field

from bouncer.mesh.heartbeat import Counter, DatagramFault, Short, read_body, write_body
from bouncer.mesh.keys import SIGNATURE_OCTETS, KeyFault, MeshKey, PublicKey

FORMAT = 1
MAX_ROSTER = 1 << 20  # octets; a thousand people with ten keys each need half of it
MAX_VOTERS = 5
MAX_DISMISSED = 16  # voters that were removed and are answered still
STALE_S = 24 * 3600.0  # warn
HARD_STALE_S = 30 * 24 * 3600.0  # from here on only ssh and recovery proofs count
PUSH_EVERY_S = 6 * 3600.0
DEFAULT_K = 2

MAX_NICK = 15  # with the "_" of a second one it fits Libera.Chat's 16
_VOTER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")

Words = Annotated[str, Field(max_length=200)]
T = TypeVar("T")


def voter_name(text: str) -> str:
    """A name as it stands in ids of incidents and in challenges. Raises ValueError."""
    if not _VOTER_NAME.fullmatch(text):
        raise ValueError(f'"{text}" is not a name; use up to 32 letters, digits, "-" and "_"')
    return text


class RosterFault(ValueError):
    """A roster that is not taken. Its text says why, for the log and for `fallback check`."""


@dataclass(frozen=True, slots=True)
class Voter:
    """One process of the mesh beside the bouncer. Their order in the roster is their rank."""

    name: Short
    key: Words  # `muster1:…`
    address: Words  # host:port, UDP and TCP
    role: Literal["agent", "witness"] = "agent"

    @property
    def public(self) -> PublicKey:
        return PublicKey.parse(self.key)


@dataclass(frozen=True, slots=True)
class Credential:
    """Something that proves a person: a public key, or the hash of a one-time code."""

    kind: Literal["ssh", "certfp", "recovery", "totp"]
    public: Annotated[str, Field(max_length=2000)]


@dataclass(frozen=True, slots=True)
class Member:
    """One person who agreed to be on the roster. `oncall` is the order of calling; 0: not."""

    handle: Short
    display: Words = ""
    role: Short = ""
    oncall: Counter = 0
    admin: bool = False
    nicks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)
    keys: tuple[Credential, ...] = ()

    def account_on(self, network: str) -> str:
        """The services account there, '' for none; a network is one in whatever case."""
        return _on(network, self.accounts) or ""

    def nicks_on(self, network: str) -> tuple[str, ...]:
        """The nicks there, the preferred one first."""
        return _on(network, self.nicks) or ()


def _on(network: str, by_network: Mapping[str, T]) -> T | None:
    wanted = network.casefold()
    return next((what for name, what in by_network.items() if name.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Dismissal:
    """What the bouncer signs about a voter that it removed: from this version on it is none."""

    key: Words
    version: Counter


@dataclass(frozen=True, slots=True)
class Dismissed:
    """A removed voter's key, and its signed `Dismissal` in base64: the answer to what it says."""

    key: Words
    statement: Annotated[str, Field(max_length=600)]

    @property
    def public(self) -> PublicKey:
        return PublicKey.parse(self.key)

    @property
    def signed(self) -> bytes:
        return base64.b64decode(self.statement, validate=True)


@dataclass(frozen=True, slots=True)
class Roster:
    """What the bouncer signed. `org` is its public key, so that a roster names its owner."""

    org: Words
    version: Counter
    issued_ms: Counter
    k: Annotated[int, Field(ge=1, le=MAX_VOTERS)] = DEFAULT_K
    voters: tuple[Voter, ...] = ()
    staff: tuple[Member, ...] = ()
    format: int = FORMAT
    dismissed: Annotated[tuple[Dismissed, ...], Field(max_length=MAX_DISMISSED)] = ()

    @property
    def agents(self) -> tuple[Voter, ...]:
        """Those who speak, by rank."""
        return tuple(voter for voter in self.voters if voter.role == "agent")

    def voter(self, name: str) -> Voter | None:
        return next((voter for voter in self.voters if voter.name == name), None)

    def names(self, name: str, public: PublicKey) -> bool:
        """Whether the voter that holds this key is one of ours, under this name."""
        known = self.voter(name)
        return known is not None and known.public == public

    def member(self, handle: str) -> Member | None:
        wanted = handle.casefold()
        return next((one for one in self.staff if one.handle.casefold() == wanted), None)

    def rank(self, name: str) -> int | None:
        """The place among the agents, from 0; None for a witness or a stranger."""
        names = [voter.name for voter in self.agents]
        return names.index(name) if name in names else None

    def on_call(self) -> list[Member]:
        return sorted((one for one in self.staff if one.oncall), key=lambda one: one.oncall)

    def age_s(self, wall_ms: int) -> float:
        return max(0.0, (wall_ms - self.issued_ms) / 1000)

    def for_witness(self) -> Roster:
        """The same without people: a witness has nobody to verify."""
        return replace(self, staff=())

    def content(self) -> str:
        """A digest of everything but version and time: the version rises when this changes."""
        plain = write_body(replace(self, version=0, issued_ms=0))
        return hashlib.blake2b(plain, digest_size=16).hexdigest()


def sign_roster(key: MeshKey, roster: Roster) -> bytes:
    """The document as it travels and is kept: JSON, then 64 octets of signature."""
    body = write_body(roster)
    return body + key.sign(b"muster roster " + body)


def read_roster(document: bytes, owner: PublicKey, *, held_version: int = 0) -> Roster:
    """Check and read a document. Raises RosterFault; `held_version` itself is accepted again."""
    if len(document) > MAX_ROSTER:
        raise RosterFault("the roster is too big")
    body, signature = document[:-SIGNATURE_OCTETS], document[-SIGNATURE_OCTETS:]
    if not owner.verifies(signature, b"muster roster " + body):
        raise RosterFault("the roster is not signed by the pinned key")
    try:
        roster = read_body(Roster, body)
        keys = {voter.public for voter in roster.voters}
        _ = [(each.public, each.signed) for each in roster.dismissed]
    except (DatagramFault, KeyFault, binascii.Error):
        raise RosterFault("the roster cannot be read") from None
    if roster.format != FORMAT:
        raise RosterFault(f"the roster has format {roster.format}: update this agent first")
    if roster.org != str(owner):
        raise RosterFault("the roster belongs to another bouncer")
    names = {voter.name for voter in roster.voters}
    if len(names) != len(roster.voters) or len(keys) != len(roster.voters):
        raise RosterFault("the roster names a voter twice")
    if roster.version < held_version:
        raise RosterFault(f"the roster is older ({roster.version}) than the one held")
    return roster


def fallback_toml(
    *,
    name: str,
    role: str,
    address: str,
    primary: Sequence[str],
    primary_key: str,
    data_dir: str = "/var/lib/muster-fallback",
) -> str:
    """The finished `fallback.toml` of one voter: what `bouncer agent add` prints.

    `address` is where the others reach this voter (host:port), `primary` the bouncer's client
    addresses as network URIs or host:port; they are pinned, never looked up in the primary's DNS.
    """
    port = address.rpartition(":")[2]
    lines = [
        f"# fallback.toml of {role} {name}: save it as /etc/muster/fallback.toml on that host",
        f"name = {json.dumps(name)}",
        f"role = {json.dumps(role)}",
        f"data_dir = {json.dumps(data_dir)}  # holds the key `fallback key` made there",
        f"primary = {json.dumps(list(primary))}",
        f"primary_key = {json.dumps(primary_key)}",
        f'mesh = "[::]:{port}"  # UDP and TCP, open to the bouncer and the other voters',
        "",
        "# By these it judges its own uplink: at least 3 of 5 must answer. Take near, steady ones.",
        *_landmarks(),
    ]
    if role == "agent":
        lines += [
            "",
            "# Where people meet. The place is announced as it stands here, and nowhere else.",
            "[[network]]",
            'name = "libera"',
            'addresses = ["ircs://irc.libera.chat:6697"]',
            f"nick = {json.dumps(public_nick(name))}",
            'account = ""             # registered in peacetime',
            'password_file = ""       # or: certificate = "…pem" for SASL EXTERNAL and CertFP',
            'owner = "ops team of example.net"',
            'lobby = "#example-status"',
            'room = "#example-ops"',
        ]
    return "\n".join(lines) + "\n"


def public_nick(name: str) -> str:
    """A nick for this agent that public networks take."""
    whole = f"fallback-{name}"
    return whole if len(whole) <= MAX_NICK else f"fb-{name}"[:MAX_NICK]


def _landmarks() -> Iterable[str]:
    for kind, address in (
        ("dns", "9.9.9.9:53"),
        ("dns", "1.1.1.1:53"),
        ("dns", "8.8.8.8:53"),
        ("ntp", "162.159.200.1:123"),
        ("ntp", "216.239.35.0:123"),
    ):
        yield from ("[[landmark]]", f'kind = "{kind}"', f'address = "{address}"')
