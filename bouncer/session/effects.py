"""What a session wants done, in this order: keep, then tell clients and the network, then the rest.

Nothing in `to_clients` may be sent before every row in `keep` is committed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bouncer.irc.bouncer_networks import Asked
from bouncer.irc.wire import Message
from bouncer.session.lookups import Question
from storage.message import Kept
from storage.records import Subscription


@dataclass(frozen=True, slots=True)
class RememberChannel:
    """The user wants to be in this channel, also after a reconnect."""

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class ForgetChannel:
    name: str


@dataclass(frozen=True, slots=True)
class RenameChannel:
    """A channel that the user wants to be in is called `new` from now on."""

    name: str
    new: str


@dataclass(frozen=True, slots=True)
class ChangeChannel:
    """A channel was detached, after message `detached_id`, or attached again, after
    `attached_id`."""

    name: str
    detached: bool
    detached_id: int = 0
    attached_id: int = 0


@dataclass(frozen=True, slots=True)
class RememberNick:
    """The user wants this nick, also after a reconnect."""

    nick: str


@dataclass(frozen=True, slots=True)
class RememberLogin:
    """The user's own login to services, seen to work; `login` is '' where it takes none."""

    login: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RememberCasemapping:
    """The network folds names so: the token of CASEMAPPING."""

    token: str


@dataclass(frozen=True, slots=True)
class DropNetwork:
    """Close the connection. `silent` when the server stopped answering, so that its side of the
    session may still stand; `permanent` when trying again is of no use until somebody acts;
    `banned` when only time can help."""

    reason: str
    silent: bool = False
    permanent: bool = False
    banned: bool = False


@dataclass(frozen=True, slots=True)
class DropClient:
    """`clean` when the client asked for it: what it was sent before counts as delivered."""

    client: int
    reason: str
    clean: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """The network has let us in."""


@dataclass(frozen=True, slots=True)
class WantsTls:
    """The network wants TLS: at `port`, at once, instead of this connection; or, on this one, that
    nothing else is used for `duration_s` from its end on."""

    port: int | None = None
    duration_s: int | None = None


@dataclass(frozen=True, slots=True)
class NetworkCaps:
    """The capabilities that this network has now: what clients can be offered depends on them."""

    caps: frozenset[str]


@dataclass(frozen=True, slots=True)
class PlayBack:
    """Read the next page of what the client missed: rows after `after_id`. Everything up to
    `upto_id` is committed by the time it is read. With a `target` (folded) one page of that
    conversation alone is wanted, the newest up to `upto_id`."""

    client: int
    after_id: int
    upto_id: int
    target: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The client has confirmed everything up to `message_id`."""

    client: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """Ask the store for a client; the answer comes back as the event Found."""

    client: int
    question: Question
    label: str


@dataclass(frozen=True, slots=True)
class Recall:
    """Read what we have of a conversation (folded) between two times; it comes back as Recalled."""

    reference: str
    target: str
    from_ms: int
    to_ms: int


@dataclass(frozen=True, slots=True)
class KeepMark:
    """The user has noted this of a conversation (folded); '' takes it back."""

    target: str
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Redact:
    """The network has deleted this message of the conversation (folded); so do we."""

    target: str
    msgid: str


@dataclass(frozen=True, slots=True)
class Push:
    """Send this line to a client that wants to be called, by its push service."""

    subscription: Subscription
    line: str


@dataclass(frozen=True, slots=True)
class ServiceCommand:
    """A client said `text` to the bouncer's own service, which answers as `service`."""

    client: int
    service: str
    text: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class NetworkCommand:
    """A client asks for the user's networks, or changes them; `batched` when it knows batches."""

    client: int
    asked: Asked
    label: str = ""
    batched: bool = False


@dataclass(frozen=True, slots=True)
class FollowNetworks:
    """A client wants to be told of changes of the user's networks, or no longer."""

    client: int
    follows: bool
    batched: bool = False


@dataclass(frozen=True, slots=True)
class OpsCommand:
    """Somebody said a bot command where the ops bot listens."""

    message: Message
    account: str


Effect = (
    RememberChannel
    | ForgetChannel
    | RenameChannel
    | ChangeChannel
    | RememberNick
    | RememberLogin
    | RememberCasemapping
    | DropNetwork
    | DropClient
    | Registered
    | WantsTls
    | NetworkCaps
    | PlayBack
    | Delivered
    | Lookup
    | Recall
    | Redact
    | KeepMark
    | Push
    | ServiceCommand
    | NetworkCommand
    | FollowNetworks
    | OpsCommand
)


@dataclass(slots=True)
class Effects:
    """Everything one event caused. `to_clients` holds rendered lines without CRLF by client, to be
    changed by the methods alone, for clients that are told the same share a list; `sent_ids` is,
    by client, the last message that it has when those have reached it."""

    keep: list[Kept] = field(default_factory=list)
    to_clients: dict[int, list[str]] = field(default_factory=dict)
    sent_ids: dict[int, int] = field(default_factory=dict)
    to_network: list[Message] = field(default_factory=list)
    others: list[Effect] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)  # chat among `keep`: see `session.telling`
    _shared: dict[tuple[int, ...], list[str]] = field(default_factory=dict)

    def tell_all(self, clients: tuple[int, ...], lines: list[str]) -> None:
        """Tell several clients the same. It costs no more than telling one, as long as none of
        them is told anything else. `lines` is given away."""
        shared = self._shared.get(clients)
        if shared is not None:
            shared += lines
        elif self.to_clients.keys().isdisjoint(clients):
            self._shared[clients] = lines
            self.to_clients.update(dict.fromkeys(clients, lines))
        else:
            for client in clients:
                for line in lines:
                    self.tell(client, line)

    def take(self, client: int) -> list[str]:
        """What the client was to be told; it is no more."""
        self._part(client)
        return self.to_clients.pop(client, [])

    def _part(self, client: int) -> None:
        """Give the client a list of its own, and so those that it has shared one with."""
        for clients in [each for each in self._shared if client in each]:
            lines = self._shared.pop(clients)
            self.to_clients.update((each, lines.copy()) for each in clients)

    def tell_lines(self, client: int, lines: list[str]) -> None:
        """Tell a client many lines at once."""
        if lines:
            self.tell(client, lines[0])
            self.to_clients[client] += lines[1:]

    def tell(self, client: int, line: str) -> None:
        if self._shared:
            self._part(client)
        lines = self.to_clients.get(client)
        if lines is None:
            self.to_clients[client] = [line]
        else:
            lines.append(line)
