"""Being known to services: SASL tried again, credentials kept when they are seen to work."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from bouncer.session.effects import DropNetwork, RememberLogin
from bouncer.session.events import Connected, Tick
from bouncer.session.services import FIRST_RETRY_MS, SASL_ANSWER_MS, SHORTEST_RETRY_MS
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue, texts

NET = Network(1, "net", "ircs://irc.test", id=1, nick="me")
SASL = replace(NET, sasl_mechanism="PLAIN", sasl_login="alice", sasl_password="hunter2")
WELCOME = (":irc.test 001 me :Welcome me!user@host", ":irc.test 422 me :no MOTD")
LOGGED_IN = ":irc.test 900 me me!user@host alice :You are now logged in as alice"
PLAIN = "AUTHENTICATE " + base64.b64encode(b"\0alice\0hunter2").decode()


def begin(talk: Dialogue, caps: str = "") -> None:
    talk.event(Connected(tls=True))
    talk.says(f":irc.test CAP * LS :{caps}")
    if caps:
        talk.says(":irc.test CAP * ACK :sasl")


def pass_time(talk: Dialogue, ms: int) -> list[str]:
    for _ in range(ms // 1_000):
        talk.now_ms += 1_000
        talk.event(Tick())
        if talk.session.ready:
            talk.says(":irc.test PONG irc.test muster")
    return [line for line in talk.heard() if not line.startswith("PING")]


@pytest.mark.parametrize(
    ("line", "login"),
    [
        ("PRIVMSG NickServ :IDENTIFY hunter2", ""),
        ("PRIVMSG nickserv :identify alice hunter2", "alice"),
        ("NICKSERV IDENTIFY hunter2", ""),
        ("NS ID alice hunter2", "alice"),
    ],
)
def test_a_login_said_to_nickserv_is_kept_when_it_works(line: str, login: str) -> None:
    talk = Dialogue([], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, line)
    assert not [other for other in talk.others if isinstance(other, RememberLogin)]
    talk.says(LOGGED_IN)
    assert RememberLogin(login or "alice", "hunter2") in talk.others
    assert "Your login to net is kept" in texts(talk.seen(1))[-1]
    assert "hunter2" not in repr(talk.others)
    begin(talk, "sasl=PLAIN")
    assert "AUTHENTICATE PLAIN" in talk.heard()


def test_a_login_that_does_not_work_is_not_kept() -> None:
    talk = Dialogue([], NET)
    talk.connect()
    talk.attach(1, caps=())
    talk.types(1, "PRIVMSG NickServ :IDENTIFY wrong")
    talk.says(":NickServ!n@services NOTICE me :Invalid password for me.", LOGGED_IN)
    assert not [other for other in talk.others if isinstance(other, RememberLogin)]


def test_what_is_kept_is_said_again_only_where_there_is_no_sasl() -> None:
    kept = replace(NET, sasl_login="alice", sasl_password="hunter2")
    talk = Dialogue([], kept)
    begin(talk, "sasl=PLAIN")
    talk.says("AUTHENTICATE +", LOGGED_IN, ":irc.test 903 me :done", *WELCOME)
    assert not [line for line in talk.heard() if "NickServ" in line]
    talk = Dialogue([], kept)
    begin(talk)
    talk.says(*WELCOME)
    assert "PRIVMSG NickServ :IDENTIFY alice hunter2" in talk.heard()


def test_a_sasl_password_is_never_said_to_somebody_called_nickserv() -> None:
    talk = Dialogue([], SASL)
    begin(talk)
    talk.says(*WELCOME)
    assert not [line for line in talk.heard() if "hunter2" in line]


def test_sasl_is_tried_again_while_services_are_away() -> None:
    """IRCv3 sasl-3.2: "Servers SHOULD allow a client, authenticated or otherwise, to reauthenticate
    by sending a new AUTHENTICATE message at any time." A service that fails without looking at the
    password is away."""
    talk = Dialogue([], SASL)
    begin(talk, "sasl=PLAIN")
    talk.says(":irc.test 904 * :SASL authentication failed", *WELCOME)
    talk.heard()
    talk.attach(1, caps=())
    assert "AUTHENTICATE PLAIN" in pass_time(talk, FIRST_RETRY_MS + 1_000)
    talk.says(":irc.test 904 me :SASL authentication failed")
    assert pass_time(talk, 2 * FIRST_RETRY_MS - 5_000) == []
    assert "AUTHENTICATE PLAIN" in pass_time(talk, 10_000)
    talk.says("AUTHENTICATE +")
    assert talk.heard() == [PLAIN]
    talk.says(LOGGED_IN, ":irc.test 903 me :done")
    assert pass_time(talk, 3_600_000) == []


def test_sasl_is_tried_again_soon_when_nickserv_speaks() -> None:
    """InspIRCd lists `sasl` also while its services are away, and tells nobody of their return."""
    talk = Dialogue([], SASL)
    begin(talk, "sasl=PLAIN")
    talk.says(":irc.test 904 * :SASL authentication failed", *WELCOME)
    talk.heard()
    greeting = ":NickServ!n@services NOTICE me :This nickname is registered."
    talk.says(greeting)
    assert "AUTHENTICATE PLAIN" in pass_time(talk, SHORTEST_RETRY_MS + 1_000)
    talk.says(":irc.test 904 me :SASL authentication failed", *[greeting] * 10)
    tried = pass_time(talk, SHORTEST_RETRY_MS + 1_000)
    assert tried.count("AUTHENTICATE PLAIN") == 1  # whoever is called so makes us no flood


def test_a_network_that_lists_sasl_only_with_its_services_is_asked_again() -> None:
    """InspIRCd 3 leaves `sasl` out once it knows that its services are gone, and sends no NEW."""
    talk = Dialogue([], SASL)
    talk.event(Connected(tls=True))
    talk.says(":irc.test CAP * LS :batch", ":irc.test CAP * ACK :batch", *WELCOME)
    talk.heard()
    assert "CAP LS 302" in pass_time(talk, FIRST_RETRY_MS + 1_000)
    talk.says(":irc.test CAP me LS :batch")
    assert talk.heard() == []
    talk.says(":NickServ!n@services NOTICE me :This nickname is registered.")
    assert "CAP LS 302" in pass_time(talk, SHORTEST_RETRY_MS + 1_000)
    talk.says(":irc.test CAP me LS * :sasl=PLAIN", ":irc.test CAP me LS :batch echo-message")
    assert talk.heard() == ["CAP REQ sasl"]
    talk.says(":irc.test CAP me ACK :sasl", "AUTHENTICATE +")
    assert talk.heard() == ["AUTHENTICATE PLAIN", PLAIN]
    talk.says(LOGGED_IN, ":irc.test 903 me :done")
    assert pass_time(talk, 3_600_000) == []


def test_credentials_that_are_refused_are_not_tried_again() -> None:
    talk = Dialogue([], SASL)
    begin(talk, "sasl=PLAIN")
    talk.says("AUTHENTICATE +", ":irc.test 904 * :SASL authentication failed", *WELCOME)
    talk.heard()
    assert pass_time(talk, 3_600_000) == []


def test_services_that_do_not_answer_do_not_keep_us_out() -> None:
    talk = Dialogue(["#ops"], SASL)
    begin(talk, "sasl=PLAIN")
    talk.heard()
    heard = pass_time(talk, SASL_ANSWER_MS + 3_000)
    assert heard == ["AUTHENTICATE *", "CAP END"]
    talk.says(":irc.test 906 * :SASL authentication aborted", *WELCOME)
    assert talk.heard() == ["JOIN #ops"]


@pytest.mark.parametrize(
    ("lines", "permanent"),
    [
        ((":irc.test CAP * LS :",), False),
        ((":irc.test CAP * LS :sasl", ":irc.test CAP * ACK :sasl", ":irc.test 904 * :away"), False),
        (
            (
                ":irc.test CAP * LS :sasl",
                ":irc.test CAP * ACK :sasl",
                "AUTHENTICATE +",
                ":irc.test 904 * :wrong",
            ),
            True,
        ),
    ],
)
def test_where_it_is_required_we_stay_out_and_say_why(
    lines: tuple[str, ...], permanent: bool
) -> None:
    """SASL required and services down disabled a network for good (znc#1918): here it is tried
    again, unless the password itself is wrong."""
    talk = Dialogue(["#ops"], replace(SASL, sasl_required=True))
    talk.event(Connected(tls=True))
    talk.says(*lines)
    dropped = talk.others[-1]
    assert isinstance(dropped, DropNetwork)
    assert dropped.permanent is permanent
    assert dropped.reason
    assert "QUIT" in talk.heard()


def test_services_that_do_not_answer_keep_us_out_where_the_login_is_required() -> None:
    talk = Dialogue(["#ops"], replace(SASL, sasl_required=True))
    begin(talk, "sasl=PLAIN")
    talk.heard()
    assert "QUIT" in pass_time(talk, SASL_ANSWER_MS + 3_000)
    dropped = talk.others[-1]
    assert isinstance(dropped, DropNetwork)
    assert (dropped.permanent, dropped.reason) == (False, "services do not answer")


def test_connect_commands_are_sent_after_registration_in_order() -> None:
    net = replace(NET, connect_commands=("/MODE me +x", ":x OPER me secret", "", "@a=b WHO"))
    talk = Dialogue(["#ops"], net)
    begin(talk)
    talk.heard()
    talk.says(*WELCOME)
    assert talk.heard() == ["MODE me +x", "OPER me secret", "WHO", "JOIN #ops"]


@pytest.mark.parametrize(
    ("caps", "line"),
    [
        ("", LOGGED_IN),
        ("", ":irc.test 901 me me!user@host :You are now logged out"),
        ("batch labeled-response", LOGGED_IN),
    ],
)
def test_a_login_and_its_end_are_told_to_every_client(caps: str, line: str) -> None:
    """sasl-3.1 of 900: "Sent when the user's account name is set (whether by SASL or otherwise)";
    901 when it is unset."""
    talk = Dialogue([], NET)
    talk.connect(caps)
    talk.attach(1, caps=())
    talk.attach(2, caps=())
    talk.types(1, "NICKSERV IDENTIFY alice hunter2", "WHOIS bob")
    talk.says(line.replace(" me ", " * ", 1))
    for client in (1, 2):
        assert talk.seen(client)[0] == line
