"""Registering with a network: a server speaks, we answer."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import pytest

from bouncer.irc.registration import Identity, SaslLogin, UpstreamRegistration
from bouncer.irc.registration.upstream import MAX_NICK_TRIES, is_ban
from bouncer.irc.sasl import SCRAM, ScramKeys, ScramServer, authenticate
from bouncer.irc.wire import Message

PLAIN = SaslLogin("PLAIN", "acct", "secret")


class Talk:
    """We against a scripted server."""

    def __init__(self, **identity: Any) -> None:
        self.us = UpstreamRegistration(Identity("me", **identity), ("sasl", "batch"))
        self.opening = [str(line) for line in self.us.start()]

    def says(self, *lines: str) -> list[str]:
        out = []
        for line in lines:
            out += [str(answer) for answer in self.us.receive(Message.parse(line))]
        return out


def to_sasl(**identity: Any) -> Talk:
    """As far as the choice of the mechanism."""
    talk = Talk(**identity)
    assert talk.says("CAP * LS :sasl=PLAIN,SCRAM-SHA-256 batch") == [
        "CAP REQ sasl",
        "CAP REQ batch",
    ]
    assert talk.says("CAP * ACK :sasl") == []
    assert talk.says("CAP * ACK :batch")[0].startswith("AUTHENTICATE ")
    return talk


def test_registration_without_a_login() -> None:
    talk = Talk(ident="i", realname="Real Name", password="pw")
    # "The password must be sent before any attempt to register": RFC 1459 section 4.1.1.
    assert talk.opening == ["PASS pw", "CAP LS 302", "NICK me", "USER i 0 * :Real Name"]
    assert talk.says("CAP * LS :sasl=PLAIN batch") == ["CAP REQ batch"]
    assert talk.says("CAP * ACK :batch") == ["CAP END"]
    assert not talk.us.registered
    assert talk.says(":s 001 Me :Welcome") == []
    assert talk.us.registered
    assert talk.us.nick == "Me"
    assert talk.us.caps == {"batch": ""}


def test_a_ping_before_registration_is_answered() -> None:
    assert Talk().says("PING :cookie 12") == ["PONG :cookie 12"]
    assert Talk().says("PING") == ["PONG"]


def test_a_server_that_does_not_know_cap() -> None:
    talk = Talk()
    assert talk.says(":s 421 * CAP :Unknown command") == []
    talk.says(":s 001 me :Welcome")
    assert talk.us.registered
    talk = Talk()
    talk.says(":s 001 me :Welcome")
    assert talk.us.registered


def test_plain_login() -> None:
    talk = to_sasl(sasl=PLAIN)
    assert talk.says("AUTHENTICATE +") == ["AUTHENTICATE AGFjY3QAc2VjcmV0"]
    assert talk.says(":s 900 * *!*@* acct :You are now logged in as acct") == []
    assert talk.says(":s 903 * :SASL authentication successful") == ["CAP END"]
    assert talk.us.account == "acct"
    talk.says(":s 001 me :Welcome")
    assert talk.us.registered
    assert talk.us.failure is None


def test_external_login() -> None:
    talk = Talk(sasl=SaslLogin("EXTERNAL"))
    talk.says("CAP * LS :sasl")  # "MUST handle the case when there is no value": sasl-3.2
    assert talk.says("CAP * ACK :sasl") == ["AUTHENTICATE EXTERNAL"]
    assert talk.says("AUTHENTICATE +") == ["AUTHENTICATE +"]
    assert talk.says(":s 903 me :ok") == ["CAP END"]


def scram_server(talk: Talk, password: str = "secret") -> tuple[ScramServer, list[str]]:
    """Let a real server end run to its last message."""
    (first,) = talk.says("AUTHENTICATE +")
    server = ScramServer(b64decode(first.removeprefix("AUTHENTICATE ")), ScramKeys.of(password))
    return server, talk.says(*(str(line) for line in authenticate(server.first)))


def test_scram_is_chosen_where_it_is_offered() -> None:
    talk = Talk(sasl=SaslLogin("", "acct", "secret"))
    talk.says("CAP * LS :sasl=PLAIN,SCRAM-SHA-256")
    assert talk.says("CAP * ACK :sasl") == [f"AUTHENTICATE {SCRAM}"]
    server, answer = scram_server(talk)
    final = server.check(b64decode("".join(a.removeprefix("AUTHENTICATE ") for a in answer)))
    assert talk.says(*(str(line) for line in authenticate(final))) == ["AUTHENTICATE +"]
    assert talk.says(":s 903 * :ok") == ["CAP END"]


def test_a_success_without_proof_is_not_believed() -> None:
    # RFC 5802 section 5: without the server's signature the server may be anybody.
    talk = Talk(sasl=SaslLogin(SCRAM, "acct", "secret"), sasl_required=True)
    talk.says("CAP * LS :sasl=SCRAM-SHA-256", "CAP * ACK :sasl")
    scram_server(talk)
    assert talk.says(":s 903 * :ok") == ["QUIT"]
    assert talk.us.failure is not None
    assert "did not prove" in talk.us.failure.text


def test_a_server_without_our_scram_keys_gets_plain() -> None:
    talk = to_sasl(sasl=SaslLogin("", "acct", "secret"))
    assert talk.says(":s 904 * :SASL authentication failed") == ["AUTHENTICATE PLAIN"]


def test_after_an_abort_the_next_mechanism_waits_for_the_server() -> None:
    talk = to_sasl(sasl=SaslLogin("", "acct", "secret"))
    talk.says("AUTHENTICATE +")
    assert talk.says("AUTHENTICATE !!!") == ["AUTHENTICATE *"]
    assert talk.says("AUTHENTICATE more") == []
    assert talk.says(":s 906 * :SASL authentication aborted") == ["AUTHENTICATE PLAIN"]


def test_wrong_credentials_fail_closed_and_for_good() -> None:
    talk = to_sasl(sasl=PLAIN, sasl_required=True)
    talk.says("AUTHENTICATE +")
    assert talk.says(":s 904 * :SASL authentication failed") == ["QUIT"]
    assert talk.us.failure == ("SASL authentication failed", True, False)
    assert talk.says(":s 001 me :Welcome") == []
    assert not talk.us.registered


def test_services_that_are_away_fail_closed_but_are_tried_again() -> None:
    """
    "If a client requires pre-authentication and is unable to obtain the sasl capability, then
    the client MUST disconnect and MAY retry the connection": sasl-3.2."""
    talk = Talk(sasl=PLAIN, sasl_required=True)
    assert talk.says("CAP * LS :batch") == ["CAP REQ batch"]
    assert talk.says("CAP * ACK :batch") == ["QUIT"]
    assert talk.us.failure is not None
    assert not talk.us.failure.permanent
    talk = to_sasl(sasl=PLAIN, sasl_required=True)
    talk.says(":s 904 * :failed before anything was sent")
    assert talk.us.failure is not None
    assert not talk.us.failure.permanent


