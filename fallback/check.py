"""The preflight a careful operator would believe: one line each, with what to do.

What can be tried from outside the running voter is tried here; what only it can know (who hears
whom, whether services know it, whether the room obeys) it is asked over its socket.
"""

from __future__ import annotations

import ipaddress
import shutil
import ssl
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import trio

from bouncer.address import is_ip
from bouncer.connections.dial import describe
from bouncer.mesh.keys import KeyFault, MeshKey, PublicKey
from bouncer.mesh.roster import HARD_STALE_S, STALE_S, Roster, RosterFault, read_roster
from fallback import company, report, watch
from fallback.calling import about_role
from fallback.config import Config
from fallback.files import CERTIFICATE_DAYS, about_certificate, about_file
from fallback.findings import Finding, Level, fail, ok, read_finding, warn
from fallback.journal import ROSTER
from fallback.lock import about_lock
from fallback.mesh.pairing import PAIR
from fallback.networks.upkeep import about_network
from fallback.push import Hook, reach, try_hooks
from fallback.senses.landmarks import ANSWER_S, ask_clock, asker
from fallback.senses.probes import CONNECT_S, served_certificate
from storage.incidents import MOVE_AWAY, Incidents, IncidentsError

if TYPE_CHECKING:
    from fallback.app import Voter

DISK_OCTETS = 200 << 20
CLOCK_S = 2.0  # more, and the times in announcements are wrong
GOOD_LANDMARKS = 5
ALIKE_V4, ALIKE_V6 = 24, 48  # networks that fail together more often than not
DONE, WRONG = 0, 2


def run_check(config: Config, *, file_only: bool = False) -> int:
    """Print every finding; 0 when nothing failed, else 2.

    `file_only`: what must be right before the voter runs; nobody is asked anything.
    """
    if file_only:
        findings = about_file(config, try_hooks(config.push))
    else:
        findings = trio.run(look, config)
    for finding in findings:
        print(finding, file=sys.stdout if finding.level is not Level.FAIL else sys.stderr)
    return WRONG if any(finding.level is Level.FAIL for finding in findings) else DONE


async def look(config: Config) -> list[Finding]:
    """Everything, in the order an operator would repair it."""
    roster, about_roster = kept_roster(config)
    hooks = try_hooks(config.push)
    findings = [
        *about_key(config),
        *about_disk(config),
        *about_lock(config),
        *about_ways(config),
        *about_file(config, hooks),
    ]
    findings += await about_landmarks(config)
    findings += await about_primary(config)
    findings += await about_push(hooks)
    findings += [*about_roster, *(about_voters(config, roster) if roster else ())]
    try:
        running = await trio.to_thread.run_sync(report.ask, config.socket, "check")
    except OSError:
        findings.append(fail("the voter is not running", "start it: `fallback run`"))
    else:
        findings += [read_finding(line) for line in running.splitlines()]
    return findings


# -- what can be seen without the voter -----------------------------------------------------------


def about_key(config: Config) -> Iterator[Finding]:
    try:
        MeshKey.load(config.key_file)
    except KeyFault as fault:
        yield fail(f"key: {fault}", "`fallback key` makes one; then pair it anew")
    else:
        yield ok(f"key {config.key_file}")


def about_storage(config: Config) -> Iterator[Finding]:
    """What ends by itself: room on the disk, and the networks' client certificates."""
    yield from about_disk(config)
    for network in config.network:
        yield from about_certificate(network)


def about_skew(ahead_s: float) -> Iterator[Finding]:
    """`ahead_s`: how far the bouncer's clock is ahead of this voter's, 0 for about equal."""
    if ahead_s:
        yield warn(
            "the bouncer's clock is another than this voter's",
            f"it is {ahead_s:+.0f}s: set both by NTP, then restart this voter",
        )


def about_disk(config: Config) -> Iterator[Finding]:
    try:
        free = shutil.disk_usage(config.data_dir).free
    except OSError as error:
        yield fail(f"{config.data_dir}: {error.strerror}", "make it, owned by this user")
    else:
        if free < DISK_OCTETS:
            todo = f"make room, {free >> 20} MB are free: it must remember what it does"
            yield fail("disk: nearly full", todo)
        else:
            yield ok(f"disk: {free >> 20} MB free")


