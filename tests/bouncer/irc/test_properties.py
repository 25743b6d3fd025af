"""Whatever comes in gives a value or a ProtocolError, and nothing grows past its bound."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from bouncer.irc import numerics
from bouncer.irc.burst import channel_burst, registration_burst
from bouncer.irc.caps import DOWNSTREAM_OFFERED, MAX_AVAILABLE, UPSTREAM_WANTED, offered
from bouncer.irc.casemap import CaseMapping
from bouncer.irc.isupport import MAX_TOKENS, ISupport
from bouncer.irc.known import MAX_CHANNELS, MAX_MEMBERSHIPS
from bouncer.irc.login import Login
from bouncer.irc.modes import parse_modes
from bouncer.irc.people import MAX_CHANNEL_MODES
from bouncer.irc.registration import (
    DownstreamRegistration,
    Identity,
    SaslLogin,
    ScramKeys,
    ScramLookup,
    UpstreamRegistration,
)
from bouncer.irc.registration.downstream import MAX_HELD
from bouncer.irc.state import NetworkState
from bouncer.irc.wire import (
    MAX_RECEIVED,
    LineReader,
    Message,
    ProtocolError,
    format_tags,
    parse_tags,
)

NUMERICS = [value for name, value in vars(numerics).items() if name.startswith(("RPL_", "ERR_"))]
COMMANDS = [
    "ACCOUNT", "AUTHENTICATE", "AWAY", "BATCH", "BOUNCER", "CAP", "CHGHOST", "ERROR", "FAIL",
    "INVITE", "ISUPPORT", "JOIN", "KICK", "MODE", "NICK", "NOTICE", "PART", "PASS", "PING", "PONG",
    "PRIVMSG", "QUIT", "RENAME", "SETNAME", "TAGMSG", "TOPIC", "USER", "WALLOPS",
]  # fmt: skip
WORDS = [
    "me", "ME", "*", "alice", "bob!b@host", "#ops", "#OPS", "#dev,#ops", "@#ops", "+ov-b", "+k",
    "=", "@alice", "@+bob!b@h", "LS", "ACK", "NAK", "NEW", "DEL", "REQ", "END", "LIST", "302",
    "sasl=PLAIN", "sasl", "batch", "-batch", "PLAIN", "SCRAM-SHA-256", "EXTERNAL", "+",
    "AGFsaWNlAHB3", "biwsbj11c2VyLHI9YWJj", "A" * 400, "PREFIX=(ov)@+", "PREFIX=", "PREFIX=(", "x",
    "CHANMODES=b,k,l,i", "CHANMODES=,,", "CASEMAPPING=ascii", "CASEMAPPING=rfc1459", "-PREFIX",
    "CHANTYPES=", "STATUSMSG=@+", "TARGMAX=a:1,:,b", "NICKLEN=-1", "\\x00\\x", "G@", "793", "0",
    "99999999999999999999", "²", "", ":", ":)", "n=,r=", "r=abc,s=AA==,i=4096",
]  # fmt: skip

words = st.one_of(st.sampled_from(WORDS), st.text(max_size=12))
sources = st.sampled_from(["", "irc.example", "me!u@h", "alice!a@h", "bob", "!@", "ME!x@", "@!"])
messages = st.builds(
    Message,
    st.one_of(st.sampled_from(COMMANDS), st.sampled_from(NUMERICS)),
    st.lists(words, max_size=9).map(tuple),
    sources,
)
dialogues = st.lists(messages, max_size=25)
middles = st.text(
    st.characters(exclude_characters=" \r\n\0", codec="utf-8"), min_size=1, max_size=20
).filter(lambda word: word[0] != ":")
tag_names = st.from_regex(r"\A\+?[a-z0-9./-]{1,20}\Z")
texts = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=40)
tag_values = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20)
valid_messages = st.builds(
    lambda command, middle, last, source, tags: Message(
        command, (*middle, *last), source, format_tags(tags)
    ),
    st.from_regex(r"\A([A-Z]{1,12}|[0-9]{3})\Z"),
    st.lists(middles, max_size=13),
    st.lists(texts, max_size=1),
    st.one_of(st.just(""), middles),
    st.dictionaries(tag_names, tag_values, max_size=4),
)


@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_make_lines_or_nothing(data: bytes, step: int) -> None:
    pieces = LineReader()
    lines = [
        line
        for start in range(0, len(data), step)
        for line in pieces.feed(data[start : start + step])
    ]
    assert lines == LineReader().feed(data)  # however they are cut
    for line in lines:
        assert line
        assert not set(line) & set("\0\r\n")
        try:
            message = Message.parse(line)
        except ProtocolError:
            continue
        assert message.tags is not None
        assert message.encode().endswith(b"\r\n")


@given(st.lists(st.binary(max_size=50), max_size=20))
def test_a_line_reader_holds_no_more_than_its_limit(chunks: list[bytes]) -> None:
    reader = LineReader(limit=64)
    for chunk in chunks:
        for line in reader.feed(chunk):
            assert len(line) <= 64
        assert len(reader._rest) <= 64


@given(st.text(max_size=200))
@example("@ :")
@example("@a=\\ ")
@example(": ")
def test_any_text_is_a_message_or_a_protocol_error(text: str) -> None:
    try:
        message = Message.parse(text)
    except ProtocolError:
        return
    assert message.command == message.command.upper()
    assert message.nick is not None
    message.encode()


@given(valid_messages)
def test_a_valid_message_survives_the_wire(message: Message) -> None:
    assert Message.parse(str(message)) == message
    (line,) = LineReader(MAX_RECEIVED * 4).feed(message.encode())
    assert Message.parse(line) == message


@given(st.dictionaries(tag_names, tag_values))
def test_tags_survive_the_wire(tags: dict[str, str]) -> None:
    assert parse_tags(format_tags(tags)) == tags


@given(st.text(max_size=60))
def test_any_tags_are_read(raw: str) -> None:
    tags = parse_tags(raw)
    assert parse_tags(format_tags(tags)) == {k: v.replace("\0", "") for k, v in tags.items()}


FOLDED = {
    CaseMapping.ASCII: {},
    CaseMapping.RFC1459: {"[": "{", "]": "}", "\\": "|", "~": "^"},
    CaseMapping.RFC1459_STRICT: {"[": "{", "]": "}", "\\": "|"},
}


@given(
    st.text(st.one_of(st.sampled_from("Aa[]\\~{}|^É"), st.characters())),
    st.sampled_from(CaseMapping),
)
def test_folding_goes_letter_by_letter(name: str, mapping: CaseMapping) -> None:
    letters = [FOLDED[mapping].get(c, c.lower() if c.isascii() else c) for c in name]
    assert mapping.fold(name) == "".join(letters)


@given(st.lists(st.lists(st.one_of(words, st.text(max_size=30)), max_size=8), max_size=10))
def test_any_tokens_leave_a_usable_isupport(lines: list[list[str]]) -> None:
    isupport = ISupport()
    for params in lines:
        isupport.update(params)
    assert len(isupport.tokens) <= MAX_TOKENS
    assert isupport.fold("A[") in ("a[", "a{")
    assert isupport.nicklen > 0
    isupport.is_channel("")
    isupport.without_status("@#c")
    isupport.targmax("JOIN")
    again = ISupport()
    for line in isupport.lines("me", "s"):
        assert len(line.encode()) <= 512
        again.update(Message.parse(str(line)).params)
    parse_modes(isupport, ["+abov", "x"])


@given(st.lists(words, max_size=8))
def test_any_mode_words_are_read(arguments: list[str]) -> None:
    changes = parse_modes(ISupport(), arguments)
    assert len(changes) <= sum(map(len, arguments))


@given(st.text(max_size=300))
def test_any_login_is_read(text: str) -> None:
    login = Login.parse(text)
    assert Login.parse(str(login)).user == login.user


def check_bounds(state: NetworkState) -> None:
    """What must hold after every message."""
    channels = state.channels.values()
    assert state.memberships == sum(len(channel.members) for channel in channels)
    assert state.memberships <= MAX_MEMBERSHIPS
    assert len(state.channels) <= MAX_CHANNELS
    assert set(state.users) == {nick for channel in channels for nick in channel.members}
    assert set(state._shared) == set(state.users)
    for folded, channel in state.channels.items():
        assert state.fold(channel.name) == folded
        assert len(channel.modes) <= MAX_CHANNEL_MODES
        for folded_nick, member in channel.members.items():
            assert state.fold(member.nick) == folded_nick


@settings(max_examples=100)
@given(dialogues)
def test_any_network_leaves_a_state_that_holds_together(dialogue: list[Message]) -> None:
    state = NetworkState("me")
    state.receive(Message("JOIN", ("#ops",), "me!u@h"))
    state.receive(Message("353", ("me", "=", "#ops", "me @alice bob"), "s"))
    for message in dialogue:
        state.receive(message)
        check_bounds(state)
    for line in registration_burst(state, state.nick, "bouncer.example", "1", ()):
        line.encode()
    for channel in state.channels.values():
        for line in channel_burst(state, channel, "bouncer.example", {"userhost-in-names"}):
            line.encode()


def test_every_command_without_parameters() -> None:
    for command in COMMANDS + NUMERICS:
        for source in ("", "me!u@h", "alice!a@h"):
            for count in range(8):
                message = Message(command, ("",) * count, source)
                state = NetworkState("me")
                state.receive(Message("JOIN", ("#ops",), "me!u@h"))
                state.receive(message)
                check_bounds(state)
                upstream().receive(message)
                DownstreamRegistration("s", offered()).receive(message)


def upstream(mechanism: str = "") -> UpstreamRegistration:
    login = SaslLogin(mechanism, "acct", "pw")
    us = UpstreamRegistration(Identity("me", sasl=login), UPSTREAM_WANTED)
    us.start()
    us.receive(Message("CAP", ("*", "LS", "sasl batch")))
    us.receive(Message("CAP", ("*", "ACK", "sasl")))
    us.receive(Message("CAP", ("*", "ACK", "batch")))
    return us


@settings(max_examples=100)
@given(dialogues, st.sampled_from(["", "PLAIN", "EXTERNAL", "SCRAM-SHA-256"]))
def test_any_network_is_answered_within_bounds(dialogue: list[Message], mechanism: str) -> None:
    us = upstream(mechanism)
    for message in dialogue:
        answers = us.receive(message)
        assert len(answers) <= max(len(UPSTREAM_WANTED), 20)
        for answer in answers:
            answer.encode()
        assert len(us.negotiation.available) <= MAX_AVAILABLE
        assert set(us.caps) <= set(UPSTREAM_WANTED)
        assert not (us.failure and answers and answers[-1].command != "QUIT")


KEYS = ScramKeys.of("pw", iterations=4096)


@settings(max_examples=100)
@given(dialogues, st.booleans(), st.sampled_from(["", "ab"]))
def test_any_client_is_answered_within_bounds(
    dialogue: list[Message], right: bool, fingerprint: str
) -> None:
    table = offered(serving=dict.fromkeys(DOWNSTREAM_OFFERED, ""))
    us = DownstreamRegistration("bouncer.example", table, fingerprint)
    for message in dialogue:
        outputs = us.receive(message)
        while outputs:
            output = outputs.pop(0)
            if isinstance(output, Message):
                assert output.encode()
            elif isinstance(output, ScramLookup):
                outputs += us.scram_keys(KEYS)
            else:
                outputs += us.accept("alice") if right else us.refuse("no")
        assert us.caps <= set(table)
        assert len(us._held) <= MAX_HELD
        assert not us.complete or (us.user and us.nick and right)


@given(dialogues)
def test_an_attempt_nobody_answers_holds_few_messages(dialogue: list[Message]) -> None:
    us = DownstreamRegistration("bouncer.example", offered())
    for message in [Message("PASS", ("a:b",)), Message("NICK", ("al",))]:
        us.receive(message)
    us.receive(Message("USER", ("al", "0", "*", "x")))
    for message in dialogue:
        assert all(isinstance(output, Message) for output in us.receive(message))
        assert len(us._held) <= MAX_HELD
    assert not us.complete