def test_services_that_leave_in_the_midst() -> None:
    talk = to_sasl(sasl=PLAIN, sasl_required=True)
    assert talk.says("CAP * DEL :sasl") == ["QUIT"]
    assert talk.us.failure is not None
    assert not talk.us.failure.permanent


def test_an_optional_login_that_fails_lets_us_in_and_says_so() -> None:
    talk = to_sasl(sasl=PLAIN)
    talk.says("AUTHENTICATE +")
    assert talk.says(":s 904 * :nope") == ["CAP END"]
    assert talk.us.sasl_failure == "nope"
    assert talk.us.failure is None


def test_a_network_without_our_mechanism() -> None:
    talk = Talk(sasl=SaslLogin("EXTERNAL"), sasl_required=True)
    talk.says("CAP * LS :sasl=PLAIN")
    assert talk.says("CAP * ACK :sasl") == ["QUIT"]
    assert talk.us.failure is not None
    assert "PLAIN" in talk.us.failure.text


def test_a_welcome_before_the_login_is_refused_where_it_is_required() -> None:
    talk = to_sasl(sasl=PLAIN, sasl_required=True)
    assert talk.says(":s 001 me :Welcome") == ["QUIT"]
    assert talk.us.failure is not None
    assert not talk.us.registered


def test_services_that_come_back_are_used() -> None:
    talk = Talk(sasl=PLAIN)
    assert talk.says("CAP * LS :") == ["CAP END"]
    talk.says(":s 001 me :Welcome")
    assert talk.says("CAP me NEW :sasl=PLAIN") == ["CAP REQ sasl"]
    assert talk.says("CAP me ACK :sasl") == ["AUTHENTICATE PLAIN"]
    assert talk.says("AUTHENTICATE +") == ["AUTHENTICATE AGFjY3QAc2VjcmV0"]
    assert talk.says(":s 900 me me!i@h acct :now", ":s 903 me :ok") == []
    assert talk.us.account == "acct"
    assert talk.us.sasl_failure == ""


