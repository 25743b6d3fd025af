"""The nick its user wants: taken when it is free, asked back from services when a stranger holds
it, never fought for with somebody who is logged in to our own account.

Nobody hears of our tries but by the NICK that succeeds. Who leaves is told by MONITOR, or by ISON
once a minute on a network without it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING

from bouncer.irc.wire import Message
from bouncer.session.effects import Effects, RememberNick
from bouncer.session.ours import OURS, ask, unwatch, watch

if TYPE_CHECKING:
    from bouncer.session.session import Session

ISON_MS = 60_000  # between looks at a network that has no MONITOR
ANSWER_MS = 10_000  # what services and WHOIS get to answer
FIRST_RETRY_MS = 15_000  # a nick just left may be held by services or by a nick delay
LONGEST_RETRY_MS = 300_000
LONGEST_REST_MS = 1_800_000  # where services take it from us again and again
REST_GROWS = 4
SERVICE = "NickServ"
# What gives a nick back, by the words of services in use: Atheme has the first, Anope the second,
# old ones the third. The next is tried when services do not know one.
WORDS = ("REGAIN", "RECOVER", "GHOST")


class Step(Enum):
    HELD = auto()  # the nick is ours, or nothing can be done
    ASKING = auto()  # WHOIS: who holds it?
    SERVICES = auto()  # services were asked to give it back
    WATCHING = auto()  # until whoever holds it leaves


class WantedNick:
    """`Session.network.nick` is the nick wanted; this is what is being done about it."""

    def __init__(self) -> None:
        self.chosen = ""  # what a client asked for last, until the network has answered
        self.reset()

    def reset(self) -> None:
        """A new connection."""
        self.step = Step.HELD
        self.chosen = ""
        self._due_ms = 0
        self._retry_ms = FIRST_RETRY_MS
        self._account = ""  # of whoever holds it, as WHOIS tells
        self._words: tuple[str, ...] = WORDS
        self._watched = ""
        self._held_ms = 0  # since when it is ours
        self._rest()

    def _rest(self) -> None:
        """Nobody has taken it from us."""
        self._rest_ms = 0
        self._rested_ms = 0  # until then it is not taken back

    # --- what its user says ---

    def asked(self, session: Session, nick: str, out: Effects) -> bool:
        """A client sends NICK: the nick becomes the one wanted once the network agrees.

        True when that is all: the network is not there, or it is our nick already.
        """
        if not session.ready:
            self._want(session, nick, out)
            for each in session.clients.by_id.values():
                out.tell(each.id, f":{each.nick} NICK :{nick}")
                each.nick = nick
            return True
        if session.state.is_me(nick):
            self._want(session, nick, out)
            self._held(session, out)
        self.chosen = nick
        return nick == session.state.nick

    def _want(self, session: Session, nick: str, out: Effects) -> None:
        if session.network.nick != nick:
            self._rest()
            session.change_network(nick=nick)
            out.others.append(RememberNick(nick))

    # --- what happens ---

    def begin(self, session: Session, out: Effects) -> None:
        """We are in, and a login that was under way is over."""
        if self._is_held(session):
            self._held(session, out)
        elif self.step is Step.HELD:
            self._watch(session, out)
            self._look(session, out)

    def begin_again(self, session: Session, out: Effects) -> None:
        """We are logged in now: services may help."""
        self._rest()
        if self.step is Step.WATCHING:
            self._words = WORDS
            self._look(session, out)

    def changed(self, session: Session, out: Effects) -> None:
        """A command has set another nick to want."""
        self._rest()
        if session.ready and not self._is_held(session):
            self._take(session, out)
            self._watch(session, out)

    def tick(self, session: Session, out: Effects) -> None:
        if self.step is Step.HELD or session.now_ms < self._due_ms:
            return
        if self.step in (Step.ASKING, Step.SERVICES):
            self._take(session, out)  # no answer is no reason to wait
        elif session.state.isupport.monitor:
            self._due_ms = session.now_ms + LONGEST_RETRY_MS
            if self._free:
                self._take(session, out)
        else:
            self._due_ms = session.now_ms + ISON_MS
            ask(session, Message("ISON", (session.network.nick,)), out)

    def hear(self, session: Session, message: Message, out: Effects) -> None:
        """Take a message whose command is in HEARS."""
        HEARS[message.command](self, session, message, out)

    def _renamed(self, session: Session, message: Message, out: Effects) -> None:
        new = message.params[0] if message.params else ""
        if session.state.nick == new:  # state has taken it: it is we
            if self._is_chosen(session, new):
                self._want(session, new, out)
                self.chosen = ""
            if self._is_held(session):
                self._held(session, out)
            else:
                self.chosen = ""
                if self.step is Step.HELD:
                    self._was_taken(session)
                    self._watch(session, out)
                    self._wait(session)
        else:
            self._left(session, message, out)

    def _was_taken(self, session: Session) -> None:
        """Services have renamed us, or two servers' users of one nick have met. Who does not log in
        is renamed each time: to take it back at once would go on for ever, before everybody."""
        if session.now_ms - self._held_ms > LONGEST_REST_MS:
            self._rest()
        self._rest_ms = min(self._rest_ms * REST_GROWS or FIRST_RETRY_MS, LONGEST_REST_MS)
        self._rested_ms = session.now_ms + self._rest_ms

    def _left(self, session: Session, message: Message, out: Effects) -> None:
        if self.step is not Step.HELD and self._is_wanted(session, message.nick):
            self._take(session, out)

    def _holder(self, session: Session, message: Message, _out: Effects) -> None:
        """330: `nick account :is logged in as`."""
        if len(message.params) >= 3 and self._is_wanted(session, message.params[1]):
            self._account = message.params[2]

    def _no_holder(self, session: Session, message: Message, out: Effects) -> None:
        """401 to our WHOIS."""
        if self.step is Step.ASKING and self._is_wanted(session, _second(message)):
            self._take(session, out)

    def _known(self, session: Session, message: Message, out: Effects) -> None:
        """318: what there is to know of the holder has been said."""
        if self.step is not Step.ASKING or not self._is_wanted(session, _second(message)):
            return
        own = session.state.account or ""
        if self._account and session.state.fold(self._account) == session.state.fold(own):
            self._wait(session)  # our own account holds it: its owner, elsewhere
        elif not self._ask_services(session, out):
            self._wait(session)

    def _ask_services(self, session: Session, out: Effects) -> bool:
        """Ask for it back where we have something to show for it."""
        logged_in = session.state.account is not None
        network = session.network
        password = "" if network.sasl_mechanism else network.sasl_password
        if not self._words or not (logged_in or password):
            return False
        word, self._words = self._words[0], self._words[1:]
        proof = "" if logged_in else f" {password}"
        text = f"{word} {network.nick}{proof}"
        out.to_network.append(Message("PRIVMSG", (SERVICE, text)))
        self.step, self._due_ms = Step.SERVICES, session.now_ms + ANSWER_MS
        return True

    def services_said(self, session: Session, text: str, out: Effects) -> None:
        """A notice of NickServ: the next word where it does not know this one."""
        if self.step is Step.SERVICES:
            lowered = text.lower()
            unknown = "unknown command" in lowered or "invalid command" in lowered
            if not unknown:
                self._due_ms = session.now_ms  # it has done what it does; see at the next tick
            elif not self._ask_services(session, out):
                self._wait(session)

    def _refused(self, session: Session, message: Message, _out: Effects) -> None:
        """433, 437 and their kin: our try, or a client's."""
        nick = _second(message)
        if self.chosen and session.state.fold(nick) == session.state.fold(self.chosen):
            self.chosen = ""
        if self.step is not Step.HELD and self._is_wanted(session, nick):
            self._wait(session)

    def _impossible(self, session: Session, message: Message, out: Effects) -> None:
        """432: this server takes no such nick at all."""
        if self.step is not Step.HELD and self._is_wanted(session, _second(message)):
            self._held(session, out)

    def _online(self, session: Session, message: Message, _out: Effects) -> None:
        if any(self._is_wanted(session, nick) for nick in _nicks(message)):
            self._free = False

    def _offline(self, session: Session, message: Message, out: Effects) -> None:
        if self.step in (Step.WATCHING, Step.ASKING) and any(
            self._is_wanted(session, nick) for nick in _nicks(message)
        ):
            self._take(session, out)

    def _ison(self, session: Session, message: Message, out: Effects) -> None:
        if session.reply is None or session.reply.question.asker != OURS:
            return  # somebody asked about others
        here = message.params[-1].split() if len(message.params) > 1 else []
        if self.step is Step.WATCHING and not any(self._is_wanted(session, nick) for nick in here):
            self._take(session, out)

    # --- steps ---

    _free = False  # MONITOR has said so

    def _is_held(self, session: Session) -> bool:
        """Also where it is cut to what the network takes: it will never give us more."""
        wanted, most = session.network.nick, session.state.isupport.nicklen
        return not wanted or any(map(session.state.is_me, (wanted, wanted[:most])))

    def _is_chosen(self, session: Session, nick: str) -> bool:
        """Whether this is what a client asked for, be it cut: servers shorten a long nick."""
        chosen, folded = session.state.fold(self.chosen), session.state.fold(nick)
        return chosen == folded or (not self._is_held(session) and chosen.startswith(folded))

    def _is_wanted(self, session: Session, nick: str) -> bool:
        return session.state.fold(nick) == session.state.fold(session.network.nick)

    def _held(self, session: Session, out: Effects) -> None:
        if self.step is not Step.HELD or not self._held_ms:
            self._held_ms = session.now_ms
        self.step = Step.HELD
        self._retry_ms = FIRST_RETRY_MS
        self._words = WORDS
        if self._watched and session.state.isupport.monitor:
            unwatch(session, self._watched, out)
        self._watched = ""

    def _watch(self, session: Session, out: Effects) -> None:
        self.step = Step.WATCHING
        wanted = session.network.nick
        if session.state.isupport.monitor and self._watched != wanted:
            if self._watched:
                unwatch(session, self._watched, out)
            self._watched = wanted
            watch(session, wanted, out)

    def _look(self, session: Session, out: Effects) -> None:
        self.step, self._account = Step.ASKING, ""
        self._due_ms = session.now_ms + ANSWER_MS
        ask(session, Message("WHOIS", (session.network.nick,)), out)

    def _take(self, session: Session, out: Effects) -> None:
        self._free = True  # until we hear otherwise
        self._wait(session)
        if session.now_ms < self._rested_ms:
            return
        ask(session, Message("NICK", (session.network.nick,)), out)

    def _wait(self, session: Session) -> None:
        self.step = Step.WATCHING
        if session.state.isupport.monitor:
            self._due_ms = session.now_ms + self._retry_ms
            self._retry_ms = min(self._retry_ms * 2, LONGEST_RETRY_MS)
        else:
            self._due_ms = session.now_ms + ISON_MS
        self._due_ms = max(self._due_ms, self._rested_ms)


def _second(message: Message) -> str:
    return message.params[1] if len(message.params) > 1 else ""


def _nicks(message: Message) -> list[str]:
    """Of 730 and 731: `nick[!user@host]` by commas."""
    told = message.params[-1] if message.params else ""
    return [word.partition("!")[0] for word in told.split(",")]


Handler = Callable[[WantedNick, "Session", Message, Effects], None]

HEARS: dict[str, Handler] = {
    "NICK": WantedNick._renamed,
    "QUIT": WantedNick._left,
    "303": WantedNick._ison,
    "318": WantedNick._known,
    "330": WantedNick._holder,
    "401": WantedNick._no_holder,
    "432": WantedNick._impossible,
    "433": WantedNick._refused,
    "435": WantedNick._refused,
    "436": WantedNick._refused,
    "437": WantedNick._refused,
    "447": WantedNick._refused,
    "730": WantedNick._online,
    "731": WantedNick._offline,
}
