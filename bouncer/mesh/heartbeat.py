"""The mesh datagram: octets <-> what a peer said. Pure; total on any input.

A receiver looks up the pair by the sender's id and checks the keyed BLAKE2 tag before it reads
anything else. What is shown to third parties is a `statement`: JSON with an Ed25519 signature over
exactly those octets, so that a forwarder passes it on unchanged.

    octets  0        format version
            1        kind
            2..10    sender's key id
            10..26   tag over all the rest, by the key of this pair
            26..34   sender's nonce of this boot
            34..42   the receiver's nonce, as the sender knows it (zeros: not yet)
            42..50   the sender's sequence number
            50..     body
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from bouncer.mesh.keys import SIGNATURE_OCTETS, MeshKey, PublicKey

MAX_DATAGRAM = 1200  # octets: passes every path with an IPv6 minimum MTU
VERSION = 1
ACCEPTED_VERSIONS = frozenset({VERSION})  # from the second version on: also the one before
TAG_OCTETS = 16
NONCE_OCTETS = 8
NO_NONCE = bytes(NONCE_OCTETS)
MAX_WINDOW = 64  # datagrams that may overtake each other, by sequence number
MAX_RETIRED = 256  # nonces of a peer's earlier boots that are remembered as refused

_HEAD = struct.Struct("!BB8s16s")
_REST = struct.Struct("!8s8sQ")
HEADER_OCTETS = _HEAD.size + _REST.size
ECHO_AT = _HEAD.size + NONCE_OCTETS
MAX_BODY = MAX_DATAGRAM - HEADER_OCTETS

MAX_PROOF = 400  # of an ssh signature in an order: Ed25519 (260) and hardware keys fit
MAX_ORDER_AGE_S = 86400.0  # nobody acts on an older one

Short = Annotated[str, Field(max_length=64)]
Line = Annotated[str, Field(max_length=400)]
Age = Annotated[float, Field(ge=0, le=400 * 86400.0, allow_inf_nan=False)]  # seconds
Counter = Annotated[int, Field(ge=0, lt=2**63)]


class DatagramFault(ValueError):
    """Octets that are not for us, or not from whom they say. Its text goes to the counters."""


class Kind(IntEnum):
    """What a datagram says. Values are the wire's and never change their meaning."""

    HELLO = 1  # both nonces; between voters, what must be set alike at all of them
    HEARTBEAT = 2  # bouncer -> voter, signed
    ACK = 3  # voter -> bouncer
    MAINTENANCE = 4  # bouncer -> voter, and forwarded; signed
    VOTE = 5  # voter -> voter, signed
    ASK = 6  # voter -> voter: forward your last heartbeat, probe for me
    FORWARD = 7  # the answer to ASK: heartbeat and maintenance as they were signed
    PROBED = 8  # the answer to ASK: what this voter's own probe saw
    INCIDENT = 9  # agent -> agent: the incident it holds
    CLOSED = 10  # voter -> voter, signed: this incident is over
    CLAIM = 11  # agent -> agent, signed: I speak on this network
    JOURNAL = 12  # agent -> agent: burned nonces and codes, people verified
    RECEIVED = 13  # the answer to CLOSED, ORDER and JOURNAL: no need to repeat it
    ORDER = 14  # agent -> agent, bouncer -> agent: what an admin ordered
    FETCH = 15  # agent -> agent: which incidents are over?
    OVER = 16  # the answer to FETCH
    PRESENT = 17  # agent -> agent: under which nicks it stands on the public networks
    DISMISSED = 18  # voter -> a voter that was removed; signed by the bouncer


class Datagram(NamedTuple):
    """One authentic datagram of a known peer; whether it is new, `PeerWindow` says."""

    kind: Kind
    sender_id: bytes
    nonce: bytes
    echo: bytes
    sequence: int
    body: bytes


def seal(
    pair_key: bytes,
    sender_id: bytes,
    kind: Kind,
    *,
    nonce: bytes,
    echo: bytes,
    sequence: int,
    body: bytes = b"",
) -> bytes:
    """The datagram for the one peer who shares `pair_key`. Raises ValueError when it is too big."""
    if len(body) > MAX_BODY:
        raise ValueError(f"a mesh datagram holds {MAX_BODY} octets, not {len(body)}")
    rest = _REST.pack(nonce, echo, sequence) + body
    head = bytes((VERSION, kind)) + sender_id
    return head + _tag(pair_key, head, rest) + rest


