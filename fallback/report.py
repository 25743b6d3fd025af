"""What this voter tells its operator: status over a local socket, metrics on loopback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from bouncer import metrics
from bouncer.mesh.heartbeat import NO_NONCE
from bouncer.mesh.roster import STALE_S
from fallback import watch
from fallback.calling import about_role
from fallback.desk import orders
from fallback.networks import wording

if TYPE_CHECKING:
    from fallback.app import Voter

MAX_REQUEST = 4096
REQUEST_S = 5.0
WORD_S = 2.0  # a busy machine may let a second pass between a client's connect and its word


def status_lines(voter: Voter) -> list[str]:
    """Everything an operator asks first, one thing per line."""
    return [
        f"{voter.config.role} {voter.config.name}: {orders.state_line(voter.reception)}",
        *_about_the_bouncer(voter),
        *_about_ourselves(voter),
        *_about_probes(voter),
        *_about_voters(voter),
        *_about_the_incident(voter),
        *_about_orders(voter),
        *_about_networks(voter),
    ]


def _about_the_bouncer(voter: Voter) -> Iterator[str]:
    seen, now = voter.conduct.state.watch, voter.pulse.now()
    last = voter.hearing.last
    beat = f"{now - last.at:.1f}s ago" if last else "never heard"
    link = "linked" if voter.mesh.linked else "no TLS link"
    silent = f", silence {now - seen.silent_from:.0f}s" if seen.phase in watch.ARMED else ""
    yield f"heartbeat {beat}, {link}{silent}"
    if seen.degraded:
        yield "heartbeats come through other voters only: the path to the primary is bad"
    if seen.home_from != watch.NEVER:
        since = wording.clock(seen.home_from)
        yield f"HOME: the bouncer says since {since} that its home server is unreachable"
    if voter.hearing.notes.last:
        yield f"told ops last: {voter.hearing.notes.last}"
    if voter.roster and voter.roster.age_s(round(now * 1000)) > STALE_S:
        yield "the roster is stale: is the bouncer's link up?"


def _about_ourselves(voter: Voter) -> Iterator[str]:
    if voter.dismissed:
        yield "NOT IN THE ROSTER: it never votes or announces; pair it, or stop it"
    if voter.roster is not None:
        for each in about_role(voter.file, voter.roster):
            yield f"{each.what}: {each.todo}"
    check, need = voter.landmarks.state(), voter.config.landmarks
    good = "good" if check.fresh >= need else "IN DOUBT"
    yield f"self-check {good}: {check.fresh} of {check.of} landmarks fresh, {need} needed"


def _about_probes(voter: Voter) -> Iterator[str]:
    now = voter.pulse.now()
    for address, probe in voter.probes.seen.items():
        answered = f"{now - probe.answered_at:.0f}s ago" if probe.answered_at > 0 else "never"
        ends = probe.certificate_ends
        certificate = f", certificate until {ends:%Y-%m-%d}" if ends else ""
        if ends and ends.timestamp() < now:
            certificate = f", CERT ended {ends:%Y-%m-%d}"
        yield f"primary {address}: answered {answered}{certificate}"


def _about_voters(voter: Voter) -> Iterator[str]:
    for name in voter.mesh.others:
        heard_at = voter.mesh.heard_at.get(name)
        heard = "never heard" if heard_at is None else f"{trio.current_time() - heard_at:.0f}s ago"
        proven = "" if voter.mesh.peers.nonce_of(name) != NO_NONCE else ", not proven"
        yield f"voter {name}: {heard}{proven}"
    for each in voter.disagreements():
        yield f"{each.what}: {each.todo}"


def _about_the_incident(voter: Voter) -> Iterator[str]:
    own, timings = voter.conduct.state.incident, voter.conduct.state.timings
    if own is None:
        return
    now = voter.pulse.now()
    fresh = [each.voter for each in own.ballots if now - each.heard_at < timings.vote_ttl_s]
    whose = f" ({', '.join(sorted(fresh))})" if fresh else ""
    yield f"votes {len(fresh)} of k={timings.k}{whose}"
    if own.stood_down:
        yield "stood down by hand: `!declare` overrides"
    if own.id:
        yield (
            f"incident {wording.short_name(own.id)} ({own.id}) {own.kind.name.lower()} "
            f"{own.phase.name} since {wording.clock(own.opened_at)}"
        )


def _about_orders(voter: Voter) -> Iterator[str]:
    for kept, given in voter.relay.lines():
        heard = given.agent or "the bouncer"
        why = f": {given.why}" if given.why else ""
        yield (
            f"order !{given.order} of {given.admin} at {wording.clock(kept.at_ms / 1000)}, by "
            f"{given.by}, heard by {heard} ({kept.checked}){why}"
        )


def _about_networks(voter: Voter) -> Iterator[str]:
    for network, announcer in voter.announcers.items():
        problem = f"; {announcer.error}" if announcer.error else ""
        op = "op" if announcer.is_op else "no op"
        identified = "identified" if announcer.identified else "not identified"
        yield (
            f"network {network}: {announcer.standing.value} as {announcer.state.nick}, "
            f"{identified}, {op}{problem}"
        )


def metrics_text(voter: Voter) -> str:
    """This voter in Prometheus' text format."""
    conduct, now = voter.conduct, voter.pulse.now()
    own, check = conduct.state.incident, voter.landmarks.state()
    gauges: dict[str, float] = {
        "muster_fallback_watch_down": conduct.state.watch.phase in watch.DOWN,
        "muster_fallback_watch_suspect": conduct.state.watch.phase is watch.Phase.SUSPECT,
        "muster_fallback_home_down": conduct.state.watch.home_from != watch.NEVER,
        "muster_fallback_isolated": conduct.state.watch.phase is watch.Phase.ISOLATED,
        "muster_fallback_armed": conduct.state.watch.phase in watch.ARMED,
        "muster_fallback_silence_seconds": max(0.0, now - conduct.state.watch.silent_from),
        "muster_fallback_landmarks_fresh": check.fresh,
        "muster_fallback_incident_open": bool(own and own.id),
        "muster_fallback_roster_version": voter.roster.version if voter.roster else 0,
        "muster_fallback_roster_age_seconds": (
            voter.roster.age_s(round(now * 1000)) if voter.roster else 0
        ),
        "muster_fallback_events_dropped": conduct.dropped,
        "muster_fallback_journal_lines_waiting": voter.journal.unwritten,
        "muster_fallback_journal_lines_lost": voter.journal.dropped,
        "muster_fallback_mesh_flooded": voter.mesh.flooded,
        "muster_fallback_worst_gap_seconds": voter.pulse.worst_gap_s,
    }
    return (
        metrics.gauges(gauges)
        + metrics.family(
            "muster_fallback_datagrams_refused_total",
            "counter",
            "reason",
            dict(sorted(voter.mesh.refused.items())),
        )
        + metrics.family(
            "muster_fallback_links_refused_total",
            "counter",
            "reason",
            dict(sorted(voter.mesh.guests.refused.items())),
        )
        + metrics.family(
            "muster_fallback_network_joined",
            "gauge",
            "network",
            {name: announcer.joined for name, announcer in voter.announcers.items()},
        )
    )


