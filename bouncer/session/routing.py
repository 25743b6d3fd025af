"""Who asked: replies go to the client whose question they answer, and to nobody else.

A network answers questions in the order in which they were asked, so a short queue is enough
where it lacks labeled-response. Pure; time is an argument (epoch milliseconds).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from bouncer.irc.people import matches
from bouncer.irc.who import WhoRequest
from bouncer.irc.wire import Message
from bouncer.session.folding import Fold
from bouncer.session.replies import (
    ABOUT_SOMEBODY,
    AFTERWARDS,
    ENTERING,
    ERRORS,
    KNOWN,
    LISTED,
    QUESTIONS,
    SAYING_ERRORS,
    STATES,
    UNASKED,
    UNFENCED,
    only_asks,
)

if TYPE_CHECKING:
    from bouncer.session.answers import Answer

MAX_QUESTIONS = 1_024  # three of each of 250 channels; full: the oldest's replies go to everybody
MAX_SPEAKERS = 1_024  # conversations whose speakers are known; full: the memory starts anew
MAX_UNREFUSED = 64  # messages to one target that may yet be refused; full: the oldest is forgotten
REFUSED_MS = 2_000  # what has not been refused this long after it was sent has been taken
PATIENCE_MS = 60_000  # a question without an end this old is forgotten


@dataclass(slots=True, eq=False)
class Asked:
    """`label` is the one we gave it where the network takes labels; `answer` is there when the
    client gave one."""

    asker: int
    command: str
    subject: str  # its first parameter
    heard_ms: int  # when it was asked, or of the last part of its answer
    answer: Answer | None = None
    left: list[str] = field(default_factory=list)  # folded: what it names, and is not answered yet
    label: str = ""
    who: WhoRequest | None = None  # fields that the network does not know
    asks: bool = True  # it has nothing but its subject, and so changes nothing
    acts: bool = True  # what we are seen to do may be its answer
    words: frozenset[str] = frozenset()  # all that it names, for errors about that
    hears_notices: bool = False  # a server's notice may be its answer
    behind: Asked | None = None  # of a PING of ours: what it shows to be answered

    @property
    def is_fenced(self) -> bool:
        """Whether a PING of ours goes behind it, whose PONG comes after its answer."""
        return self.answer is not None and self.command not in UNFENCED


def is_short_for(asked: str, name: str) -> bool:
    """Whether a channel asked for as `!name` or `!!name` may be this `!XXXXXname`: the server puts
    the "channel identifier (which is a string of 5 characters)" there, RFC 2811 section 3.2."""
    return asked[:1] == "!" == name[:1] and asked.lstrip("!") == name[6:]


class Reply(NamedTuple):
    """What a message of the network answers; `last` when nothing more of the answer comes."""

    question: Asked
    last: bool


@dataclass(slots=True, eq=False)
class Speakers:
    """Who said something to one target. A network that neither labels nor echoes tells only what it
    refuses, in the order in which it was said."""

    last: Asked  # of whom an error was last, or who has spoken since
    unrefused: deque[Asked] = field(default_factory=lambda: deque(maxlen=MAX_UNREFUSED))

    def says(self, said: Asked, since_ms: int, *, is_answered: bool) -> None:
        """What was said before that time has been taken. What the network answers in any case is
        told apart by that."""
        while self.unrefused and self.unrefused[0].heard_ms < since_ms:
            self.last = self.unrefused.popleft()
        if is_answered:
            self.last = said
        else:
            self.unrefused.append(said)

    def refused(self, since_ms: int) -> Asked:
        """Whose message an error is about: the oldest of those said since then, else the newest."""
        while self.unrefused:
            self.last = self.unrefused.popleft()
            if self.last.heard_ms >= since_ms:
                break
        return self.last

    def without(self, asker: int) -> Speakers | None:
        """What is left when this client is gone."""
        self.unrefused = deque(
            (said for said in self.unrefused if said.asker != asker), MAX_UNREFUSED
        )
        if self.last.asker == asker:
            if not self.unrefused:
                return None
            self.last = self.unrefused[-1]
        return self


class Routing:
    """The questions still open on one network, which folds names so."""

    def __init__(self, fold: Fold) -> None:
        self.fold = fold
        self._open: deque[Asked] = deque()
        self._pushed_out: list[Asked] = []  # emptied after each command
        self._labels: dict[str, Asked] = {}
        self._last: Asked | None = None
        self._speakers: dict[str, Speakers] = {}
        self._now_ms = 0
        self._ticked_ms = 0
        self._waited_ms = 0  # until then not all had been sent
        self.waits_since_ms = 0  # since when not all has been sent; 0 where it has

    def ticked(self, now_ms: int, *, waiting: bool) -> None:
        """What waits to be sent, and nobody knows which that is, is still to be answered."""
        self.waits_since_ms = (self.waits_since_ms or self._ticked_ms) if waiting else 0
        self._waited_ms = now_ms if waiting else self._waited_ms
        self._ticked_ms = now_ms

    def note(self, target: str, said: Asked, *, is_answered: bool = False) -> None:
        """Something was said to `target`: errors about it are for who said it."""
        folded = self.fold(target)
        speakers = self._speakers.get(folded)
        if speakers is None:
            if len(self._speakers) >= MAX_SPEAKERS:
                self._speakers.clear()
            speakers = self._speakers[folded] = Speakers(said)
        speakers.says(said, self._refused_since_ms(), is_answered=is_answered)

    def _refused_since_ms(self) -> int:
        return (self.waits_since_ms or self._now_ms) - REFUSED_MS

    def expired(self, now_ms: int) -> list[Asked]:
        """What is too old, and what had to make room since the last call: it is forgotten."""
        gone, self._pushed_out = self._pushed_out, []
        self._now_ms = now_ms
        if now_ms - self._waited_ms <= PATIENCE_MS:
            return gone
        old = [question for question in self._open if now_ms - question.heard_ms > PATIENCE_MS]
        for question in old:
            self.end(question)
        return gone + old

    def ask(
        self,
        asker: int,
        message: Message,
        now_ms: int,
        answer: Answer | None = None,
        label: str = "",
        most: int | None = None,
    ) -> Asked:
        """Note that `asker` has sent `message` to the network, which answers to no more than `most`
        of the names in its first parameter."""
        self._now_ms = now_ms
        if len(self._open) >= MAX_QUESTIONS:
            self._pushed_out.append(self._open[0])
            self.end(self._open[0])
        subject = message.params[0] if message.params else ""
        names = subject.split(",")
        words = {message.command, *message.params, *names}
        if message.command == "MODE":
            words.update(*message.params[1:2])  # errors name the letter of a mode
        left = [self.fold(name) for name in names[:most]]
        question = Asked(
            asker, message.command, subject, now_ms, answer, left, label,
            asks=len(message.params) < 2,
            acts=message.command not in ("MODE", "TOPIC") or not only_asks(message),
            words=frozenset(map(self.fold, words)),
        )  # fmt: skip
        self._open.append(question)
        if label:
            self._labels[label] = question
        return question

    def end(self, question: Asked) -> None:
        """Nothing more of its answer comes."""
        if question in self._open:
            self._open.remove(question)
        self._labels.pop(question.label, None)

    def end_all(self, answer: Answer) -> list[Asked]:
        """End every question of one labelled answer."""
        ended = [question for question in self._open if question.answer is answer]
        for question in ended:
            self.end(question)
        return ended

    def hearing(self) -> Asked | None:
        """What a server's notice answers, if anything."""
        return next((question for question in self._open if question.hears_notices), None)

    def labelled(self, label: str) -> Asked | None:
        question = self._labels.get(label)
        if question is not None:
            question.heard_ms = self._now_ms
        return question

    def fence(self, token: str) -> Asked | None:
        """The PING of ours with this token."""
        for question in self._open:
            if question.command == "PING" and question.subject == token:
                return question
        return None

    def forget(self, asker: int) -> None:
        """The client is gone; its answers are for nobody, but must still be told apart."""
        if self._last is not None and self._last.asker == asker:
            self._last = None
        left = {name: speakers.without(asker) for name, speakers in self._speakers.items()}
        self._speakers = {name: speakers for name, speakers in left.items() if speakers is not None}

    def settle(self, command: str, subject: str) -> Reply | None:
        """A question was answered by a message that is no numeric (a JOIN by a JOIN)."""
        name = self.fold(subject)
        for question in self._open:
            if question.command == "JOIN" and any(is_short_for(e, name) for e in question.left):
                question.left = [name if is_short_for(e, name) else e for e in question.left]
                question.words |= {name}
            known = not name or name in question.left
            if question.command == command and question.acts and known:
                # a labelled one goes on until its fence: numerics follow a JOIN
                if question.answer is None and len(question.left) > 1 and name:
                    question.left.remove(name)
                elif question.answer is None:
                    self.end(question)
                return Reply(question, last=False)
        return None

    def clear(self) -> list[Asked]:
        """The connection is new: nothing that was asked before will be answered."""
        lost = list(self._open)
        self._open.clear()
        self._labels.clear()
        self._speakers.clear()
        self._last = None
        self.waits_since_ms = 0
        return lost

    def route(self, message: Message) -> Reply | None:
        """The question that `message`, a numeric without a label, answers; None for no one's.

        Of several the oldest that fits best: not all are answered, for a MODE that changes nothing
        has no answer, and such a one must not take the answers of others.
        """
        numeric = message.command
        found: Reply | None = None
        best, most = -1, 2 + (numeric in STATES or numeric in LISTED or numeric[0] in "45")
        for question in self._open:
            if not numeric.isdigit():  # FAIL, WARN, NOTE: the command comes first
                if question.command == message.params[0].upper():
                    whole = question.answer is None or question.label
                    return self._answered(question, last=bool(whole) and numeric == "FAIL")
                continue
            last = self._answers(question, message)
            if last is not None and (fits := self._fits(question, message)) > best:
                found, best = Reply(question, last), fits
                if best == most:
                    break
        if found is not None:
            if found.last and self._goes_on(found.question, message):
                found = found._replace(last=False)
            found.question.heard_ms = self._now_ms
            if numeric not in ENTERING or found.question.command != "JOIN":
                self._last = found.question
            return found
        speakers = self._speakers.get(self.fold("".join(message.params[1:2])))
        if numeric in SAYING_ERRORS and speakers is not None:
            follows = numeric == "717"  # behind the 716 of the same message
            said = speakers.last if follows else speakers.refused(self._refused_since_ms())
            return Reply(said, last=True)
        if numeric in ENTERING and numeric not in AFTERWARDS:
            self._last = None  # it follows a JOIN, and so does what comes after it
        # an INVITE is answered first, and then that who is invited is away
        names = numeric in ("301", "318", "329", "333")
        if self._last is not None and (
            self._about(self._last, message) if names else numeric in AFTERWARDS
        ):
            return Reply(self._last, last=False)
        return self._of_no_row(message)

    def _of_no_row(self, message: Message) -> Reply | None:
        """Whose command an error, or a numeric that no row knows, belongs to most likely."""
        numeric = message.command
        if not numeric.isdigit() or numeric in UNASKED:
            return None
        error = numeric[0] in "45"
        if error and self._last is not None and self._about(self._last, message):
            return Reply(self._last, last=False)  # one of several: MODE +vv nobody noone
        asked = [question for question in self._open if question.command != "PING"]
        if numeric in KNOWN and not (numeric in ERRORS and len(message.params) < 3):
            # of other commands: of one without a row, it may be, that names the same
            asked = [question for question in asked if error and self._about(question, message)]
            return self._answered(asked[-1], last=False) if asked else None
        if not error:
            asked = [question for question in asked if question.command not in QUESTIONS]
        # what is fenced is open still; of the others many have no answer, the older the likelier
        fenced = [question for question in asked if question.answer is not None]
        best = (fenced[:1] or asked[-1:])[:1]
        if not best:
            return None
        return self._answered(best[0], last=error and not best[0].is_fenced)

    def _answers(self, question: Asked, message: Message) -> bool | None:
        """Whether a numeric can be the last of the answer to this; None where it is no part."""
        numeric = message.command
        replies = QUESTIONS.get(question.command)
        of_one = numeric in ENTERING and question.subject and "*" not in message.params[1:2]
        if of_one and not self._about(question, message):  # it follows the JOIN of another channel
            return None
        if replies is not None and numeric in replies.body:
            # also said to who writes to somebody who is away
            return None if numeric == "301" and not self._is_after(question, message) else False
        if replies is not None and numeric in replies.ends:
            return bool(question.label) or not question.is_fenced
        error = numeric in ERRORS or (numeric[0] in "45" and numeric not in KNOWN)
        if error and self._about(question, message):
            # WHOIS answers an unknown nick with 401 and then its end, an unknown server with 402
            if replies is not None and replies.ends & {"318", "369"} and numeric != "402":
                return False
            return bool(question.label) or not question.is_fenced
        if question.command in ABOUT_SOMEBODY and numeric not in KNOWN:
            names = self.fold("".join(message.params[1:2])) in question.left
            return False if names else None
        entering = question.command == "JOIN" and numeric in ENTERING
        if entering and question.answer is not None and self._about(question, message):
            return False
        return None

    def _goes_on(self, question: Asked, message: Message) -> bool:
        """Whether only one of several that it names has been answered: that is asked no more."""
        answered = {self.fold(name) for name in message.params[1:-1]}
        left = [each for each in question.left if each not in answered]
        if not left or len(left) == len(question.left):
            return False
        question.left = left
        return True

    def _answered(self, question: Asked, *, last: bool) -> Reply:
        self._last = question
        question.heard_ms = self._now_ms
        return Reply(question, last)

    def _about(self, question: Asked, message: Message) -> bool:
        return not question.words.isdisjoint(map(self.fold, message.params[1:-1]))

    def _is_after(self, question: Asked, message: Message) -> bool:
        """Whether whom it names was asked about, be it by a mask."""
        nick = self.fold("".join(message.params[1:2]))
        return self._about(question, message) or any(matches(mask, nick) for mask in question.left)

    def _fits(self, question: Asked, message: Message) -> int:
        """How well a reply fits a question that it may answer: by what it names first."""
        # RPL_UMODEIS names only whom it is said to: RFC 2812 section 5.1
        named = message.params[:1] if message.command == "221" else message.params[1:]
        names = not {self.fold(word) for word in named}.isdisjoint(question.left)
        if message.command[0] in "45":
            all_named = question.words.issuperset(map(self.fold, message.params[1:-1]))
            return 2 * names + all_named
        if mode := LISTED.get(message.command):
            return 2 * names + (mode in question.words and not question.acts)
        return 2 * names + (question.asks and message.command in STATES)
