"""Being known to services: SASL tried again while they are away, IDENTIFY where there is no SASL,
the user's own commands after registration, and credentials kept when they are seen to work.

A network's `sasl_login` and `sasl_password` without a mechanism are what the user told NickServ
themself: they are used by SASL where the network has it, else said to NickServ again. Those of a
mechanism never go to NickServ: on a network without services anybody may be called that.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from bouncer.irc.registration import SaslLogin
from bouncer.irc.wire import Message, ProtocolError
from bouncer.session.effects import Effects, RememberLogin
from bouncer.session.secrets import is_secret
from storage.records import Network

if TYPE_CHECKING:
    from bouncer.session.session import Session

NICKSERV = "NickServ"
LONGEST_HOLD_MS = 10_000  # joins wait so long at most for a login that is under way
SASL_ANSWER_MS = 20_000  # services that take longer are away
FIRST_RETRY_MS = 60_000  # SASL, while services are away,
LONGEST_RETRY_MS = 900_000
SHORTEST_RETRY_MS = 10_000  # and this where NickServ speaks, which shows that they are back
CANDIDATE_MS = 30_000  # credentials not seen to work by then are forgotten

# What NickServ says of a login, in the words of Atheme, Anope and their ancestors.
_WORKED = re.compile(r"(now|are) (identified|logged in|recognized)|password accepted", re.I)
_FAILED = re.compile(
    r"(invalid|incorrect|wrong|bad) (password|parameters|credentials)|password incorrect"
    r"|not (a )?registered|isn't registered|authentication failed|no such (nick|account)",
    re.I,
)


class Candidate(NamedTuple):
    """Credentials said to NickServ; kept once they are seen to work."""

    login: str
    password: str
    said_ms: int


def sasl_login(network: Network) -> SaslLogin | None:
    """How to log in by SASL, where there is something to log in with."""
    if network.sasl_mechanism:
        return SaslLogin(network.sasl_mechanism, network.sasl_login, network.sasl_password)
    if network.sasl_login and network.sasl_password:
        return SaslLogin("PLAIN", network.sasl_login, network.sasl_password)
    return None


def credentials(target: str, text: str) -> tuple[str, str] | None:
    """(account or '', password) of a login said to NickServ."""
    if target.lower().partition("@")[0] not in ("nickserv", "ns"):
        return None
    match text.split():
        case [word, password] if word.lower() in ("identify", "id"):
            return "", password
        case [word, login, password] if word.lower() in ("identify", "id"):
            return login, password
        case [word, password, _email] if word.lower() == "register":
            return "", password
    return None


class Services:
    """One session's dealings with the services of its network."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new connection."""
        self.waiting = False  # a login is under way: joins wait for it
        self._until_ms = 0
        self._sasl_since_ms = 0
        self._sasl_retry_ms = 0
        self._sasl_delay_ms = FIRST_RETRY_MS
        self._sasl_tried_ms = 0
        self._candidate: Candidate | None = None

    def begin(self, session: Session, out: Effects) -> None:
        """We are in: say what the user wants said, and log in where SASL has not done it."""
        registration = session.registration
        if registration is None:
            return
        if registration.sasl_failure:
            self._sasl_tried_ms = session.now_ms
            self._sasl_retry_ms = session.now_ms + self._sasl_delay_ms
            text = f"Not logged in to {session.network.name}: {registration.sasl_failure}"
            session.notify(out, text)
        self.waiting = registration.logging_in
        network = session.network
        for line in network.connect_commands:
            self._command(line, out)
        if network.sasl_password and not network.sasl_mechanism and not registration.account:
            login = f"{network.sasl_login} " if network.sasl_login else ""
            text = f"IDENTIFY {login}{network.sasl_password}"
            out.to_network.append(Message("PRIVMSG", (NICKSERV, text)))
            self.waiting = True
        self._until_ms = session.now_ms + LONGEST_HOLD_MS

    def _command(self, line: str, out: Effects) -> None:
        """One of the network's connect commands, a line of IRC. Never logged: it may be secret."""
        try:
            message = Message.parse(line.removeprefix("/"))
        except ProtocolError:
            return
        message = message._replace(source="", raw_tags="")
        out.to_network.append(message)
        self.waiting = self.waiting or (
            message.command in ("NICKSERV", "NS", "IDENTIFY")
            or (len(message.params) == 2 and is_secret(*message.params))
        )

    def tick(self, session: Session, out: Effects) -> None:
        registration = session.registration
        if registration is None:
            return
        now_ms = session.now_ms
        if not registration.logging_in:
            self._sasl_since_ms = 0
        elif not self._sasl_since_ms:
            self._sasl_since_ms = now_ms
        elif now_ms - self._sasl_since_ms > SASL_ANSWER_MS:
            out.to_network += registration.give_up_login("services do not answer")
        if session.ready:
            self._retry(session, out)
        if self.waiting and now_ms >= self._until_ms:
            self.waiting = False

    def _retry(self, session: Session, out: Effects) -> None:
        registration = session.registration
        assert registration is not None
        if registration.can_retry_login and session.now_ms >= self._sasl_retry_ms:
            self._sasl_tried_ms = session.now_ms
            self._sasl_delay_ms = min(self._sasl_delay_ms * 2, LONGEST_RETRY_MS)
            self._sasl_retry_ms = session.now_ms + self._sasl_delay_ms
            out.to_network += registration.retry_login()

    # --- what is said, and what comes of it ---

    def seen(self, session: Session, target: str, text: str) -> None:
        """A client has said something secret to a service."""
        found = credentials(target, text)
        if found is not None and not session.network.sasl_mechanism:
            self._candidate = Candidate(*found, session.now_ms)

    def logged_in(self, session: Session, out: Effects) -> None:
        """900, or the mode +r that older services set."""
        self.waiting = False
        account = session.state.account or ""
        candidate, self._candidate = self._candidate, None
        if candidate is None or session.now_ms - candidate.said_ms > CANDIDATE_MS:
            return
        login = candidate.login or account
        if (login, candidate.password) == (
            session.network.sasl_login,
            session.network.sasl_password,
        ):
            return
        session.change_network(sasl_login=login, sasl_password=candidate.password)
        out.others.append(RememberLogin(login, candidate.password))
        text = f"Your login to {session.network.name} is kept and used at every connect; "
        session.notify(out, text + f"`network set {session.network.name} --sasl-none` forgets it")

    def failed(self) -> None:
        self.waiting = False

    def mode(self, session: Session, message: Message, out: Effects) -> None:
        """`:services MODE me +r`: the registered user mode."""
        expected = bool(message.params) and (self.waiting or self._candidate is not None)
        if expected and session.state.is_me(message.params[0]) and "r" in session.state.umodes:
            self.logged_in(session, out)

    def said(self, session: Session, text: str, out: Effects) -> None:
        """A notice of NickServ to us."""
        soon_ms = self._sasl_tried_ms + SHORTEST_RETRY_MS
        self._sasl_retry_ms = min(self._sasl_retry_ms, soon_ms)
        if not (self.waiting or self._candidate):
            return
        if _WORKED.search(text):
            self.logged_in(session, out)
        elif _FAILED.search(text):
            self.waiting, self._candidate = False, None