def about_ways(config: Config) -> Iterator[Finding]:
    """What an agent speaks by, and proves with."""
    if config.role == "agent":
        if shutil.which("ssh-keygen"):
            yield ok("ssh-keygen, for ssh proofs")
        else:
            yield warn("no ssh-keygen: ssh proofs will fail", "install openssh-client")
        if not config.network:
            yield fail("no [[network]]", "an agent needs a public network to speak on")
        if len(config.network) == 1:
            yield warn("one public network only", "add a second: networks have outages, too")


async def about_landmarks(config: Config) -> list[Finding]:
    findings: list[Finding] = []
    answered: list[str] = []

    async def ask(index: int) -> None:
        place = config.landmark[index]
        with trio.move_on_after(ANSWER_S), suppress(OSError):
            if await asker(place)():
                answered.append(f"{place.kind} {place.address}")

    async with trio.open_nursery() as nursery:
        for index in range(len(config.landmark)):
            nursery.start_soon(ask, index)
    count = len(config.landmark) + len(config.network)
    if not config.landmark and not config.network:
        findings.append(fail("no [[landmark]]", "without them it never votes; add 5"))
    elif len(answered) + len(config.network) < config.landmarks:
        missing = [f"{p.kind} {p.address}" for p in config.landmark]
        silent = ", ".join(name for name in missing if name not in answered)
        findings.append(fail(f"landmarks silent: {silent}", "allow them out, or take others"))
    elif count < GOOD_LANDMARKS:
        findings.append(warn(f"{count} landmarks", "take 5, so that two may be away"))
    else:
        findings.append(ok(f"landmarks: {len(answered)} of {len(config.landmark)} answer"))
    for place in config.landmark:
        if any(alike(place.address.host, primary.host) for primary in config.primary):
            findings.append(
                warn(f"landmark {place.address} is next to the primary", "take one elsewhere")
            )
    findings += await about_clock(config)
    return findings


async def about_clock(config: Config) -> list[Finding]:
    for place in config.landmark:
        if place.kind == "ntp":
            with trio.move_on_after(ANSWER_S), suppress(OSError):
                off_s = await ask_clock(place.address)
                if abs(off_s) > CLOCK_S:
                    return [warn(f"the clock is {off_s:+.1f}s off", "run an NTP client")]
                return [ok(f"clock within {CLOCK_S:.0f}s")]
    if any(place.kind == "ntp" for place in config.landmark):
        to_do = "no NTP server among the landmarks answers: let this host reach one, by UDP 123"
    else:
        to_do = "take an NTP server as a landmark"
    return [warn("the clock could not be compared", to_do)]


async def about_primary(config: Config) -> list[Finding]:
    findings = []
    for address in config.primary:
        try:
            with trio.fail_after(CONNECT_S * 2):
                ends = await served_certificate(address)
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError) as error:
            reason = getattr(error, "strerror", None) or "no answer"
            findings.append(
                fail(f"primary {address}: {reason}", "let this host reach the client port")
            )
            continue
        days = (ends - datetime.now(UTC)).days if ends else None
        if days is not None and days < 0:
            findings.append(warn(f"primary {address}: certificate ended", "renew it there"))
        elif days is not None and days < CERTIFICATE_DAYS:
            findings.append(
                warn(f"primary {address}: certificate ends in {days}d", "renew it there")
            )
        else:
            until = f", certificate until {ends:%Y-%m-%d}" if ends else ""
            findings.append(ok(f"primary {address} answers{until}"))
    return findings


async def about_push(hooks: Sequence[Hook | Exception]) -> list[Finding]:
    """Whether each hook can be reached and its certificate is trusted; nothing is sent to it."""
    findings = []
    for number, hook in enumerate(hooks, 1):
        if isinstance(hook, Exception):
            continue  # about_tokens
        try:
            with trio.fail_after(CONNECT_S * 2):
                await reach(hook)
        except (OSError, ssl.SSLError, trio.BrokenResourceError, trio.TooSlowError) as error:
            reason = describe(error) if str(error) or error.__cause__ else "no answer"
            todo = "let this host reach it, or correct url"
            findings.append(fail(f"push[{number}] {hook.host}: {reason}", todo))
        else:
            findings.append(ok(f"push[{number}] {hook.host} answers, TLS is good"))
    return findings


