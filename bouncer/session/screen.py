"""What a user does not want to see: detached channels, which are kept and followed in silence, and
people who are ignored.

`Session.screened` says whether there is anything of that kind at all; chat asks for no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from bouncer.irc.multiline import single_lines
from bouncer.irc.people import full_mask, matches
from bouncer.irc.wire import Message
from bouncer.session import arrival, playback
from bouncer.session.effects import ChangeChannel, Effects
from bouncer.session.folding import Fold
from storage.message import Row
from storage.records import Channel

if TYPE_CHECKING:
    from bouncer.session.session import Session

DETACHED = "Detached; JOIN attaches it again"
# Where messages other than chat name their channel.
_PLACES = {
    **dict.fromkeys(("JOIN", "PART", "KICK", "MODE", "TOPIC", "TAGMSG"), 0),
    **dict.fromkeys(("324", "328", "329", "331", "332", "333", "366"), 1),
    "353": 2,
}


def _is_dated(channel: Channel) -> bool:
    """Whether it is known since when a detached channel is."""
    return channel.detached_id > channel.attached_id


def _hide(session: Session, name: str, out: Effects) -> None:
    """Clients see that they leave the channel."""
    part = Message("PART", (name, DETACHED), session.state.mask)
    for client in session.clients.by_id.values():
        out.tell(client.id, str(part))


def _show(session: Session, folded: str, channel: Channel, out: Effects) -> None:
    """Clients see that they join the channel, and what was said there meanwhile."""
    arrival.show(session, folded, out)
    for client in session.clients.by_id.values():
        playback.catch_up(session, client, folded, channel, out)


class Screen:
    """The settings of one session's channels, and whom it ignores."""

    def __init__(self, channels: Iterable[Channel] = (), ignored: Iterable[str] = ()) -> None:
        self.settings = {channel.name.lower(): channel for channel in channels}  # till `begin`
        self.ignored = tuple(full_mask(mask) for mask in ignored)
        self._active_ms: dict[str, int] = {}  # of channels that detach themselves when quiet

    @property
    def needed(self) -> bool:
        return bool(self.ignored) or any(
            channel.detached or channel.detach_after_s for channel in self.settings.values()
        )

    def begin(self, fold: Fold) -> None:
        """The settings are those of a session that folds names so."""
        self.settings = {fold(channel.name): channel for channel in self.settings.values()}

    def refold(self, refold: Fold) -> None:
        """The network folds names otherwise than before."""
        self.settings = {refold(folded): channel for folded, channel in self.settings.items()}
        self._active_ms = {refold(folded): at_ms for folded, at_ms in self._active_ms.items()}

    # --- who is asked about ---

    def ignores(self, session: Session, source: str) -> bool:
        fold = session.state.fold
        return bool(self.ignored) and any(
            matches(fold(mask), fold(source)) for mask in self.ignored
        )

    def is_detached(self, folded: str) -> bool:
        channel = self.settings.get(folded)
        return channel is not None and channel.detached

    def hides(self, session: Session, message: Message) -> bool:
        """Whether an event is of a detached channel, or of somebody ignored."""
        if message.command in ("INVITE", "TAGMSG") and self.ignores(session, message.source):
            return True
        place = _PLACES.get(message.command)
        if place is None or len(message.params) <= place:
            return False
        return self.is_detached(session.state.fold(message.params[place]))

    def shown(self, rows: list[Row]) -> list[Row]:
        """Those of a backlog that are not of detached channels."""
        return [row for row in rows if not self.is_detached(row.target)]

    def notifies(self, session: Session, row: Row) -> bool:
        """Whether the user is to be called: their nick is named, or the channel always notifies."""
        channel = self.settings.get(row.target)
        if channel is not None and channel.always_notify:
            return True
        nick = re.escape(session.state.nick)
        return (
            bool(nick) and re.search(rf"(?<!\w){nick}(?!\w)", row.text, re.IGNORECASE) is not None
        )

    # --- detaching and attaching ---

    def takes(self, session: Session, row: Row, out: Effects) -> bool:
        """A kept message: True when clients are not to see it as one."""
        channel = self.settings.get(row.target)
        if channel is None:
            return False
        if not channel.detached:
            if self._counts(session, channel.detach_on or "message", row):
                self._active_ms[row.target] = session.now_ms
            return False
        if self._counts(session, channel.reattach_on or "none", row):
            self.attach(session, row.target, out, row.id)
            return False
        for client in session.clients.by_id.values():
            if client.live:  # it has nothing more to get of this
                client.sent_id = row.id
        own = session.state.is_me(row.source.partition("!")[0])
        if not own and self._counts(session, channel.relay_detached or "highlight", row):
            nick = row.source.partition("!")[0]
            for text in single_lines(row.text):
                session.notify(out, f"{row.name} (detached): <{nick}> {text}")
        return True

    def _counts(self, session: Session, what: str, row: Row) -> bool:
        return what == "message" or (what == "highlight" and self.notifies(session, row))

    def attach(self, session: Session, folded: str, out: Effects, attached_id: int = 0) -> None:
        """Show the channel to clients again, as if they had joined it."""
        channel = self._set(session, folded, out, attached_id or session.new_id())
        self._active_ms[folded] = session.now_ms
        _show(session, folded, channel, out)

    def rename(self, folded: str, folded_new: str, name: str) -> None:
        """The network has renamed the channel."""
        if channel := self.settings.pop(folded, None):
            self.settings[folded_new] = replace(channel, name=name)
        if (at_ms := self._active_ms.pop(folded, None)) is not None:
            self._active_ms[folded_new] = at_ms

    def forget(self, session: Session, folded: str) -> None:
        """The user has left it, and its settings are not kept."""
        if self.settings.pop(folded, None):
            self._active_ms.pop(folded, None)
            session.screened = self.needed

    def detach(self, session: Session, folded: str, out: Effects) -> None:
        """Stay in the channel without showing it: clients see that they leave it."""
        channel = self._set(session, folded, out)
        _hide(session, channel.name, out)

    def _set(
        self, session: Session, folded: str, out: Effects, attached_id: int | None = None
    ) -> Channel:
        """Note that it is detached from now on, or attached again."""
        channel = self.settings.get(folded)
        if channel is None:
            name = session.wanted.get(folded, (folded, ""))[0]
            channel = Channel(session.network.id, name)
        if attached_id is None:
            channel = replace(channel, detached=True, detached_id=session.new_id())
        else:
            since_id = channel.detached_id if _is_dated(channel) else attached_id
            channel = replace(
                channel, detached=False, detached_id=since_id, attached_id=attached_id
            )
        self.settings[folded] = channel
        session.screened = self.needed
        out.others.append(
            ChangeChannel(channel.name, channel.detached, channel.detached_id, channel.attached_id)
        )
        return channel

    def changed(self, session: Session, new: Screen, out: Effects) -> Screen:
        """Commands have changed the settings: show and hide what that means."""
        new.begin(session.state.fold)
        new._active_ms = self._active_ms
        shown = []
        for folded, channel in list(new.settings.items()):
            before, after = self.settings.get(folded), channel.detached
            if before is not None:  # what the store has may be older
                ids = (before.detached_id, before.attached_id)
                channel = replace(channel, detached_id=ids[0], attached_id=ids[1])
                new.settings[folded] = channel
            if before is not None and before.detached and not after:
                shown.append((folded, new._set(session, folded, out, session.new_id())))
            elif after and not (before is not None and before.detached):
                new._set(session, folded, out)
                if folded in session.state.channels:
                    _hide(session, channel.name, out)
        session.screen = new
        for folded, channel in shown:
            _show(session, folded, channel, out)
        return new

    def tick(self, session: Session, out: Effects) -> None:
        """Detach the channels that have been quiet for as long as their settings say."""
        for folded, channel in list(self.settings.items()):
            if channel.detached and not _is_dated(channel):  # imported so
                self._set(session, folded, out)
            if not channel.detach_after_s or channel.detached:
                continue
            since_ms = self._active_ms.setdefault(folded, session.now_ms)
            if session.now_ms - since_ms >= channel.detach_after_s * 1_000:
                self.detach(session, folded, out)
