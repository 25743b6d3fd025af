"""Whatever clients and networks say, a session gives effects, and lines that are lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncer.irc.caps import DOWNSTREAM_OFFERED, UPSTREAM_WANTED
from bouncer.irc.wire import Message
from bouncer.session.effects import Lookup, ServiceCommand
from bouncer.session.events import Connected, Found, FromNetwork, Lost, ServiceSaid, Tick
from bouncer.session.from_client import COMMANDS
from bouncer.session.from_network import HANDLERS
from bouncer.session.lookups import (
    Answer,
    Marker,
    NoAnswer,
    PlaySince,
    ReadHistory,
    ReadMarker,
    Rows,
    Targets,
)
from bouncer.session.replies import ERRORS, QUESTIONS, SAYING_ERRORS
from bouncer.session.session import Session
from tests.bouncer.session.dialogue import Dialogue

EVERYTHING = frozenset(DOWNSTREAM_OFFERED)
NUMERICS = sorted({n for row in QUESTIONS.values() for n in row.body | row.ends} | {"401", "329"})
WORDS = (
    "#ops", "#OPS", "@#ops", "me", "bob", "BOB!b@h", "*", "", "0", "+", "-", "C", "L", "S", "+o",
    "#a,#b", "bob,carol,,", "msgid=m1", "msgid=", "timestamp=2026-01-02T03:04:05.678Z",
    "timestamp=x", "LATEST", "BEFORE", "AFTER", "AROUND", "BETWEEN", "TARGETS", "10", "-1",
    "99999999999999999999",
    "%tna,42", "%", "%zz,9999", "GET", "SET", "SUB", "UNSUB", "SYNC", "LIST", "CLEAR",
    "soju.im/muted", "+1", "-1", "+1 draft/multiline", "draft/multiline", "labeled-response",
    "text=a;in=#ops",
    "BouncerServ", "*playback", "PLAY * 0", "\x01VERSION\x01", "\x01ACTION x", "a b c", ":", "é",
    "muster-end-m1", "muster-99", "x" * 600, "chathistory", "#a[b]", "#A{B}", "x[y]", "detach",
    "CASEMAPPING=ascii", "CASEMAPPING=rfc1459", "-CASEMAPPING", "CHANTYPES=",
)  # fmt: skip
TAGS = st.sampled_from(
    ["", "@label=a ", "@label=b;+typing=active ", "@batch=1 ", "@batch=1;label=m1 ", "@msgid=x ",
     "@time=2026-01-02T03:04:05.678Z ", "@time=2999-01-02T03:04:05.678Z;batch=1 ",
     "@time=x;msgid= ", "@draft/multiline-concat;batch=1 ",
     "@label=m1 ", "@label=m2 ", "@+draft/react=x;msgid=q "]
)  # fmt: skip
PARAMS = st.lists(st.sampled_from(WORDS), max_size=5).map(lambda words: _line(tuple(words)))
SOURCES = st.sampled_from(
    ["", ":me!user@host ", ":bob!b@h ", ":irc.test ", ":* ", ":carol ", ":! "]
)


def _line(words: tuple[str, ...]) -> str:
    *middle, last = words or ("",)
    clean = [word.replace(" ", "_").lstrip(":") or "_" for word in middle]
    return " ".join([*clean, ":" + last]) if words else ""


FROM_CLIENT = st.builds(
    lambda tags, command, params: ("client", f"{tags}{command} {params}".rstrip()),
    TAGS, st.sampled_from([*sorted(COMMANDS), "FROB"]), PARAMS,
)  # fmt: skip
NETWORK_COMMANDS = sorted(
    {*HANDLERS, *NUMERICS, *ERRORS, *SAYING_ERRORS, "PRIVMSG", "NOTICE", "MODE", "KICK", "PART",
     "QUIT", "TOPIC", "AWAY", "FAIL", "WARN", "NOTE", "ACK", "005", "353", "366", "352"}
)  # fmt: skip
FROM_NETWORK = st.builds(
    lambda tags, source, command, params: ("network", f"{tags}{source}{command} {params}".rstrip()),
    TAGS, SOURCES, st.sampled_from(NETWORK_COMMANDS), PARAMS,
)  # fmt: skip
OTHER = st.sampled_from(
    [("tick", ""), ("lost", ""), ("connect", ""), ("attach", ""), ("answer", "")]
)


def all_is_found_by_its_name(session: Session) -> None:
    """However often the network has said that it folds names otherwise."""
    fold = session.state.fold
    assert session.casemapping is session.state.isupport.casemapping
    for named in (session.wanted, session.keys):
        assert [fold(name) for name, _ in named.values()] == list(named)
    watched = session.monitoring._names
    assert [fold(name) for name in watched.values()] == list(watched)
    assert session.monitoring._watchers.keys() >= watched.keys()
    for settings_or_channels in (session.screen.settings, session.state.channels):
        assert {folded: fold(each.name) for folded, each in settings_or_channels.items()} == {
            folded: folded for folded in settings_or_channels
        }
    for channel in session.state.channels.values():
        assert {fold(member.nick) for member in channel.members.values()} == set(channel.members)
        assert channel.members.keys() <= session.state.users.keys()


def answer(talk: Dialogue, other: object) -> None:
    found: Answer
    if isinstance(other, ServiceCommand):
        talk.event(ServiceSaid(other, ["one", "two"]))
    elif isinstance(other, Lookup):
        match other.question:
            case ReadMarker(time_ms=time_ms):
                found = Marker(time_ms)
            case ReadHistory(target=""):
                found = Targets([("#ops", talk.now_ms)])
            case ReadHistory() | PlaySince():
                found = Rows(sorted([*talk.kept, *talk.events]))
            case _:
                found = NoAnswer(unknown_message=False)
        talk.event(Found(other.client, other.question, found, other.label))


@pytest.mark.parametrize("caps", ["", " ".join(sorted(set(UPSTREAM_WANTED) - {"sasl"}))])
@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.one_of(FROM_CLIENT, FROM_NETWORK, FROM_NETWORK, OTHER), max_size=40))
def test_a_session_takes_everything(caps: str, steps: list[tuple[str, str]]) -> None:
    talk = Dialogue()
    talk.event(Connected(tls=False))
    talk.says(f":irc.test CAP * LS :{caps}", f":irc.test CAP me ACK :{caps}")
    talk.says(":irc.test 001 me :hi me!user@host", ":irc.test 005 me MONITOR=2 :are", ":x 422 me :")
    talk.joined("#ops")
    talk.attach(1, EVERYTHING)
    talk.attach(2, ())
    for kind, line in steps:
        talk.now_ms += 1_500
        match kind:
            case "client":
                talk.types(1, line)
            case "network":
                talk.event(FromNetwork([line]))
            case "tick":
                talk.event(Tick())
            case "lost":
                talk.event(Lost("reset"))
            case "connect":
                talk.event(Connected(tls=False))
                talk.says(":irc.test 001 me :hi", ":irc.test 422 me :")
            case "attach":
                talk.attach(1, EVERYTHING)
            case "answer":
                others, talk.others = talk.others, []
                for other in others:
                    answer(talk, other)
        all_is_found_by_its_name(talk.session)
    for lines in talk.down.values():
        for said in lines:
            assert "\n" not in said
            Message.parse(said)
    for said in talk.up:
        Message.parse(said)


@pytest.mark.parametrize("caps", ["", "batch labeled-response message-tags standard-replies"])
@pytest.mark.parametrize("question", sorted(QUESTIONS))
def test_answers_with_too_few_parameters(caps: str, question: str) -> None:
    """Each while the question waits: what tells whose answer it is may be what is missing."""
    talk = Dialogue()
    talk.event(Connected(tls=False))
    talk.says(f":irc.test CAP * LS :{caps}", f":irc.test CAP me ACK :{caps}")
    talk.says(":irc.test 001 me :hi me!user@host", ":x 422 me :")
    talk.attach(1, EVERYTHING)
    for command in NETWORK_COMMANDS:
        for params in ("", " me", f" {question}", " me bob", " :"):
            talk.now_ms += 1_500
            talk.types(1, f"@label=q {question} bob")
            talk.event(FromNetwork([f":irc.test {command}{params}"]))
    talk.types(1, "PING :still-there")
    assert any("still-there" in line for line in talk.down[1])
