"""The preflight: it finds what would be wrong in an outage, and says what to do."""

from __future__ import annotations

import ssl
import tomllib
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import pytest
import trio

from bouncer.mesh.keys import MeshKey
from bouncer.mesh.roster import Roster, Voter
from fallback import check, files, watch
from fallback.config import Config, parse
from fallback.findings import Finding, Level
from tests.fallback.ircd import open_ircd
from tests.fallback.voters import open_site, until
from tests.real.certificates import make

PUB = {
    "name": "pub", "addresses": ["ircs://irc.example.net"], "nick": "fb", "account": "fb",
    "lobby": "#l", "room": "#r",
}  # fmt: skip
OWNER = MeshKey(b"o" * 32)


def config(folder: Path, **changes: object) -> Config:
    text = f"""
        name = "fra"
        data_dir = "{folder}"
        primary = ["irc+insecure://192.0.2.1:6667"]
        primary_key = "{OWNER.public}"
        mesh = "127.0.0.1:6690"
    """
    return parse(tomllib.loads(text) | changes, folder / "fallback.toml")


def said(findings: list[Finding], level: Level) -> str:
    return "\n".join(str(finding) for finding in findings if finding.level is level)


def test_a_missing_key_and_network_are_found(tmp_path: Path) -> None:
    ours = config(tmp_path)
    assert "`fallback key` makes one" in said(list(check.about_key(ours)), Level.FAIL)
    assert "an agent needs a public network" in said(list(check.about_ways(ours)), Level.FAIL)


