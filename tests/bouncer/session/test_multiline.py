"""Messages of several lines, on a network that has them. Quotes: IRCv3 multiline."""

from __future__ import annotations

import pytest

from bouncer.irc.arriving import MAX_ARRIVING, MAX_LINES
from bouncer.session.events import Lost
from tests.bouncer.session.dialogue import MODERN, Dialogue, texts

CAPS = "batch draft/multiline echo-message labeled-response message-tags server-time"
SEVERAL = MODERN | {"draft/multiline"}
LABELS = SEVERAL | {"labeled-response"}
SAYS = (
    "BATCH +123 draft/multiline #ops",
    "@batch=123 PRIVMSG #ops hello",
    "@batch=123 PRIVMSG #ops :",
    "@batch=123 PRIVMSG #ops :how is ",
    "@batch=123;draft/multiline-concat PRIVMSG #ops :everyone?",
    "BATCH -123",
)
HEARD = (
    "@msgid=xxx;account=b;time=2026-01-02T03:04:05.678Z :bob!b@h BATCH +9 draft/multiline #ops",
    "@batch=9 :bob!b@h PRIVMSG #ops :hello",
    "@batch=9 :bob!b@h PRIVMSG #ops :",
    "@batch=9 :bob!b@h PRIVMSG #ops :how is ",
    "@batch=9;draft/multiline-concat :bob!b@h PRIVMSG #ops :everyone?",
    "BATCH -9",
)


def connected(value: str = "max-bytes=4096,max-lines=24", caps: str = CAPS) -> Dialogue:
    """On a network with multiline. Its value comes by CAP NEW: the name is what was asked for."""
    talk = Dialogue()
    talk.connect(caps)
    talk.says(f":irc.test CAP me NEW :draft/multiline={value}")
    talk.heard()
    return talk


def test_it_is_asked_for_and_told_its_limits() -> None:
    """ "The capability MUST be advertised by servers with a REQUIRED value" """
    talk = connected("max-bytes=4096,max-lines=24")
    assert talk.session.upstream_caps["draft/multiline"] == "max-bytes=4096,max-lines=24"


def test_what_comes_is_one_message_for_who_knows_it() -> None:
    """ "implementations MUST collect each PRIVMSG message content and wait until the full batch
    has been received before processing the message" """
    talk = connected()
    talk.attach(1, SEVERAL)
    talk.says(*HEARD[:-1], ":carol!c@h PRIVMSG #ops :meanwhile")
    assert texts(talk.seen(1)) == ["meanwhile"]
    talk.says(HEARD[-1])
    opening, *lines, closing = talk.seen(1)
    assert opening == (
        "@time=2026-01-02T03:04:05.678Z;msgid=xxx;account=b :bob!b@h BATCH +l3 draft/multiline #ops"
    )
    assert lines == [
        "@batch=l3 :bob!b@h PRIVMSG #ops :hello",
        "@batch=l3 :bob!b@h PRIVMSG #ops :",
        "@batch=l3 :bob!b@h PRIVMSG #ops :how is ",
        "@batch=l3;draft/multiline-concat :bob!b@h PRIVMSG #ops :everyone?",
    ]
    assert closing == "BATCH -l3"
    assert [(row.msgid, row.text) for row in talk.kept] == [
        ("", "meanwhile"),
        ("xxx", "hello\n\nhow is \reveryone?"),
    ]


def test_others_get_it_line_by_line() -> None:
    """ "servers MUST deliver the component messages without using a multiline BATCH. Servers MUST
    NOT send blank lines [...] Servers MUST only include a message ID on the first message" """
    talk = connected()
    talk.attach(1, MODERN)
    talk.attach(2, ())
    talk.says(*HEARD)
    first, *rest = talk.seen(1)
    time = "time=2026-01-02T03:04:05.678Z"
    assert first == f"@{time};msgid=xxx;account=b :bob!b@h PRIVMSG #ops :hello"
    assert rest == [
        f"@{time};account=b :bob!b@h PRIVMSG #ops :how is ",
        f"@{time};account=b :bob!b@h PRIVMSG #ops :everyone?",
    ]
    assert talk.seen(2) == [
        ":bob!b@h PRIVMSG #ops :hello",
        ":bob!b@h PRIVMSG #ops :how is ",
        ":bob!b@h PRIVMSG #ops :everyone?",
    ]


