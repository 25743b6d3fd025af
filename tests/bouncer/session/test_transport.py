"""IRCv3 sts from a network: what is made of its policy. Quotes: the specification."""

from __future__ import annotations

import pytest

from bouncer.irc.caps import UPSTREAM_WANTED
from bouncer.session.effects import WantsTls
from bouncer.session.events import Connected
from storage.records import Network
from tests.bouncer.session.dialogue import Dialogue


def wants(talk: Dialogue) -> list[WantsTls]:
    found = [other for other in talk.others if isinstance(other, WantsTls)]
    talk.others.clear()
    return found


@pytest.mark.parametrize(
    ("tls", "value", "effects"),
    [
        # "If the client is not already connected securely [...] it MUST close the insecure
        # connection and reconnect securely on the stated port."
        (False, "port=6697,duration=100", [WantsTls(port=6697)]),
        # "non-securely connected clients MUST ignore it": the duration
        (False, "duration=100", []),
        # "Servers MAY send this key to securely connected clients, but it will be ignored."
        (True, "port=7000", []),
        (True, "duration=100,port=7000", [WantsTls(duration_s=100)]),
        (True, "duration=0", [WantsTls(duration_s=0)]),
        (False, "", []),
    ],
)
def test_a_policy_is_what_the_connection_makes_of_it(
    tls: bool, value: str, effects: list[WantsTls]
) -> None:
    talk = Dialogue()
    talk.event(Connected(tls=tls))
    talk.heard()
    talk.says(f":irc.test CAP * LS :batch sts={value}")
    assert wants(talk) == effects
    leaves = any(effect.port for effect in effects)
    assert talk.heard() == ([] if leaves else ["CAP REQ batch"])


def test_it_is_read_anew_and_never_requested_nor_taken_back() -> None:
    """ "Clients MUST reset the STS policy expiry time [...] every time a valid persistence policy
    with a duration key is received"; "Clients MUST NOT request this capability"; "Servers MUST NOT
    send CAP DEL to disable this capability, and clients MUST ignore any attempts to do so." """
    assert "sts" not in UPSTREAM_WANTED
    talk = Dialogue()
    talk.event(Connected(tls=True))
    talk.says(":irc.test CAP * LS :sts=duration=100", ":irc.test 001 me :Welcome")
    talk.says(":irc.test 422 me :no MOTD")
    assert wants(talk) == [WantsTls(duration_s=100)]
    talk.says(":irc.test CAP me NEW :sts=duration=200")
    assert wants(talk) == [WantsTls(duration_s=200)]
    talk.says(":irc.test CAP me NEW :away-notify", ":irc.test CAP me DEL :sts")
    assert wants(talk) == []


@pytest.mark.parametrize(
    ("nick", "ident", "said"),
    [
        ("al|away", "", "alaway"),
        ("[x]_y-z.1", "", "xyz1"),
        ("alice_", "", "alice"),
        ("^^", "", "user"),
        ("al|away", "al|own", "al|own"),
    ],
)
def test_a_nick_is_a_user_name_as_far_as_servers_take_it(nick: str, ident: str, said: str) -> None:
    """ircd-hybrid 8.2.43: "ERROR :Closing Link: 198.18.2.30 (Invalid username [~alice_])"."""
    network = Network(1, "net", "irc+insecure://irc.test", id=1, nick=nick, ident=ident)
    talk = Dialogue([], network)
    talk.event(Connected(tls=False))
    assert f"USER {said} 0 * {nick}" in talk.heard()