def test_a_password_everybody_may_read_is_found(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("x")
    ours = config(tmp_path, network=[PUB | {"password_file": "pw"}])
    for mode, warned in ((0o644, True), (0o640, False)):  # "0640, of the group muster"
        (tmp_path / "pw").chmod(mode)
        found = said(list(files.about_secrets(ours)), Level.WARN)
        assert ("chmod 640" in found) == warned
        assert "no owner" in found


@pytest.mark.parametrize(
    ("days", "level", "what"),
    [
        (-1, Level.FAIL, "has ended"),
        (5, Level.WARN, "ends soon"),
        (90, Level.OK, "client certificate until"),
    ],
)
def test_a_client_certificate_is_looked_at(
    days: int, level: Level, what: str, tmp_path: Path
) -> None:
    """ "CertFP (…, unexpired)"."""
    made = make(tmp_path, "fb", days=days)
    (tmp_path / "fb.pem").write_text(made.certificate.read_text() + made.key.read_text())
    ours = config(tmp_path, network=[PUB | {"certificate": "fb.pem"}])
    assert what in said(list(check.about_storage(ours)), level)


@pytest.mark.parametrize(
    ("landmarks", "to_do"),
    [
        ([], "take an NTP server as a landmark"),
        (
            [{"kind": "ntp", "address": f"127.0.0.1:{port}"} for port in (7, 8, 9)],
            "no NTP server among the landmarks answers",
        ),
    ],
)
async def test_a_clock_that_nobody_could_compare_is_told(
    landmarks: list[dict[str, str]], to_do: str, tmp_path: Path
) -> None:
    ours = config(tmp_path, landmark=landmarks)
    assert to_do in said(await check.about_clock(ours), Level.WARN)


@pytest.mark.parametrize(("days_ago", "level"), [(3, Level.OK), (20, Level.WARN)])
def test_a_former_place_is_looked_at(days_ago: int, level: Level, tmp_path: Path) -> None:
    moved = date.today() - timedelta(days=days_ago)
    ours = config(tmp_path, network=[PUB | {"moved": moved, "former_lobby": "#old"}])
    assert "former place" in said(list(files.about_secrets(ours)), level)


async def test_silent_landmarks_and_primary_are_found(tmp_path: Path) -> None:
    place = {"kind": "tcp", "address": "127.0.0.1:1"}
    ours = config(tmp_path, landmark=[place], landmarks=1, primary=["irc+insecure://127.0.0.1:1"])
    assert "landmarks silent: tcp 127.0.0.1:1" in said(
        await check.about_landmarks(ours), Level.FAIL
    )
    assert "let this host reach the client port" in said(
        await check.about_primary(ours), Level.FAIL
    )


def test_no_roster_is_found(tmp_path: Path) -> None:
    roster, findings = check.kept_roster(config(tmp_path))
    assert roster is None
    assert "no roster was ever received" in said(findings, Level.FAIL)


@pytest.mark.parametrize(
    ("one", "two", "neighbours"),
    [
        ("192.0.2.1", "192.0.2.250", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:1::1", "[2001:db8:1:ffff::2]", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
        ("192.0.2.1", "2001:db8::1", False),
        ("a.example", "a.example", False),
    ],
)
def test_neighbours_share_a_24_or_48(one: str, two: str, neighbours: bool) -> None:
    assert check.alike(one, two) is neighbours


def test_voters_beside_each_other_or_the_primary_are_found(tmp_path: Path) -> None:
    ours = config(tmp_path)
    key = MeshKey.load_or_make(ours.key_file)
    roster = Roster(
        str(OWNER.public),
        1,
        0,
        voters=(
            Voter("fra", str(key.public), "198.51.100.1:6690"),
            Voter("hel", str(OWNER.public), "198.51.100.9:6690", "witness"),
            Voter("ams", str(MeshKey(b"a" * 32).public), "ams.example.net:6690"),
        ),
    )
    warned = said(list(check.about_voters(ours, roster)), Level.WARN)
    assert "fra and hel are neighbours" in warned
    assert "ams is known as ams.example.net: pair it by its address" in warned
    assert "nobody is on call" in warned


async def test_a_running_voter_tells_the_rest(tmp_path: Path) -> None:
    async with open_site(tmp_path) as site, open_ircd() as ircd:
        agent_config = await site.pairs("fra", ircd=ircd)
        agent = await site.starts(agent_config)
        await site.starts(await site.pairs("hel", role="witness"))
        await site.beats()
        await ircd.welcomes("fb-fra")
        await ircd.lets_in("fb-fra", "#lobby", "#room", op=True)
        await until(lambda: agent.conduct.state.watch.phase is watch.Phase.WATCHING)
        await until(lambda: agent.mesh.linked and agent.announcers["pub"].joined)
        await until(lambda: "heard, both ways" in "\n".join(check.running_findings(agent)))
        findings = await check.look(agent_config)
        fine = said(findings, Level.OK)
        assert "heartbeats arrive" in fine
        assert "TLS link from the bouncer" in fine
        assert "in #lobby and #room as fb-fra" in fine
        assert said(findings, Level.FAIL) == ""
        assert "the clock was set" not in said(findings, Level.WARN)
        mono, boot, wall = agent.pulse.clocks()
        agent.pulse.clocks = lambda: (mono, boot, wall + 90.0)  # NTP came after the start
        assert "the clock was set by +90.0s since the start" in "\n".join(
            check.running_findings(agent)
        )


async def test_the_primary_s_certificate_is_looked_at(
    tmp_path: Path, nursery: trio.Nursery
) -> None:
    for days, level, what in (
        (90, Level.OK, "certificate until 20"),
        (5, Level.WARN, "certificate ends in"),
        (-1, Level.WARN, "certificate ended"),
    ):
        made = make(tmp_path, f"site{days}", days=days)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate, made.key)
        [listener] = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
        port = listener.transport_listener.socket.getsockname()[1]

        async def greet(stream: trio.SSLStream[trio.SocketStream]) -> None:
            with suppress(trio.BrokenResourceError):
                await stream.do_handshake()

        nursery.start_soon(trio.serve_listeners, greet, [listener])
        ours = config(tmp_path, primary=[f"ircs://127.0.0.1:{port}"])
        assert what in said(await check.about_primary(ours), level)
