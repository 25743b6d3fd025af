"""Whatever a public network and its people say: nobody is verified by it, nothing breaks or grows.

"Hostile input: datagrams and channel text fuzzed." Octets go in where the socket's do: through the
splitter of lines, the announcer, the reception and the desk. Datagrams: `test_hearing`,
`tests/bouncer/mesh/test_heartbeat.py`.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from bouncer.irc.wire import LineReader, Message, ProtocolError
from fallback import claims
from fallback.networks.announcer import Announcer
from fallback.networks.outgoing import MAX_REPLIES, MAX_SOURCES, MAX_WAITING, Priority
from tests.fallback.desk.test_reception import Scene, open_scene
from tests.fallback.voters import until

LINE_OCTETS = 512  # RFC 1459 section 2.3
ROUNDS, EXAMPLES = 15, 60
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


def source(nick: bytes, form: bytes) -> bytes:
    return form.replace(b"%s", nick)


sources = st.builds(source, people, st.sampled_from([b":%s!u@h ", b":%s ", b":%s!@ ", b""]))
tags = st.sampled_from([b"", b"", b"@account=\xff ", b"@msgid=;=;a= ", b"@" + b"a" * 9000 + b" "])
told = st.builds(lambda *parts: b"PRIVMSG %s :%s %s" % parts, where, word, text)
private = st.builds(lambda *parts: b":%s!u@h PRIVMSG fb-fra :%s %s" % parts, people, word, text)
moves = st.builds(
    lambda nick, what: b":%s!u@h %s" % (nick, what),
    st.sampled_from([b"al", b"eve", b"[x]"]),
    st.sampled_from([b"JOIN #lobby", b"PART #lobby", b"QUIT :a.b c.d", b"NICK al", b"NICK eve"]),
)
numbers = st.builds(
    lambda name, params, last: b" ".join([name, *params, b":" + last]),
    command,
    st.lists(where | st.binary(max_size=12), max_size=8),
    text,
)
of_people = private | private | moves | st.builds(lambda *p: b"".join(p), tags, sources, told)
of_networks = st.builds(lambda *p: b"".join(p), tags, sources, numbers) | st.binary(max_size=700)


def hears(announcer: Announcer, reader: LineReader, data: bytes) -> None:
    """What the announcer does with octets of its socket."""
    registration = announcer._registration
    assert registration is not None
    for line in reader.feed(data):
        with suppress(ProtocolError):
            announcer._take(Message.parse(line), registration)


async def play(scene: Scene, said: st.SearchStrategy[bytes]) -> None:
    """Round by round, so that the desk decides what waits before more comes."""
    announcer, conduct = scene.agent.announcers["pub"], scene.agent.conduct
    reader = LineReader()
    for number in range(ROUNDS):

        @seed(number)
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(st.lists(said, max_size=4))
        def one(lines: list[bytes]) -> None:
            hears(announcer, reader, b"\r\n".join(lines) + b"\r\n")
            assert len(announcer.outgoing) <= MOST_WAITING

        one()
        await until(lambda: conduct.waiting == 0)
        assert claims.standing(conduct.desk) == [], "a stranger was verified"
        assert len(conduct.desk.claims) <= claims.MAX_UNVERIFIED


async def test_nothing_that_is_said_verifies_anybody_or_breaks_anything(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        agent = scene.agent
        opened = agent.conduct.incident_id
        turns = agent.reception.turns["pub"]
        turns.take = lambda *_: True  # type: ignore[method-assign]  # so that all of it is read
        await play(scene, of_people)
        assert agent.conduct.desk.claims, "nobody was asked for a proof"
        await scene.ircd.hears("NOTICE ")
        await scene.joins("bo")
        await scene.proves_by_code("bo", "bob")  # and who can prove it still gets in
        assert scene.verified()["bob"] == "bo"
        await scene.ircd.says(":bo!bo@bo.example QUIT :bye")
        await until(lambda: not claims.standing(agent.conduct.desk))
        await play(scene, of_people | of_networks)
        assert agent.conduct.incident_id == opened, "strangers opened or closed an incident"
    for line in scene.ircd.heard:
        assert len(line.encode()) + 2 <= LINE_OCTETS
