"""What one voter may believe about the primary, given what it last heard. Pure.

`step(state, event, now) -> (state, actions)`. `now` is seconds since the epoch on the voter's own
steady clock: it never jumps while the voter runs; a suspension or a jump of the wall clock is
reported as `Stalled` before anything that waited meanwhile.

Evidence comes in two classes. A: an authenticated heartbeat, direct or forwarded. B: something of
the primary answered without authentication. Silence is counted from the last A.
"""

from __future__ import annotations

from fallback.watch.guards import (
    note,
    over_at as over_at,
)
from fallback.watch.rows import (
    TABLE as TABLE,
)
from fallback.watch.values import (
    ARMED as ARMED,
    DOWN as DOWN,
    NEVER as NEVER,
    AckNotice as AckNotice,
    Action as Action,
    Answered as Answered,
    Armed as Armed,
    AskVoters as AskVoters,
    Booted as Booted,
    BurstProbes as BurstProbes,
    CalmProbes as CalmProbes,
    Degraded as Degraded,
    Event as Event,
    GapCounted as GapCounted,
    Heartbeat as Heartbeat,
    KnownNotices as KnownNotices,
    Notice as Notice,
    Noticed as Noticed,
    NoticeEnded as NoticeEnded,
    Phase as Phase,
    SelfCheck as SelfCheck,
    Sight as Sight,
    Stalled as Stalled,
    Tick as Tick,
    Verdict as Verdict,
    Vote as Vote,
    WatchState as WatchState,
    Withdraw as Withdraw,
    sight as sight,
)


def step(state: WatchState, event: Event, now: float) -> tuple[WatchState, list[Action]]:
    """The watch after `event` at `now`, and what the shell is to do, in order.

    What is true by now (the rows on time) is looked at after every event, not only at ticks.
    """
    state = note(state, event, now)
    actions: list[Action] = []
    if not isinstance(event, Tick):
        state, actions = TABLE.run(state, event, now)
    state, more = TABLE.run(state, _TICK, now)
    return state, actions + more


_TICK = Tick()


def wake_at(state: WatchState, now: float) -> float:
    """When a `Tick` is next needed, in epoch seconds (infinity: events alone will do)."""
    t = state.timings
    due = [notice.begins for notice in state.notices]
    due += [] if state.home_told else [state.home_from + t.service_down_s]
    match state.phase:
        case Phase.WATCHING:
            due += [state.silent_from + t.suspect_s]
        case Phase.SUSPECT:
            due += [
                state.ask_at,
                state.silent_from + t.declare_s,
                state.silent_from + t.service_down_s,
                state.answered_at + t.answer_fresh_s,
            ]
        case Phase.DOWN_SITE | Phase.DOWN_SERVICE:
            due += [state.ask_at, state.vote_at, state.answered_at + t.answer_fresh_s]
            due += [state.check_at + t.landmark_fresh_s]
        case Phase.MAINTENANCE:
            due += [over_at(notice, t) for notice in state.notices]
            due += [notice.ends + t.overrun_notice_s for notice in state.notices]
        case _:
            pass
    return min((at for at in due if at > now), default=float("inf"))
