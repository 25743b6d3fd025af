"""A client logs in at the bouncer. Quotes: IRCv3 sasl-3.1."""

from __future__ import annotations

from base64 import b64decode, b64encode

import pytest

from bouncer.irc.login import Login
from bouncer.irc.registration import ExternalAttempt, PlainAttempt, ScramAttempt, ScramLookup
from bouncer.irc.registration.attempts import read_pass
from bouncer.irc.registration.downstream import MAX_HELD, MAX_TRIES
from bouncer.irc.sasl import SCRAM, SaslLogin, ScramKeys, authenticate, mechanism
from tests.bouncer.irc.newcomer import FINGERPRINT, NICK_AND_USER, SERVER, Client, plain


def test_the_way_most_clients_come_in() -> None:
    client = Client()
    listed = client.says("CAP LS 302")
    assert listed[0].startswith("CAP * LS * :sasl=PLAIN,EXTERNAL,SCRAM-SHA-256 server-time")
    assert client.says(*NICK_AND_USER) == []
    assert client.says("CAP REQ :sasl server-time") == ["CAP * ACK :sasl server-time"]
    assert client.says("AUTHENTICATE PLAIN") == ["AUTHENTICATE +"]
    assert client.says(plain("alice/net@pc", "pw")) == []
    assert client.asked == [PlainAttempt(Login("alice", "net", "pc"), "pw")]
    # "If authentication is successful, a 900 and 903 numeric will be sent": in this order.
    assert client.accepted("alice") == [
        "900 * al!al@* alice :You are now logged in as alice",
        "903 * :SASL authentication successful",
    ]
    assert not client.us.complete
    assert client.says("CAP END") == []
    assert client.us.complete
    assert client.us.login == Login("alice", "net", "pc")
    assert (client.us.nick, client.us.realname) == ("al", "Alice A")
    assert client.us.caps == {"sasl", "server-time", "cap-notify"}


def test_pass_with_the_login_in_it() -> None:
    client = Client()
    client.says("PASS alice/net:pw", *NICK_AND_USER)
    assert client.asked == [PlainAttempt(Login("alice", "net"), "pw")]
    assert client.accepted("alice") == []
    assert client.us.complete
    assert client.us.login == Login("alice", "net")


def test_pass_beside_a_user_that_names_the_network() -> None:
    client = Client()
    client.says("PASS pw", "NICK al", "USER alice@pc/net 0 * :A")
    assert client.asked == [PlainAttempt(Login("alice", "net", "pc"), "pw")]
    client.accepted("alice")
    assert client.us.login == Login("alice", "net", "pc")


@pytest.mark.parametrize(
    ("password", "user", "login", "read"),
    [
        ("pw", "alice", Login("alice"), "pw"),
        ("alice:pw", "whoever", Login("alice"), "pw"),
        ("alice:p:w", "whoever", Login("alice"), "p:w"),
        ("p:w", "alice/net", Login("alice", "net"), "p:w"),
        ("alice/net:p:w", "alice/other", Login("alice", "net"), "p:w"),
        (":pw", "alice", Login("alice"), ":pw"),
        ("", "alice", Login("alice"), ""),
    ],
)
def test_the_forms_of_pass(password: str, user: str, login: Login, read: str) -> None:
    assert read_pass(password, user) == (login, read)


@pytest.mark.parametrize(
    ("login", "read"),
    [
        ("nick", PlainAttempt(Login("alice", "net", "kiwi"), "pw")),
        ("alice/net@other", PlainAttempt(Login("alice", "net", "other"), "alice/net@kiwi:pw")),
    ],
)
def test_a_server_password_said_again_by_sasl_means_the_same(
    login: str, read: PlainAttempt
) -> None:
    """irc-framework sends what it has as its server password as that of SASL, under its nick."""
    client = Client()
    client.says("CAP LS 302", "PASS alice/net@kiwi:pw", "NICK nick", "USER nick 0 * :N")
    client.says("CAP REQ sasl", "AUTHENTICATE PLAIN", plain(login, "alice/net@kiwi:pw"))
    assert client.asked == [read]


def test_a_wrong_password_ends_the_connection() -> None:
    client = Client()
    client.says("PASS alice:pw", *NICK_AND_USER)
    assert client.refused() == ["464 * :Password incorrect", "ERROR :Password incorrect"]
    assert client.us.closing
    assert client.says("PING x") == []


