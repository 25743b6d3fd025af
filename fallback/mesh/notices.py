"""The bouncer's maintenance notices: as it signed them, and in the times of our own clock. Pure.

A window is written in the bouncer's wall clock. A voter whose clock is another would fall silent
too late and take a planned stop for an outage. Heartbeats tell how far the two are apart.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from bouncer.mesh.heartbeat import MAX_MAINTENANCE_S, Kind, Maintenance, acked_name, read_statement
from bouncer.mesh.keys import PublicKey
from fallback import watch

MAX_NOTICES = 16  # windows whose signed octets are kept for others
CLOCKS_AGREE_S = 5.0  # a difference so small may be the way's


@dataclass(frozen=True, slots=True)
class _Kept:
    notice: Maintenance
    statement: bytes
    begins: float  # ours, both
    ends: float


class Notices:
    """`read` what came; `current` is for whoever asks; `held` is what the acks name."""

    def __init__(self, primary_key: PublicKey) -> None:
        self._primary_key = primary_key
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.held = ""
        self.ahead_s = 0.0  # of the bouncer's clock before ours

    def beat(self, wall_ms: int, now: float) -> None:
        """A heartbeat of just now says what the bouncer's clock shows."""
        ahead_s = wall_ms / 1000 - now
        self.ahead_s = ahead_s if abs(ahead_s) > CLOCKS_AGREE_S else 0.0

    def read(self, statement: bytes) -> watch.Noticed | watch.NoticeEnded | None:
        """What it tells the watch; None for one that is too long. Raises DatagramFault."""
        notice = read_statement(Maintenance, Kind.MAINTENANCE, self._primary_key, statement)
        if not 0 < notice.ends_ms - notice.begins_ms <= MAX_MAINTENANCE_S * 1000:
            return None
        kept = self._kept.get(notice.id)
        if kept is None or kept.statement != statement:  # a copy stands where it stood
            begins, ends = notice.begins_ms / 1000, notice.ends_ms / 1000
            kept = _Kept(notice, statement, begins - self.ahead_s, ends - self.ahead_s)
        self._kept[notice.id] = kept
        while len(self._kept) > MAX_NOTICES:
            self._kept.popitem(last=False)
        if notice.ended:
            return watch.NoticeEnded(notice.id)
        term = notice.boot if notice.stopping else ""
        return watch.Noticed(watch.Notice(notice.id, kept.begins, kept.ends, term))

    def persisted(self, id: str) -> None:
        """The watch has persisted this notice: from now on the acks say so."""
        if (kept := self._kept.get(id)) is not None:
            self.held = acked_name(kept.notice)

    def current(self, now: float) -> Iterator[bytes]:
        """The signed octets of what is in force, the longest first, then of what is to come."""
        current = [
            kept for kept in self._kept.values() if not kept.notice.ended and kept.ends > now
        ]
        for kept in sorted(current, key=lambda kept: (max(kept.begins, now), -kept.ends)):
            yield kept.statement