async def serve_status(path: Path, answers: Mapping[str, Callable[[], list[str]]]) -> None:
    """On the socket (0600): one word in, its lines out, closed. An unknown word is `status`."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # the whole process's: nothing else may run meanwhile
    try:
        made.bind(str(path))
    except BaseException:
        made.close()
        raise
    finally:
        os.umask(before)
    made.setblocking(False)
    raw = trio.socket.from_stdlib_socket(made)
    raw.listen(4)

    async def answer(stream: trio.SocketStream) -> None:
        with trio.move_on_after(REQUEST_S):
            try:
                asked = b""
                with trio.move_on_after(WORD_S):  # whoever says nothing wants the status
                    asked = bytes(await stream.receive_some(MAX_REQUEST))
                word = asked.decode("ascii", "replace").strip()
                lines = answers.get(word, answers["status"])()
                await stream.send_all(("\n".join(lines) + "\n").encode())
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                return
            finally:
                await trio.aclose_forcefully(stream)

    try:
        await trio.serve_listeners(answer, [trio.SocketListener(raw)])
    finally:
        raw.close()
        path.unlink(missing_ok=True)


def ask(path: Path, word: str = "status") -> str:
    """What a running voter answers: `status` or `check`. Raises OSError when there is none."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(REQUEST_S)
        sock.connect(str(path))
        sock.sendall(word.encode() + b"\n")
        chunks = []
        while chunk := sock.recv(65536):
            chunks.append(chunk)
    return b"".join(chunks).decode()
