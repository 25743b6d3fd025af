"""What a watch concludes from what it holds: the facts an event adds, and the rows' guards. Pure.

Every comparison of times is written `now >= since + wait`, the same sum that `wake_at` returns,
so that rounding can't make a voter sleep through its own deadline.
"""

from __future__ import annotations

from dataclasses import replace

from fallback.timings import Timings
from fallback.watch.values import (
    NEVER,
    Answered,
    Booted,
    Event,
    Heartbeat,
    Notice,
    Noticed,
    NoticeEnded,
    Phase,
    SelfCheck,
    Stalled,
    Tick,
    WatchState,
)


def note(state: WatchState, event: Event, now: float) -> WatchState:
    match event:
        case Heartbeat(boot, at, direct, drill, home_down):
            if (drill and state.drill) or state.phase is Phase.BOOTING:
                return state
            at = min(at, now)
            state = _note_home(state, at, home_down)
            if home_down and state.timings.announce_home:
                return replace(state, answered_at=max(state.answered_at, at))
            if at <= state.heard_at or at < state.silent_from:
                # Older than what we know. Only the boot id of a direct one still says something.
                return replace(state, boot=boot) if direct else state
            gapless = at < state.heard_at + state.timings.suspect_s
            steady = gapless and state.steady_from != NEVER
            return replace(
                state,
                gap_s=at - state.silent_from,
                silent_from=at,
                heard_at=at,
                steady_from=state.steady_from if steady else at,
                boot=boot,
                degraded=state.degraded and not direct,
            )
        case Answered(at):
            if state.drill:
                return state  # in a drill the site is silent as a whole
            return replace(state, answered_at=max(state.answered_at, min(at, now)))
        case SelfCheck(fresh, of):
            good = fresh >= min(state.timings.landmarks_needed, of) and of > 0
            since = (now if state.good_from == NEVER else state.good_from) if good else NEVER
            full = good and fresh >= of
            return replace(state, check_good=good, check_full=full, check_at=now, good_from=since)
        case _:
            return state


def _note_home(state: WatchState, at: float, home_down: bool) -> WatchState:
    """What the heartbeat of `at` says of the home server; an older one says nothing new."""
    if at < max(state.heard_at, state.home_at):
        return state
    if not home_down and state.home_at == NEVER:
        return state
    if not home_down:
        return replace(state, home_from=NEVER, home_at=NEVER, home_told=False)
    since = at if state.home_from == NEVER else state.home_from
    return replace(state, home_from=since, home_at=at)


def fresh(state: WatchState, now: float) -> WatchState:
    """A fresh silence clock: what was missed while we could not listen is not held against it."""
    return replace(
        state,
        silent_from=now,
        answered_at=now,
        down_from=NEVER,
        home_from=NEVER,
        good_from=now if state.check_good else NEVER,
        steady_from=NEVER,
    )


def over_at(notice: Notice, timings: Timings) -> float:
    """When a window stops to silence us."""
    return notice.ends if notice.term_boot else notice.ends + timings.overrun_grace_s


def running(state: WatchState, now: float) -> bool:
    return any(notice.begins <= now < over_at(notice, state.timings) for notice in state.notices)


def good(state: WatchState, now: float) -> bool:
    return state.check_good and now < state.check_at + state.timings.landmark_fresh_s


# Guards -----------------------------------------------------------------------------------------


def is_news(state: WatchState, event: Heartbeat, now: float) -> bool:
    """The heartbeat just noted is the last A, and no older than `suspect_s`."""
    return (
        not (event.home_down and state.timings.announce_home)
        and state.heard_at == min(event.at, now)
        and state.heard_at >= state.silent_from
        and now < state.silent_from + state.timings.suspect_s
    )


def direct_news(state: WatchState, event: Heartbeat, now: float) -> bool:
    return event.direct and is_news(state, event, now)


def forwarded_news(state: WatchState, event: Heartbeat, now: float) -> bool:
    return not event.direct and is_news(state, event, now)


def suspect_silence(state: WatchState, _event: Tick, now: float) -> bool:
    return now >= state.silent_from + state.timings.suspect_s


def unanswered(state: WatchState, now: float) -> bool:
    return now >= state.answered_at + state.timings.answer_fresh_s


def site_silence(state: WatchState, _event: Tick, now: float) -> bool:
    silent = now >= state.silent_from + state.timings.declare_s
    return silent and unanswered(state, now) and good(state, now)


