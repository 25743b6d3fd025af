"""Who asked: replies go to the client whose question they answer, and to nobody else.

A network answers questions in the order in which they were asked, so a short queue is enough
where it lacks labeled-response. Pure; time is an argument (epoch milliseconds).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from bouncer.irc.wire import Message

MAX_QUESTIONS = 256  # full: the oldest is forgotten, its late replies go to every client
MAX_SPEAKERS = 1_024  # conversations whose last speaker is known; full: the memory starts anew
PATIENCE_MS = 60_000  # a question without an end this old is forgotten


@dataclass(frozen=True, slots=True)
class Replies:
    """The numerics that may answer a command, and those that end its answer."""

    body: frozenset[str]
    ends: frozenset[str]


def _replies(body: str, ends: str) -> Replies:
    return Replies(frozenset(body.split()), frozenset(ends.split()))


# Bodies and ends from RFC 2812 section 5.1 and what servers in use send beside it.
QUESTIONS = {
    "ADMIN": _replies("256 257 258", "259 423"),
    "AWAY": _replies("", "305 306"),
    "HELP": _replies("704 705", "706 524"),
    "INFO": _replies("371", "374"),
    "INVITE": _replies("", "341 443 442 482 301"),
    "ISON": _replies("", "303"),
    "JOIN": _replies("", "405 437 471 473 474 475 476 477 480 489 520"),
    "KICK": _replies("", "441 442 482"),
    "KNOCK": _replies("", "710 711 712 713 714"),
    "LINKS": _replies("364", "365"),
    "LIST": _replies("321 322", "323"),
    "LUSERS": _replies("251 252 253 254 265", "255 266"),
    "MAP": _replies("006 015 018", "007 017"),
    "MODE": _replies(
        "346 348 367 728 346 386 388",
        "221 324 347 349 368 729 387 389 472 482 501 502 467 478 696",
    ),
    "MOTD": _replies("372 375", "376 422"),
    "NAMES": _replies("353", "366"),
    "NICK": _replies("", "432 433 436 437 438 447 484"),
    "OPER": _replies("", "381 464 491"),
    "STATS": _replies("211 212 213 215 216 218 241 242 243 244 249 250", "219 481"),
    "TIME": _replies("", "391"),
    "TOPIC": _replies("", "331 332 442 482"),
    "TRACE": _replies("200 201 202 203 204 205 206 208 209 261", "262"),
    "USERHOST": _replies("", "302"),
    "VERSION": _replies("", "351"),
    "WHO": _replies("352 354", "315"),
    "WHOIS": _replies(
        "275 276 301 307 308 309 310 311 312 313 316 317 319 320 326 330 335 338 342 343 350"
        " 378 379 569 616 671 672 690 703 716",
        "318 431",
    ),
    "WHOWAS": _replies("301 307 312 314 330 338 379", "369"),
}
# Lines that follow an answer's end without belonging to the next one.
AFTERWARDS = frozenset({"329", "333", "266"})
# What a network says of a message it could not deliver, and of one to somebody who is away.
SAYING_ERRORS = frozenset({"301", "401", "403", "404", "407", "415", "477", "531", "716", "717"})
# Errors that end whatever question was put about the same thing.
ERRORS = frozenset({"263", "401", "402", "403", "404", "406", "421", "461", "481", "723"})


@dataclass(frozen=True, slots=True)
class Question:
    asker: int
    command: str
    subject: str  # its first parameter, for errors that name it
    asked_ms: int


class Routing:
    """The questions still open on one network."""

    def __init__(self) -> None:
        self._open: deque[Question] = deque(maxlen=MAX_QUESTIONS)
        self._last: int | None = None
        self._speakers: dict[str, int] = {}

    def note(self, speaker: int, target: str) -> None:
        """`speaker` has said something to `target`: errors about it are for them."""
        if len(self._speakers) >= MAX_SPEAKERS:
            self._speakers.clear()
        self._speakers[target.lower()] = speaker

    def ask(self, asker: int, message: Message, now_ms: int) -> None:
        """Note that `asker` has sent `message` to the network."""
        subject = message.params[0] if message.params else ""
        self._open.append(Question(asker, message.command, subject, now_ms))

    def forget(self, asker: int) -> None:
        """The client is gone; its answers are for nobody, but must still be told apart."""
        if self._last == asker:
            self._last = None
        self._speakers = {name: who for name, who in self._speakers.items() if who != asker}

    def settle(self, command: str, subject: str) -> None:
        """A question was answered by a message that is no numeric (a JOIN by a JOIN)."""
        for question in self._open:
            if question.command == command and subject.lower() in question.subject.lower():
                self._open.remove(question)
                return

    def clear(self) -> None:
        """The connection is new: nothing that was asked before will be answered."""
        self._open.clear()
        self._speakers.clear()
        self._last = None

    def route(self, message: Message, now_ms: int) -> int | None:
        """The client that `message`, a numeric, answers; None when nobody asked for it."""
        while self._open and now_ms - self._open[0].asked_ms > PATIENCE_MS:
            self._open.popleft()
        numeric = message.command
        for index, question in enumerate(self._open):
            replies = QUESTIONS.get(question.command)
            if replies is not None and numeric in replies.body:
                return self._answered(question)
            if replies is not None and numeric in replies.ends:
                del self._open[index]
                return self._answered(question)
            if numeric in ERRORS and self._about(question, message):
                # WHOIS answers an unknown nick with 401 and then its end
                if replies is None or not (replies.ends & {"318", "369"}):
                    del self._open[index]
                return self._answered(question)
        if numeric in SAYING_ERRORS and len(message.params) > 1:
            return self._speakers.get(message.params[1].lower())
        return self._last if numeric in AFTERWARDS else None

    def _answered(self, question: Question) -> int:
        self._last = question.asker
        return question.asker

    @staticmethod
    def _about(question: Question, message: Message) -> bool:
        words = {word.lower() for word in message.params[1:-1]}
        return question.subject.lower() in words or question.command.lower() in words
