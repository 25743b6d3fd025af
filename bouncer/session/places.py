"""Being in the channels that are wanted: joined once a login is over, tried again with growing
delays when the network keeps us out or has thrown us out, and its reasons told.

JOINs are as few as fit and leave under the rate limit; a channel is never given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bouncer.irc.modes import parse_modes
from bouncer.irc.split import join_lines
from bouncer.irc.wire import Message
from bouncer.session.effects import Effects
from bouncer.session.folding import Fold

if TYPE_CHECKING:
    from bouncer.session.session import Session

CHECK_MS = 5_000  # between looks at what is missing
ANSWER_MS = 60_000  # what a JOIN gets to be answered, and a kick to cool down,
PER_LINE_MS = 4_000  # and longer by this for each line of JOINs that waits for the rate limit
REFUSED_MS = 120_000  # after the first refusal; the delay doubles
LONGEST_MS = 1_800_000

# RFC 1459 and what servers in use send for a JOIN that they do not carry out.
REFUSALS = frozenset({
    "403", "405", "407", "437", "470", "471", "473", "474", "475", "476", "477", "479", "480",
    "485", "489", "495", "500", "519", "520", "926",
})  # fmt: skip


@dataclass(slots=True)
class Trial:
    """A wanted channel that we are not in. `asked` while our JOIN has no answer."""

    due_ms: int
    delay_ms: int = REFUSED_MS
    asked: bool = False
    reason: str = ""


class Places:
    """What is being done about the wanted channels that we are not in."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new connection."""
        self._held = True
        self._trials: dict[str, Trial] = {}  # by folded name; only of wanted channels
        self._check_ms = 0

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        self._trials = {refold(folded): trial for folded, trial in self._trials.items()}

    @property
    def holding(self) -> bool:
        return self._held

    def release(self, session: Session, out: Effects) -> None:
        """A login is over, or none was under way: be where the user wants to be."""
        if self._held:
            self._held = False
            self.join(session, session.wanted.values(), out)
            self._check_ms = session.now_ms + CHECK_MS

    def join(self, session: Session, channels: Iterable[tuple[str, str]], out: Effects) -> None:
        """Join those of `channels` that we are not in."""
        if self._held:
            return
        missing = [pair for pair in channels if session.state.channel(pair[0]) is None]
        lines = join_lines(missing, session.state.isupport.targmax("JOIN", unlisted=None))
        out.to_network += lines
        due_ms = session.now_ms + ANSWER_MS + PER_LINE_MS * len(lines)
        for name, _ in missing:
            folded = session.state.fold(name)
            trial = self._trials.setdefault(folded, Trial(due_ms))
            trial.asked, trial.due_ms = True, due_ms

    def tick(self, session: Session, out: Effects) -> None:
        if self._held or session.now_ms < self._check_ms:
            return
        self._check_ms = session.now_ms + CHECK_MS
        due: dict[str, tuple[str, str]] = {}
        for folded, pair in session.wanted.items():
            if folded in session.state.channels:
                continue
            trial = self._trials.get(folded)
            if trial is None:  # we have left without knowing why
                self._trials[folded] = Trial(session.now_ms + ANSWER_MS)
            elif session.now_ms >= trial.due_ms:
                due[folded] = pair
        if due:
            self.join(session, due.values(), out)
        for folded in due:  # an answer sets its own time
            trial = self._trials[folded]
            trial.due_ms = max(trial.due_ms, session.now_ms + trial.delay_ms)
            if not trial.reason:
                trial.delay_ms = min(trial.delay_ms * 2, LONGEST_MS)
        self._trials = {f: trial for f, trial in self._trials.items() if f in session.wanted}

    # --- what happens ---

    def hear(self, session: Session, message: Message, out: Effects) -> None:
        """Take a message whose command is in HEARS."""
        HEARS[message.command](self, session, message, out)

    def _joined(self, session: Session, message: Message, _out: Effects) -> None:
        if message.params and session.state.is_me(message.nick):
            self._trials.pop(session.state.fold(message.params[0]), None)

    def _kicked(self, session: Session, message: Message, _out: Effects) -> None:
        if len(message.params) < 2 or not session.state.is_me(message.params[1]):
            return
        folded = session.state.fold(message.params[0])
        if folded in session.wanted:
            self._trials[folded] = Trial(session.now_ms + ANSWER_MS)

    def _modes(self, session: Session, message: Message, out: Effects) -> None:
        """The key of a wanted channel may be another now, or is told to members with how it stands
        (324); some servers say `*` in its place."""
        told = message.params[1:] if message.command == "324" else message.params
        place, *words = told or ("",)
        wanted = session.wanted.get(session.state.fold(place))
        if wanted is None or session.state.channel(place) is None:
            return
        name, key = wanted
        for change in parse_modes(session.state.isupport, words):
            if change.letter == "k":
                new = change.argument or ""
                key = "" if not change.add else key if new in ("", "*") else new
        session.remember(name, key, out)

    def _invited(self, session: Session, message: Message, out: Effects) -> None:
        if len(message.params) < 2 or not session.state.is_me(message.params[0]):
            return
        folded = session.state.fold(message.params[1])
        if folded in self._trials and folded in session.wanted:
            self.join(session, [session.wanted[folded]], out)

    def logged_in(self, session: Session, _message: Message, out: Effects) -> None:
        """900: what was closed to strangers may be open now."""
        refused = [
            session.wanted[folded]
            for folded, trial in self._trials.items()
            if trial.reason and folded in session.wanted
        ]
        if refused:
            self.join(session, refused, out)

    def refused(self, session: Session, message: Message, out: Effects) -> bool:
        """An error about a channel: True when it answers a JOIN of ours, which is told here."""
        if len(message.params) < 2:
            return False
        folded = session.state.fold(message.params[1])
        trial = self._trials.get(folded)
        if trial is None or not trial.asked or folded not in session.wanted:
            return False
        text = message.params[-1]
        trial.asked = False
        trial.due_ms = session.now_ms + trial.delay_ms
        if trial.reason != text:
            trial.reason = text
            name = session.wanted[folded][0]
            minutes = trial.delay_ms // 60_000
            session.notify(out, f"{name} cannot be joined: {text}; tried again in {minutes} min")
        trial.delay_ms = min(trial.delay_ms * 2, LONGEST_MS)
        return True


Handler = Callable[[Places, "Session", Message, Effects], None]

HEARS: dict[str, Handler] = {
    "JOIN": Places._joined,
    "KICK": Places._kicked,
    "MODE": Places._modes,
    "324": Places._modes,
    "INVITE": Places._invited,
    "900": Places.logged_in,
}