def kept_roster(config: Config) -> tuple[Roster | None, list[Finding]]:
    """The roster in the voter's own file, and how old it is."""
    todo = "is `bouncer run` up, this voter paired, and its port open, UDP and TCP?"
    if not config.database_file.exists():
        return None, [fail("no roster was ever received", todo)]
    try:
        incidents = Incidents(config.database_file)
    except IncidentsError as error:
        return None, [fail(str(error), "see to the disk, and the rights of the data directory")]
    try:
        document = incidents.fact(ROSTER)
    except IncidentsError as error:
        return None, [fail(str(error), MOVE_AWAY)]
    finally:
        incidents.close()
    if document is None:
        return None, [fail("no roster was ever received", todo)]
    try:
        roster = read_roster(document, config.primary_key)
    except RosterFault as fault:
        return None, [fail(str(fault), "is primary_key the bouncer's present key?")]
    age_s = roster.age_s(round(time.time() * 1000))
    text = f"roster v{roster.version}, {age_s / 3600:.0f}h old, {len(roster.staff)} people"
    if age_s > HARD_STALE_S:
        return roster, [fail(text, "accounts and vouches no longer count: restore the link")]
    if age_s > STALE_S:
        return roster, [warn(text, "it should come every 6 h: is the TLS link up?")]
    return roster, [ok(text)]


def about_pairing(
    config: Config, roster: Roster, key: PublicKey | None = None
) -> Iterator[Finding]:
    """Whether the roster names this voter; one that it does not name keeps silent. `key` is read
    from the file where it is not given."""
    ours = roster.voter(config.name)
    if ours is None:
        yield fail(f"{config.name} is not in the roster", PAIR)
        return
    with suppress(KeyFault):
        if ours.public != (key or MeshKey.load(config.key_file).public):
            todo = "so it never votes or announces: pair it anew, or stop it"
            yield fail("the roster has another key for this voter", todo)


def about_voters(config: Config, roster: Roster) -> Iterator[Finding]:
    yield from about_pairing(config, roster)
    ours = roster.voter(config.name)
    if ours is None:
        return
    yield from about_role(config, roster)
    if len(roster.voters) < roster.k:
        yield warn(
            f"{len(roster.voters)} voters, quorum {roster.k}",
            "only the solo rule is left: add a witness",
        )
    hosts = [(voter.name, voter.address.rpartition(":")[0]) for voter in roster.voters]
    hosts += [("the primary", address.host) for address in config.primary]
    for name, host in hosts:
        if not is_ip(host.strip("[]")):
            todo = "pair it by its address: in an outage its name may not be found"
            yield warn(f"{name} is known as {host}", todo)
    for index, (name, host) in enumerate(hosts):
        for other, other_host in hosts[index + 1 :]:
            both_primary = name == other == "the primary"
            if not both_primary and alike(host, other_host):
                yield warn(f"{name} and {other} are neighbours", "put them at different providers")
    if config.role == "agent" and not roster.on_call():
        yield warn("nobody is on call", "`bouncer staff set HANDLE --oncall 1`")


def alike(one: str, two: str) -> bool:
    """Whether two addresses share a /24 or /48. Names are not compared."""
    try:
        first, second = (ipaddress.ip_address(text.strip("[]")) for text in (one, two))
    except ValueError:
        return False
    if first.version != second.version:
        return False
    length = ALIKE_V4 if first.version == 4 else ALIKE_V6
    return second in ipaddress.ip_network((first, length), strict=False)


# -- what only the running voter knows ------------------------------------------------------------


def running_findings(voter: Voter) -> list[str]:
    """The running voter's own part, as lines."""
    return [str(finding) for finding in _running(voter)]


def _running(voter: Voter) -> Iterator[Finding]:
    now, seen = voter.pulse.now(), voter.conduct.state.watch
    last = voter.hearing.last
    if seen.phase is watch.Phase.UNARMED:
        yield fail("no heartbeat was ever heard", "open the mesh port, UDP, for the bouncer")
    elif last is None or now - last.at > seen.timings.suspect_s:
        yield fail("no heartbeat just now", "see `fallback status`: is the bouncer up?")
    else:
        yield ok(f"heartbeats arrive, watch {seen.phase.name}")
    yield from company.about_link(voter.mesh)
    if abs(drift_s := voter.pulse.wall_drift_s) > CLOCK_S:
        yield warn(
            f"the clock was set by {drift_s:+.1f}s since the start",
            "the times in its lines are the old clock's until it begins anew: by itself, "
            "when the clock has stood for a minute and nothing goes on",
        )
    yield from about_skew(voter.hearing.notices.ahead_s)
    yield from company.about_company(voter)
    yield from voter.disagreements()
    for announcer in voter.announcers.values():
        yield from about_network(announcer)
