"""How long a voter waits for what: the defaults, by their names in the specification.

Every duration is in seconds. A value travels inside each decider's state, so that a decider is a
function of (state, event, now) and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# The specification's name for each default -> the field here (durations end in `_s`).
NAMES = {
    "heartbeat": "heartbeat_s",
    "suspect": "suspect_s",
    "declare": "declare_s",
    "service_down": "service_down_s",
    "vote_ttl": "vote_ttl_s",
    "k": "k",
    "rank_stagger": "rank_stagger_s",
    "speaker_lease": "speaker_lease_s",
    "solo_after": "solo_after_s",
    "primary_back_notice": "primary_back_notice_s",
    "auto_standdown": "auto_standdown_s",
    "self_stall": "self_stall_s",
    "solo": "solo",
}


class Solo(Enum):
    """What a lone observer does when nobody can confirm what it sees."""

    ANNOUNCE = "announce"
    ASK = "ask"  # tells ops and waits for `!confirm`


@dataclass(frozen=True, slots=True)
class Timings:
    """The voter's waits in seconds, and the quorum. `fast()` is the fast profile."""

    heartbeat_s: float = 1.0
    suspect_s: float = 10.0
    declare_s: float = 20.0
    service_down_s: float = 45.0
    answer_fresh_s: float = 10.0  # "no B 10 s"
    vote_ttl_s: float = 5.0
    vote_every_s: float = 1.0
    k: int = 2  # the signed roster's k replaces it
    rank_stagger_s: float = 2.0
    speaker_lease_s: float = 6.0
    claim_every_s: float = 1.0
    repeat_line_s: float = 60.0
    solo_after_s: float = 60.0
    solo: Solo = Solo.ANNOUNCE
    announce_home: bool = False  # the home server's absence is announced, not told to ops alone
    primary_back_notice_s: float = 60.0
    auto_standdown_s: float = 300.0
    self_stall_s: float = 2.0
    landmarks_needed: int = 3
    landmark_fresh_s: float = 5.0
    isolated_for_s: float = 10.0  # self-check good this long ends ISOLATED
    ask_suspect_s: float = 1.0  # a question may be lost on the way: ask again
    ask_down_s: float = 5.0  # "DOWN | every 5 s"
    deaf_after_stall_s: float = 1.0  # what queued while we slept is not fresh
    standdown_after_s: float = 60.0
    operator_max_s: float = 12 * 3600.0
    maintenance_max_s: float = 12 * 3600.0
    overrun_notice_s: float = 300.0
    overrun_grace_s: float = 600.0

    @classmethod
    def fast(cls) -> Timings:
        """The fast profile, 6 s/12 s, for sites with a quiet path."""
        return cls(suspect_s=6.0, declare_s=12.0)


DEFAULTS = Timings()