def test_nobody_enters_without_a_login() -> None:
    client = Client()
    (numeric, error) = client.says(*NICK_AND_USER)
    assert numeric.startswith("464 * ")
    assert error.startswith("ERROR ")
    assert not client.us.complete
    client = Client()
    client.says("CAP LS 302", *NICK_AND_USER)
    assert client.says("CAP END")[0].startswith("464 * ")


def test_a_certificate_alone_is_a_login() -> None:
    client = Client(fingerprint=FINGERPRINT)
    client.says("NICK al", "USER alice/net 0 * :A")
    assert client.asked == [ExternalAttempt(Login("alice", "net"), FINGERPRINT)]
    client.accepted("alice")
    assert client.us.login == Login("alice", "net")


def test_sasl_external_by_whom_the_bouncer_knows() -> None:
    client = Client(fingerprint=FINGERPRINT)
    client.says("CAP LS 302", "NICK al", "USER root 0 * :A", "AUTHENTICATE EXTERNAL")
    client.says("AUTHENTICATE +")
    assert client.asked == [ExternalAttempt(Login(""), FINGERPRINT)]
    client.accepted("alice")
    client.says("CAP END")
    assert client.us.login == Login("alice")


@pytest.mark.parametrize("name", ["alice", "Alice"])
def test_sasl_external(name: str) -> None:
    client = Client(fingerprint=FINGERPRINT)
    client.says("CAP LS 302", "NICK al", f"USER {name}/net@pc 0 * :A", "AUTHENTICATE EXTERNAL")
    client.says("AUTHENTICATE +")
    # Named like this it is that user's or nobody's, whoever else has named the certificate.
    assert client.asked == [ExternalAttempt(Login(name, "net", "pc"), FINGERPRINT)]
    assert client.accepted("alice")[0].endswith("logged in as alice")
    client.says("CAP END")
    assert client.us.login == Login("alice", "net", "pc")


def test_user_names_no_network_for_somebody_else() -> None:
    client = Client()
    client.says("CAP LS", "NICK al", "USER bob/net 0 * :A", "AUTHENTICATE PLAIN")
    client.says("AUTHENTICATE " + b64encode(b"\0alice\0secret").decode())
    client.accepted("alice")
    client.says("CAP END")
    assert client.us.login == Login("alice")


def test_sasl_external_without_a_certificate() -> None:
    client = Client()
    client.says("AUTHENTICATE EXTERNAL")
    (answer,) = client.says("AUTHENTICATE +")
    assert answer.startswith("904 * ")


def scram(client: Client, password: str, keys: ScramKeys) -> list[str]:
    exchange = mechanism(SCRAM, SaslLogin("", "alice/net", password))
    client.says("CAP LS 302", *NICK_AND_USER, f"AUTHENTICATE {SCRAM}")
    client.says(*map(str, authenticate(exchange.respond(b""))))
    assert client.asked == [ScramLookup(Login("alice", "net"))]
    first = client.told(client.us.scram_keys(keys))
    response = exchange.respond(b64decode("".join(f.split(" ")[1] for f in first)))
    final = client.says(*map(str, authenticate(response)))
    if final:
        exchange.respond(b64decode("".join(f.split(" ")[1] for f in final)))
        client.says("AUTHENTICATE +")
    return final


def test_sasl_scram() -> None:
    client = Client()
    assert scram(client, "pw", ScramKeys.of("pw", iterations=4096))
    assert client.asked[1:] == [ScramAttempt(Login("alice", "net"), proven=True)]
    assert [line[:3] for line in client.accepted("alice")] == ["900", "903"]
    client.says("CAP END")
    assert client.us.login == Login("alice", "net")


def test_sasl_scram_with_a_wrong_password_cannot_be_accepted() -> None:
    client = Client()
    assert scram(client, "wrong", ScramKeys.of("pw", iterations=4096)) == []
    assert client.asked[1:] == [ScramAttempt(Login("alice", "net"), proven=False)]
    assert [line[:3] for line in client.accepted("alice")] == ["904"]
    assert client.us.user == ""


