"""A client's registration with us: NICK, USER, PASS, CAP and SASL, until it is complete.

Pure: a message in; replies, and at most one Attempt that the caller checks, out. While an attempt
is open further messages are held, a few, and handled after `accept` or `refuse`. When `closing` is
set the connection ends once the replies are sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import NamedTuple

from bouncer.irc import numerics
from bouncer.irc.caps import STICKY_WITH_302, filled, parse_caps, room_for_caps
from bouncer.irc.login import Login
from bouncer.irc.sasl import (
    Chunks,
    SaslError,
    ScramKeys,
    ScramServer,
    authenticate,
    parse_plain,
    scram_login,
)
from bouncer.irc.wire import Message

MAX_TRIES = 3  # wrong logins of one connection; then it is closed
MAX_HELD = 32  # messages while an attempt is open; full: the connection is closed
MAX_NICK = 100
_NOT_IN_NICKS = frozenset(" ,*?!@:#&\0\r\n")


class PlainAttempt(NamedTuple):
    """Check a password (SASL PLAIN, or PASS)."""

    login: Login
    password: str


class ExternalAttempt(NamedTuple):
    """Check a client certificate. The login's user is '' where the client leaves it to us."""

    login: Login
    fingerprint: str


class ScramLookup(NamedTuple):
    """Wanted: the SCRAM keys of a user, fake ones if there is none. Answer by `scram_keys`."""

    login: Login


class ScramAttempt(NamedTuple):
    """A finished SCRAM exchange. Not `proven` is a wrong password: count it, then `refuse`."""

    login: Login
    proven: bool


Attempt = PlainAttempt | ExternalAttempt | ScramLookup | ScramAttempt
Output = list[Message | Attempt]