def open_sealed(data: bytes, pair_keys: Mapping[bytes, bytes]) -> Datagram:
    """Read a datagram by the pair keys of the known peers (key id -> key).

    Raises DatagramFault. Costs one hash at most before an unknown or forged one is refused.
    """
    if not HEADER_OCTETS <= len(data) <= MAX_DATAGRAM:
        raise DatagramFault("size")
    version, kind, sender_id, tag = _HEAD.unpack_from(data)
    if version not in ACCEPTED_VERSIONS:
        raise DatagramFault("version")
    pair_key = pair_keys.get(sender_id)
    if pair_key is None:
        raise DatagramFault("unknown sender")
    if not hmac.compare_digest(tag, _tag(pair_key, data[:10], data[_HEAD.size :])):
        raise DatagramFault("tag")
    try:
        known = Kind(kind)
    except ValueError:
        raise DatagramFault("kind") from None  # a newer release may say more than we know
    nonce, echo, sequence = _REST.unpack_from(data, _HEAD.size)
    return Datagram(known, sender_id, nonce, echo, sequence, data[HEADER_OCTETS:])


def _tag(pair_key: bytes, head: bytes, rest: bytes) -> bytes:
    return hashlib.blake2b(head + rest, key=pair_key, digest_size=TAG_OCTETS).digest()


class PeerWindow:
    """Says once, for each datagram of one peer, that it is new. Nothing is accepted twice.

    A datagram counts only when it echoes our own nonce (so it was made after our start), comes
    from the peer's present boot or a new one, and its number was not seen before.
    """

    def __init__(self) -> None:
        self.nonce = NO_NONCE  # the peer's, once proven
        self._highest = -1
        self._seen = 0  # bit n: number _highest - n was seen
        self._retired: set[bytes] = set()  # full: our own nonce has to change first

    @property
    def full(self) -> bool:
        """So many boots were seen that our own nonce must change before more are accepted."""
        return len(self._retired) >= MAX_RETIRED

    def is_retired(self, datagram: Datagram, own_nonce: bytes) -> bool:
        """Whether it comes from a boot that another one has followed: a recording, or the peer's
        key is in use twice."""
        ours = hmac.compare_digest(datagram.echo, own_nonce)
        return ours and datagram.nonce in self._retired - {NO_NONCE}

    def accepts(self, datagram: Datagram, own_nonce: bytes) -> bool:
        """Whether this one is fresh and new; remembers it when it is."""
        if not hmac.compare_digest(datagram.echo, own_nonce):
            return False
        if datagram.nonce != self.nonce:
            if datagram.nonce in self._retired or datagram.nonce == NO_NONCE or self.full:
                return False
            self._retired.add(self.nonce)
            self.nonce, self._highest, self._seen = datagram.nonce, -1, 0
        ahead = datagram.sequence - self._highest
        if ahead > 0:
            self._seen = ((self._seen << min(ahead, MAX_WINDOW)) | 1) & ((1 << MAX_WINDOW) - 1)
            self._highest = datagram.sequence
            return True
        bit = 1 << -ahead if -ahead < MAX_WINDOW else 0
        if not bit or self._seen & bit:
            return False
        self._seen |= bit
        return True


# -- statements ---------------------------------------------------------------------------------

Said = TypeVar("Said")
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def write_body(said: object) -> bytes:
    """A frozen dataclass as compact JSON."""
    return _adapter(type(said)).dump_json(said, exclude_defaults=True)


def read_body(form: type[Said], body: bytes) -> Said:
    """The reverse; fields unknown here are ignored. Raises DatagramFault."""
    try:
        return _adapter(form).validate_json(body, strict=True)  # type: ignore[no-any-return]
    except ValidationError:
        raise DatagramFault("body") from None


def sign_statement(key: MeshKey, kind: Kind, said: object) -> bytes:
    """The statement: JSON, then 64 octets of signature over the kind and that JSON."""
    body = write_body(said)
    return body + key.sign(_signed_part(kind, body))


def read_statement(form: type[Said], kind: Kind, signer: PublicKey, statement: bytes) -> Said:
    """What `signer` stated. Raises DatagramFault when the signature or the form is wrong."""
    body, signature = statement[:-SIGNATURE_OCTETS], statement[-SIGNATURE_OCTETS:]
    if not body or not signer.verifies(signature, _signed_part(kind, body)):
        raise DatagramFault("signature")
    return read_body(form, body)


def _signed_part(kind: Kind, body: bytes) -> bytes:
    # The kind is signed too: a vote can never be shown as a heartbeat.
    return b"muster mesh " + bytes((kind,)) + body