@pytest.mark.parametrize("caps", [SEVERAL, MODERN, frozenset()])
def test_it_is_played_back_the_same_way(caps: frozenset[str]) -> None:
    talk = connected()
    talk.says(*HEARD)
    played = [line for line in talk.attach(1, caps, delivered_id=0) if "bob!b@h" in line]
    if "draft/multiline" in caps:
        assert played[0].startswith("@batch=b1;time=2026-01-02T03:04:05.678Z;msgid=xxx;account=b :")
        assert played[0].endswith(" BATCH +l1 draft/multiline #ops")
        assert texts(played) == ["hello", "", "how is ", "everyone?"]
        assert all(line.startswith("@batch=l1") for line in played[1:])
    elif caps:
        assert texts(played) == ["hello", "how is ", "everyone?"]
        assert [line.startswith("@batch=b1;") for line in played] == [True] * 3
        assert ["msgid=xxx" in line for line in played] == [True, False, False]
    else:
        clock = "[2026-01-02 03:04:05]"
        assert texts(played) == [f"{clock} hello", f"{clock} how is ", f"{clock} everyone?"]


def test_what_a_client_says_goes_up_as_one() -> None:
    """ "all client-only tags associated with the message must be sent attached to the initial BATCH
    command" ; "Servers MUST only include the label tag on the opening BATCH command when replying
    to a client using echo-message" """
    talk = connected()
    talk.attach(1, LABELS)
    talk.attach(2, SEVERAL)
    talk.types(1, "@label=mine;+draft/reply=x " + SAYS[0], *SAYS[1:-1])
    assert talk.heard() == []
    talk.types(1, SAYS[-1])
    opening, *lines, closing = talk.heard()
    label = opening.partition(";")[0].removeprefix("@label=")
    assert opening == f"@label={label};+draft/reply=x BATCH +m draft/multiline #ops"
    assert lines == [
        "@batch=m PRIVMSG #ops hello",
        "@batch=m PRIVMSG #ops :",
        "@batch=m PRIVMSG #ops :how is ",
        "@batch=m;draft/multiline-concat PRIVMSG #ops everyone?",
    ]
    assert closing == "BATCH -m"
    assert talk.kept == talk.seen(1) == talk.seen(2) == []  # until the network says it

    talk.says(
        f"@label={label};msgid=own;+draft/reply=x :me!user@host BATCH +e draft/multiline #ops",
        "@batch=e :me!user@host PRIVMSG #ops :hello",
        "@batch=e :me!user@host PRIVMSG #ops :",
        "@batch=e :me!user@host PRIVMSG #ops :how is ",
        "@batch=e;draft/multiline-concat :me!user@host PRIVMSG #ops :everyone?",
        "BATCH -e",
    )
    for client, starts in ((1, "@label=mine;time="), (2, "@time=")):
        seen = talk.seen(client)
        assert seen[0].startswith(starts)
        assert "BATCH +l3 draft/multiline #ops" in seen[0]
        assert texts(seen) == ["hello", "", "how is ", "everyone?"]
        assert sum("label=" in line for line in seen) == (client == 1)
    (row,) = talk.kept
    assert (row.msgid, row.tags) == ("own", "+draft/reply=x")


def test_a_network_without_echo_shows_it_at_once() -> None:
    talk = connected(caps="batch draft/multiline message-tags")
    talk.attach(1, SEVERAL)
    talk.attach(2, ())
    talk.types(1, *SAYS)
    assert talk.heard()[0] == "BATCH +m draft/multiline #ops"
    assert texts(talk.seen(1)) == ["hello", "", "how is ", "everyone?"]
    assert texts(talk.seen(2)) == ["hello", "how is ", "everyone?"]
    assert [row.text for row in talk.kept] == ["hello\n\nhow is \reveryone?"]