class DownstreamRegistration:
    """One client's handshake. `offered` is what it may have (name -> value); `fingerprint` the
    SHA-256 of its certificate, '' without one.

    After `complete` go on handing in CAP and AUTHENTICATE, and keep `nick` up to date.
    """

    def __init__(self, server_name: str, offered: Mapping[str, str], fingerprint: str = "") -> None:
        self.server_name = server_name
        self.offered = dict(offered)
        self.fingerprint = fingerprint
        self.nick = ""
        self.username = ""
        self.realname = ""
        self.user = ""  # the bouncer's user, once accepted
        self.caps: set[str] = set()
        self.cap_version = 0
        self.complete = False
        self.closing = False
        self.away: str | None = None  # of an AWAY before registration: draft/pre-away
        self.bound_network = ""  # of BOUNCER BIND: soju.im/bouncer-networks
        self._login = Login("")
        self._pass: str | None = None
        self._negotiating = False
        self._tries = 0
        self._open: Attempt | None = None
        self._by_sasl = False
        self._held: deque[Message] = deque()
        self._mechanism = ""
        self._chunks = Chunks()
        self._scram: ScramServer | None = None
        self._scram_first = b""
        self._scram_final = b""
        self._scram_proven = False

    @property
    def login(self) -> Login:
        """Who it is and which network and client it means. USER may name the network where the
        credentials do not."""
        user = self.user or self._login.user
        _, network, client = self._login
        hint = Login.parse(self.username)
        if hint.user == user:
            network, client = network or hint.network, client or hint.client
        return Login(user, network, client)

    def receive(self, message: Message) -> Output:
        if self.closing:
            return []
        if self._open is not None:
            if len(self._held) >= MAX_HELD:
                return self._close("Too many commands before the login was checked")
            self._held.append(message)
            return []
        handler = _HANDLERS.get(message.command)
        if handler is not None:
            return handler(self, message)
        if self.complete:
            return []
        return [self._reply(numerics.ERR_NOTREGISTERED, "You have not registered")]

    def accept(self, user_name: str) -> Output:
        """The open attempt is right and belongs to this user."""
        attempt, self._open = self._open, None
        if attempt is None:
            return []
        if isinstance(attempt, ScramLookup) or (
            isinstance(attempt, ScramAttempt) and not attempt.proven
        ):
            self._open = attempt
            return self.refuse()  # nothing has been proven: whoever calls this is mistaken
        self.user = user_name
        self._login = attempt.login._replace(user=user_name)
        out: Output = []
        if self._by_sasl:
            self._mechanism = ""
            mask = f"{self.nick or '*'}!{self.username or '*'}@*"
            text = f"You are now logged in as {user_name}"
            out.append(self._reply(numerics.RPL_LOGGEDIN, mask, user_name, text))
            out.append(self._reply(numerics.RPL_SASLSUCCESS, "SASL authentication successful"))
        return out + self._go_on()

    def refuse(self, text: str = "") -> Output:
        """The open attempt is wrong. After MAX_TRIES, or without SASL, the connection ends."""
        if self._open is None:
            return []
        self._open = None
        self._tries += 1
        if not self._by_sasl:
            return self._bad_password(text)
        out = self._sasl_failed(text)
        if self._tries >= MAX_TRIES:
            return out + self._close(text or "Too many failed logins")
        return out + self._go_on()

    def scram_keys(self, keys: ScramKeys) -> Output:
        """Answer a ScramLookup."""
        if not isinstance(self._open, ScramLookup):
            return []
        lookup = self._open
        self._open = None
        try:
            self._scram = ScramServer(self._scram_first, keys)
        except SaslError as error:
            return [*self._sasl_failed(str(error)), *self._go_on()]
        self._login = lookup.login
        return [*authenticate(self._scram.first), *self._go_on()]

    def change_offer(self, offered: Mapping[str, str]) -> list[Message]:
        """Offer something else from now on; tells clients that know cap-notify."""
        new = {name: value for name, value in offered.items() if name not in self.offered}
        gone = [name for name in self.offered if name not in offered]
        self.offered = dict(offered)
        self.caps.difference_update(gone)
        if self.cap_version < 302 and "cap-notify" not in self.caps:
            return []
        return [
            *self._cap_lines("NEW", self._listed(new, self.cap_version >= 302)),
            *self._cap_lines("DEL", gone),
        ]

    # --- what handlers share ---

    @property
    def _name(self) -> str:
        return self.nick if self.complete else "*"

    def _reply(self, numeric: str, *params: str) -> Message:
        return Message(numeric, (self._name, *params), self.server_name)

    def _close(self, text: str) -> Output:
        self.closing = True
        self._held.clear()
        return [Message("ERROR", (text,))]

    def _go_on(self) -> Output:
        """Handle what was held, then complete if nothing is missing."""
        out: Output = []
        while self._held and self._open is None and not self.closing:
            out += self.receive(self._held.popleft())
        return out + self._try_completing()

    def _try_completing(self) -> Output:
        if (
            self.complete or self.closing or self._negotiating or self._open is not None
            or not self.nick or not self.username
        ):  # fmt: skip
            return []
        if self.user:
            self.complete = True
            return []
        if self._mechanism:
            self._mechanism = ""
            aborted = self._reply(numerics.ERR_SASLABORTED, "SASL authentication aborted")
            return [aborted, *self._try_completing()]
        self._by_sasl = False
        if self._pass is not None:
            login, password = read_pass(self._pass, self.username)
            self._open = PlainAttempt(login, password)
        elif self.fingerprint:
            self._open = ExternalAttempt(Login.parse(self.username), self.fingerprint)
        else:
            return self._bad_password("A login is required: SASL, or PASS user/network:password")
        return [self._open]

    def _bad_password(self, text: str) -> Output:
        text = text or "Password incorrect"
        return [self._reply(numerics.ERR_PASSWDMISMATCH, text), *self._close(text)]

    # --- the commands ---

    def _on_pass(self, message: Message) -> Output:
        if self.complete:
            return [self._reply(numerics.ERR_ALREADYREGISTERED, "You may not reregister")]
        if not message.params:
            return [self._needs_more("PASS")]
        self._pass = message.params[0]
        return []

    def _on_nick(self, message: Message) -> Output:
        if self.complete:
            return []
        nick = message.params[0] if message.params else ""
        if not nick:
            return [self._reply(numerics.ERR_NONICKNAMEGIVEN, "No nickname given")]
        if len(nick) > MAX_NICK or nick[0] in "+~%-0123456789$" or set(nick) & _NOT_IN_NICKS:
            shown = nick[:MAX_NICK].replace(" ", "_").lstrip(":") or "*"
            return [self._reply(numerics.ERR_ERRONEUSNICKNAME, shown, "Erroneous nickname")]
        self.nick = nick
        return self._try_completing()

    def _on_user(self, message: Message) -> Output:
        if self.complete:
            return [self._reply(numerics.ERR_ALREADYREGISTERED, "You may not reregister")]
        if len(message.params) < 4 or not message.params[0]:
            return [self._needs_more("USER")]
        self.username, self.realname = message.params[0], message.params[3]
        return self._try_completing()

    def _on_ping(self, message: Message) -> Output:
        if not message.params:
            return [self._reply(numerics.ERR_NOORIGIN, "No origin specified")]
        return [Message("PONG", (self.server_name, message.params[0]), self.server_name)]

    def _on_pong(self, _message: Message) -> Output:
        return []

    def _on_quit(self, _message: Message) -> Output:
        return [] if self.complete else self._close("Quit")

    def _on_away(self, message: Message) -> Output:
        if self.complete:
            return []
        if "draft/pre-away" not in self.caps:
            return [self._reply(numerics.ERR_NOTREGISTERED, "You have not registered")]
        self.away = (message.params[0] if message.params else "") or None
        if self.away is None:
            return [self._reply(numerics.RPL_UNAWAY, "You are no longer marked as being away")]
        return [self._reply(numerics.RPL_NOWAWAY, "You have been marked as being away")]

    def _on_bouncer(self, message: Message) -> Output:
        if self.complete:
            return []
        if "soju.im/bouncer-networks" not in self.caps:
            return [self._reply(numerics.ERR_NOTREGISTERED, "You have not registered")]
        if len(message.params) < 2 or message.params[0].upper() != "BIND":
            text = "Only BOUNCER BIND <netid> may come before registration"
            return [Message("FAIL", ("BOUNCER", "REGISTRATION_INCOMPLETE", text), self.server_name)]
        self.bound_network = message.params[1]
        return []

    def _needs_more(self, command: str) -> Message:
        return self._reply(numerics.ERR_NEEDMOREPARAMS, command, "Not enough parameters")

    # --- CAP ---

    def _on_cap(self, message: Message) -> Output:
        if not message.params:
            return [self._needs_more("CAP")]
        subcommand = message.params[0].upper()
        words = " ".join(message.params[1:])
        match subcommand:
            case "LS":
                return self._cap_ls(words)
            case "LIST":
                return [*self._cap_lines("LIST", sorted(self.caps), always=True)]
            case "REQ":
                return self._cap_req(words)
            case "END":
                if self.complete:
                    return []
                self._negotiating = False
                return self._try_completing()
        invalid = (message.params[0] or "*").replace(" ", "_").lstrip(":") or "*"
        return [self._reply(numerics.ERR_INVALIDCAPCMD, invalid, "Invalid CAP command")]

    def _cap_ls(self, words: str) -> Output:
        self._negotiating = not self.complete
        version = int(words) if words.isascii() and words.isdecimal() and len(words) < 9 else 0
        self.cap_version = max(self.cap_version, version)
        if self.cap_version >= 302 and "cap-notify" in self.offered:
            self.caps.add("cap-notify")  # "enabled implicitly with 302"
        names = self._listed(self.offered, version >= 302)
        if version >= 302:
            return [*self._cap_lines("LS", names, always=True)]
        # Only version 302 knows a reply of several lines: the rest is left out.
        fitting = filled(names, room_for_caps(self.server_name, self._name))[:1]
        return [Message("CAP", (self._name, "LS", *(fitting or [""])), self.server_name)]

    def _cap_req(self, words: str) -> Output:
        if not self.complete:
            self._negotiating = True
        asked = list(parse_caps(words))
        sticky = STICKY_WITH_302 if self.cap_version >= 302 else frozenset[str]()
        for word in asked:
            known = word[1:] not in sticky if word.startswith("-") else word in self.offered
            if not known:
                return [Message("CAP", (self._name, "NAK", words), self.server_name)]
        for word in asked:
            if word.startswith("-"):
                self.caps.discard(word[1:])
            else:
                self.caps.add(word)
        return [Message("CAP", (self._name, "ACK", words), self.server_name)]

    @staticmethod
    def _listed(caps: Mapping[str, str], with_values: bool) -> list[str]:
        return [
            f"{name}={value}" if value and with_values else name for name, value in caps.items()
        ]

    def _cap_lines(self, verb: str, names: list[str], *, always: bool = False) -> list[Message]:
        texts = filled(names, room_for_caps(self.server_name, self._name))
        if not texts and always:
            texts = [""]  # "If no capabilities are available, an empty parameter MUST be sent"
        several = verb in ("LS", "LIST") and self.cap_version >= 302
        return [
            Message(
                "CAP",
                (self._name, verb, *(["*"] if several and text is not texts[-1] else []), text),
                self.server_name,
            )
            for text in texts
        ]

    # --- SASL ---

    def _on_authenticate(self, message: Message) -> Output:
        if not message.params:
            return [self._needs_more("AUTHENTICATE")]
        if self.user:
            text = "You have already authenticated using SASL"
            return [self._reply(numerics.ERR_SASLALREADY, text)]
        word = message.params[0]
        if word == "*":
            self._reset_sasl()
            return [self._reply(numerics.ERR_SASLABORTED, "SASL authentication aborted")]
        if not self._mechanism:
            return self._choose(word)
        try:
            response = self._chunks.feed(word)
            return [] if response is None else _MECHANISMS[self._mechanism](self, response)
        except SaslError as error:
            if not error.too_long:
                return self._sasl_failed(str(error))
            self._reset_sasl()
            return [self._reply(numerics.ERR_SASLTOOLONG, str(error))]

    def _choose(self, word: str) -> Output:
        mechanisms = self.offered.get("sasl", "")
        if word.upper() not in mechanisms.split(",") or word.upper() not in _MECHANISMS:
            listed = (mechanisms or "*", "are available SASL mechanisms")
            return [self._reply(numerics.RPL_SASLMECHS, *listed), *self._sasl_failed("")]
        self._reset_sasl()
        self._mechanism = word.upper()
        return [Message("AUTHENTICATE", ("+",))]

    def _reset_sasl(self) -> None:
        self._mechanism = ""
        self._chunks = Chunks()
        self._scram = None
        self._scram_proven = False

    def _sasl_failed(self, text: str) -> Output:
        self._reset_sasl()
        return [self._reply(numerics.ERR_SASLFAIL, text or "SASL authentication failed")]

    def _ask(self, attempt: Attempt) -> Output:
        self._by_sasl = True
        self._open = attempt
        return [attempt]

    def _plain(self, response: bytes) -> Output:
        login, password = parse_plain(response)
        return self._ask(PlainAttempt(Login.parse(login), password))

    def _external(self, response: bytes) -> Output:
        if not self.fingerprint:
            raise SaslError("SASL EXTERNAL wants a client certificate, and none was shown")
        identity = response.decode("utf-8", "replace")
        return self._ask(ExternalAttempt(Login.parse(identity), self.fingerprint))

    def _scram_step(self, response: bytes) -> Output:
        if self._scram is None:
            self._scram_first = response
            return self._ask(ScramLookup(Login.parse(scram_login(response))))
        if self._scram_proven:  # the client's empty answer to our server-final
            return self._ask(ScramAttempt(self._login, proven=True))
        try:
            final = self._scram.check(response)
        except SaslError:
            return self._ask(ScramAttempt(self._login, proven=False))
        self._scram_proven = True
        return [*authenticate(final)]


