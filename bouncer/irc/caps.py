"""Capabilities: what we want of networks, what we offer to clients, and the talk about it (CAP).

Source: IRCv3 capability-negotiation (version 302). Pure; a server can neither make it raise nor
fill memory: what is remembered is bounded below, and what is requested comes from our own list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from sys import intern
from types import MappingProxyType
from typing import NamedTuple

from bouncer.irc.wire import Message

MAX_AVAILABLE = 200  # capabilities of one server; they have some 40; full: the rest is not known
MAX_VALUE = 1_000  # characters of a value; a longer one is cut
REQUEST_ROOM = 400  # octets of names in one REQ, so that its ACK with source and nick fits a line


MULTILINE_BYTES, MULTILINE_LINES = 8_192, 50  # of one message of several lines
METADATA_SUBS = 50  # keys that one client may subscribe to


class Offer(NamedTuple):
    """A row of what clients may have. With `needs`, only where the network has one of these;
    `served` False keeps a row out unless it is switched on; `told` is there to be read, not
    requested."""

    value: str = ""
    needs: frozenset[str] = frozenset()
    served: bool = True
    told: bool = False


def _where_network_has(*names: str) -> Offer:
    return Offer(needs=frozenset(names))


ALWAYS = Offer()

# In the order they are listed: a client that cannot take a long list gets the first that fit. Those
# are old ones: what they may know goes before drafts and extensions.
DOWNSTREAM_OFFERED: Mapping[str, Offer] = {
    "sts": Offer(served=False, told=True),  # sts: on for who sets `sts_days`
    "sasl": Offer("PLAIN,EXTERNAL,SCRAM-SHA-256"),  # sasl-3.2: the value lists mechanisms
    "server-time": ALWAYS,  # server-time: we stamp what comes without
    "message-tags": ALWAYS,  # message-tags: client-only tags go on where the network takes them
    "batch": ALWAYS,  # batch
    "echo-message": ALWAYS,  # echo-message: ours where the network has none
    "labeled-response": ALWAYS,  # labeled-response: by our own labels, or by order and PING
    "standard-replies": ALWAYS,  # standard-replies: FAIL, WARN, NOTE
    "cap-notify": ALWAYS,  # capability-negotiation
    "multi-prefix": ALWAYS,  # multi-prefix: from state
    "userhost-in-names": ALWAYS,  # userhost-in-names: from state, once hosts are known
    "invite-notify": ALWAYS,  # invite-notify: a network without it tells nobody
    "setname": ALWAYS,  # setname: FAIL where the network cannot
    "away-notify": _where_network_has("away-notify"),  # away-notify
    "account-notify": _where_network_has("account-notify"),  # account-notify
    "account-tag": _where_network_has("account-tag"),  # account-tag
    "extended-join": _where_network_has("extended-join"),  # extended-join
    "chghost": _where_network_has("chghost"),  # chghost
    "znc.in/self-message": ALWAYS,  # ZNC: own messages with our own source
    "znc.in/playback": ALWAYS,  # ZNC playback module
    "znc.in/server-time-iso": ALWAYS,  # ZNC: server-time by its first name
    "znc.in/batch": ALWAYS,  # ZNC: batch by its first name
    "extended-monitor": _where_network_has("extended-monitor", "draft/extended-monitor"),
    "draft/extended-monitor": _where_network_has("extended-monitor", "draft/extended-monitor"),
    "draft/channel-rename": _where_network_has("draft/channel-rename"),  # channel-rename
    "draft/chathistory": ALWAYS,  # chathistory
    "draft/event-playback": ALWAYS,  # chathistory, event-playback
    "draft/read-marker": ALWAYS,  # read-marker
    "draft/no-implicit-names": ALWAYS,  # no-implicit-names
    "draft/pre-away": ALWAYS,  # pre-away
    "draft/extended-isupport": ALWAYS,  # extended-isupport
    "draft/message-redaction": _where_network_has("draft/message-redaction"),
    # multiline: line by line to a network that has it not
    "draft/multiline": Offer(f"max-bytes={MULTILINE_BYTES},max-lines={MULTILINE_LINES}"),
    "draft/metadata-2": Offer(f"max-subs={METADATA_SUBS},max-keys=0"),  # metadata: notes
    "soju.im/bouncer-networks": ALWAYS,  # soju doc/ext/bouncer-networks.md
    "soju.im/bouncer-networks-notify": ALWAYS,
    "soju.im/read": ALWAYS,  # soju doc/ext/read.md
    "soju.im/search": ALWAYS,  # soju doc/ext/search.md
    "soju.im/no-implicit-names": ALWAYS,
    "soju.im/account-required": Offer(told=True),  # soju doc/ext/account-required.md
    "soju.im/webpush": ALWAYS,  # soju doc/ext/webpush.md
}

# "Clients MUST NOT request this capability (CAP REQ)": sts; the same of account-required.
TOLD = frozenset(name for name, row in DOWNSTREAM_OFFERED.items() if row.told)
# "this capability has a REQUIRED value": sts; who is told no values is not told of it.
VALUE_REQUIRED = frozenset({"sts"})

# Never disabled by a client: CAP version 302 brings it along and says it stays.
STICKY_WITH_302 = frozenset({"cap-notify"})

# What we ask of networks. `sasl` is asked for only by a connection that has a login.
UPSTREAM_WANTED: tuple[str, ...] = (
    "sasl",  # sasl-3.2
    "account-notify",  # account-notify
    "account-tag",  # account-tag
    "away-notify",  # away-notify
    "batch",  # batch
    "cap-notify",  # capability-negotiation
    "chghost",  # chghost
    "draft/channel-rename",  # channel-rename: told as such, we follow
    "draft/message-redaction",  # message-redaction: REDACT
    "draft/multiline",  # multiline: batches that are one message
    "draft/extended-monitor",  # extended-monitor, by its older name
    "echo-message",  # echo-message: what others really saw of us
    "extended-join",  # extended-join
    "extended-monitor",  # extended-monitor
    "invite-notify",  # invite-notify
    "labeled-response",  # labeled-response: replies find the client that asked
    "message-tags",  # message-tags
    "multi-prefix",  # multi-prefix
    "server-time",  # server-time
    "setname",  # setname
    "standard-replies",  # standard-replies
    "userhost-in-names",  # userhost-in-names
)


def offered(
    network_caps: Collection[str] | None = None,
    serving: Mapping[str, str] = MappingProxyType({}),
    table: Mapping[str, Offer] = DOWNSTREAM_OFFERED,
) -> dict[str, str]:
    """What a client is offered: name -> value.

    `network_caps` are those enabled on its network (None: no network yet, so none of its own);
    `serving` switches on rows that are not served by default, each with its value.
    """
    network_caps = network_caps or ()
    return {
        name: serving.get(name, row.value)
        for name, row in table.items()
        if (row.served or name in serving)
        and (not row.needs or any(need in network_caps for need in row.needs))
    }


def parse_caps(text: str) -> dict[str, str]:
    """`a b=c` by name; a value that is missing is ''. The last of equal names counts."""
    caps = {}
    for word in text.split(" "):
        name, _, value = word.partition("=")
        if name:
            caps[intern(name)] = value[:MAX_VALUE]  # each connection hears the same names
    return caps


def filled(words: Iterable[str], room: int) -> list[str]:
    """The words joined by spaces into lines of at most `room` octets; at least one word each."""
    lines: list[str] = []
    line = ""
    for word in words:
        longer = f"{line} {word}" if line else word
        if line and len(longer.encode("utf-8", "replace")) > room:
            lines.append(line)
            longer = word
        line = longer
    return [*lines, line] if line else lines


class CapNegotiation:
    """Our side towards a network: LS, REQ in batches, then NEW and DEL for ever.

    A batch that is refused is asked for again one by one, so that one unknown capability costs
    only itself. `sasl` is asked for on its own line: a login hangs on it.
    """

    def __init__(self, wanted: Collection[str]) -> None:
        self.wanted = tuple(wanted)
        self.available: dict[str, str] = {}
        self.enabled: dict[str, str] = {}
        self.listed = False
        self._asked: list[tuple[str, ...]] = []  # REQs without an answer, oldest first

    @property
    def settled(self) -> bool:
        """Nothing is awaited: the list is complete and every REQ answered."""
        return self.listed and not self._asked

    def start(self) -> list[Message]:
        return [Message("CAP", ("LS", "302"))]

    def receive(self, message: Message) -> list[Message]:
        """Take a CAP message of the server; what to send. Anything else changes nothing."""
        if message.command != "CAP" or len(message.params) < 3:
            return []
        subcommand = message.params[1].upper()
        more = message.params[2] == "*" and len(message.params) > 3
        caps = parse_caps(message.params[-1])
        match subcommand:
            case "LS":
                return self._list(caps, more)
            case "NEW":
                self._add(caps)
                return self._request(name for name in caps)
            case "DEL":
                for name in caps:
                    self.available.pop(name, None)
                    self.enabled.pop(name, None)
            case "ACK":
                self._acknowledge(caps)
            case "NAK":
                return self._refuse(caps)
        return []

    def give_up(self) -> None:
        """The server does not know CAP."""
        self.listed = True
        self._asked.clear()

    def _list(self, caps: Mapping[str, str], more: bool) -> list[Message]:
        self._add(caps)
        if self.listed:  # asked for once more, for a login
            return self._request({"sasl"} & caps.keys())
        if more:
            return []
        self.listed = True
        return self._request(self.available)

    def _add(self, caps: Mapping[str, str]) -> None:
        for name, value in caps.items():
            if name in self.available or len(self.available) < MAX_AVAILABLE:
                self.available[name] = value
                if name in self.enabled:
                    self.enabled[name] = value

    def _request(self, names: Iterable[str]) -> list[Message]:
        pending = {name for batch in self._asked for name in batch}
        here = set(names) & self.available.keys() - self.enabled.keys() - pending
        wanted = [name for name in self.wanted if name in here]
        batches: list[tuple[str, ...]] = [("sasl",)] if "sasl" in wanted else []
        rest = filled((name for name in wanted if name != "sasl"), REQUEST_ROOM)
        batches += [tuple(line.split(" ")) for line in rest]
        return self._ask(batches)

    def _ask(self, batches: Iterable[tuple[str, ...]]) -> list[Message]:
        lines = []
        for batch in batches:
            self._asked.append(batch)
            lines.append(Message("CAP", ("REQ", " ".join(batch))))
        return lines

    def _acknowledge(self, caps: Mapping[str, str]) -> None:
        self._answered(caps)
        for word in caps:
            name = word.lstrip("-~=")  # '~' and '=' are modifiers of CAP before 302
            if word.startswith("-"):
                self.enabled.pop(name, None)
            elif name in self.wanted:
                self.enabled[name] = self.available.get(name, "")

    def _refuse(self, caps: Mapping[str, str]) -> list[Message]:
        batch = self._answered(caps)
        return self._ask((name,) for name in batch) if len(batch) > 1 else []

    def _answered(self, caps: Mapping[str, str]) -> tuple[str, ...]:
        """The REQ this answers: the oldest that shares a name, for some servers cut the list
        they repeat; none when the server answers what nobody asked."""
        named = {name.lstrip("-~=") for name in caps}
        for index, batch in enumerate(self._asked):
            if named & set(batch):
                return self._asked.pop(index)
        return ()