def _adapter(form: type) -> TypeAdapter[Any]:
    if form not in _ADAPTERS:
        _ADAPTERS[form] = TypeAdapter(form)
    return _ADAPTERS[form]


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The bouncer lives. Counts for the voter whose nonce it echoes, and for nobody else."""

    boot: Short  # the bouncer's, random per start
    sequence: Counter  # rises within a boot
    echo: Short  # the voter's nonce of this boot, in hexadecimal
    wall_ms: Counter  # for display only
    home: Literal["up", "down", "none"] = "none"  # the company's own IRC server
    certificate_ends_s: Counter = 0  # epoch seconds; 0: no TLS listener
    roster: Counter = 0  # the version it would send
    maintenance: Short = ""
    drill: bool = False  # silence for the drill, life for the real watch


@dataclass(frozen=True, slots=True)
class Ack:
    """A voter listens: who protects the bouncer, and what it sees."""

    voter: Short
    state: Short
    sequence: Counter  # of the heartbeat it answers
    incident: Short = ""
    roster: Counter = 0
    maintenance: Short = ""  # the notice it has persisted, by `acked_name`
    note: Line = ""
    noted: Counter = 0  # rises with each note, so that the same words can be told again


@dataclass(frozen=True, slots=True)
class Maintenance:
    """The bouncer will be silent, and that is no outage. At most 12 h."""

    id: Short
    begins_ms: Counter
    ends_ms: Counter  # wall clock, both
    why: Line = ""
    stopping: bool = False  # the short notice of a stop: ends with the first sign of a new boot
    boot: Short = ""  # who said it
    ended: bool = False  # taken back early


OrderKind = Literal["standdown", "hold", "declare", "revoke"]


@dataclass(frozen=True, slots=True)
class OrderGiven:
    """An admin's order, as whoever heard it states it: signed, to be passed on and shown later.

    `by`, `where` and `shown` say how the admin was known. An ssh signature over `shown` can be
    checked by everybody who holds the roster; the rest is the word of who signs this.
    """

    id: Short
    order: OrderKind
    admin: Short
    given_ms: Counter  # wall clock, for the record alone
    by: Literal["ssh", "account", "bouncer"]
    agent: Short = ""  # who heard it; "" is the bouncer
    where: Short = ""  # the network
    shown: Annotated[str, Field(max_length=250)] = ""  # the line that was signed, or the account
    signature: Annotated[str, Field(max_length=MAX_PROOF)] = ""  # base64
    why: Annotated[str, Field(max_length=100)] = ""
    for_s: Age = 0.0  # of a hold
    evidence: Short = ""  # what a revocation refuses for the incident, by its digest


_AGE = struct.Struct("!d")
MAX_ORDER = MAX_BODY - _AGE.size  # octets of the statement
MAX_NOTICE = 700  # of a window's: its base64 goes from voter to voter
Given = TypeVar("Given", Maintenance, OrderGiven)


def fitted(given: Given, octets: int) -> Given:
    """The same with as much of its `why` as lets the statement of it have so many octets."""
    while given.why and len(write_body(given)) + SIGNATURE_OCTETS > octets:
        given = replace(given, why=given.why[: len(given.why) * 3 // 4])
    return given


def write_order(age_s: float, statement: bytes) -> bytes:
    """The body of an ORDER: the age now, which nobody signs, and the order as it was signed."""
    return _AGE.pack(age_s) + statement


def read_order(body: bytes) -> tuple[float, bytes]:
    """The reverse. Raises DatagramFault."""
    if len(body) <= _AGE.size + SIGNATURE_OCTETS:
        raise DatagramFault("body")
    (age_s,) = _AGE.unpack_from(body)
    if not 0 <= age_s <= MAX_ORDER_AGE_S:
        raise DatagramFault("body")
    return age_s, body[_AGE.size :]


def unsigned(statement: bytes) -> bytes:
    """What stands in a statement, to see whose it says it is. Nothing is checked."""
    return statement[:-SIGNATURE_OCTETS]


@dataclass(frozen=True, slots=True)
class Received:
    """The datagram of this id need not be repeated."""

    id: Short


def acked_name(notice: Maintenance) -> str:
    """How an ack names the notice it holds; one that was ended needs an ack of its own."""
    return f"-{notice.id}" if notice.ended else f"{notice.id}@{notice.ends_ms}"


def called(window_id: str) -> str:
    """How people call a window: `m31`, of `m31.BOOT`."""
    return window_id.partition(".")[0]


MAX_MAINTENANCE_S = 12 * 3600.0
MAINTENANCE_GRACE_S = 600.0  # suppression goes on for an overrun of ten minutes
STOP_NOTICE_S = 120.0  # a mistaken stop is announced two minutes later
