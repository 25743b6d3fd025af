"""Registering with a network: capabilities, SASL, a nick that is free.

Pure: messages in, messages to send out. A network that wants no end to it fails by a bound here or
by the caller's time limit. After 001 the same object goes on with CAP NEW and DEL, and logs in late
when services come back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from bouncer.irc import numerics
from bouncer.irc.caps import CapNegotiation
from bouncer.irc.sasl import Chunks, Mechanism, SaslError, SaslLogin, authenticate, mechanism
from bouncer.irc.wire import Message

MAX_NICK_TRIES = 20
DEFAULT_NICKLEN = 9  # nothing is known before 005: RFC 1459 section 1.2


@dataclass(frozen=True, slots=True)
class Identity:
    """Who we are on a network. `sasl_required`: without a login we do not enter."""

    nick: str
    ident: str = ""
    realname: str = ""
    password: str = ""
    sasl: SaslLogin | None = None
    sasl_required: bool = False


class Failure(NamedTuple):
    """Why the network does not let us in. `permanent`: trying again is of no use until somebody
    acts; `banned`: only time can help."""

    text: str
    permanent: bool = False
    banned: bool = False


class UpstreamRegistration:
    """`start` it, hand every message to `receive` and send what comes back, until `registered`
    or `failure`; then go on handing in CAP, AUTHENTICATE, PING and the 900s.

    `sasl_failure` tells why we are in without the login that was wanted but not required.
    """

    def __init__(self, identity: Identity, wanted: Collection[str]) -> None:
        self.identity = identity
        self.nick = identity.nick
        self.registered = False
        self.account: str | None = None
        self.failure: Failure | None = None
        self.sasl_failure = ""
        self.sasl_refused = False  # the credentials were looked at and not taken
        self.negotiation = CapNegotiation(
            [name for name in wanted if name != "sasl" or identity.sasl is not None]
        )
        self._nicks = nick_candidates(identity.nick)
        self._cap_ended = False
        self._chunks = Chunks()
        self._mechanism: Mechanism | None = None
        self._to_try: list[str] = []
        self._sasl_over = identity.sasl is None
        self._aborted = ""  # why we broke off an exchange, until the server has heard it
        self._plain_nicks = False

    @property
    def caps(self) -> dict[str, str]:
        """The enabled capabilities and their values."""
        return self.negotiation.enabled

    @property
    def logging_in(self) -> bool:
        """A SASL exchange is under way."""
        return self._mechanism is not None

    @property
    def can_retry_login(self) -> bool:
        """We are in without the login, and it was the service that failed, not the password."""
        return (
            self.registered
            and self._mechanism is None
            and self.account is None
            and bool(self.sasl_failure)
            and not self.sasl_refused
            and bool(self.negotiation.available)
        )

    def retry_login(self) -> list[Message]:
        """Log in now; services may be back. A network that did not list `sasl` without them may do
        so now, and InspIRCd 3 sends no NEW."""
        if "sasl" not in self.caps:
            return self.negotiation.start()
        self._sasl_over = False
        return self._go_on()

    def give_up_login(self, why: str) -> list[Message]:
        """Services do not answer: go on without the login, or fail where it is required."""
        if self._mechanism is None:
            return []
        self._to_try.clear()
        return [Message("AUTHENTICATE", ("*",)), *self._next_mechanism(why)]

    def start(self) -> list[Message]:
        """What opens the connection. PASS comes first: RFC 1459 section 4.1."""
        me = self.identity
        lines = [Message("PASS", (me.password,))] if me.password else []
        return [
            *lines,
            *self.negotiation.start(),
            Message("NICK", (self.nick,)),
            Message("USER", (me.ident or me.nick, "0", "*", me.realname or me.nick)),
        ]

    def receive(self, message: Message) -> list[Message]:
        handler = _HANDLERS.get(message.command)
        if handler is None or self.failure is not None:
            return []
        return handler(self, message)

    # Each takes a message of its command and returns what to send.

    def _on_ping(self, message: Message) -> list[Message]:
        return [Message("PONG", message.params)]

    def _on_cap(self, message: Message) -> list[Message]:
        had_sasl = "sasl" in self.caps
        lines = self.negotiation.receive(message)
        if had_sasl and "sasl" not in self.caps and self._mechanism is not None:
            lines += self._next_mechanism("the network's login service went away")
        if self.registered and "sasl" in self.caps and not had_sasl and self.account is None:
            self._sasl_over = False  # "regaining access to an authentication server": sasl-3.2
        return lines + self._go_on()

    def _go_on(self) -> list[Message]:
        """What is next once the capabilities are settled: SASL, or the end of negotiation."""
        if self.failure or not self.negotiation.settled or self._mechanism is not None:
            return []
        if not self._sasl_over:
            return self._begin_sasl()
        if self._cap_ended or self.registered:
            return []
        self._cap_ended = True
        return [Message("CAP", ("END",))]

    def _begin_sasl(self) -> list[Message]:
        login = self.identity.sasl
        if login is None or "sasl" not in self.caps:
            if self.registered:
                self._sasl_over = True
                return []
            return self._end_sasl("the network offers no SASL now", permanent=False)
        listed = [name for name in self.caps["sasl"].split(",") if name]
        self._to_try = login.mechanisms(listed)
        return self._next_mechanism(f"the network has none of our SASL mechanisms, but {listed}")

    def _next_mechanism(self, why: str, *, permanent: bool = False) -> list[Message]:
        self._chunks = Chunks()
        self._mechanism = None
        why, self._aborted = self._aborted or why, ""
        login = self.identity.sasl
        while login is not None and self._to_try:
            name = self._to_try.pop(0)
            try:
                self._mechanism = mechanism(name, login)
            except SaslError as error:
                why, permanent = str(error), True
                continue
            return [Message("AUTHENTICATE", (name,))]
        return self._end_sasl(why, permanent=permanent)

    def _end_sasl(self, why: str, *, permanent: bool) -> list[Message]:
        """Without a login: fail closed where it is required, else go on and remember why."""
        self._mechanism = None
        self._sasl_over = True
        self.sasl_failure, self.sasl_refused = why, permanent
        if self.identity.sasl_required and not self.registered:
            self.failure = Failure(why, permanent)
            return [Message("QUIT")]
        return self._go_on()

    def _on_authenticate(self, message: Message) -> list[Message]:
        if self._mechanism is None or self._aborted or not message.params:
            return []
        try:
            challenge = self._chunks.feed(message.params[0])
            if challenge is None:
                return []
            return authenticate(self._mechanism.respond(challenge))
        except SaslError as error:
            self._aborted = str(error)  # the server's 906 leads on to the next mechanism
            if self._mechanism.told:  # who cannot show that it knows the password is not told it
                self._to_try.clear()
            return [Message("AUTHENTICATE", ("*",))]

    def _on_sasl_success(self, _message: Message) -> list[Message]:
        if self._mechanism is None:
            return []
        if not self._mechanism.proven:
            # A server that cannot show that it knows the password may be anybody: RFC 5802.
            self._to_try.clear()
            return self._next_mechanism("the network did not prove that it knows the password")
        self._mechanism = None
        self._sasl_over = True
        self.sasl_failure = ""
        if self.account is None and self.identity.sasl is not None:
            self.account = self.identity.sasl.login or None
        return self._go_on()

    def _on_sasl_failure(self, message: Message) -> list[Message]:
        if self._mechanism is None:
            return []
        # Before the credentials left, it is the service that failed and not they.
        return self._next_mechanism(_text(message), permanent=self._mechanism.told)

    def _on_sasl_interrupted(self, message: Message) -> list[Message]:
        return self._next_mechanism(_text(message)) if self._mechanism is not None else []

    def _on_logged_in(self, message: Message) -> list[Message]:
        if len(message.params) >= 3:
            self.account = message.params[2]
        return []

    def _on_logged_out(self, _message: Message) -> list[Message]:
        self.account = None
        return []

    def _on_nick_refused(self, message: Message) -> list[Message]:
        if self.registered:
            return []
        if message.command == numerics.ERR_ERRONEUSNICKNAME and not self._plain_nicks:
            self._plain_nicks = True
            self._nicks = plain_candidates(self._nicks, self.identity.nick)
        nick = next(self._nicks, None)
        if nick is None:
            self.failure = Failure(f"no nick is free: {_text(message)}")
            return [Message("QUIT")]
        self.nick = nick
        return [Message("NICK", (nick,))]

    def _on_welcome(self, message: Message) -> list[Message]:
        if self.registered:
            return []
        if not self._sasl_over and self.identity.sasl_required:
            self.failure = Failure("the network let us in without the login we require")
            return [Message("QUIT")]
        if not self._sasl_over:
            self._mechanism = None
            self._sasl_over = True
            self.sasl_failure = "the network let us in before the login was done"
        self.registered = True
        if not self.negotiation.listed:
            self.negotiation.give_up()
        if message.params and message.params[0] not in ("", "*"):
            self.nick = message.params[0]
        return []

    def _on_unknown_command(self, message: Message) -> list[Message]:
        if self.registered or len(message.params) < 2 or message.params[1].upper() != "CAP":
            return []
        self.negotiation.give_up()
        self._cap_ended = True
        return self._go_on()

    def _on_refused_for_good(self, message: Message) -> list[Message]:
        if not self.registered:
            banned = message.command == numerics.ERR_YOUREBANNEDCREEP
            self.failure = Failure(_text(message), permanent=not banned, banned=banned)
        return []

    def _on_error(self, message: Message) -> list[Message]:
        text = _text(message)
        self.failure = Failure(text, banned=is_ban(text))
        return []


Handler = Callable[[UpstreamRegistration, Message], list[Message]]
_R = UpstreamRegistration
_HANDLERS: dict[str, Handler] = {
    "PING": _R._on_ping,
    "CAP": _R._on_cap,
    "AUTHENTICATE": _R._on_authenticate,
    "ERROR": _R._on_error,
    numerics.RPL_WELCOME: _R._on_welcome,
    numerics.ERR_UNKNOWNCOMMAND: _R._on_unknown_command,
    numerics.ERR_ERRONEUSNICKNAME: _R._on_nick_refused,
    numerics.ERR_NICKNAMEINUSE: _R._on_nick_refused,
    numerics.ERR_NICKCOLLISION: _R._on_nick_refused,
    numerics.ERR_UNAVAILRESOURCE: _R._on_nick_refused,
    numerics.ERR_PASSWDMISMATCH: _R._on_refused_for_good,
    numerics.ERR_YOUREBANNEDCREEP: _R._on_refused_for_good,
    numerics.ERR_INVALIDUSERNAME: _R._on_refused_for_good,
    numerics.RPL_LOGGEDIN: _R._on_logged_in,
    numerics.RPL_LOGGEDOUT: _R._on_logged_out,
    numerics.ERR_NICKLOCKED: _R._on_sasl_failure,
    numerics.RPL_SASLSUCCESS: _R._on_sasl_success,
    numerics.ERR_SASLFAIL: _R._on_sasl_failure,
    numerics.ERR_SASLTOOLONG: _R._on_sasl_failure,
    numerics.ERR_SASLABORTED: _R._on_sasl_interrupted,
    numerics.ERR_SASLALREADY: _R._on_sasl_success,
}

# "K-Lined", "Z:Line", "glined", "Kill line active", "Autokilled", "listed in DNSBL", …
_BAN = re.compile(
    r"banned|\bban([ :,)\]]|$)|\b[dgkxz][ :-]?line|\bkill line|\ba(uto)?kill|black-?list|\bdnsbl",
    re.IGNORECASE,
)


def is_ban(text: str) -> bool:
    """Whether an ERROR tells of a ban; servers have only words for it."""
    return _BAN.search(text) is not None


_THROTTLE_WORDS = ("throttle", "too fast", "too many", "connections from", "try again later")


def is_throttle(text: str) -> bool:
    """Whether an ERROR tells that we, or others at our address, connect too often."""
    return any(word in text.lower() for word in _THROTTLE_WORDS)


def nick_candidates(nick: str, nicklen: int = DEFAULT_NICKLEN) -> Iterator[str]:
    """What to try when a nick is taken: a suffix `_`, two, three; then cut, with numbers.

    At most MAX_NICK_TRIES; the wanted nick itself is not among them.
    """
    for underscores in range(1, 4):
        yield nick + "_" * underscores
    yield from _numbered(nick, nicklen, MAX_NICK_TRIES - 3)


def plain_candidates(rest: Iterator[str], nick: str) -> Iterator[str]:
    """After a 432: ASCII letters and digits alone, as every server takes them, and short.

    It uses up `rest`, so that a server which refuses everything meets the same bound.
    """
    letters = "".join(char for char in nick if char.isascii() and char.isalnum()).lstrip(
        "0123456789"
    )
    left = sum(1 for _ in rest)
    return _numbered(letters or "guest", DEFAULT_NICKLEN, left)


def _numbered(nick: str, nicklen: int, tries: int) -> Iterator[str]:
    for number, _ in zip(count(1), range(tries), strict=False):
        digits = str(number)
        yield nick[: nicklen - len(digits)] + digits


def _text(message: Message) -> str:
    return message.params[-1] if message.params else message.command
