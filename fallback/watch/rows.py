"""The watch's table: one row per row of the specification, and what each row does. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bouncer.mesh.heartbeat import called
from fallback.actions import Persist, TellOps
from fallback.tables import Row, Table, always
from fallback.watch import guards as on
from fallback.watch.values import (
    ARMED,
    MAX_ENDED,
    MAX_NOTICES,
    NEVER,
    AckNotice,
    Action,
    Answered,
    Armed,
    AskVoters,
    Booted,
    BurstProbes,
    CalmProbes,
    Degraded,
    GapCounted,
    Heartbeat,
    KnownNotices,
    Notice,
    Noticed,
    NoticeEnded,
    Phase,
    SelfCheck,
    Stalled,
    Tick,
    Verdict,
    Vote,
    WatchState,
    Withdraw,
)

# Actions of the rows ----------------------------------------------------------------------------

Done = tuple[WatchState, list[Action]]


def _remember(state: WatchState, event: Booted, now: float) -> Done:
    return replace(on.fresh(state, now), notices=event.notices, ended=event.ended), []


def _arm(state: WatchState, _event: Heartbeat, _now: float) -> Done:
    return state, [Persist(Armed())]


def _suspect(state: WatchState, _event: Tick, now: float) -> Done:
    ask_at = now + state.timings.ask_suspect_s
    return replace(state, ask_at=ask_at), [BurstProbes(), AskVoters()]


def _ask_in_suspect(state: WatchState, _event: Tick, now: float) -> Done:
    return replace(state, ask_at=now + state.timings.ask_suspect_s), [AskVoters()]


def _ask_in_down(state: WatchState, _event: Tick, now: float) -> Done:
    return replace(state, ask_at=now + state.timings.ask_down_s), [AskVoters()]


def _count_gap(state: WatchState, _event: Heartbeat, _now: float) -> Done:
    return state, [CalmProbes(), GapCounted(state.gap_s)]


def _count_gap_degraded(state: WatchState, _event: Heartbeat, _now: float) -> Done:
    told: list[Action] = [] if state.degraded else [Degraded()]
    return replace(state, degraded=True), [CalmProbes(), GapCounted(state.gap_s), *told]


def _vote(verdict: Verdict) -> Any:
    def go_down(state: WatchState, _event: Tick, now: float) -> Done:
        t = state.timings
        state = replace(
            state, down_from=now, vote_at=now + t.vote_every_s, ask_at=now + t.ask_down_s
        )
        return state, [Vote(verdict, state.silent_from, state.drill)]

    return go_down


def _vote_on(state: WatchState, _event: Tick, now: float) -> Done:
    verdict = Verdict.SITE if state.phase is Phase.DOWN_SITE else _weaker(state, now)
    vote = Vote(verdict, state.silent_from, state.drill)
    return replace(state, vote_at=now + state.timings.vote_every_s), [vote]


def _weaker(state: WatchState, now: float) -> Verdict:
    """What is gone where something answers still."""
    home = state.timings.announce_home and on.home_stands(state, now)
    return Verdict.HOME if home else Verdict.SERVICE


def _vote_weaker(state: WatchState, event: Tick, now: float) -> Done:
    done: Done = _vote(_weaker(state, now))(state, event, now)
    return done


def _tell_home(state: WatchState, _event: Tick, _now: float) -> Done:
    text = "HOME: the bouncer is up and says that its home IRC server is unreachable"
    return replace(state, home_told=True), [TellOps(text)]


def _vote_worse(state: WatchState, _event: Tick, now: float) -> Done:
    vote = Vote(Verdict.SITE, state.silent_from, state.drill)
    return replace(state, vote_at=now + state.timings.vote_every_s), [vote]


def _withdraw_only(state: WatchState, _event: Any, now: float) -> Done:
    ask_at = now + state.timings.ask_suspect_s
    return replace(state, down_from=NEVER, ask_at=ask_at), [Withdraw()]


def _withdraw_heard(state: WatchState, event: Heartbeat, _now: float) -> Done:
    told: list[Action] = [] if event.direct or state.degraded else [Degraded()]
    state = replace(state, down_from=NEVER, degraded=state.degraded or not event.direct)
    return state, [Withdraw(), CalmProbes(), *told]


def _isolate(state: WatchState, _event: Any, _now: float) -> Done:
    return replace(state, down_from=NEVER, check_good=False, good_from=NEVER), [Withdraw()]


def _rejoin(state: WatchState, _event: SelfCheck, now: float) -> Done:
    return on.fresh(state, now), [CalmProbes()]


def _rejoin_heard(state: WatchState, _event: Heartbeat, _now: float) -> Done:
    # A direct A has just set the clock; `good_from` waits for the next self-check.
    return replace(state, good_from=NEVER, check_good=False), [CalmProbes()]


def _start_over(state: WatchState, _event: Stalled, now: float) -> Done:
    return on.fresh(state, now), [Withdraw(), CalmProbes()]


def _fresh_clock(state: WatchState, _event: Stalled, now: float) -> Done:
    state = on.fresh(state, now)
    return (replace(state, good_from=NEVER) if state.phase is Phase.ISOLATED else state), []


def _keep(state: WatchState, notice: Notice) -> WatchState:
    kept = [old for old in state.notices if old.id != notice.id] + [notice]
    kept.sort(key=lambda old: old.ends)
    return replace(state, notices=tuple(kept[-MAX_NOTICES:]))


def _known(state: WatchState) -> Persist:
    return Persist(KnownNotices(state.notices, state.ended))


def _keep_notice(state: WatchState, event: Noticed, _now: float) -> Done:
    state = _keep(state, event.notice)
    return state, [_known(state), AckNotice(event.notice.id)]


def _ack_copy(state: WatchState, event: Noticed, _now: float) -> Done:
    return state, [AckNotice(event.notice.id)]


def _fall_silent(state: WatchState, event: Noticed, now: float) -> Done:
    state, actions = _keep_notice(state, event, now)
    return replace(state, down_from=NEVER), [*actions, Withdraw(), CalmProbes()]


def _window_begins(state: WatchState, _event: Tick, _now: float) -> Done:
    return replace(state, down_from=NEVER), [Withdraw(), CalmProbes()]


def _end(state: WatchState, ids: Sequence[str]) -> WatchState:
    rest = tuple(notice for notice in state.notices if notice.id not in ids)
    ended = tuple(dict.fromkeys((*state.ended, *ids)))[-MAX_ENDED:]
    told = tuple(told for told in state.overrun_told if told not in ids)
    return replace(state, notices=rest, ended=ended, overrun_told=told)


def _drop_notice(state: WatchState, event: NoticeEnded, _now: float) -> Done:
    after = _end(state, [event.id])
    known: list[Action] = [] if after == state else [_known(after)]  # a copy writes nothing
    return after, [*known, AckNotice(event.id)]


def _resume_ended(state: WatchState, event: NoticeEnded, now: float) -> Done:
    state = _end(state, [event.id])
    return on.fresh(state, now), [_known(state), AckNotice(event.id)]


def _resume_over(state: WatchState, _event: Tick, now: float) -> Done:
    over = [notice.id for notice in state.notices if now >= on.over_at(notice, state.timings)]
    state = _end(state, over)
    return on.fresh(state, now), [_known(state)]


def _resume_heard(state: WatchState, _event: Heartbeat, now: float) -> Done:
    rest = on.other_boot(state)
    state = _end(state, [notice.id for notice in state.notices if notice not in rest])
    return on.fresh(state, now), [_known(state)]


def _tell_overrun(state: WatchState, _event: Tick, now: float) -> Done:
    late = on.overdue(state, now)
    state = replace(state, overrun_told=(*state.overrun_told, *(notice.id for notice in late)))
    text = "maintenance {} is over its end; watching resumes {:.0f} s after it"
    grace = state.timings.overrun_grace_s
    return state, [TellOps(text.format(called(notice.id), grace)) for notice in late]


# The table --------------------------------------------------------------------------------------

_W, _S = frozenset({Phase.WATCHING}), frozenset({Phase.SUSPECT})
_SITE, _SERVICE = frozenset({Phase.DOWN_SITE}), frozenset({Phase.DOWN_SERVICE})
_ISO, _MAINT = frozenset({Phase.ISOLATED}), frozenset({Phase.MAINTENANCE})
_BOOT, _UN = frozenset({Phase.BOOTING}), frozenset({Phase.UNARMED})

_HOME = (
    "HOME is ops' business, or, where the configuration says so, an absence of the service: then"
    " such a heartbeat is B, and quorum and recovery are as ever"
)
_HELD = "a notice may come before its window begins, or to a voter that is not armed yet"

TABLE: Table[WatchState, Action] = Table(
    "watch",
    Tick,
    [
        Row(_UN, Heartbeat, on.is_news, Phase.WATCHING, _arm, 'first A ever | persist "armed"'),
        Row(_W, Tick, on.window_runs, Phase.MAINTENANCE, _window_begins,
            "a kept window begins | withdraw", _HELD),
        Row(_W, Tick, on.suspect_silence, Phase.SUSPECT, _suspect,
            "10 s without A | burst probes, ask voters"),
        Row(_S, Heartbeat, on.direct_news, Phase.WATCHING, _count_gap, "A | count the gap"),
        Row(_S, Heartbeat, on.forwarded_news, Phase.WATCHING, _count_gap_degraded,
            "A, only forwarded | count the gap; DEGRADED notice"),
        Row(_S, Tick, on.window_runs, Phase.MAINTENANCE, _window_begins,
            "a kept window begins | withdraw", _HELD),
        Row(_S, Tick, on.site_silence, Phase.DOWN_SITE, _vote(Verdict.SITE),
            "20 s without A, 10 s without B [self-check good] | VOTE every second"),
        Row(_S, Tick, on.service_silence, Phase.DOWN_SERVICE, _vote_weaker,
            "45 s without A, B fresh [self-check good] | VOTE every second"),
        Row(_S, Tick, on.ask_due, None, _ask_in_suspect, "every second | ask voters again",
            "one question may be lost on the way"),
        Row(_SITE | _SERVICE, Tick, on.window_runs, Phase.MAINTENANCE, _window_begins,
            "a kept window begins | withdraw", _HELD),
        Row(_SITE | _SERVICE, Tick, on.check_stale, Phase.ISOLATED, _isolate,
            "no self-check for 5 s | withdraw", "a self-check that died is not a good one"),
        Row(_SERVICE, Tick, on.no_answer, Phase.DOWN_SITE, _vote_worse,
            "10 s without B | go on voting"),
        Row(_SITE | _SERVICE, Tick, on.ask_due, None, _ask_in_down,
            "every 5 s | ask voters, forward A, as in SUSPECT"),
        Row(_SITE | _SERVICE, Tick, on.vote_due, None, _vote_on, "every second | VOTE"),
        Row(_SITE, Answered, on.fresh_answer, Phase.SUSPECT, _withdraw_only,
            "B | withdraw; silence goes on counting"),
        Row(_SITE, Heartbeat, on.home_answer, Phase.SUSPECT, _withdraw_only,
            "a heartbeat: home server down [that is announced] | as B", _HOME),
        Row(_SITE | _SERVICE, Heartbeat, on.is_news, Phase.WATCHING, _withdraw_heard,
            "A | withdraw"),
        Row(_S | _SITE | _SERVICE, SelfCheck, on.check_fails, Phase.ISOLATED, _isolate,
            "self-check fails | withdraw"),
        Row(_ISO, SelfCheck, on.check_recovered, Phase.WATCHING, _rejoin,
            "self-check good for 10 s | fresh silence clock"),
        Row(_ISO, Heartbeat, on.direct_news, Phase.WATCHING, _rejoin_heard,
            "a direct A | fresh silence clock"),
        Row(_ISO, Tick, on.window_runs, Phase.MAINTENANCE, _window_begins,
            "a kept window begins | withdraw", _HELD),
        Row(ARMED - _ISO - _MAINT, Tick, on.home_silence, None, _tell_home,
            "45 s of heartbeats that all say: home server down | HOME: ops notice", _HOME),
        Row(ARMED | _UN, Noticed, on.known_notice, None, _ack_copy,
            "a copy of a kept notice | ack", "the first ack may have been lost"),
        Row(ARMED, Noticed, on.begun_notice, Phase.MAINTENANCE, _fall_silent,
            "valid maintenance notice, direct or as forwarded signed bytes [its window has begun]"
            " | persist, ack, withdraw; the later end wins"),
        Row(ARMED, Noticed, on.later_notice, None, _keep_notice,
            "valid maintenance notice [its window begins later] | persist, ack", _HELD),
        Row(_UN, Noticed, on.acceptable, None, _keep_notice,
            "valid maintenance notice | persist, ack", _HELD),
        Row(_MAINT, Tick, on.overrun, None, _tell_overrun, "5 min over its end | tell ops"),
        Row(_MAINT, Tick, on.window_over, Phase.WATCHING, _resume_over,
            "end + grace | fresh clock"),
        Row(_MAINT, NoticeEnded, on.last_ended, Phase.WATCHING, _resume_ended,
            "`end` | persist, ack, fresh clock"),
        Row(_MAINT, Heartbeat, on.term_over, Phase.WATCHING, _resume_heard,
            "A of a new boot [TERM's notice only] | fresh clock"),
        Row(ARMED | _UN, NoticeEnded, always, None, _drop_notice,
            "`end` of another window | persist, ack",
            "an ended window may not begin again by a forwarded copy"),
        Row(ARMED - _MAINT - _ISO, Stalled, on.stalled, Phase.WATCHING, _start_over,
            "own stall > 2 s | fresh clock, withdraw"),
        Row(_MAINT | _ISO, Stalled, on.stalled, None, _fresh_clock,
            "own stall > 2 s | fresh clock"),
        Row(_BOOT, Booted, on.armed_window, Phase.MAINTENANCE, _remember,
            "boot: persisted maintenance still valid | fresh clock"),
        Row(_BOOT, Booted, on.armed_free, Phase.WATCHING, _remember, "boot: armed | fresh clock"),
        Row(_BOOT, Booted, on.unarmed, Phase.UNARMED, _remember,
            "boot: never armed | only logs"),
    ],
)  # fmt: skip