def test_a_refused_login_may_be_tried_again_a_few_times() -> None:
    client = Client()
    client.says("CAP LS 302", *NICK_AND_USER)
    for attempt in range(1, MAX_TRIES + 1):
        client.says("AUTHENTICATE PLAIN", plain("alice", "wrong"))
        answer = client.refused("Wrong name or password")
        assert answer[0] == "904 * :Wrong name or password"
        assert client.us.closing == (attempt == MAX_TRIES)
    assert answer[1].startswith("ERROR ")


def test_unknown_mechanisms_are_answered_with_those_there_are() -> None:
    client = Client()
    assert client.says("AUTHENTICATE DH-AES") == [
        "908 * PLAIN,EXTERNAL,SCRAM-SHA-256 :are available SASL mechanisms",
        "904 * :SASL authentication failed",
    ]
    assert client.says("AUTHENTICATE plain") == ["AUTHENTICATE +"]


def test_an_exchange_may_be_aborted() -> None:
    """
    "The client can abort an authentication by sending an asterisk as the data. The server will
    send a 906 numeric."""
    client = Client()
    client.says("AUTHENTICATE PLAIN")
    assert client.says("AUTHENTICATE *") == ["906 * :SASL authentication aborted"]
    assert client.says("AUTHENTICATE PLAIN") == ["AUTHENTICATE +"]


def test_registration_in_the_midst_of_an_exchange_aborts_it() -> None:
    client = Client()
    client.says("PASS alice:pw", "CAP LS 302", *NICK_AND_USER, "AUTHENTICATE PLAIN")
    assert client.says("CAP END") == ["906 * :SASL authentication aborted"]
    assert client.asked == [PlainAttempt(Login("alice"), "pw")]


def test_too_long_a_response() -> None:
    client = Client()
    client.says("AUTHENTICATE PLAIN")
    assert client.says("AUTHENTICATE " + "A" * 401) == ["905 * :SASL message too long"]


def test_a_second_login_is_refused() -> None:
    """Spec: "the server MUST reject it with a 907 numeric"."""
    client = Client()
    client.says("CAP LS 302", "AUTHENTICATE PLAIN", plain("alice", "pw"))
    client.accepted("alice")
    assert client.says("AUTHENTICATE PLAIN")[0].startswith("907 * ")


def test_acting_as_somebody_else_is_refused() -> None:
    client = Client()
    client.says("AUTHENTICATE PLAIN")
    assert client.says(plain("alice", "pw", identity="root"))[0].startswith("904 * ")
    client.says("AUTHENTICATE PLAIN", plain("alice", "pw", identity="alice"))
    assert client.asked == [PlainAttempt(Login("alice"), "pw")]


def test_what_comes_while_a_login_is_checked_is_held() -> None:
    client = Client()
    client.says("PASS alice:pw", *NICK_AND_USER)
    assert client.says("CAP LIST", "PING late") == []
    assert client.accepted("alice") == ["CAP * LIST :", f"PONG {SERVER} late"]
    assert client.us.complete


def test_not_more_than_a_few_are_held() -> None:
    client = Client()
    client.says("PASS alice:pw", *NICK_AND_USER)
    assert client.says(*["PING x"] * MAX_HELD) == []
    assert client.says("PING x")[0].startswith("ERROR ")
    assert client.us.closing
    assert client.accepted("alice") == []
    assert not client.us.complete


def test_a_ping_before_registration_is_answered_by_our_name() -> None:
    assert Client().says("PING :a b") == [f"PONG {SERVER} :a b"]
    assert Client().says("PING") == ["409 * :No origin specified"]


def test_commands_before_registration() -> None:
    client = Client()
    assert client.says("JOIN #c") == ["451 * :You have not registered"]
    assert client.says("NICK") == ["431 * :No nickname given"]
    assert client.says("NICK :") == ["431 * :No nickname given"]
    assert client.says("NICK :a b") == ["432 * a_b :Erroneous nickname"]
    assert client.says("NICK 1a") == ["432 * 1a :Erroneous nickname"]
    assert client.says("USER a b c") == ["461 * USER :Not enough parameters"]
    assert client.says("PASS") == ["461 * PASS :Not enough parameters"]
    assert client.says("AUTHENTICATE") == ["461 * AUTHENTICATE :Not enough parameters"]
    assert client.says("PONG x") == []
    assert client.says("QUIT") == ["ERROR Quit"]
    assert client.us.closing