@pytest.mark.parametrize("numeric", ["433", "436", "437"])
def test_a_nick_that_is_taken_gets_a_suffix_then_numbers(numeric: str) -> None:
    talk = Talk()
    tried = [talk.says(f":s {numeric} * x :in use")[0] for _ in range(MAX_NICK_TRIES)]
    assert tried[:5] == ["NICK me_", "NICK me__", "NICK me___", "NICK me1", "NICK me2"]
    assert len(set(tried)) == MAX_NICK_TRIES
    assert talk.says(f":s {numeric} * x :in use") == ["QUIT"]
    assert talk.us.failure is not None
    assert not talk.us.failure.permanent


def test_numbered_nicks_fit_nine_characters() -> None:
    us = UpstreamRegistration(Identity("averylongnick"), ())
    tried = [us.receive(Message("433", ("*", "x", "in use")))[0].params[0] for _ in range(13)]
    assert tried[3] == "averylon1"
    assert tried[12] == "averylo10"


def test_an_erroneous_nick_is_made_plain() -> None:
    us = UpstreamRegistration(Identity("1-ält[x]"), ())
    tried = [us.receive(Message("432", ("*", "x", "bad")))[0].params[0] for _ in range(3)]
    assert tried == ["ltx1", "ltx2", "ltx3"]
    assert us.nick == "ltx3"
    for _ in range(30):
        us.receive(Message("432", ("*", "x", "bad")))
    assert us.failure is not None


def test_after_registration_a_taken_nick_is_not_our_matter() -> None:
    talk = Talk()
    talk.says(":s 001 me :Welcome")
    assert talk.says(":s 433 me wanted :in use", ":s 437 me #c :unavailable") == []


@pytest.mark.parametrize(
    ("line", "permanent", "banned"),
    [
        (":s 464 * :Password incorrect", True, False),
        (":s 468 * :Your username is not valid", True, False),
        (":s 465 * :You are banned from this server", False, True),
        ("ERROR :Closing Link: me (K-Lined)", False, True),
        ("ERROR :Closing Link: Ping timeout", False, False),
        ("ERROR :Too many connections from your address", False, False),
        ("ERROR", False, False),
    ],
)
def test_what_a_network_turns_us_away_with(line: str, permanent: bool, banned: bool) -> None:
    talk = Talk()
    talk.says(line)
    assert talk.us.failure is not None
    assert (talk.us.failure.permanent, talk.us.failure.banned) == (permanent, banned)


@pytest.mark.parametrize(
    "text",
    [
        "Closing Link: x[1.2.3.4] (Banned)",
        "You have been Z-Lined",
        "Closing Link: x (K:Lined: spam)",
        "Closing Link: x[y] (Kill line active: no)",
        "Closing Link: x (Autokilled: spam)",
        "Your host is listed in DNSBL, see https://dnsbl.example",
        "Closing Link: x (Blacklisted proxy found)",
        "Permanent ban",
    ],
)
def test_words_that_tell_of_a_ban(text: str) -> None:
    assert is_ban(text)


@pytest.mark.parametrize(
    "text",
    ["Closing Link: urban.example (Quit)", "Excess Flood", "Bad line length", "Max line sendq"],
)
def test_words_that_tell_of_none(text: str) -> None:
    assert not is_ban(text)


def test_who_proves_nothing_is_not_told_the_password() -> None:
    """RFC 5802: a wrong signature is that of somebody who does not know it. PLAIN would say it."""
    talk = Talk(sasl=SaslLogin("", "acct", "secret"))
    talk.says("CAP * LS :sasl=PLAIN,SCRAM-SHA-256", "CAP * ACK :sasl")
    scram_server(talk)
    signature = b"v=" + b64encode(bytes(32))
    assert talk.says(*(str(line) for line in authenticate(signature))) == ["AUTHENTICATE *"]
    assert talk.says(":s 906 * :SASL aborted") == ["CAP END"]