def test_the_limits_of_the_network_hold() -> None:
    """ "max-lines - This defines the maximum allowed number of lines in a multiline batch" """
    talk = connected("max-bytes=4096,max-lines=2")
    talk.attach(1, SEVERAL)
    talk.types(1, "BATCH +1 draft/multiline #ops",
               *(f"@batch=1 PRIVMSG #ops {text}" for text in "abcde"), "BATCH -1")  # fmt: skip
    heard = [line.partition(" ")[2] if line[0] == "@" else line for line in talk.heard()]
    assert heard == [
        "BATCH +m draft/multiline #ops", "PRIVMSG #ops a", "PRIVMSG #ops b", "BATCH -m",
        "BATCH +m draft/multiline #ops", "PRIVMSG #ops c", "PRIVMSG #ops d", "BATCH -m",
        "PRIVMSG #ops e",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", "max-lines=5", "max-bytes=40", "max-bytes=x,max-lines=-1"])
def test_a_value_of_no_use_is_as_none(value: str) -> None:
    talk = connected(value)
    talk.attach(1, SEVERAL)
    talk.types(1, *SAYS)
    assert [line for line in talk.heard() if "BATCH" in line] == []


@pytest.mark.parametrize("target", ["NickServ", "me", "bob,carol", "*playback", "BouncerServ"])
def test_what_is_for_services_or_oneself_goes_line_by_line(target: str) -> None:
    talk = connected()
    talk.attach(1, SEVERAL)
    talk.types(1, f"BATCH +1 draft/multiline {target}", f"@batch=1 PRIVMSG {target} :identify x",
               f"@batch=1 PRIVMSG {target} :and more", "BATCH -1")  # fmt: skip
    assert not any("BATCH" in line or "\n" in line for line in talk.heard())
    assert talk.kept == []


def test_a_secret_in_any_line_is_kept_nowhere() -> None:
    """What must not be kept is not, also where it hides behind another line."""
    talk = connected()
    talk.attach(1, SEVERAL)
    talk.types(1, "BATCH +1 draft/multiline agent", "@batch=1 PRIVMSG agent :hello",
               "@batch=1 PRIVMSG agent :!claim jane 1234", "BATCH -1")  # fmt: skip
    assert "BATCH" not in " ".join(talk.heard())
    talk.says(
        ":me!user@host BATCH +9 draft/multiline agent",
        "@batch=9 :me!user@host PRIVMSG agent :hello",
        "@batch=9 :me!user@host PRIVMSG agent :!proof 1234",
        "BATCH -9",
    )
    assert not any("1234" in row.text for row in talk.kept)


def test_what_has_come_is_said_when_the_connection_ends() -> None:
    talk = connected()
    talk.attach(1, ())
    talk.says(*HEARD[:2])
    talk.event(Lost("reset"))
    assert texts(talk.seen(1))[0] == "hello"
    assert [row.text for row in talk.kept] == ["hello"]


def test_a_network_cannot_fill_memory_with_lines() -> None:
    """What finds no room is said as far as it has come: nothing is lost."""
    talk = connected()
    talk.attach(1, ())
    for number in range(MAX_ARRIVING + 1):
        talk.says(
            f":bob!b@h BATCH +{number} draft/multiline #ops",
            f"@batch={number} :bob!b@h PRIVMSG #ops :{number}",
        )
    assert texts(talk.seen(1)) == ["0"]
    talk.says(*[f"@batch=5 :bob!b@h PRIVMSG #ops :{n}" for n in range(MAX_LINES + 3)])
    assert len(texts(talk.seen(1))) == MAX_LINES
    talk.says("BATCH -5")
    assert texts(talk.seen(1)) == [str(n) for n in range(MAX_LINES - 1, MAX_LINES + 3)]
