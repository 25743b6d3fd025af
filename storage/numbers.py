"""Where the numbers of messages begin at a start: above every number that anybody was ever shown.

Clients know messages by their numbers (`storage.message.own_msgid`), and a number that comes again
hides what is new. The database does not know all that were given: what was shown while it could not
be written may be lost, and what came after a backup is, where that is restored. So numbers begin by
the clock's second, in steps that no bouncer's messages fill, each as long as a zone of the search
index; where they or a clock that was set back are ahead of it, behind a gap. Pure; time is an
argument.
"""

from __future__ import annotations

from storage.imports import LAST_IMPORTED_ID

BEGUN_S = 1_767_225_600  # 2026-01-01
NUMBERS_PER_S = 4096
GAP = 1 << 22  # more than are shown in trouble: its memory is full after SPILL_ROWS


def last_given(known_id: int, now_s: float) -> int:
    """The number to go on from: `known_id` is the highest that is remembered."""
    by_clock = LAST_IMPORTED_ID + int(now_s - BEGUN_S) * NUMBERS_PER_S
    return max(known_id + GAP, by_clock)