Handler = Callable[[DownstreamRegistration, Message], Output]
_D = DownstreamRegistration
_HANDLERS: dict[str, Handler] = {
    "PASS": _D._on_pass,
    "NICK": _D._on_nick,
    "USER": _D._on_user,
    "CAP": _D._on_cap,
    "AUTHENTICATE": _D._on_authenticate,
    "PING": _D._on_ping,
    "PONG": _D._on_pong,
    "QUIT": _D._on_quit,
    "AWAY": _D._on_away,
    "BOUNCER": _D._on_bouncer,
}
_MECHANISMS: dict[str, Callable[[DownstreamRegistration, bytes], Output]] = {
    "PLAIN": _D._plain,
    "EXTERNAL": _D._external,
    "SCRAM-SHA-256": _D._scram_step,
}


def read_pass(text: str, username: str) -> tuple[Login, str]:
    """`user/network:password`, or a password alone beside `USER user/network`.

    A password may hold a colon: what stands before it counts as a login unless USER names a
    network, or a client, for somebody else.
    """
    by_user = Login.parse(username)
    before, colon, password = text.partition(":")
    by_pass = Login.parse(before)
    full = by_user.network is not None or by_user.client is not None
    if not colon or not before or (full and by_pass.user != by_user.user):
        return by_user, text
    return by_pass, password