def service_silence(state: WatchState, _event: Tick, now: float) -> bool:
    silent = now >= state.silent_from + state.timings.service_down_s
    return silent and not unanswered(state, now) and good(state, now)


def no_answer(state: WatchState, _event: Tick, now: float) -> bool:
    return unanswered(state, now)


def fresh_answer(state: WatchState, event: Answered, now: float) -> bool:
    return state.answered_at == min(event.at, now) and not unanswered(state, now)


def home_answer(state: WatchState, event: Heartbeat, now: float) -> bool:
    """This heartbeat is no A but B: the bouncer answers, and says that its server is gone."""
    announced = event.home_down and state.timings.announce_home
    return announced and state.answered_at == min(event.at, now) and not unanswered(state, now)


def home_stands(state: WatchState, now: float) -> bool:
    """The bouncer has just said that its home server is down."""
    return state.home_from != NEVER and now < state.home_at + state.timings.suspect_s


def home_silence(state: WatchState, _event: Tick, now: float) -> bool:
    long = now >= state.home_from + state.timings.service_down_s
    return home_stands(state, now) and long and not state.home_told


def check_fails(state: WatchState, _event: SelfCheck, _now: float) -> bool:
    return not state.check_good


def check_stale(state: WatchState, _event: Tick, now: float) -> bool:
    return now >= state.check_at + state.timings.landmark_fresh_s


def check_recovered(state: WatchState, _event: SelfCheck, now: float) -> bool:
    return state.check_good and now >= state.good_from + state.timings.isolated_for_s


def stalled(state: WatchState, event: Stalled, _now: float) -> bool:
    return event.gap_s > state.timings.self_stall_s


def knows(state: WatchState, event: Noticed) -> bool:
    return any(
        kept.id == event.notice.id and kept.ends >= event.notice.ends for kept in state.notices
    )


def acceptable(state: WatchState, event: Noticed, now: float) -> bool:
    """A notice that still means something and that we don't yet hold."""
    notice, t = event.notice, state.timings
    return (
        notice.id not in state.ended
        and 0 <= notice.ends - notice.begins <= t.maintenance_max_s
        and now < over_at(notice, t)
        and not (notice.term_boot and state.boot and notice.term_boot != state.boot)
        and not knows(state, event)
    )


def begun_notice(state: WatchState, event: Noticed, now: float) -> bool:
    return acceptable(state, event, now) and event.notice.begins <= now


def later_notice(state: WatchState, event: Noticed, now: float) -> bool:
    return acceptable(state, event, now) and event.notice.begins > now


def known_notice(state: WatchState, event: Noticed, _now: float) -> bool:
    return knows(state, event) and event.notice.id not in state.ended


def window_runs(state: WatchState, _event: Tick, now: float) -> bool:
    return running(state, now)


def window_over(state: WatchState, _event: Tick, now: float) -> bool:
    return not running(state, now)


def last_ended(state: WatchState, event: NoticeEnded, now: float) -> bool:
    rest = tuple(notice for notice in state.notices if notice.id != event.id)
    return not running(replace(state, notices=rest), now)


def overrun(state: WatchState, _event: Tick, now: float) -> bool:
    return bool(overdue(state, now))


def overdue(state: WatchState, now: float) -> list[Notice]:
    t = state.timings
    return [
        notice
        for notice in state.notices
        if not notice.term_boot
        and now >= notice.ends + t.overrun_notice_s
        and notice.id not in state.overrun_told
    ]


def other_boot(state: WatchState) -> tuple[Notice, ...]:
    """The notices left when those of a bouncer stopped by TERM ended with another boot's A."""
    return tuple(
        notice
        for notice in state.notices
        if not (notice.term_boot and notice.term_boot != state.boot)
    )


def term_over(state: WatchState, event: Heartbeat, now: float) -> bool:
    rest = other_boot(state)
    return (
        is_news(state, event, now)
        and len(rest) < len(state.notices)
        and not running(replace(state, notices=rest), now)
    )


def ask_due(state: WatchState, _event: Tick, now: float) -> bool:
    return now >= state.ask_at


def vote_due(state: WatchState, _event: Tick, now: float) -> bool:
    return now >= state.vote_at


def armed_free(state: WatchState, event: Booted, now: float) -> bool:
    return event.armed and not running(replace(state, notices=event.notices), now)


def armed_window(state: WatchState, event: Booted, now: float) -> bool:
    return event.armed and running(replace(state, notices=event.notices), now)


def unarmed(_state: WatchState, event: Booted, _now: float) -> bool:
    return not event.armed
