"""What networks answer commands with: the numerics of each, and where an answer ends.

Sources: RFC 2812 section 5.1, and what servers in use send beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

from bouncer.irc.wire import Message
from bouncer.session.secrets import SERVICE_COMMANDS


@dataclass(frozen=True, slots=True)
class Replies:
    """The numerics that may answer a command, and those that end its answer."""

    body: frozenset[str]
    ends: frozenset[str]


def _replies(body: str, ends: str) -> Replies:
    return Replies(frozenset(body.split()), frozenset(ends.split()))


QUESTIONS = {
    "ACCEPT": _replies("281", "282 456 457 458"),
    "ADMIN": _replies("256 257 258", "259 423"),
    "AWAY": _replies("", "305 306 429"),
    "ETRACE": _replies("708 709", "262"),
    "HELP": _replies("704 705 290 291 292 293", "706 524 294"),
    "HELPOP": _replies("704 705 290 291 292 293", "706 524 294"),
    "INFO": _replies("371", "374"),
    "INVITE": _replies("336", "337 341 443 442 482"),
    "ISON": _replies("", "303"),
    "JOIN": _replies("", "405 437 471 473 474 475 476 477 480 489 520"),
    "KICK": _replies("", "441 442 482"),
    "KNOCK": _replies("", "480 710 711 712 713 714"),
    "LINKS": _replies("364", "365"),
    "LIST": _replies("321 322", "323"),
    "LUSERS": _replies("250 251 252 253 254 265", "255 266"),
    "MAP": _replies("006 015 018", "007 017"),
    "MODE": _replies(
        "346 348 367 728 346 386 388",
        "221 324 347 349 368 729 387 389 441 442 472 482 499 501 502 467 468 478 525 696 697",
    ),
    "MOTD": _replies("372 375", "376 422"),
    "NAMES": _replies("353", "366"),
    "NICK": _replies("", "432 433 435 436 437 438 447 484"),
    "OPER": _replies("", "381 464 491"),
    "PART": _replies("", "442"),
    "RULES": _replies("232 308", "309 434"),
    "SERVLIST": _replies("234", "235"),
    "SILENCE": _replies("271", "272 511"),
    "STATS": _replies(
        "210 211 212 213 214 215 216 217 218 220 223 224 225 226 227 228 231 232 233 234 235 236"
        " 237 238 239 240 241 242 243 244 245 246 247 248 249 250",
        "219 481",
    ),
    "TIME": _replies("", "391"),
    "TOPIC": _replies("", "331 332 442 482"),
    "TRACE": _replies("200 201 202 203 204 205 206 208 209 261", "262"),
    "USERHOST": _replies("", "302"),
    "USERIP": _replies("", "340"),
    "USERS": _replies("265 392 393 395", "266 394 446"),
    "VERSION": _replies("", "351"),
    "WHO": _replies("352 354", "315"),
    "WHOIS": _replies(
        "275 276 301 307 308 309 310 311 312 313 316 317 319 320 326 330 335 338 342 343 350"
        " 378 379 569 616 671 672 690 703 716",
        "318 431",
    ),
    "WHOWAS": _replies("301 307 312 314 330 338 379", "369"),
}
# Commands whose answer ends with a numeric of its own, whatever the answer is.
SELF_ENDING = frozenset({
    "AWAY", "INFO", "ISON", "LINKS", "LIST", "MOTD", "NAMES", "STATS", "USERHOST", "WHO", "WHOIS",
    "WHOWAS",
})  # fmt: skip
# Commands with numerics of their own that some servers answer with notices instead: RFC 1459's own
# server and ircu have no others for HELP.
TOLD_BY_NOTICES = frozenset({"HELP", "HELPOP", "STATS"})
# Commands of no row that servers do not answer with notices.
TOLD_OTHERWISE = SERVICE_COMMANDS | {
    "NOTICE", "PING", "PRIVMSG", "REDACT", "SETNAME", "TAGMSG"
}  # fmt: skip
UNFENCED = SELF_ENDING | {"NOTICE", "PRIVMSG"}  # with no PING of ours behind them
# Lines that follow an answer's end without belonging to the next one.
AFTERWARDS = frozenset({"250", "265", "266", "329", "333"})
# What a network says of a message it could not deliver, and of one to somebody who is away.
SAYING_ERRORS = frozenset({
    "301", "401", "403", "404", "407", "408", "413", "414", "415", "439", "440", "442", "477",
    "486", "492", "494", "531", "716", "717",
})  # fmt: skip
# What follows a JOIN; where the JOIN was labelled it belongs to the answer.
ENTERING = frozenset({"331", "332", "333", "353", "366", "328", "329", "324"})
# How something stands: the answer to a command that names it and changes nothing.
STATES = frozenset({"221", "324", "331", "332"})
# Errors that end whatever question was put about the same thing.
ERRORS = frozenset({"263", "401", "402", "403", "404", "406", "421", "461", "481", "723"})
# Numerics that belong to no answer, or to one that is known; any other that names whom a WHOIS is
# about is part of its answer: servers go on inventing them.
ABOUT_SOMEBODY = frozenset({"WHOIS", "WHOWAS"})
KNOWN = (
    frozenset().union(*(replies.body | replies.ends for replies in QUESTIONS.values()))
    | ERRORS | SAYING_ERRORS | ENTERING | AFTERWARDS
)  # fmt: skip
# What is said to us unasked: that we are named or seen otherwise now, or are wanted.
UNASKED = frozenset({"042", "043", "396", "710", "718"})


# The lists of a channel, folded, by the numerics that say them; their modes alone ask for them.
LISTED = {
    "346": "i", "347": "i", "348": "e", "349": "e", "367": "b", "368": "b", "728": "q", "729": "q",
}  # fmt: skip
LISTS = frozenset({"b", "+b", "e", "+e", "I", "+I", "q", "+q"})


def only_asks(message: Message) -> bool:
    """Whether a MODE or a TOPIC asks how something stands, and changes nothing."""
    lists = message.command == "MODE" and len(message.params) == 2 and message.params[1] in LISTS
    return lists or len(message.params) < 2


def may_be_told_by_notices(command: str) -> bool:
    return command in TOLD_BY_NOTICES or (
        command not in QUESTIONS and command not in TOLD_OTHERWISE
    )
