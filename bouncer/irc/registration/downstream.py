"""A client's registration with us: NICK, USER, PASS, CAP and SASL, until it is complete.

Pure: a message in; replies, and at most one Attempt that the caller checks, out. While an attempt
is open further messages are held, a few, and handled after `accept` or `refuse`. When `closing` is
set the connection ends once the replies are sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from bouncer.irc import bouncer_networks, numerics
from bouncer.irc.burst import NOTHING, isupport_lines
from bouncer.irc.isupport import ISupport
from bouncer.irc.login import Login
from bouncer.irc.registration.attempts import (
    Attempt,
    ExternalAttempt,
    PlainAttempt,
    ScramAttempt,
    ScramLookup,
    named,
    read_pass,
)
from bouncer.irc.registration.client_caps import ClientCaps
from bouncer.irc.registration.client_sasl import MECHANISMS, ClientSasl
from bouncer.irc.sasl import SaslError, ScramKeys
from bouncer.irc.standard_replies import Refused
from bouncer.irc.wire import Message

MAX_TRIES = 3  # wrong logins of one connection; then it is closed
MAX_HELD = 32  # messages while an attempt is open; full: the connection is closed
MAX_NICK = 100
_NOT_IN_NICKS = frozenset(" ,*?!@:#&\0\r\n")
_NOT_FIRST_IN_NICKS = frozenset("+~%-$0123456789")

Output = list[Message | Attempt]


class DownstreamRegistration:
    """One client's handshake. `offered` is what it may have (name -> value); `fingerprint` the
    SHA-256 of its certificate, '' without one; `tokens` what ISUPPORT tells before registration.

    After `complete` go on handing in CAP and AUTHENTICATE, and keep `nick` up to date.
    """

    def __init__(
        self,
        server_name: str,
        offered: Mapping[str, str],
        fingerprint: str = "",
        tokens: Mapping[str, str | None] = NOTHING,
    ) -> None:
        self.server_name = server_name
        self.fingerprint = fingerprint
        self.tokens = tokens
        self.nick = ""
        self.username = ""
        self.realname = ""
        self.user = ""  # the bouncer's user, once accepted
        self.complete = False
        self.closing = False
        self.away: str | None = None  # of an AWAY before registration: draft/pre-away
        self.bound_network: str | None = None  # by BOUNCER BIND: soju.im/bouncer-networks
        self._cap = ClientCaps(server_name, offered)
        self._sasl = ClientSasl(fingerprint)
        self._login = Login("")
        self._pass: str | None = None
        self._negotiating = False
        self._tries = 0
        self._open: Attempt | None = None
        self._by_sasl = False
        self._held: deque[Message] = deque()
        self._networks: Mapping[str, str] | None = None  # of the user: netid -> name

    @property
    def caps(self) -> set[str]:
        """The capabilities the client has enabled."""
        return self._cap.enabled

    @property
    def offered(self) -> Mapping[str, str]:
        return self._cap.offered

    @property
    def login(self) -> Login:
        """Who it is and which network and client it means. USER may name the network where the
        credentials do not; BOUNCER BIND overrides both."""
        user = self.user or self._login.user
        _, network, client = self._login
        hint = Login.parse(self.username)
        if hint.user.lower() == user.lower():
            network, client = network or hint.network, client or hint.client
        return Login(user, self.bound_network or network, client)

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

    def accept(self, user_name: str, networks: Mapping[str, str] | None = None) -> Output:
        """The open attempt is right and belongs to this user, whose networks are these: their
        names by netid."""
        attempt = self._open
        if attempt is None or self.closing:
            return []
        if isinstance(attempt, ScramLookup) or (
            isinstance(attempt, ScramAttempt) and not attempt.proven
        ):
            return self.refuse()  # nothing has been proven: whoever calls this is mistaken
        self._open = None
        self.user = user_name
        self._networks = networks or {}
        self._login = attempt.login._replace(user=user_name)
        out: Output = []
        if self._by_sasl:
            self._sasl.reset()
            mask = f"{self.nick or '*'}!{Login.parse(self.username).user or '*'}@*"
            text = f"You are now logged in as {user_name}"
            out.append(self._reply(numerics.RPL_LOGGEDIN, mask, user_name, text))
            out.append(self._reply(numerics.RPL_SASLSUCCESS, "SASL authentication successful"))
        return out + self._go_on()

    def refuse(self, text: str = "") -> Output:
        """The open attempt is wrong. After MAX_TRIES, or without SASL, the connection ends."""
        if self._open is None or self.closing:
            return []
        self._open = None
        if not self._by_sasl:
            return self._bad_password(text)
        out = self._sasl_failed(text)
        return out if self.closing else out + self._go_on()

    def scram_keys(self, keys: ScramKeys) -> Output:
        """Answer a ScramLookup."""
        if not isinstance(self._open, ScramLookup) or self.closing:
            return []
        self._open = None
        try:
            out: Output = [*self._sasl.scram_keys(keys)]
        except SaslError as error:
            out = self._sasl_failed(str(error))
        return out if self.closing else out + self._go_on()

    def change_offer(self, offered: Mapping[str, str]) -> list[Message]:
        """Offer something else from now on; tells clients that know cap-notify."""
        return self._cap.change_offer(self._name, offered)

    # What handlers share.

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
        waiting = self._negotiating or not self.nick or not self.username
        if waiting or self.complete or self.closing or self._open is not None:
            return []
        if self.user:
            self.complete = True
            return []
        out: Output = []
        if self._sasl.mechanism:
            self._sasl.reset()
            out.append(self._reply(numerics.ERR_SASLABORTED, "SASL authentication aborted"))
        self._by_sasl = False
        if self._pass is not None:
            login, password = read_pass(self._pass, self.username)
            self._open = PlainAttempt(login, password)
        elif self.fingerprint:
            self._open = ExternalAttempt(Login.parse(self.username), self.fingerprint)
        else:
            text = "A login is required: SASL, or PASS user/network:password"
            return out + self._bad_password(text)
        return [*out, self._open]

    def _bad_password(self, text: str) -> Output:
        text = text or "Password incorrect"
        return [self._reply(numerics.ERR_PASSWDMISMATCH, text), *self._close(text)]

    def _sasl_failed(self, text: str) -> Output:
        self._sasl.reset()
        self._tries += 1
        text = text or "SASL authentication failed"
        out: Output = [self._reply(numerics.ERR_SASLFAIL, text)]
        return out + self._close(text) if self._tries >= MAX_TRIES else out

    def _needs_more(self, command: str) -> Message:
        return self._reply(numerics.ERR_NEEDMOREPARAMS, command, "Not enough parameters")

    def _not_yet(self) -> Output:
        return [self._reply(numerics.ERR_NOTREGISTERED, "You have not registered")]

    def _not_again(self) -> Output:
        return [self._reply(numerics.ERR_ALREADYREGISTERED, "You may not reregister")]

    # The commands.

    def _on_pass(self, message: Message) -> Output:
        if self.complete:
            return self._not_again()
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
        if not is_nick(nick):
            shown = _word(nick[:MAX_NICK])
            return [self._reply(numerics.ERR_ERRONEUSNICKNAME, shown, "Erroneous nickname")]
        self.nick = nick
        return self._try_completing()

    def _on_user(self, message: Message) -> Output:
        if self.complete:
            return self._not_again()
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
            return self._not_yet()
        self.away = (message.params[0] if message.params else "") or None
        if self.away is None:
            return [self._reply(numerics.RPL_UNAWAY, "You are no longer marked as being away")]
        return [self._reply(numerics.RPL_NOWAWAY, "You have been marked as being away")]

    def _on_isupport(self, _message: Message) -> Output:
        if self.complete:
            return []
        if "draft/extended-isupport" not in self.caps:
            return self._not_yet()
        return [*isupport_lines(ISupport(), "*", self.server_name, self.caps, self.tokens)]

    def _on_bouncer(self, message: Message) -> Output:
        if self.complete:
            return []
        if bouncer_networks.CAP not in self.caps:
            return self._not_yet()
        try:
            asked = bouncer_networks.parse(message.params)
            if not isinstance(asked, bouncer_networks.Bind):
                return self._not_yet()
            self.bound_network = bouncer_networks.bind(asked, self._networks)
        except Refused as refused:
            return [refused.reply(self.server_name)]
        return []

    def _on_cap(self, message: Message) -> Output:
        if not message.params:
            return [self._needs_more("CAP")]
        words = " ".join(message.params[1:])
        match message.params[0].upper():
            case "LS":
                self._negotiating = not self.complete
                return [*self._cap.ls(self._name, words)]
            case "LIST":
                return [*self._cap.list_enabled(self._name)]
            case "REQ":
                self._negotiating = not self.complete
                return [*self._cap.request(self._name, words)]
            case "END":
                self._negotiating = False
                return self._try_completing()
        shown = _word(message.params[0][:MAX_NICK])
        return [self._reply(numerics.ERR_INVALIDCAPCMD, shown, "Invalid CAP command")]

    def _on_authenticate(self, message: Message) -> Output:
        if not message.params:
            return [self._needs_more("AUTHENTICATE")]
        word = message.params[0]
        if self.user:
            text = "You have already authenticated using SASL"
            return [self._reply(numerics.ERR_SASLALREADY, text)]
        if word == "*":
            self._sasl.reset()
            return [self._reply(numerics.ERR_SASLABORTED, "SASL authentication aborted")]
        if not self._sasl.mechanism:
            return self._begin_sasl(word.upper())
        try:
            answer = self._sasl.feed(word)
        except SaslError as error:
            if not error.too_long:
                return self._sasl_failed(str(error))
            self._sasl.reset()
            return [self._reply(numerics.ERR_SASLTOOLONG, str(error))]
        if isinstance(answer, list):
            return [*answer]
        if isinstance(answer, PlainAttempt):
            answer = self._as_pass(answer)
        if isinstance(answer, ExternalAttempt) and not answer.login.user:
            answer = named(answer, self.username)
        self._by_sasl = True
        self._open = answer
        return [answer]

    def _as_pass(self, answer: PlainAttempt) -> PlainAttempt:
        """irc-framework, so Kiwi IRC, says its server password by SASL too, under its nick."""
        bare = answer.login == Login(answer.login.user)
        if not bare or ":" not in answer.password or answer.password != self._pass:
            return answer
        return PlainAttempt(*read_pass(answer.password, self.username))

    def _begin_sasl(self, mechanism: str) -> Output:
        listed = self.offered.get("sasl", "")
        if mechanism not in listed.split(",") or mechanism not in MECHANISMS:
            text = "are available SASL mechanisms"
            mechanisms = self._reply(numerics.RPL_SASLMECHS, listed or "*", text)
            return [mechanisms, *self._sasl_failed("")]
        self._sasl.begin(mechanism)
        return [Message("AUTHENTICATE", ("+",))]


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
    "ISUPPORT": _D._on_isupport,
    "BOUNCER": _D._on_bouncer,
}


def is_nick(text: str) -> bool:
    """Whether a client may call itself so. Which nicks a network takes is the network's to say."""
    return (
        0 < len(text) <= MAX_NICK
        and text[0] not in _NOT_FIRST_IN_NICKS
        and not set(text) & _NOT_IN_NICKS
    )


def _word(text: str) -> str:
    """Something a client sent, fit to stand in the middle of a reply."""
    return text.replace(" ", "_").lstrip(":") or "*"
