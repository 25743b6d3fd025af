"""Every line this agent says in public. Pure.

"Unreachable from here since 11:45Z", never "down", never a cause, customer or host name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from bouncer.irc.split import join_entries
from fallback.config import MOVED_FOR_DAYS, NetworkConfig
from fallback.incident import Kind, Line
from fallback.watch import Verdict

MAX_LINE = 400  # octets
_LETTERS = "abcdefghkmnpqrstuvwxyz"  # without those that look like digits or each other
_DIGITS = "23456789"

HELP = (
    "say `claim HANDLE` here: you get a line to sign with your ssh key; or `claim HANDLE CODE` "
    "with one of your recovery codes (here, in private: a code said in a channel is burned). "
    "Verified people are invited and voiced. `status` and `help` work too."
)
UNKNOWN = "I am a bot; `help` says what I can do"
NO_INCIDENT = "no incident is open; nothing to claim now. `help` says how it would work."


def short_name(incident_id: str) -> str:
    """Two characters to call an incident by, the same at every agent: `k7`."""
    digest = hashlib.blake2b(incident_id.encode(), digest_size=2).digest()
    return _LETTERS[digest[0] % len(_LETTERS)] + _DIGITS[digest[1] % len(_DIGITS)]


def clock(at_s: float) -> str:
    """`11:45Z`"""
    return datetime.fromtimestamp(at_s, UTC).strftime("%H:%MZ")


def mark(incident_id: str, kind: Kind) -> str:
    """How the lines about the incident itself begin."""
    name = f"[fallback {short_name(incident_id)}]"
    return drilled(name) if kind is Kind.DRILL else name


def drilled(text: str) -> str:
    """Any line of a drill."""
    return f"[DRILL] {text}"


def announcement(
    incident_id: str,
    kind: Kind,
    verdict: Verdict,
    since_s: float,
    place: NetworkConfig,
    *,
    former: str = "",
) -> str:
    """The line: what is seen from here, and the one agreed place."""
    seen = f"{_unreachable(verdict)} since {clock(since_s)}."
    if kind is Kind.OPERATOR:
        seen = f"Incident opened by an admin at {clock(since_s)}."
    single = " [single observer]" if kind is Kind.SOLO else ""
    moved = f" (formerly {former})" if former else ""
    return f"{mark(incident_id, kind)}{single} {seen} Meet: {place.room}{moved}. /msg me help"


def _unreachable(verdict: Verdict) -> str:
    match verdict:
        case Verdict.HOME:  # seen by the bouncer, which says so in its heartbeats
            return "Home server unreachable from the primary"
        case Verdict.SERVICE:
            return "Primary service unreachable from here"
        case Verdict.SITE:
            return "Primary unreachable from here"


def later(
    incident_id: str, kind: Kind, line: Line, since_s: float, verdict: Verdict = Verdict.SITE
) -> str:
    """What is said while the incident goes on, and at its end."""
    head = mark(incident_id, kind)
    if verdict is Verdict.HOME and line is Line.BACK:
        return f"{head} Home server is back since {clock(since_s)}; staying until it is stable."
    match line:
        case Line.BACK:
            return f"{head} Primary is back since {clock(since_s)}; staying until it is stable."
        case Line.AGAIN:
            return f"{head} Primary unreachable from here again since {clock(since_s)}."
        case Line.WORSE:
            return f"{head} Not a drill any more: primary unreachable since {clock(since_s)}."
        case Line.CLOSING:
            return f"{head} An admin stands down: closing in 60s; !hold 10min stops it."
        case Line.HELD:
            return f"{head} Not closing: held until {clock(since_s)} by an admin."
        case Line.WITHDRAWN:
            return f"{head} Withdrawn: this agent speaks no more; heed the others."
        case Line.LAST:
            return f"{head} Over: the primary is stable. Thank you; go back to your usual channels."


def ask_nick(nick: str, *, held: bool = False, usual: str = "") -> str:
    """After a verification: which nick to take.

    `held`: by one's own account, so by a ghost. `usual`: the usual nick, where it could be had
    back: the ghosts of a bouncer that is gone hold it for minutes.
    """
    if held:
        return f"please take the nick {nick} back from its ghost: /msg NickServ REGAIN {nick}"
    or_back = f"; or take {usual} back from its ghost: /msg NickServ REGAIN {usual}"
    return f"please use the nick {nick} here: /nick {nick}" + (or_back if usual else "")


def roster_age(age_s: float) -> str:
    """What every reply says of a roster that is too old for accounts to count."""
    return f"the roster here is {age_s / 86400:.0f}d old: only ssh and recovery proofs count"


def admitted(room: str) -> str:
    return f"verified, invited to {room}"


def waits_outside(room: str) -> str:
    return f"verified, but I am no operator of {room} now; I invite you as soon as I am"


def no_operator(room: str, me: str) -> str:
    """For those inside; the room itself hears nobody who has neither op nor voice there."""
    return (
        f"somebody verified waits outside {room}, and I am no operator there: /mode {room} +o {me};"
        " if nobody can, leave it all of you: I make it anew and invite you"
    )


def cut(line: str, longest: int = MAX_LINE) -> str:
    """As much of it as fits a line of IRC beside its head."""
    return line.encode("utf-8", "replace")[:longest].decode("utf-8", "ignore")


def at_most(lines: Sequence[str], most: int) -> list[str]:
    """So many lines; the last one says how many more there are."""
    if len(lines) <= most:
        return list(lines)
    kept = lines[: most - 1]
    return [
        *kept,
        f"and {len(lines) - len(kept)} lines more, which are too many here: ask for less",
    ]


def wrap(entries: Sequence[str]) -> list[str]:
    """Entries joined by `; ` into lines that fit."""
    return join_entries(entries, MAX_LINE)


def lately_moved(place: NetworkConfig, now_s: float) -> bool:
    """Whether the place changed in the last 14 days: then old and new are announced."""
    if place.moved is None:
        return False
    today = datetime.fromtimestamp(now_s, UTC).date()
    return 0 <= (today - place.moved).days <= MOVED_FOR_DAYS
