"""What happens to a session: facts. The time of each (epoch milliseconds) comes beside it."""

from __future__ import annotations

from dataclasses import dataclass

from bouncer.irc.wire import Message
from bouncer.session.effects import ServiceCommand
from bouncer.session.lookups import Answer, Question
from storage.message import Row
from storage.records import Channel, Network, Subscription


@dataclass(frozen=True, slots=True)
class Connected:
    """A stream to the network is open; the handshake may begin."""

    tls: bool


@dataclass(frozen=True, slots=True)
class FromNetwork:
    """One chunk of whole lines from the network."""

    lines: list[str]


@dataclass(frozen=True, slots=True)
class Lost:
    """The stream to the network ended, or could not be had; `reason` is in a person's words.

    `refused` when the network does not want us; `retry_s` is when the next try comes, None where
    none does until somebody acts; `unsent` is how many messages still waited for their turn."""

    reason: str
    refused: bool = False
    retry_s: float | None = 0.0
    unsent: int = 0


@dataclass(frozen=True, slots=True)
class Attached:
    """A client has logged in. `name` is its client name, '' for none; `delivered_id` is the last
    message it is known to have, None for a client never seen before; `trouble` is why the network
    is not connected, in a person's words, `alarm` what keeps history from being written."""

    client: int
    name: str
    nick: str
    caps: frozenset[str]
    delivered_id: int
    autoplay: bool = True
    trouble: str = ""
    away: str = ""  # what it said in AWAY before it was registered
    alarm: str = ""


@dataclass(frozen=True, slots=True)
class CapsChanged:
    client: int
    caps: frozenset[str]


@dataclass(frozen=True, slots=True)
class FromClient:
    """One chunk of messages from an attached client."""

    client: int
    messages: list[Message]


@dataclass(frozen=True, slots=True)
class PageRead:
    """A page of the backlog for a client that catches up, ascending. `more` when it is full;
    else the client has everything up to `upto_id` with it. With a `target` (folded) it is what it
    missed of that channel while it was detached."""

    client: int
    rows: list[Row]
    upto_id: int
    more: bool
    target: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """The store's answer to a Lookup."""

    client: int
    question: Question
    answer: Answer
    label: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """What was said at the time of a Recall; nothing where that cannot be read."""

    reference: str
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class ServiceSaid:
    """The answer of the bouncer's own service to a command."""

    command: ServiceCommand
    lines: list[str]


@dataclass(frozen=True, slots=True)
class Detached:
    """A client is gone. `delivered_id` is the last message that a clean end shows it to have:
    QUIT or FIN with nothing left to send; 0 for an end that shows nothing."""

    client: int
    delivered_id: int


@dataclass(frozen=True, slots=True)
class ChannelsWanted:
    """The channels to be in, as (name, key) pairs, their settings, or who is ignored (masks) were
    changed by a command."""

    channels: tuple[tuple[str, str], ...]
    settings: tuple[Channel, ...] = ()
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkSet:
    """A command has changed the network in what needs no new connection."""

    network: Network


@dataclass(frozen=True, slots=True)
class BotSays:
    """The ops bot answers in `target`."""

    target: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class SubscriptionGone:
    """A push service says that this subscription is no more."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed; sent about once a second. `waiting`: not all that the network is to hear has
    been sent, for it would be too much at once."""

    waiting: bool = False


Event = (
    Connected
    | FromNetwork
    | Lost
    | Attached
    | CapsChanged
    | FromClient
    | PageRead
    | Found
    | Recalled
    | ServiceSaid
    | Detached
    | ChannelsWanted
    | NetworkSet
    | BotSays
    | SubscriptionGone
    | Tick
)
