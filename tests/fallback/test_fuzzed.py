"""Whatever a public network and its people say: nobody is verified by it, nothing breaks or grows.

"Hostile input: datagrams and channel text fuzzed." Octets go in where the socket's do: through the
splitter of lines, the announcer, the reception and the desk. Datagrams: `test_hearing`,
`tests/bouncer/test_heartbeat.py`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import trio
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bouncer.irc.wire import LineReader, Message, ProtocolError
from fallback import claims
from fallback.announcer import Announcer
from fallback.outgoing import MAX_REPLIES, MAX_SOURCES, MAX_WAITING, Priority
from tests.fallback.test_reception import open_scene

LINE_OCTETS = 512  # RFC 1459 section 2.3
EXAMPLES = 1500
MOST_WAITING = MAX_WAITING * len(Priority) + MAX_SOURCES * MAX_REPLIES

odd = st.sampled_from(
    [
        b"\x01ACTION dances\x01", b"\x02\x03\x0f\x1f\x7f", b"\xff\xfe\xc3\x28", b"\xe2\x80\xae",
        "Ａlice aliсe \u202e\u0000\ufeff\U0001f600".encode(), b"%s%n{0}{__class__}", b"a" * 9000,
        b"[fallback k7] Primary unreachable from here since 11:45Z. Meet: #elsewhere.",
        b"AAAA-BBBB-CCCC-DDDD", b"U1NIU0lH" + b"A" * 400, b"123456", b"-1", b"9" * 400,
    ]
)  # fmt: skip
text = st.lists(st.binary(max_size=60) | odd, max_size=6).map(b" ".join)
people = st.sampled_from([b"al", b"eve", b"fb-fra", b"[x]", b"#room", b"", b"\xff", b"a" * 80])
where = people | st.sampled_from([b"#lobby", b"#LOBBY", b"#room", b"*", b"$$*", b"#lobby,#room"])
word = st.sampled_from(
    [
        b"claim alice", b"claim", b"proof", b"!verify", b"!vouch eve alice", b"vouch eve alice",
        b"!declare", b"!standdown", b"!revoke al", b"!roster", b"!status full", b"help",
        b"!hold 1h",
        b"CLAIM ALICE", b"!", b"!!", b"",
    ]
)  # fmt: skip
command = st.sampled_from(
    [
        b"JOIN", b"NICK", b"QUIT", b"PART", b"KICK", b"ACCOUNT", b"354", b"352", b"330", b"307",
        b"MODE", b"CHGHOST", b"INVITE", b"TOPIC", b"NOTICE", b"PONG", b"353", b"324", b"005",
        b"404",
        b"BATCH", b"CAP", b"AUTHENTICATE", b"900",
    ]
)  # fmt: skip


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """One line of a network, or what only looks like one."""
    tags = draw(
        st.sampled_from([b"", b"", b"@account=\xff ", b"@msgid=;=;a= ", b"@" + b"a" * 9000])
    )
    nick = draw(people)
    source = draw(st.sampled_from([b":%s!u@h ", b":%s ", b":%s!@ ", b""]))
    source = source.replace(b"%s", nick)
    if draw(st.booleans()):
        said = b"PRIVMSG %s :%s %s" % (draw(where), draw(word), draw(text))
    else:
        params = draw(st.lists(where | st.binary(max_size=12), max_size=8))
        said = b" ".join([draw(command), *params, b":" + draw(text)])
    return tags + source + said


def hears(announcer: Announcer, reader: LineReader, data: bytes) -> None:
    """What the announcer does with octets of its socket."""
    registration = announcer._registration
    assert registration is not None
    for line in reader.feed(data):
        with suppress(ProtocolError):
            announcer._take(Message.parse(line), registration)


async def test_nothing_that_is_said_verifies_anybody_or_breaks_anything(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        agent, announcer = scene.agent, scene.agent.announcers["pub"]
        opened = agent.conduct.incident_id
        reader = LineReader()

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(lines() | st.binary(max_size=700), max_size=4))
        def said(every: list[bytes]) -> None:
            hears(announcer, reader, b"\r\n".join(every) + b"\r\n")
            assert len(announcer.outgoing) <= MOST_WAITING

        said()
        await trio.sleep(1)  # what waits in the queues is decided upon
        assert agent.conduct.incident_id == opened, "an incident was opened or closed by strangers"
        assert claims.standing(agent.conduct.desk) == []
        assert len(agent.conduct.desk.claims) <= claims.MAX_UNVERIFIED
        assert len(agent.roster.staff if agent.roster else ()) == 4
    assert any(line.startswith("NOTICE ") for line in scene.ircd.heard), "nobody was answered"
    for line in scene.ircd.heard:
        assert len(line.encode()) + 2 <= LINE_OCTETS
        assert "alice" not in line or "claim alice" in line or "on call" in line, line
